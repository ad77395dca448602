//! 話せた感 between phones and the real server: an answer given offline arrives once, another phone of the same person goes on
//! with it, and after its week nothing changes any more and the person is told so.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use taiwa_mobile_core::session::{RatingForm, RatingStanding, SessionError};
use taiwa_shared::{
    domain::rating::{AsAsked, Talked},
    ids::MeetingId,
    protocol::ratings::OwnRatings,
    time::{Clock, Zone},
};
use taiwa_tests::{
    eventually::{PATIENCE, eventually, eventually_equals},
    phone::Phone,
    relay::{Fault, Relay},
    rest::Rest,
    world::World,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn talked(step: u8) -> Talked {
    step.try_into().unwrap()
}

/// A world in the middle of a week, so that none closes while a test runs.
async fn midweek(test: &str) -> World {
    let world = World::open(test).await;
    let zone = Zone::tokyo();
    while world.clock().now().in_zone(&zone).date().weekday().to_monday_zero_offset() != 2 {
        world.clock().advance(DAY);
    }
    world
}

async fn form(phone: &Phone, meeting: MeetingId) -> RatingForm {
    phone.session().rating(meeting).await.unwrap()
}

/// What the server has of this person's.
async fn at_server(world: &World, person: &str) -> OwnRatings {
    let token = world.password_login(person).await.tokens.access_token.expose().to_owned();
    Rest::new(world.address()).with_token(token).get("/v1/ratings").await.unwrap().into().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rating_given_offline_arrives_once_after_the_app_was_closed() {
    let world = midweek("rated offline").await;
    let (member, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meeting = member.next_meeting_with(&manager).await;
    manager.next_meeting_with(&member).await;
    member.choose(meeting, "career.future").await;
    member.publish(meeting).await;
    member.settled().await;
    let route = format!("PUT /v1/ratings/{meeting}").leak();
    let relay = Relay::open(world.address(), route).await.unwrap();
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    // The reply to the first one is lost.
    relay.judge(move |_| (count.fetch_add(1, Ordering::SeqCst) == 0).then_some(Fault::ReplyLost));
    member.line().lead_to(relay.address());
    member.line().go_down();
    member.session().finish_meeting(meeting).await.unwrap();
    member.session().rate(meeting, talked(4), Some(AsAsked::Yes)).await.unwrap();
    assert_eq!(form(&member, meeting).await.standing, RatingStanding::Waiting);
    let member = member.reopened().await;
    assert_eq!((member.unsent().await, form(&member, meeting).await.talked), (2, Some(talked(4))));
    member.come_back();
    member.settled().await;
    let known = at_server(&world, "tanaka").await;
    assert_eq!(
        (known.ratings.len(), known.ratings[0].talked, known.ratings[0].as_asked),
        (1, talked(4), Some(AsAsked::Yes))
    );
    let shown = form(&member, meeting).await;
    assert_eq!((shown.standing, shown.can_change), (RatingStanding::Sent, true));
    // Nothing of it waits any more, so it is not sent again.
    let member = member.reopened().await;
    member.settled().await;
    assert_eq!((sent.load(Ordering::SeqCst), relay.faults()), (2, 1));
    // The manager's phone knows that the 1on1 is over, and nothing else.
    manager.settled().await;
    assert!(matches!(manager.session().rating(meeting).await, Err(SessionError::NoAccess)));
    assert_eq!(manager.session().home().await.unwrap().ratings_due, []);
    assert_eq!(at_server(&world, "sato").await.ratings, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_phone_of_the_same_person_goes_on_with_a_rating() {
    let world = midweek("rated on two phones").await;
    let (first, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meeting = first.next_meeting_with(&manager).await;
    first.session().finish_meeting(meeting).await.unwrap();
    first.session().rate(meeting, talked(4), Some(AsAsked::Roughly)).await.unwrap();
    first.settled().await;
    let second = world.phone("tanaka").await;
    eventually("the other phone shows it", PATIENCE, || async {
        let shown = second.session().rating(meeting).await.ok()?;
        (shown.talked == Some(talked(4)) && shown.as_asked == Some(AsAsked::Roughly)).then_some(())
    })
    .await;
    assert_eq!(second.session().home().await.unwrap().ratings_due, [], "nobody is asked twice");
    second.session().rate(meeting, talked(2), None).await.unwrap();
    second.settled().await;
    assert_eq!(at_server(&world, "tanaka").await.ratings[0].talked, talked(2));
    let first = first.reopened().await;
    eventually_equals("the first phone shows the change", &Some(talked(2)), || async {
        form(&first, meeting).await.talked
    })
    .await;
    assert_eq!(form(&first, meeting).await.as_asked, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_its_week_a_change_is_not_taken_and_the_person_is_told() {
    let world = midweek("rated too late").await;
    let (member, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meeting = member.next_meeting_with(&manager).await;
    member.session().finish_meeting(meeting).await.unwrap();
    member.session().rate(meeting, talked(5), None).await.unwrap();
    member.settled().await;
    member.line().go_down();
    member.session().rate(meeting, talked(1), None).await.unwrap();
    world.clock().advance(7 * DAY);
    member.come_back();
    member.settled().await;
    let shown = form(&member, meeting).await;
    assert_eq!((shown.standing, shown.can_change, member.unsent().await), (RatingStanding::NotTaken, false, 0));
    let words = shown.standing_words.unwrap();
    assert!(words.contains("先に送った回答のまま"), "{words}");
    assert!(matches!(member.session().rate(meeting, talked(3), None).await, Err(SessionError::RatingClosed)));
    assert_eq!(member.session().home().await.unwrap().ratings_due, []);
}
