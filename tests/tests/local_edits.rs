//! A local edit never waits for the network, however the network fails.

use std::time::{Duration, Instant};

use taiwa_tests::{turn::my_turn, world::World};

const EDITS: usize = 100;
/// What a person may notice. The figure to reach is 2 ms; this machine builds without optimisation and is shared.
const LONGEST: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_returns_in_bounded_time_while_the_server_is_a_black_hole() {
    let _turn = my_turn().await;
    let world = World::open("black hole").await;
    let member = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = member.next_meeting_with(&manager).await;
    member.type_into_memo(meeting, 0, "始め。").await;
    member.settled().await;
    for (how, fail) in [
        ("black hole", (|line| line.partition()) as fn(&taiwa_tests::link::Link)),
        ("silent loss", |line| line.lose()),
        ("no network", |line| line.go_down()),
    ] {
        fail(member.line());
        let mut times = Vec::with_capacity(EDITS);
        for number in 0..EDITS {
            let started = Instant::now();
            member.type_into_memo(meeting, 0, &format!("{number}、")).await;
            let text = member.memo_text(meeting).await;
            let took = started.elapsed();
            assert!(took < LONGEST, "{how}: an edit took {took:?}");
            times.push(took);
            assert!(text.starts_with(&format!("{number}、")), "the screen shows it at once");
        }
        times.sort();
        let (median, longest) = (times[EDITS / 2], times[EDITS - 1]);
        println!("local edit, {how}: median {median:?}, longest {longest:?} of {EDITS}");
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
