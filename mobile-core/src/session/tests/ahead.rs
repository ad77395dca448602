//! The next date and the notices, from what the phone holds.

use std::slice;

use taiwa_shared::domain::{
    cadence::{Cadence, Rhythm},
    meeting::{Meeting, MeetingState},
    reminders::{ReminderKind, ReminderSettings},
};

use super::*;

/// Local times and kinds of the notices.
async fn notices(session: &Session) -> Vec<(ReminderKind, String)> {
    let reminders = session.reminders().await.unwrap();
    reminders.iter().map(|it| (it.kind, it.at.in_zone(&Zone::tokyo()).to_string())).collect()
}

fn in_slot(month: i8, day: i8) -> Meeting {
    Cadence::default().meeting_in_slot(PAIR, jiff::civil::date(2026, month, day))
}

#[tokio::test]
async fn notices_come_without_a_network_until_what_they_are_for_is_done() {
    use ReminderKind::{Before, Prepare};
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    // It is 9:58 of the day of the first meeting: its notices are past. 4 to 6 May are holidays: it is held on the 7th.
    let prepare = (Prepare, "2026-05-01T17:00:00".to_owned());
    let before = (Before, "2026-05-07T09:50:00".to_owned());
    assert_eq!(notices(&session).await, [prepare.clone(), before.clone()]);
    let known = session.reminders().await.unwrap();
    assert_eq!(known[0].title, "佐藤 健さんとの1on1の準備");

    let held_on_seventh = in_slot(5, 4).id;
    session.set_response(held_on_seventh, topic("career.future"), response("think")).await.unwrap();
    session.set_word(held_on_seventh, topic("career.future"), "異動のこと".to_owned()).await.unwrap();
    assert_eq!(notices(&session).await[0], prepare, "a draft is not told yet");
    assert!(session.publish(held_on_seventh).await.unwrap());
    assert_eq!(notices(&session).await, slice::from_ref(&before));
    let words = session.reminders().await.unwrap().into_iter().map(|it| it.title + &it.body).collect::<String>();
    assert!(!words.contains("異動") && !words.contains("キャリア"), "notices stand on lock screens: {words}");

    let moved = Meeting { starts: jiff::civil::date(2026, 5, 8).at(15, 0, 0, 0), revision: 1, ..in_slot(5, 4) };
    session.desk.apply_page(page(vec![RecordEntry::Meeting(moved)])).await.unwrap();
    assert_eq!(notices(&session).await[0], (Before, "2026-05-08T14:50:00".to_owned()));
    assert_eq!(session.reminders().await.unwrap()[0].id, known[1].id, "it takes the place of the old one");
    let cancelled = Meeting { state: MeetingState::Cancelled, revision: 2, ..in_slot(5, 4) };
    session.desk.apply_page(page(vec![RecordEntry::Meeting(cancelled)])).await.unwrap();
    assert_eq!(notices(&session).await, []);
}

#[tokio::test]
async fn what_a_person_wants_to_be_reminded_of_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    assert_eq!(notices(&session).await.len(), 2);
    let fewer = ReminderSettings { prepare: false, ..ReminderSettings::default() };
    session.set_reminder_settings(fewer).await.unwrap();
    taiwa.close().await;
    let taiwa = Taiwa::open(options(directory.path(), &vault)).await.unwrap();
    let session = taiwa.session().await.unwrap();
    assert_eq!(session.reminder_settings().await.unwrap(), fewer);
    assert_eq!(notices(&session).await, [(ReminderKind::Before, "2026-05-07T09:50:00".to_owned())]);
}

#[tokio::test]
async fn the_next_date_is_proposed_until_it_is_agreed() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MANAGER).await;
    let today = Meeting { state: MeetingState::Finished, finished: Some(now()), ..in_slot(4, 20) };
    session.desk.apply_page(page(vec![RecordEntry::Meeting(today)])).await.unwrap();
    let proposal = session.next_proposal(PAIR).unwrap().unwrap();
    assert_eq!((proposal.meeting, proposal.slot), (in_slot(5, 4).id, jiff::civil::date(2026, 5, 4)));
    assert_eq!(proposal.question, "5月7日(木) 10:00 でよいですか？");
    assert_eq!(proposal.because_of_holiday.as_deref(), Some("みどりの日"));

    let weekly = Cadence { rhythm: Rhythm::Weekly, ..Cadence::default() };
    let changed = RecordEntry::Pair(Pair { cadence: weekly, cadence_revision: 1, ..pair(PairState::Open) });
    session.desk.apply_page(page(vec![changed])).await.unwrap();
    assert_eq!(session.next_proposal(PAIR).unwrap().unwrap().slot, jiff::civil::date(2026, 4, 27));
    session.desk.apply_page(page(vec![RecordEntry::Meeting(in_slot(4, 27))])).await.unwrap();
    assert_eq!(session.next_proposal(PAIR).unwrap(), None, "both know of it");
    let cancelled = Meeting { state: MeetingState::Cancelled, revision: 1, ..in_slot(4, 27) };
    session.desk.apply_page(page(vec![RecordEntry::Meeting(cancelled)])).await.unwrap();
    let next = session.next_proposal(PAIR).unwrap().unwrap();
    assert_eq!(next.slot, jiff::civil::date(2026, 5, 4));
    assert_eq!(session.schedule(PAIR, Some(next.slot), next.time).await.unwrap(), next.meeting);
    assert_eq!(session.next_proposal(PAIR).unwrap(), None, "はい is known at once, without a network");
    let unknown = PairId::from_bytes([9; 16]);
    assert!(matches!(session.next_proposal(unknown), Err(SessionError::NoAccess)));
}
