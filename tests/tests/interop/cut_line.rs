//! The line of a client of others is cut at seeded moments of its exchange; nothing is lost and all end alike.

use std::net::SocketAddr;

use rand::{RngExt, rngs::StdRng};
use taiwa_shared::ids::{DocumentId, MeetingId};
use taiwa_tests::{
    eventually::{PATIENCE, eventually},
    interop::Guest,
    link::Link,
    phone::Phone,
    turn::my_turn,
    world::World,
};
use tokio::{join, sync::Mutex};

use super::{carried_bytes, javascript, line_to, same_heads, samod};

const CUTS: usize = 6;
/// By each side before each cut.
const EDITS: usize = 12;

async fn write(guest: &Mutex<impl Guest>, document: DocumentId, mut random: StdRng) {
    for _ in 0..EDITS {
        let mut guest = guest.lock().await;
        let length = guest.text(document).await.unwrap().encode_utf16().count();
        guest.splice(document, random.random_range(0..=length), 0, "《客》").await.unwrap();
    }
}

async fn type_there(phone: &Phone, meeting: MeetingId, mut random: StdRng) {
    for _ in 0..EDITS {
        let length = phone.memo_text(meeting).await.encode_utf16().count();
        phone.type_into_memo(meeting, random.random_range(0..=length), "《主》").await;
    }
}

/// Cuts the line after some more bytes of what is under way, and waits for the next connection.
async fn cut(line: &Link, bytes: u64) {
    let (so_far, connections) = (carried_bytes(line), line.connections());
    eventually("the exchange goes on", PATIENCE, || async { (carried_bytes(line) >= so_far + bytes).then_some(()) })
        .await;
    line.cut();
    eventually("another connection", PATIENCE, || async { (line.connections() > connections).then_some(()) }).await;
}

async fn merges<G: Guest>(test: &str, start: impl AsyncFnOnce(SocketAddr, String) -> G) {
    let _turn = my_turn().await;
    let world = World::open(test).await;
    let (seed, line) = (world.seed(), line_to(&world).await);
    let phone = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = phone.next_meeting_with(&manager).await;
    phone.type_into_memo(meeting, 0, "始め").await;
    phone.settled().await;
    let document = phone.memo_document(meeting).await;
    let mut guest = start(line.address(), world.access_token("sato").await).await;
    assert_eq!(guest.find(document).await.unwrap().as_deref(), Some("始め"));

    let guest = Mutex::new(guest);
    let mut moments = seed.generator("moments");
    for round in 0..CUTS {
        join!(
            write(&guest, document, seed.generator(&format!("guest/{round}"))),
            type_there(&phone, meeting, seed.generator(&format!("phone/{round}"))),
            cut(&line, moments.random_range(1..1_500)),
        );
    }
    same_heads(&world, &guest, &phone, document).await;
    let text = phone.memo_text(meeting).await;
    assert_eq!(guest.lock().await.text(document).await.unwrap(), text);
    for letter in ['客', '主'] {
        let count = text.chars().filter(|it| *it == letter).count();
        assert_eq!(count, CUTS * EDITS, "every {letter} arrived once: {text}");
    }
    println!("{test}: {} connections of the guest", line.connections());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_javascript_client_whose_line_is_cut_mid_exchange_loses_nothing() {
    let Some(start) = javascript("a_javascript_client_whose_line_is_cut_mid_exchange_loses_nothing") else { return };
    merges("cut line of JavaScript", start).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_samod_client_whose_line_is_cut_mid_exchange_loses_nothing() {
    merges("cut line of samod", samod).await;
}
