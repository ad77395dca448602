//! To a client of others, a document that nobody has and one that it may not see are both unavailable, at once; one that it
//! made up itself never enters; and all that costs it nothing else.

use std::net::SocketAddr;

use taiwa_shared::ids::DocumentId;
use taiwa_tests::{inspect::Contents, interop::Guest, world::World};

use super::{javascript, line_to, samod};

async fn finds_its_own_only<G: Guest>(test: &str, start: impl AsyncFnOnce(SocketAddr, String) -> G) {
    let world = World::open(test).await;
    let line = line_to(&world).await;
    let member = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = member.next_meeting_with(&manager).await;
    member.type_into_memo(meeting, 0, "二人の話").await;
    member.settled().await;
    let memo = member.memo_document(meeting).await;

    let mut stranger = start(line.address(), world.access_token("mori").await).await;
    assert_eq!(stranger.find(DocumentId::from_bytes([7; 16])).await.unwrap(), None, "nobody has it");
    let connections = line.connections();
    assert_eq!(stranger.find(memo).await.unwrap(), None, "of others");
    let invented = stranger.invent("勝手な話").await.unwrap();
    // Asked after all that was said about the others.
    assert_eq!(stranger.find(DocumentId::from_bytes([8; 16])).await.unwrap(), None);
    assert_eq!(line.connections(), connections, "asking for what is not there is no fault");

    let (next, other) = (world.phone("mori").await, world.phone("abe").await);
    let meeting = other.next_meeting_with(&next).await;
    other.type_into_memo(meeting, 0, "自分の話").await;
    other.settled().await;
    let own = other.memo_document(meeting).await;
    assert_eq!(stranger.find(own).await.unwrap().as_deref(), Some("自分の話"), "what is its own it finds");
    let server = Contents::of_server(&world.database()).await.unwrap();
    assert!(!server.places_of("二人の話").is_empty(), "the control");
    assert_eq!(server.places_of("勝手な話"), Vec::<&str>::new());
    assert!(server.documents().all(|document| document != invented));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_and_foreign_documents_are_unavailable_to_a_javascript_client() {
    let Some(start) = javascript("unknown_and_foreign_documents_are_unavailable_to_a_javascript_client") else {
        return;
    };
    finds_its_own_only("unavailable to JavaScript", start).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_and_foreign_documents_are_unavailable_to_a_samod_client() {
    finds_its_own_only("unavailable to samod", samod).await;
}
