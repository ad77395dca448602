//! What one person may cost, and that only this person feels it.

use std::time::{Duration, Instant};

use automerge::{
    AutoCommit,
    sync::{State, SyncDoc},
};
use bytes::Bytes;

use taiwa_server::sync::HubLimits;
use taiwa_shared::sync::{
    rejection::{CLOSE_BAD_DATA, CLOSE_OVER_QUOTA},
    wire::Frame,
};
use taiwa_tests::plain_client::PlainClient;

use super::{
    house::{House, MANAGER, MEMBER, patient},
    two_on_a_memo,
};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_sent_a_days_worth_is_asked_to_come_back_later() {
    let house = House::open(HubLimits { person_bytes_per_day: 3_000, ..patient() }).await;
    let (mut member, mut manager, _, memo) = two_on_a_memo(&house).await;
    let (_, other_key, other) = house.memo().await;
    let mut typed = 0;
    while member.closed.is_none() {
        member.held(memo).type_text("字");
        member.flush().await;
        while member.closed.is_none() && !member.held(memo).is_acknowledged() {
            member.listen().await;
        }
        typed += 1;
        assert!(typed < 50, "there is no end to it");
    }
    assert_eq!(member.closed, Some(Some(CLOSE_OVER_QUOTA)));
    assert!(typed > 5, "only {typed} letters");

    // By person, not by connection or document; reading goes on, and so do the others.
    let mut again = house.client(MEMBER, "again").await;
    again.begin(&other_key).type_text("別の紙にも");
    while again.closed.is_none() {
        again.flush().await;
        again.listen().await;
    }
    assert_eq!(again.closed, Some(Some(CLOSE_OVER_QUOTA)));
    manager.held(memo).type_text("上");
    manager.until_acknowledged(memo).await;
    let body = manager.held(memo).body();
    let mut reading = house.client(MEMBER, "reading").await;
    reading.want(memo);
    reading.until("it is read", |reading| reading.held(memo).body() == body).await;

    // The next day what was kept is taken.
    house.clock.advance(Duration::from_secs(24 * 3_600));
    let mut next_day = house.client(MEMBER, "next day").await;
    next_day.hold(memo, std::mem::take(&mut member.held(memo).doc));
    next_day.until_acknowledged(memo).await;
    next_day.begin(&other_key).type_text("別の紙にも");
    next_day.until_acknowledged(other).await;
    let body = next_day.held(memo).body();
    let mut manager = house.client(MANAGER, "manager again").await;
    manager.want(memo);
    manager.until("nothing is lost", |manager| manager.held(memo).body() == body).await;
    assert_eq!(body.matches('字').count(), typed);
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sends_without_pause_is_slowed_down_and_nobody_else_is() {
    // A letter counts about 200 bytes: the first twenty at once, then a hundred in a second.
    let limits = HubLimits { person_work_burst: 4_000, person_work_per_second: 20_000, ..patient() };
    let house = House::open(limits).await;
    let (mut member, mut manager, _, memo) = two_on_a_memo(&house).await;
    let (before, started) = (house.hub.statistics().changes_stored, Instant::now());
    for _ in 0..150 {
        member.held(memo).type_text("速");
        member.flush().await;
    }
    manager.held(memo).type_text("上");
    let own = manager.held(memo).doc.get_heads();
    let mut late = house.client(MANAGER, "late").await;
    late.want(memo);
    manager.flush().await;
    late.until("the manager's letter is stored", |late| {
        own.iter().all(|head| late.held(memo).doc.get_change_by_hash(head).is_some())
    })
    .await;
    let stored = house.hub.statistics().changes_stored - before;
    assert!(stored < 150, "all {stored} were taken before the manager's one");
    member.until_acknowledged(memo).await;
    assert!(started.elapsed() > Duration::from_secs(1), "150 letters in {:?}", started.elapsed());
    manager.until("nothing is lost", |manager| manager.held(memo).body().matches('速').count() == 150).await;
    assert!(member.closed.is_none() && manager.closed.is_none());
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_everything_again_and_again_is_slowed_down() {
    // Looking through five hundred changes to answer, and once more to ask in return, counts 4,000 bytes.
    let limits = HubLimits { person_work_burst: 200_000, person_work_per_second: 50_000, ..patient() };
    let house = House::open(limits).await;
    let (mut member, manager, _, memo) = two_on_a_memo(&house).await;
    for _ in 0..500 {
        member.held(memo).type_text("長");
    }
    member.until_acknowledged(memo).await;
    drop(manager);

    let mut asking = house.client(MANAGER, "asking").await;
    let data: Bytes = AutoCommit::new().sync().generate_sync_message(&mut State::new()).unwrap().encode().into();
    let (sender, target) = (asking.peer.clone(), asking.server.clone());
    let ask = Frame::Request { sender, target, document: memo, data };
    let started = Instant::now();
    for _ in 0..150 {
        asking.say(&ask).await;
    }
    asking.settle().await;
    // 150 requests come to 300,000 bytes at least, even if they are answered together.
    assert!(started.elapsed() > Duration::from_secs(1), "answered within {:?}", started.elapsed());
    member.held(memo).type_text("誰も邪魔しない");
    member.until_acknowledged(memo).await;
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_refused_again_and_again_waits_on_new_connections_too() {
    let mebibyte = 1024 * 1024;
    let limits = HubLimits { person_work_burst: mebibyte, person_work_per_second: mebibyte, ..patient() };
    let house = House::open(limits).await;
    let (mut member, _, _, memo) = two_on_a_memo(&house).await;
    let started = Instant::now();
    for n in 0..4 {
        let mut attacker: PlainClient = house.client(MANAGER, &format!("attacker {n}")).await;
        let (sender, target) = (attacker.peer.clone(), attacker.server.clone());
        let data = vec![0x99; 100].into();
        attacker.say(&Frame::Sync { sender, target, document: memo, data }).await;
        assert_eq!(attacker.socket.until_closed().await, Some(CLOSE_BAD_DATA));
    }
    // The first is free; each of the others waits for what the ones before it owe.
    assert!(started.elapsed() > Duration::from_secs(2), "{:?}", started.elapsed());
    member.held(memo).type_text("誰も邪魔しない");
    member.until_acknowledged(memo).await;
    house.hub.stop().await;
}
