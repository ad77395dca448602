//! What phones ask of the records, against the real server: exactly once, in order, and never given up by anybody but the
//! person; lines are cut, phones and servers killed, and one server comes back from an older copy.
//!
//! Map: this file commands and lines; [`not_taken`] a server that takes none; [`invited`] people invited from a phone.

mod invited;
mod not_taken;

use std::time::Duration;

use taiwa_mobile_core::session::{CardKind, CommandCard, InvitationState, UpcomingMeeting};
use taiwa_shared::{
    domain::meeting::{Meeting, MeetingState, MeetingTime},
    ids::MeetingId,
    protocol::{
        commands::RejectionReason,
        records::{RecordEntry, RecordsPage},
    },
    time::{Clock, Zone},
};
use taiwa_tests::{
    eventually::{PATIENCE, eventually, eventually_equals},
    link::{Direction, Link, Weather},
    phone::Phone,
    process::{database_in, run_server_command},
    rest::Rest,
    turn::my_turn,
    world::{World, invitation_in},
};

use crate::killed_phone::PhoneProcess;

/// The same day as now shown, at another hour.
fn at(meeting: &UpcomingMeeting, hour: i8) -> MeetingTime {
    let zone = Zone::tokyo();
    let starts = meeting.starts.in_zone(&zone).date().at(hour, 0, 0, 0);
    MeetingTime { starts, zone, length_minutes: 30 }
}

/// The meetings of two people, soonest first, once this phone knows them. The first may be under way any moment.
async fn meetings_with(phone: &Phone, other: &Phone) -> Vec<UpcomingMeeting> {
    eventually("the meetings of the pair are known", PATIENCE, || async {
        let mut upcoming = phone.session().upcoming().await.unwrap();
        upcoming.retain(|meeting| meeting.partner == other.user());
        (upcoming.len() >= 2).then_some(upcoming)
    })
    .await
}

/// The record of a meeting as the server gives it to whoever has this token.
async fn record(world: &World, token: &str, meeting: MeetingId) -> Option<Meeting> {
    let page = Rest::new(world.address()).with_token(token).get("/v1/records").await.unwrap();
    let page: RecordsPage = page.into().unwrap();
    page.entries.into_iter().find_map(|entry| match entry {
        RecordEntry::Meeting(record) if record.id == meeting => Some(record),
        _ => None,
    })
}

async fn eventually_recorded(world: &World, token: &str, meeting: MeetingId, time: &MeetingTime) -> Meeting {
    eventually("the server has the meeting at that time", PATIENCE, || async {
        record(world, token, meeting).await.filter(|record| record.time() == *time)
    })
    .await
}

async fn eventually_shows(phone: &Phone, meeting: MeetingId, time: &MeetingTime) {
    let starts = Some(time.zone.at(time.starts));
    eventually_equals("the phone shows the meeting at that time", &starts, || async {
        let upcoming = phone.session().upcoming().await.unwrap();
        upcoming.into_iter().find(|it| it.meeting == meeting && !it.waiting).map(|it| it.starts)
    })
    .await;
}

async fn card(phone: &Phone) -> CommandCard {
    eventually("a card is there", PATIENCE, || async {
        phone.session().command_cards().await.unwrap().into_iter().next()
    })
    .await
}

