//! Clients of others that may only read: what they change on their own never enters, and they are neither thrown out nor
//! cut off from what comes later.

use std::net::SocketAddr;

use taiwa_shared::domain::ownership::DocumentKey;
use taiwa_tests::{
    eventually::{PATIENCE, eventually},
    inspect::Contents,
    interop::Guest,
    world::World,
};

use super::{carried_bytes, javascript, line_to, samod};

/// What two more edits may cost; a conversation without an end costs megabytes.
const FEW_BYTES: u64 = 20_000;

async fn reads_a_closed_pair<G: Guest>(test: &str, start: impl AsyncFnOnce(SocketAddr, String) -> G) {
    let mut world = World::open(test).await;
    let line = line_to(&world).await;
    let member = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = member.next_meeting_with(&manager).await;
    member.type_into_memo(meeting, 0, "これまでの話").await;
    member.settled().await;
    let closed = member.memo_document(meeting).await;
    world.move_person("tanaka", "mori").await;
    let next = world.phone("mori").await;
    eventually("the new pair begins", PATIENCE, || async {
        member.session().pairs().iter().any(|pair| pair.partner == next.user()).then_some(())
    })
    .await;
    let next_meeting = member.next_meeting_with(&next).await;
    member.type_into_memo(next_meeting, 0, "これから").await;
    member.settled().await;
    let open = member.memo_document(next_meeting).await;

    let mut guest = start(line.address(), world.access_token("tanaka").await).await;
    assert_eq!(guest.find(closed).await.unwrap().as_deref(), Some("これまでの話"), "the member reads on");
    assert_eq!(guest.find(open).await.unwrap().as_deref(), Some("これから"));
    let connections = line.connections();
    guest.splice(closed, 0, 0, "入らない").await.unwrap();
    // Said after the other, and stored.
    guest.splice(open, 0, 0, "一").await.unwrap();
    next.eventually_reads(next_meeting, "一これから").await;
    let bytes = carried_bytes(&line);
    guest.splice(closed, 0, 0, "これも").await.unwrap();
    guest.splice(open, 0, 0, "二").await.unwrap();
    next.eventually_reads(next_meeting, "二一これから").await;

    assert!(carried_bytes(&line) - bytes < FEW_BYTES, "they talk on and on: {} bytes", carried_bytes(&line) - bytes);
    assert_eq!(line.connections(), connections, "a reader that writes is not thrown out");
    let server = Contents::of_server(&world.database()).await.unwrap();
    assert!(!server.places_of("これまでの話").is_empty(), "the control");
    for unheard in ["入らない", "これも"] {
        assert_eq!(server.places_of(unheard), Vec::<&str>::new());
    }
    assert_eq!(member.memo_text(meeting).await, "これまでの話");
    assert_eq!(guest.text(closed).await.unwrap(), "これも入らないこれまでの話", "it keeps what it wrote for itself");
}

async fn reads_a_preparation<G: Guest>(test: &str, start: impl AsyncFnOnce(SocketAddr, String) -> G) {
    let world = World::open(test).await;
    let line = line_to(&world).await;
    let member = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = member.next_meeting_with(&manager).await;
    let prep = DocumentKey::Prep { pair: member.pair_with(&manager).await, meeting }.document_id(0);
    member.choose(meeting, "workload").await;
    member.set_word(meeting, "workload", "多いです").await;
    member.publish(meeting).await;
    member.settled().await;

    let mut guest = start(line.address(), world.access_token("sato").await).await;
    assert_eq!(guest.find(prep).await.unwrap().as_deref(), Some(""), "a preparation has no body");
    let published = member.contents().await.heads_of(prep);
    assert_eq!(guest.heads(prep).await.unwrap(), published);
    let connections = line.connections();
    guest.put(prep, "note", "上長の書き込み").await.unwrap();
    let own = guest.heads(prep).await.unwrap();
    member.set_word(meeting, "workload", "減りました").await;
    member.publish(meeting).await;
    member.settled().await;
    let published = member.contents().await.heads_of(prep);
    let mut both = [own, published.clone()].concat();
    both.sort_unstable();
    let guest = tokio::sync::Mutex::new(guest);
    eventually("the reader hears of what is published later", PATIENCE, || async {
        (guest.lock().await.heads(prep).await.unwrap() == both).then_some(())
    })
    .await;
    let server = Contents::of_server(&world.database()).await.unwrap();
    assert_eq!(server.heads_of(prep), published, "what a reader writes does not enter");
    assert_eq!(server.places_of("上長の書き込み"), Vec::<&str>::new());
    assert_eq!(line.connections(), connections, "a reader that writes is not thrown out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_javascript_client_writes_in_a_closed_pair_never_enters() {
    let Some(start) = javascript("what_a_javascript_client_writes_in_a_closed_pair_never_enters") else { return };
    reads_a_closed_pair("closed pair of JavaScript", start).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_samod_client_writes_in_a_closed_pair_never_enters() {
    reads_a_closed_pair("closed pair of samod", samod).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_javascript_reader_that_writes_goes_on_hearing() {
    let Some(start) = javascript("a_javascript_reader_that_writes_goes_on_hearing") else { return };
    reads_a_preparation("preparation read by JavaScript", start).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_samod_reader_that_writes_goes_on_hearing() {
    reads_a_preparation("preparation read by samod", samod).await;
}
