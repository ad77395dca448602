//! Carets go both ways between a phone and a client of others, once each, and nothing of them comes back or is kept.

use std::net::SocketAddr;

use taiwa_mobile_core::session::RemoteCaret;
use taiwa_shared::documents::caret::Caret;
use taiwa_tests::{
    eventually::{PATIENCE, eventually},
    interop::Guest,
    world::World,
};
use tokio::{sync::Mutex, time::timeout};

use super::{both_read, javascript, line_to, samod};

async fn shows_carets<G: Guest>(test: &str, start: impl AsyncFnOnce(SocketAddr, String) -> G) {
    let world = World::open(test).await;
    let line = line_to(&world).await;
    let phone = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = phone.next_meeting_with(&manager).await;
    phone.type_into_memo(meeting, 0, "一二三").await;
    phone.settled().await;
    let document = phone.memo_document(meeting).await;
    let mut guest = start(line.address(), world.access_token("sato").await).await;
    assert_eq!(guest.find(document).await.unwrap().as_deref(), Some("一二三"));
    let (guest, connections) = (Mutex::new(guest), line.connections());

    let memo = phone.session().memo(meeting).await.unwrap();
    memo.show_caret(2, true).await.unwrap();
    let seen = eventually("the phone's caret", PATIENCE, || async {
        Some(guest.lock().await.carets(document).await.unwrap()).filter(|carets| !carets.is_empty())
    })
    .await;
    let [Caret { cursor, typing: true }] = &seen[..] else { panic!("one caret of somebody who types: {seen:?}") };
    // A client that cannot make one of the phone's own places stands where the phone stood.
    let caret = Caret { cursor: cursor.clone(), typing: false };
    guest.lock().await.splice(document, 0, 0, "零").await.unwrap();
    both_read(&guest, &phone, meeting, "零一二三").await;
    guest.lock().await.show_caret(document, &caret).await.unwrap();
    let RemoteCaret { sender, position_utf16, typing } =
        timeout(PATIENCE, memo.next_caret()).await.expect("a caret in time").unwrap();
    assert_eq!((position_utf16, typing), (Some(3), false), "after the same character, which moved");
    assert!(!sender.is_empty());

    // Whatever was sent back has arrived before this, and is not counted as another connection's end.
    guest.lock().await.splice(document, 0, 0, "終").await.unwrap();
    both_read(&guest, &phone, meeting, "終零一二三").await;
    assert_eq!(guest.lock().await.carets(document).await.unwrap(), seen, "its own caret does not come back");
    assert_eq!(line.connections(), connections, "whoever shows carets is not thrown out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_javascript_client_and_a_phone_show_each_other_their_carets() {
    let Some(start) = javascript("a_javascript_client_and_a_phone_show_each_other_their_carets") else { return };
    shows_carets("carets of JavaScript", start).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_samod_client_and_a_phone_show_each_other_their_carets() {
    shows_carets("carets of samod", samod).await;
}
