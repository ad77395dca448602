//! Ratings without any server: who is asked and when, what is kept, and what a sign-out asks about.

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use taiwa_shared::{
    domain::{
        ownership::DocumentKey,
        people::PairState,
        rating::{AsAsked, Rating, Talked},
    },
    ids::{StoreEpoch, UserId},
    protocol::records::{RecordEntry, RecordsPage},
    time::{Timestamp, Zone},
};

use super::{
    MANAGER, MEMBER, PAIR, TestClock, company, copy_of, enter, meeting, now, options, pair, response, signed_in, topic,
};
use crate::{
    session::{
        MemoryVault, OnUnsent, Options, RatingForm, RatingStanding, SaveState, Session, SessionError, SignedOut, Taiwa,
    },
    store::{RatingAnswer, RatingState},
};

fn talked(step: u8) -> Talked {
    step.try_into().unwrap()
}

async fn due(session: &Session) -> usize {
    session.home().await.unwrap().ratings_due.len()
}

async fn form(session: &Session) -> RatingForm {
    session.rating(meeting()).await.unwrap()
}

/// A phone whose time the test moves.
async fn with_clock(directory: &Path, user: UserId) -> (Taiwa, Session, Arc<TestClock>) {
    let clock = Arc::new(TestClock::at(now()));
    let vault = Arc::new(MemoryVault::default());
    let options = Options { clock: clock.clone(), ..options(directory, &vault) };
    let taiwa = Taiwa::open(options).await.unwrap();
    let session = enter(&taiwa, user).await;
    session.desk.apply_page(company()).await.unwrap();
    (taiwa, session, clock)
}

fn on_day(day: i8, hour: i8) -> i64 {
    Zone::tokyo().at(jiff::civil::date(2026, 4, day).at(hour, 0, 0, 0)).as_millis()
}

#[tokio::test]
async fn the_member_is_asked_after_the_end_once_more_and_never_again_and_the_manager_never() {
    let directory = tempfile::tempdir().unwrap();
    let (taiwa, session, clock) = with_clock(directory.path(), MEMBER).await;
    assert_eq!(due(&session).await, 0, "it is not over");
    assert!(matches!(session.rate(meeting(), talked(4), None).await, Err(SessionError::NoAccess)));
    session.finish_meeting(meeting()).await.unwrap();
    assert_eq!(due(&session).await, 1);
    let asked = form(&session).await;
    assert_eq!(asked.steps.iter().map(|step| step.label.as_str()).collect::<Vec<_>>()[4], "しっかり話せた");
    assert_eq!(asked.assurance, "この回答は佐藤 健さんには見えません。5人以上の回答が集まると、傾向だけが伝わります。");
    session.put_rating_away(meeting()).await.unwrap();
    assert_eq!(due(&session).await, 0);
    clock.0.store(on_day(21, 8), Ordering::Relaxed);
    assert_eq!(due(&session).await, 1, "once more in the morning");
    session.put_rating_away(meeting()).await.unwrap();
    clock.0.store(on_day(22, 8), Ordering::Relaxed);
    assert_eq!(due(&session).await, 0, "and then never");
    // Whoever opens the screen by themselves may still answer.
    assert!(form(&session).await.can_change);
    drop((session, taiwa));
    let directory = tempfile::tempdir().unwrap();
    let (_taiwa, session, _) = with_clock(directory.path(), MANAGER).await;
    session.finish_meeting(meeting()).await.unwrap();
    assert_eq!(due(&session).await, 0);
    assert!(matches!(session.rating(meeting()).await, Err(SessionError::NoAccess)));
    assert!(matches!(session.rate(meeting(), talked(4), None).await, Err(SessionError::NoAccess)));
    assert!(matches!(session.put_rating_away(meeting()).await, Err(SessionError::NoAccess)));
}

#[tokio::test]
async fn a_rating_survives_a_kill_and_names_what_the_preparation_had_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    for (slug, asked) in [("career.future", "think"), ("career.role", "think"), ("work.load", "decide")] {
        session.choose_topic(meeting(), topic(slug)).await.unwrap();
        session.set_response(meeting(), topic(slug), response(asked)).await.unwrap();
    }
    session.publish(meeting()).await.unwrap();
    session.finish_meeting(meeting()).await.unwrap();
    session.rate(meeting(), talked(2), Some(AsAsked::No)).await.unwrap();
    session.rate(meeting(), talked(4), Some(AsAsked::Roughly)).await.unwrap();
    let copy = copy_of(directory.path());
    let again = Taiwa::open(options(copy.path(), &vault)).await.unwrap().session().await.unwrap();
    let shown = form(&again).await;
    assert_eq!((shown.talked, shown.as_asked), (Some(talked(4)), Some(AsAsked::Roughly)));
    assert_eq!((shown.standing, due(&again).await), (RatingStanding::Waiting, 0));
    let rows = again.core.store.ratings().await.unwrap();
    let picks = &rows[0].given.as_ref().unwrap().picks;
    let picks: Vec<_> = picks.iter().map(|pick| (pick.category.as_str(), pick.response.as_str())).collect();
    assert_eq!((rows.len(), picks), (1, vec![("career", "think"), ("work", "decide")]), "the newest alone, none twice");
}

