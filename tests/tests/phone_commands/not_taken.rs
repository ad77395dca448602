//! A server that takes no commands, or not these: they wait and say so, documents go on, and later each counts once.

use std::time::Duration;

use serde_json::{Value, json};
use taiwa_mobile_core::{
    session::{CardKind, SaveState, UpcomingMeeting},
    sync::SyncRun,
};
use taiwa_shared::protocol::commands::{MAX_COMMANDS, RejectionReason};
use taiwa_tests::{
    eventually::{PATIENCE, eventually, eventually_equals},
    phone::Phone,
    relay::{Fault, Relay},
    rest::Rest,
    world::World,
};

use super::{at, card, eventually_recorded, eventually_shows, manager_token, meetings_with, no_cards, record};

/// A relay that this phone's connections go through from now on.
async fn relayed(world: &World, phone: &Phone) -> Relay {
    let relay = Relay::open(world.address(), "POST /v1/commands").await.unwrap();
    phone.line().lead_to(relay.address());
    phone.line().cut();
    phone.come_back();
    relay
}

async fn eventually_refused(relay: &Relay, faults: usize) {
    eventually("the server takes no commands", PATIENCE, || async { (relay.faults() >= faults).then_some(()) }).await;
}

async fn shown(phone: &Phone, meeting: &UpcomingMeeting) -> UpcomingMeeting {
    let upcoming = phone.session().upcoming().await.unwrap();
    upcoming.into_iter().find(|it| it.meeting == meeting.meeting).unwrap()
}

