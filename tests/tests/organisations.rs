//! Organisations do not meet: one server hosts two companies with the same names, and nothing crosses.

use serde_json::json;
use taiwa_shared::{
    domain::ownership::DocumentKey,
    protocol::records::{ClaimOutcome, ClaimResponse},
};
use taiwa_tests::{company::Company, rest::Rest, world::World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_record_and_no_document_crosses_to_another_organisation() {
    let world = World::open("organisations").await;
    let other = Company::small("other");
    other.import(world.folder()).await.unwrap();
    let member = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let stranger = world.phone_of(&other, "tanaka").await;
    let stranger_manager = world.phone_of(&other, "sato").await;
    let meeting = member.next_meeting_with(&manager).await;
    member.type_into_memo(meeting, 0, "こちらの会社の話").await;
    member.settled().await;
    manager.eventually_reads(meeting, "こちらの会社の話").await;
    let theirs = stranger.next_meeting_with(&stranger_manager).await;
    stranger.type_into_memo(theirs, 0, "あちらの会社の話").await;
    stranger.settled().await;

    let (ours, strangers) = (member.contents().await, stranger.contents().await);
    assert!(!ours.places_of("こちらの会社の話").is_empty() && !strangers.places_of("あちらの会社の話").is_empty());
    assert_eq!(ours.places_of("あちらの会社の話"), Vec::<&str>::new());
    assert_eq!(strangers.places_of("こちらの会社の話"), Vec::<&str>::new());
    for person in [&member, &manager] {
        assert_eq!(strangers.places_of(&person.user().to_string()), Vec::<&str>::new());
    }

    let pair = member.pair_with(&manager).await;
    let login = world.login_of(&other, "tanaka").await;
    let rest = Rest::new(world.address()).with_token(login.tokens.access_token.expose());
    let keys = [
        DocumentKey::Memo { pair, meeting },
        DocumentKey::Notebook { pair },
        DocumentKey::Private { pair, user: login.user },
        DocumentKey::FieldNotes { user: member.user() },
    ];
    let claims: Vec<_> = keys.iter().map(|key| json!({ "key": key })).collect();
    let answer = rest.post("/v1/documents", &json!({ "claims": claims })).await.unwrap();
    let response: ClaimResponse = answer.into().unwrap();
    assert_eq!(response.outcomes, [ClaimOutcome::Refused; 4]);
}