async fn no_cards(phone: &Phone) {
    assert_eq!(phone.session().command_cards().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_meeting_moved_offline_is_shown_at_once_and_reaches_the_other_phone() {
    let world = World::open("moved offline").await;
    let (member, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meeting = meetings_with(&manager, &member).await.remove(1);
    meetings_with(&member, &manager).await;
    manager.line().go_down();
    let time = at(&meeting, 15);
    manager.session().move_meeting(meeting.meeting, time.clone()).await.unwrap();
    let shown = meetings_with(&manager, &member).await;
    let shown = shown.iter().find(|it| it.meeting == meeting.meeting).unwrap();
    assert!(shown.waiting && shown.starts == time.zone.at(time.starts));
    assert_eq!(manager.unsent().await, 1);
    manager.come_back();
    manager.settled().await;
    eventually_shows(&member, meeting.meeting, &time).await;
    eventually_shows(&manager, meeting.meeting, &time).await;
    let shown = meetings_with(&member, &manager).await;
    let moved = shown.iter().find(|it| it.meeting == meeting.meeting).unwrap().moved.clone().unwrap();
    assert_eq!((moved.by, moved.from), (manager.user(), meeting.starts));
    assert!(moved.notice.ends_with("15:00 に変更されています"), "{}", moved.notice);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_whose_reply_is_lost_takes_effect_once() {
    let world = World::open("lost reply").await;
    let (member, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meeting = meetings_with(&manager, &member).await.remove(1);
    let token = manager_token(&world).await;
    // Slow enough that a reply is still on its way when the server's own word for it is here.
    let slow = Weather { delay: Duration::from_millis(1_500), ..Weather::default() };
    for (round, hour) in [(1, 14), (2, 15), (3, 16)] {
        manager.line().set_weather_of(Direction::Down, slow);
        let time = at(&meeting, hour);
        manager.session().move_meeting(meeting.meeting, time.clone()).await.unwrap();
        eventually_recorded(&world, &token, meeting.meeting, &time).await;
        manager.line().cut();
        assert_eq!(manager.unsent().await, 1, "round {round}: the reply was lost");
        manager.come_back();
        manager.settled().await;
        let record = record(&world, &token, meeting.meeting).await.unwrap();
        assert_eq!((record.revision, record.time()), (round, time));
    }
    no_cards(&manager).await;
}

/// A token of the manager besides the phone's.
async fn manager_token(world: &World) -> String {
    world.password_login("sato").await.tokens.access_token.expose().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_killed_between_asking_and_sending_asks_exactly_once() {
    let _turn = my_turn().await;
    let world = World::open("killed asking").await;
    let (member, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meeting = meetings_with(&manager, &member).await.remove(1);
    let token = manager_token(&world).await;
    let line = Link::open(world.address(), world.seed()).await.unwrap();
    let server = format!("http://{}", line.address());
    let folder = tempfile::tempdir().unwrap();
    let link = world.company().invite(world.folder(), "tanaka").await.unwrap();
    let mut invitation = Some(invitation_in(&link).unwrap());
    for (round, hour) in (1..=6).zip(9..) {
        let time = at(&meeting, hour);
        let mut phone = PhoneProcess::start(folder.path(), &server, invitation.take());
        // Every other round without a network; else the kill comes anywhere between keeping, sending and the answer.
        if round % 2 == 0 {
            line.go_down();
        }
        phone.tell(&format!("move {round} {} {}", meeting.meeting, time.starts));
        while phone.saved() < u64::from(round) {
            phone.listen();
        }
        phone.kill();
        line.cut();
        line.heal();
        let phone = PhoneProcess::start(folder.path(), &server, None);
        let record = eventually_recorded(&world, &token, meeting.meeting, &time).await;
        assert_eq!(record.revision, round, "nothing was lost and nothing taken twice");
        phone.kill();
        line.cut();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_move_one_meeting_offline_see_both_times_and_each_choice_works() {
    let world = World::open("conflict").await;
    let (member, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meetings = meetings_with(&manager, &member).await;
    meetings_with(&member, &manager).await;
    for (keeps, meeting) in [(true, &meetings[0]), (false, &meetings[1])] {
        member.line().go_down();
        manager.line().go_down();
        let (mine, theirs) = (at(meeting, 22), at(meeting, 23));
        manager.session().move_meeting(meeting.meeting, theirs.clone()).await.unwrap();
        member.session().move_meeting(meeting.meeting, mine.clone()).await.unwrap();
        manager.come_back();
        manager.settled().await;
        member.come_back();
        let card = card(&member).await;
        assert_eq!((card.kind, card.meeting), (CardKind::Conflict, Some(meeting.meeting)));
        assert!(card.mine.as_ref().is_some_and(|words| words.ends_with("22:00")), "{card:?}");
        assert!(card.theirs.as_ref().is_some_and(|words| words.ends_with("23:00")), "{card:?}");
        assert_eq!(member.session().home().await.unwrap().command_cards, 1);
        // Until the member decides, both show what the server has.
        eventually_shows(&member, meeting.meeting, &theirs).await;
        if keeps {
            member.session().keep_mine(card.id).await.unwrap();
            eventually_shows(&manager, meeting.meeting, &mine).await;
            eventually_shows(&member, meeting.meeting, &mine).await;
        } else {
            member.session().take_theirs(card.id).await.unwrap();
            member.settled().await;
            eventually_shows(&member, meeting.meeting, &theirs).await;
        }
        no_cards(&member).await;
        no_cards(&manager).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_ends_said_offline_are_one_end_with_the_earlier_time() {
    let world = World::open("two ends").await;
    let (member, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meeting = meetings_with(&manager, &member).await.remove(0).meeting;
    meetings_with(&member, &manager).await;
    let token = manager_token(&world).await;
    member.line().go_down();
    manager.line().go_down();
    member.session().finish_meeting(meeting).await.unwrap();
    let early = world.clock().now();
    world.clock().advance(Duration::from_secs(60));
    manager.session().finish_meeting(meeting).await.unwrap();
    // The later one arrives first.
    manager.come_back();
    manager.settled().await;
    assert!(record(&world, &token, meeting).await.unwrap().finished.unwrap() > early);
    member.come_back();
    member.settled().await;
    let record = record(&world, &token, meeting).await.unwrap();
    assert_eq!((record.state, record.revision), (MeetingState::Finished, 0));
    assert!(record.finished.unwrap() <= early, "the earlier time counts");
    no_cards(&member).await;
    no_cards(&manager).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejection_is_shown_with_what_it_was_and_holds_nothing_up() {
    let world = World::open("rejection").await;
    let (member, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meetings = meetings_with(&manager, &member).await;
    meetings_with(&member, &manager).await;
    member.line().go_down();
    member.session().move_meeting(meetings[0].meeting, at(&meetings[0], 22)).await.unwrap();
    let time = at(&meetings[1], 15);
    member.session().move_meeting(meetings[1].meeting, time.clone()).await.unwrap();
    manager.session().finish_meeting(meetings[0].meeting).await.unwrap();
    manager.settled().await;
    member.come_back();
    member.settled().await;
    eventually_shows(&manager, meetings[1].meeting, &time).await;
    let card = card(&member).await;
    assert_eq!(card.kind, CardKind::Rejected(RejectionReason::AlreadyFinished));
    assert!(card.what.starts_with("佐藤 健一さんとの1on1") && card.what.ends_with("22:00 に変更"), "{}", card.what);
    assert!(!card.can_keep_mine && !card.why.is_empty());
    member.session().take_theirs(card.id).await.unwrap();
    no_cards(&member).await;
    // Inviting is closed in an organisation whose list is imported; the link that was shown never works.
    let invitation = manager.session().invite("山田 光", "yamada@sample.example.jp").await.unwrap();
    let closed = InvitationState::Rejected(RejectionReason::InvitesClosed);
    eventually_equals("the invitation is refused", &closed, || async {
        let all = manager.session().invitations().await.unwrap();
        all.iter().find(|it| it.id == invitation.id).unwrap().state
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_asked_in_turn_is_done_in_turn() {
    let world = World::open("in turn").await;
    let (member, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meeting = meetings_with(&manager, &member).await.remove(1);
    let token = manager_token(&world).await;
    manager.line().go_down();
    let session = manager.session();
    session.move_meeting(meeting.meeting, at(&meeting, 9)).await.unwrap();
    session.cancel_meeting(meeting.meeting).await.unwrap();
    session.move_meeting(meeting.meeting, at(&meeting, 13)).await.unwrap();
    let manager = manager.reopened().await;
    manager.session().move_meeting(meeting.meeting, at(&meeting, 14)).await.unwrap();
    assert_eq!(manager.unsent().await, 4);
    manager.come_back();
    manager.settled().await;
    let record = record(&world, &token, meeting.meeting).await.unwrap();
    assert_eq!((record.revision, record.state, record.time()), (4, MeetingState::Planned, at(&meeting, 14)));
    no_cards(&manager).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_back_from_an_older_copy_is_told_again() {
    let mut world = World::open_as_process("older copy").await;
    let (member, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meetings = meetings_with(&manager, &member).await;
    let first = at(&meetings[1], 13);
    manager.session().move_meeting(meetings[1].meeting, first.clone()).await.unwrap();
    manager.settled().await;
    eventually_shows(&member, meetings[1].meeting, &first).await;

    world.stop_server().await;
    let (database, copy) = (database_in(world.folder()), world.folder().join("copy.db"));
    std::fs::copy(&database, &copy).unwrap();
    world.restart_server().await;
    let lost = at(&meetings[1], 15);
    manager.session().network_available();
    manager.session().move_meeting(meetings[1].meeting, lost.clone()).await.unwrap();
    manager.session().finish_meeting(meetings[0].meeting).await.unwrap();
    manager.settled().await;
    member.session().network_available();
    eventually_shows(&member, meetings[1].meeting, &lost).await;

    world.stop_server().await;
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", database.display()));
    }
    std::fs::copy(&copy, &database).unwrap();
    run_server_command(world.folder(), &["restored"]).await.unwrap();
    // Given while there is no server: it comes after what is told again.
    let last = at(&meetings[1], 17);
    manager.session().move_meeting(meetings[1].meeting, last.clone()).await.unwrap();
    world.restart_server().await;
    manager.session().network_available();
    member.session().network_available();
    manager.settled().await;
    eventually_shows(&member, meetings[1].meeting, &last).await;
    eventually("the end is known again", PATIENCE, || async {
        let upcoming = member.session().upcoming().await.unwrap();
        (!upcoming.iter().any(|it| it.meeting == meetings[0].meeting)).then_some(())
    })
    .await;
    let token = manager_token(&world).await;
    let record = record(&world, &token, meetings[1].meeting).await.unwrap();
    assert_eq!(record.revision, 3, "what the copy held was not done again");
    no_cards(&manager).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_member_learns_that_the_brief_was_seen_and_which_changes_were_not() {
    let world = World::open("receipt").await;
    let (member, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meeting = meetings_with(&member, &manager).await.remove(0).meeting;
    meetings_with(&manager, &member).await;
    let receipt = async || {
        let upcoming = member.session().upcoming().await.unwrap();
        upcoming.into_iter().find(|it| it.meeting == meeting).unwrap().brief_seen
    };
    let newer = async || receipt().await.map(|receipt| receipt.newer_changes);
    member.choose(meeting, "work.progress").await;
    member.set_word(meeting, "work.progress", "一つ目").await;
    member.publish(meeting).await;
    manager.eventually_reads_brief(meeting, "一つ目").await;
    eventually_equals("the receipt is there", &Some(false), newer).await;
    assert!(receipt().await.unwrap().text.ends_with("に確認しました"));
    // Who prepares sees no receipt on the manager's side, and the manager none at all.
    let theirs = meetings_with(&manager, &member).await;
    assert!(theirs.iter().all(|it| it.brief_seen.is_none()));

    member.set_word(meeting, "work.progress", "二つ目").await;
    member.publish(meeting).await;
    assert_eq!(newer().await, Some(true), "at once, without asking anybody");
    assert!(receipt().await.unwrap().text.ends_with("その後の変更は未確認"));
    manager.eventually_reads_brief(meeting, "二つ目").await;
    eventually_equals("the newer state was seen too", &Some(false), newer).await;
    manager.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_person_on_the_same_phone_never_sends_what_the_first_one_asked() {
    let world = World::open("same phone").await;
    world.login("ito").await;
    let (mut phone, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meeting = meetings_with(&phone, &manager).await.remove(1);
    let token = manager_token(&world).await;
    let first = phone.user();
    phone.line().go_down();
    let time = at(&meeting, 15);
    phone.session().move_meeting(meeting.meeting, time.clone()).await.unwrap();
    // Ended before the line is back: what is asked may be sent for as long as its own person is signed in.
    phone.session().stop().await;
    phone.line().heal();
    phone.sign_in_again(world.company(), "ito").await;
    assert_ne!(phone.user(), first);
    assert_eq!(phone.unsent().await, 0);
    meetings_with(&phone, &manager).await;
    phone.session().cancel_meeting(meetings_with(&phone, &manager).await[0].meeting).await.unwrap();
    phone.settled().await;
    assert_eq!(record(&world, &token, meeting.meeting).await, None, "nobody has touched it");
    phone.sign_in_again(world.company(), "tanaka").await;
    assert_eq!(phone.user(), first);
    eventually_recorded(&world, &token, meeting.meeting, &time).await;
}
