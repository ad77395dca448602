//! Acknowledgements that wait for a message that goes anyway: they say the same, later, and none is left out.

use std::time::Duration;

use taiwa_server::sync::HubLimits;
use taiwa_shared::ids::DocumentId;
use taiwa_tests::{
    eventually::{PATIENCE, eventually},
    plain_client::PlainClient,
    raw_socket::Heard,
};

use super::house::{House, MANAGER, MEMBER, patient};

/// Two clients that have each been sent what the other wrote.
async fn two_who_talk(house: &House) -> (PlainClient, PlainClient, DocumentId) {
    let (_, key, memo) = house.memo().await;
    let mut member = house.client(MEMBER, "member").await;
    let mut manager = house.client(MANAGER, "manager").await;
    for client in [&mut member, &mut manager] {
        client.begin(&key);
        client.until_acknowledged(memo).await;
    }
    type_and_settle(house, &mut member, memo, "一").await;
    // However long it might wait: nobody else writes.
    member.until_acknowledged(memo).await;
    type_and_settle(house, &mut manager, memo, "二").await;
    member.until("the other's word", |member| member.held(memo).body().contains("二")).await;
    manager.until("the first word", |manager| manager.held(memo).body().contains("一")).await;
    (member, manager, memo)
}

/// Types, and waits until it is stored and the server has said what it does not hold back.
async fn type_and_settle(house: &House, client: &mut PlainClient, memo: DocumentId, text: &str) {
    let stored = house.hub.statistics().changes_stored;
    client.held(memo).type_text(text);
    client.flush().await;
    let is_stored = || async { (house.hub.statistics().changes_stored > stored).then_some(()) };
    eventually("the edit is stored", PATIENCE, is_stored).await;
    // Twice, because the first answer may overtake what is said about documents.
    client.settle().await;
    client.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_goes_with_the_next_edit_of_the_other_or_before_the_server_stops() {
    let house = House::open(HubLimits { acknowledge_within: Duration::from_secs(3_600), ..patient() }).await;
    let (mut member, mut manager, memo) = two_who_talk(&house).await;
    type_and_settle(&house, &mut member, memo, "予定").await;
    assert!(!member.held(memo).is_acknowledged(), "it waits for something to go with");

    manager.until("the edit itself waits for nothing", |manager| manager.held(memo).body().contains("予定")).await;
    type_and_settle(&house, &mut manager, memo, "来週の").await;
    member.until("the other's edit", |member| member.held(memo).body().contains("来週の")).await;
    assert!(member.held(memo).is_acknowledged(), "the message with the edit says it too");

    type_and_settle(&house, &mut member, memo, "は").await;
    assert!(!member.held(memo).is_acknowledged());
    let hub = house.hub.clone();
    let stopping = tokio::spawn(async move { hub.stop().await });
    while !matches!(member.listen().await, Heard::Closed(_)) {}
    assert!(member.held(memo).is_acknowledged(), "nothing is held back for ever");
    drop((member, manager));
    stopping.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_that_nothing_goes_with_is_sent_by_itself() {
    // Long enough to be seen waiting on a slow machine, which counts as talking for four times as long.
    let house = House::open(HubLimits { acknowledge_within: Duration::from_secs(2), ..patient() }).await;
    let (mut member, mut manager, memo) = two_who_talk(&house).await;
    type_and_settle(&house, &mut manager, memo, "三").await;
    member.until("the other's word", |member| member.held(memo).body().contains("三")).await;
    type_and_settle(&house, &mut member, memo, "四").await;
    assert!(!member.held(memo).is_acknowledged(), "it is held back");
    member.until_acknowledged(memo).await;
    house.hub.stop().await;
}