/// The memo goes both ways between two phones; `text` is new to it.
async fn documents_go_on(phone: &Phone, other: &Phone, meeting: &UpcomingMeeting, text: &str) {
    let meeting = meeting.meeting;
    let all = format!("{text}{}", phone.memo_text(meeting).await);
    phone.type_into_memo(meeting, 0, text).await;
    other.eventually_reads(meeting, &all).await;
    other.type_into_memo(meeting, 0, "はい。").await;
    phone.eventually_reads(meeting, &format!("はい。{all}")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_the_server_does_not_take_wait_while_documents_go_on() {
    let world = World::open("not taken").await;
    let (member, mut manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meeting = meetings_with(&manager, &member).await.remove(1);
    let token = manager_token(&world).await;
    let relay = relayed(&world, &manager).await;
    // Each says to rest for longer than the test takes.
    let faults = [
        Fault::problem(429, "too_many_tries", Some(3_600)),
        Fault::problem(503, "unavailable", None),
        Fault::page(503),
        Fault::page(400),
    ];
    for (round, fault) in (1_u32..).zip(faults) {
        let faults_before = relay.faults();
        let said = fault.clone();
        relay.judge(move |_| Some(said.clone()));
        let hours = i8::try_from(round).unwrap();
        let (first, last) = (at(&meeting, 8 + hours), at(&meeting, 14 + hours));
        manager.session().move_meeting(meeting.meeting, first.clone()).await.unwrap();
        eventually_refused(&relay, faults_before + 1).await;
        documents_go_on(&manager, &member, &meeting, &format!("{round}。")).await;
        // Another wish does not make the phone ask again before its time.
        manager.session().move_meeting(meeting.meeting, last.clone()).await.unwrap();
        documents_go_on(&manager, &member, &meeting, &format!("{round}の二。")).await;
        assert_eq!(relay.faults(), faults_before + 1, "{fault:?}");
        let waiting = shown(&manager, &meeting).await;
        assert!(waiting.waiting && waiting.starts == last.zone.at(last.starts), "{fault:?}: {waiting:?}");
        eventually_equals("送信待ち", &SaveState::Waiting { changes: 2 }, || async {
            manager.session().save_state().await.unwrap()
        })
        .await;
        assert_eq!(manager.session().refresh(Duration::from_secs(5)).await, SyncRun::Unfinished);
        assert_eq!(manager.unsent().await, 2, "{fault:?}");
        no_cards(&manager).await;
        assert_eq!(record(&world, &token, meeting.meeting).await.map_or(0, |it| it.revision), 2 * (round - 1));

        relay.mend();
        manager = manager.reopened().await;
        manager.settled().await;
        let record = record(&world, &token, meeting.meeting).await.unwrap();
        assert_eq!((record.revision, record.time()), (2 * round, last.clone()), "{fault:?}");
        eventually_shows(&member, meeting.meeting, &last).await;
        eventually_shows(&manager, meeting.meeting, &last).await;
        no_cards(&manager).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_go_on_by_themselves_when_the_server_said_they_may() {
    let world = World::open("taken later").await;
    let (member, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meeting = meetings_with(&manager, &member).await.remove(1);
    let token = manager_token(&world).await;
    let relay = relayed(&world, &manager).await;
    let mut times = [429, 503].into_iter();
    relay.judge(move |_| times.next().map(|status| Fault::problem(status, "unavailable", Some(1))));
    let time = at(&meeting, 15);
    manager.session().move_meeting(meeting.meeting, time.clone()).await.unwrap();
    let record = eventually_recorded(&world, &token, meeting.meeting, &time).await;
    manager.settled().await;
    assert_eq!((record.revision, relay.faults()), (1, 2));
    eventually_shows(&member, meeting.meeting, &time).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_over_a_days_quota_waits_for_the_next_day() {
    let world = World::open("quota of a phone").await;
    let (member, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meeting = meetings_with(&manager, &member).await.remove(1);
    let token = manager_token(&world).await;
    let rest = Rest::new(world.address()).with_token(&token);
    for batch in 0..1_000 / MAX_COMMANDS {
        let command = |n: usize| {
            let n = batch * MAX_COMMANDS + n;
            json!({ "id": format!("00000000-0000-7000-8000-{n:012}"), "sequence": n, "made": 0, "action": null })
        };
        let commands: Vec<Value> = (1..=MAX_COMMANDS).map(command).collect();
        assert!(rest.post("/v1/commands", &json!({ "commands": commands })).await.unwrap().status.is_success());
    }
    let time = at(&meeting, 15);
    manager.session().move_meeting(meeting.meeting, time.clone()).await.unwrap();
    documents_go_on(&manager, &member, &meeting, "明日の話。").await;
    eventually_equals("送信待ち", &SaveState::Waiting { changes: 1 }, || async {
        manager.session().save_state().await.unwrap()
    })
    .await;
    assert_eq!(record(&world, &token, meeting.meeting).await.map_or(0, |it| it.revision), 0);
    assert!(shown(&manager, &meeting).await.waiting);
    no_cards(&manager).await;

    world.clock().advance(Duration::from_secs(24 * 60 * 60));
    let manager = manager.reopened().await;
    manager.settled().await;
    eventually_shows(&member, meeting.meeting, &time).await;
    let token = manager_token(&world).await;
    assert_eq!(record(&world, &token, meeting.meeting).await.unwrap().revision, 1);
    no_cards(&manager).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_batch_that_is_not_understood_only_the_odd_one_gets_a_card() {
    let world = World::open("not understood").await;
    let (member, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let mut meetings = meetings_with(&manager, &member).await;
    meetings.truncate(2);
    let others = manager.session().upcoming().await.unwrap().into_iter();
    meetings.extend(others.filter(|it| it.partner != member.user()).take(1));
    let [first, odd, last] = meetings.try_into().unwrap();
    let token = manager_token(&world).await;
    let relay = relayed(&world, &manager).await;
    manager.line().go_down();
    let time = |meeting: &UpcomingMeeting| at(meeting, 22);
    for meeting in [&first, &odd, &last] {
        manager.session().move_meeting(meeting.meeting, time(meeting)).await.unwrap();
    }
    let word = odd.meeting.to_string();
    relay.judge(move |body| body.contains(&word).then(|| Fault::problem(400, "invalid_request", None)));
    manager.come_back();
    let card = card(&manager).await;
    assert_eq!((card.kind, card.meeting), (CardKind::Rejected(RejectionReason::NotUnderstood), Some(odd.meeting)));
    assert!(card.can_keep_mine && !card.why.is_empty());
    manager.settled().await;
    assert_eq!((relay.faults(), manager.unsent().await), (2, 0), "the batch, and the odd one alone");
    for meeting in [&first, &last] {
        eventually_shows(&manager, meeting.meeting, &time(meeting)).await;
        assert_eq!(record(&world, &token, meeting.meeting).await.unwrap().revision, 1);
    }
    assert_eq!(record(&world, &token, odd.meeting).await, None);
    let stands = shown(&manager, &odd).await;
    assert!(!stands.waiting && stands.starts == odd.starts, "the screen shows what the server has");

    relay.mend();
    manager.session().keep_mine(card.id).await.unwrap();
    eventually_shows(&member, odd.meeting, &time(&odd)).await;
    assert_eq!(record(&world, &token, odd.meeting).await.unwrap().revision, 1);
    no_cards(&manager).await;
}
