//! Repositories of others at our hub, and our engine at their servers: one idea per file, JavaScript and samod each.

mod co_edit;
mod cut_line;
mod engine;
mod everything;
mod presence;
mod read_only;
mod unavailable;

use std::{net::SocketAddr, path::PathBuf};

use automerge::ChangeHash;
use taiwa_shared::ids::{DocumentId, MeetingId};
use taiwa_tests::{
    eventually::{PATIENCE, eventually},
    inspect::Contents,
    interop::{Guest, interop_folder, javascript::JavaScriptClient, samod::SamodClient},
    link::{Direction, Link},
    phone::Phone,
    skip::skip,
    world::World,
};
use tokio::sync::Mutex;

/// The JavaScript packages; without Node none, after saying so.
fn packages(test: &str) -> Option<PathBuf> {
    let folder = interop_folder().unwrap();
    if folder.is_none() {
        skip(test, "needs node and npm");
    }
    folder
}

/// How a JavaScript client starts.
fn javascript(test: &str) -> Option<impl AsyncFnOnce(SocketAddr, String) -> JavaScriptClient> {
    let folder = packages(test)?;
    Some(async move |address, token: String| JavaScriptClient::start(&folder, address, &token).unwrap())
}

/// How a samod client starts.
async fn samod(address: SocketAddr, token: String) -> SamodClient {
    SamodClient::start(address, &token).await.unwrap()
}

/// A line of a guest to the server of a world.
async fn line_to(world: &World) -> Link {
    Link::open(world.address(), world.seed()).await.unwrap()
}

/// Bytes that a line has carried, both ways.
fn carried_bytes(line: &Link) -> u64 {
    line.delivered_bytes(Direction::Up) + line.delivered_bytes(Direction::Down)
}

/// Waits until guest and phone show this text of a memo.
async fn both_read(guest: &Mutex<impl Guest>, phone: &Phone, meeting: MeetingId, expected: &str) {
    let document = phone.memo_document(meeting).await;
    eventually(&format!("both read {expected}"), PATIENCE, || async {
        let there = guest.lock().await.text(document).await.unwrap();
        (there == expected && phone.memo_text(meeting).await == expected).then_some(())
    })
    .await;
}

/// Waits until guest, phone and server have stored equal heads, and the guest knows that.
async fn same_heads(world: &World, guest: &Mutex<impl Guest>, phone: &Phone, document: DocumentId) -> Vec<ChangeHash> {
    eventually("equal heads, and the guest is told", PATIENCE, || async {
        let mut guest = guest.lock().await;
        let heads = guest.heads(document).await.unwrap();
        let is_told = guest.is_acknowledged(document).await.unwrap();
        let server = Contents::of_server(&world.database()).await.unwrap().heads_of(document);
        (is_told && server == heads && phone.contents().await.heads_of(document) == heads).then_some(heads)
    })
    .await
}