#[tokio::test]
async fn signing_out_asks_about_a_rating_and_another_person_sends_none() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    session.finish_meeting(meeting()).await.unwrap();
    let before = session.unsent().await.unwrap();
    session.rate(meeting(), talked(5), None).await.unwrap();
    session.rate(meeting(), talked(4), None).await.unwrap();
    assert_eq!(session.unsent().await.unwrap(), before + 1, "one 1on1 is one rating");
    assert!(matches!(session.save_state().await.unwrap(), SaveState::Waiting { .. }));
    assert_eq!(taiwa.sign_out(OnUnsent::Ask).await.unwrap(), SignedOut::Unsent { changes: before + 1 });
    let other = enter(&taiwa, MANAGER).await;
    other.desk.apply_page(company()).await.unwrap();
    assert_eq!((other.unsent().await.unwrap(), other.core.store.ratings().await.unwrap()), (0, vec![]));
    let back = enter(&taiwa, MEMBER).await;
    assert_eq!(back.unsent().await.unwrap(), before + 1, "it waits for its own person");
}

#[tokio::test]
async fn what_is_said_while_the_one_before_is_on_its_way_goes_on_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    session.finish_meeting(meeting()).await.unwrap();
    let store = &session.core.store;
    let until = now().plus(Duration::from_secs(60));
    let rating = |step| Rating { talked: talked(step), as_asked: None, picks: Vec::new() };
    let state = async || store.rating(meeting()).await.unwrap().unwrap().state;
    session.rate(meeting(), talked(3), None).await.unwrap();
    session.rate(meeting(), talked(4), None).await.unwrap();
    store.answer_rating(meeting(), &rating(3), (RatingAnswer::Kept, until), now()).await.unwrap();
    assert_eq!(state().await, RatingState::Waiting);
    // What another phone had sent does not take the place of what waits here.
    store.take_ratings(&[(meeting(), rating(1))], until, now()).await.unwrap();
    assert_eq!((state().await, form(&session).await.talked), (RatingState::Waiting, Some(talked(4))));
    store.answer_rating(meeting(), &rating(4), (RatingAnswer::Kept, until), now()).await.unwrap();
    assert_eq!(state().await, RatingState::Sent);
    store.take_ratings(&[(meeting(), rating(1))], until, now()).await.unwrap();
    assert_eq!(form(&session).await.talked, Some(talked(1)), "what another phone said later");
    // A change that comes too late leaves what the server has, and says so.
    session.rate(meeting(), talked(2), None).await.unwrap();
    store.answer_rating(meeting(), &rating(2), (RatingAnswer::Closed, until), now()).await.unwrap();
    let shown = form(&session).await;
    assert_eq!((shown.standing, shown.can_change), (RatingStanding::NotTaken, false));
    assert_eq!(
        shown.standing_words.as_deref(),
        Some("変更は間に合いませんでした。先に送った回答のまま集計されました。")
    );
    assert!(matches!(session.rate(meeting(), talked(5), None).await, Err(SessionError::RatingClosed)));
}

#[tokio::test]
async fn a_server_that_comes_back_from_an_older_copy_gets_its_ratings_again() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    session.finish_meeting(meeting()).await.unwrap();
    session.rate(meeting(), talked(4), None).await.unwrap();
    let store = &session.core.store;
    let rating = Rating { talked: talked(4), as_asked: None, picks: Vec::new() };
    let until = Timestamp::default();
    store.answer_rating(meeting(), &rating, (RatingAnswer::Kept, until), now()).await.unwrap();
    assert_eq!(store.waiting_ratings().await.unwrap(), 0);
    let epoch = StoreEpoch::from_bytes([9; 16]);
    let page = RecordsPage { epoch, ..company() };
    session.desk.apply_page(page).await.unwrap();
    assert_eq!(store.waiting_ratings().await.unwrap(), 1);
    // It was counted before the copy was made: what the server said then is so.
    store.answer_rating(meeting(), &rating, (RatingAnswer::Closed, until), now()).await.unwrap();
    assert_eq!(form(&session).await.standing, RatingStanding::Sent);
}

#[tokio::test]
async fn a_manager_sees_what_members_asked_for_by_category() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MANAGER).await;
    assert_eq!(session.expectations().await.unwrap()[0].categories, []);
    let days = [(4, 6, "think"), (4, 20, "think"), (5, 18, "listen")];
    for (month, day, asked) in days {
        let slot = taiwa_shared::domain::meeting::Meeting::id_of_slot(PAIR, jiff::civil::date(2026, month, day));
        let key = DocumentKey::Prep { pair: PAIR, meeting: slot };
        super::told(&session, key, &[("career.future", asked), ("work.load", "decide")]).await;
    }
    let expected = session.expectations().await.unwrap();
    assert_eq!((expected.len(), expected[0].member_name.as_str()), (1, "田中 葵"));
    let career = expected[0].categories.iter().find(|it| it.category.as_str() == "career").unwrap();
    assert_eq!(career.latest.slug.as_str(), "listen");
    let times: Vec<_> = career.responses.iter().map(|it| (it.response.slug.as_str(), it.times)).collect();
    assert_eq!(times, [("think", 2), ("listen", 1)]);
    // Once the pair has ended, it is nobody's to expect anything of this manager.
    let closed = pair(PairState::Closed { at: now() });
    session.desk.apply_page(super::page(vec![RecordEntry::Pair(closed)])).await.unwrap();
    assert_eq!(session.expectations().await.unwrap(), []);
}
