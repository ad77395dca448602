//! A local edit never waits for the network, however the network fails.

use std::time::{Duration, Instant};

use taiwa_shared::ids::MeetingId;
use taiwa_tests::{phone::Phone, turn::my_turn, world::World};

const EDITS: usize = 100;
/// What a person may notice. The figure to reach is 2 ms; this machine builds without optimisation and is shared.
const LONGEST: Duration = Duration::from_millis(500);
/// The median is far below what people notice: a round trip to a server in the same building would break this.
const MEDIAN: Duration = Duration::from_millis(100);

/// Types at the beginning of the memo and reads it again, `EDITS` times.
async fn type_and_read(phone: &Phone, meeting: MeetingId, how: &str) {
    let mut times = Vec::with_capacity(EDITS);
    for number in 0..EDITS {
        let started = Instant::now();
        phone.type_into_memo(meeting, 0, &format!("{number}、")).await;
        let text = phone.memo_text(meeting).await;
        let took = started.elapsed();
        assert!(took < LONGEST, "{how}: an edit took {took:?}");
        assert!(text.starts_with(&format!("{number}、")), "the screen shows it at once");
        times.push(took);
    }
    times.sort();
    let (median, longest) = (times[EDITS / 2], times[EDITS - 1]);
    println!("local edit, {how}: median {median:?}, longest {longest:?} of {EDITS}");
    assert!(median < MEDIAN, "{how}: half of the edits took {median:?} or longer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_waits_for_no_network_however_it_fails() {
    let _turn = my_turn().await;
    let world = World::open("black hole").await;
    let member = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = member.next_meeting_with(&manager).await;
    member.type_into_memo(meeting, 0, "始め。").await;
    member.settled().await;
    type_and_read(&member, meeting, "good line").await;
    for (how, fail) in [
        ("black hole", (|line| line.partition()) as fn(&taiwa_tests::link::Link)),
        ("silent loss", |line| line.lose()),
        ("no network", |line| line.go_down()),
    ] {
        fail(member.line());
        type_and_read(&member, meeting, how).await;
        assert!(member.unsent().await > 0, "{how}: the phone says honestly that edits wait");
    }
    member.come_back();
    member.settled().await;
    let text = member.memo_text(meeting).await;
    manager.eventually_reads(meeting, &text).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_opens_and_shows_everything_without_a_network() {
    let world = World::open("offline start").await;
    let member = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = member.next_meeting_with(&manager).await;
    member.type_into_memo(meeting, 0, "昨日までのこと").await;
    member.settled().await;
    member.line().partition();
    let member = member.reopened().await;
    assert_eq!(member.next_meeting_with(&manager).await, meeting);
    assert_eq!(member.memo_text(meeting).await, "昨日までのこと");
    member.type_into_memo(meeting, 0, "今朝。").await;
    let member = member.reopened().await;
    assert_eq!(member.memo_text(meeting).await, "今朝。昨日までのこと", "an edit outlives the app");
    member.come_back();
    member.settled().await;
    manager.eventually_reads(meeting, "今朝。昨日までのこと").await;
}
