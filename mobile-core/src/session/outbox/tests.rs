//! What is asked of the records without any server: on the disk, on screen, and decided about when the answer is no.

use std::{path::Path, sync::Arc, time::Duration};

use jiff::civil::date;
use taiwa_shared::{
    documents::{Editor, Replica, draft, prep},
    domain::{
        cadence::{Cadence, Rhythm},
        command::{Action, InvitationHash},
        meeting::{Meeting, MeetingChange, MeetingState, MeetingTime},
        ownership::{Access, DocumentKey},
        people::PairState,
    },
    ids::{PairId, StoreEpoch},
    protocol::{
        commands::{Current, Outcome, RejectionReason},
        records::{DocumentRecord, RecordEntry, RecordsPage},
    },
    time::{Clock, Zone},
};

use super::super::{
    MemoryVault, OnUnsent, Options, PreparationState, SaveState, Session, SessionError, SignedOut, Taiwa,
    UpcomingMeeting,
    tests::{
        MANAGER, MEMBER, PAIR, TestClock, copy_of, meeting, now, options, page, pair, receive, response, signed_in,
        topic,
    },
};
use super::{CardKind, InvitationState};

fn at(day: i8, hour: i8) -> MeetingTime {
    MeetingTime { starts: date(2026, 4, day).at(hour, 0, 0, 0), zone: Zone::tokyo(), length_minutes: 30 }
}

fn epoch() -> StoreEpoch {
    StoreEpoch::from_bytes([1; 16])
}

async fn shown(session: &Session) -> UpcomingMeeting {
    let upcoming = session.upcoming().await.unwrap();
    upcoming.into_iter().find(|it| it.meeting == meeting()).expect("the meeting is shown")
}

/// The meeting as a record that the other person moved.
fn moved_by_other(hour: i8) -> Meeting {
    let slot = Cadence::default().meeting_in_slot(PAIR, date(2026, 4, 20));
    let change = Some(MeetingChange { by: MEMBER, at: now(), from: slot.starts });
    Meeting { starts: at(20, hour).starts, revision: 1, change, ..slot }
}

async fn answer_all(session: &Session, outcome: &Outcome) {
    let waiting = session.core.store.commands_unanswered_in(epoch()).await.unwrap();
    let outcomes: Vec<_> = waiting.iter().map(|command| (command.id, outcome.clone())).collect();
    session.core.store.answer_commands(epoch(), now(), &outcomes).await.unwrap();
    session.core.read_roster().await.unwrap();
}

async fn manager(directory: &Path) -> (Taiwa, Session, Arc<MemoryVault>) {
    let vault = Arc::new(MemoryVault::default());
    let (taiwa, session) = signed_in(directory, &vault, MANAGER).await;
    (taiwa, session, vault)
}

#[tokio::test]
async fn what_is_asked_is_on_the_disk_and_on_screen_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let (taiwa, session, vault) = manager(directory.path()).await;
    session.move_meeting(meeting(), at(20, 15)).await.unwrap();
    let killed = copy_of(directory.path());
    let again = Taiwa::open(options(killed.path(), &vault)).await.unwrap();
    for session in [&session, &again.session().await.unwrap()] {
        let shown = shown(session).await;
        assert_eq!((shown.when.as_str(), shown.waiting), ("今日 15:00", true));
        assert_eq!(shown.moved.unwrap().notice, "今日 15:00 に変更されています");
        assert_eq!(session.unsent().await.unwrap(), 1);
        assert!(matches!(session.save_state().await.unwrap(), SaveState::Waiting { changes: 1 }));
    }
    assert_eq!(taiwa.sign_out(OnUnsent::Ask).await.unwrap(), SignedOut::Unsent { changes: 1 });
    again.close().await;
}

#[tokio::test]
async fn doing_what_is_so_already_gives_no_command() {
    let directory = tempfile::tempdir().unwrap();
    let (_taiwa, session, _) = manager(directory.path()).await;
    session.move_meeting(meeting(), at(20, 10)).await.unwrap();
    session.set_cadence(PAIR, Cadence::default()).await.unwrap();
    assert_eq!(session.unsent().await.unwrap(), 0);
    for _ in 0..2 {
        session.finish_meeting(meeting()).await.unwrap();
    }
    assert_eq!(session.unsent().await.unwrap(), 1);
    assert!(matches!(session.move_meeting(meeting(), at(20, 11)).await, Err(SessionError::MeetingOver)));
    let length_minutes = 4;
    let short = MeetingTime { length_minutes, ..at(21, 10) };
    assert!(matches!(session.schedule(PAIR, None, short).await, Err(SessionError::Implausible(_))));
}

#[tokio::test]
async fn a_meeting_made_by_hand_and_a_new_rhythm_show_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let (_taiwa, session, _) = manager(directory.path()).await;
    let made = session.schedule(PAIR, None, at(22, 9)).await.unwrap();
    session.move_meeting(made, at(22, 13)).await.unwrap();
    let upcoming = session.upcoming().await.unwrap();
    let shown = upcoming.iter().find(|it| it.meeting == made).unwrap();
    assert_eq!((shown.when.as_str(), shown.waiting), ("4月22日(水) 13:00", true));
    session.set_cadence(PAIR, Cadence { rhythm: Rhythm::Weekly, ..Cadence::default() }).await.unwrap();
    let upcoming = session.upcoming().await.unwrap();
    assert!(upcoming.iter().any(|it| it.when == "4月27日(月) 10:00"), "the slots of the new rhythm are there");
    // The move was decided on what the person saw, and says so.
    let commands = session.core.store.commands().await.unwrap();
    assert_eq!(commands.iter().map(|it| it.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(commands[1].builds_on, None, "a meeting that was only made has revision 0, as the move says");
    assert!(matches!(commands[1].action, Action::Move { base: 0, .. }));
}

#[tokio::test]
async fn a_closed_pair_takes_no_command() {
    let directory = tempfile::tempdir().unwrap();
    let (_taiwa, session, _) = manager(directory.path()).await;
    let closed = RecordEntry::Pair(pair(PairState::Closed { at: now() }));
    session.desk.apply_page(page(vec![closed])).await.unwrap();
    assert!(matches!(session.move_meeting(meeting(), at(20, 11)).await, Err(SessionError::NoAccess)));
    assert!(matches!(session.schedule(PAIR, None, at(22, 9)).await, Err(SessionError::NoAccess)));
    assert!(matches!(session.set_cadence(PAIR, Cadence::default()).await, Err(SessionError::NoAccess)));
    assert_eq!(session.unsent().await.unwrap(), 0);
}

#[tokio::test]
async fn of_two_moves_the_second_builds_on_the_first_and_they_share_a_card() {
    let directory = tempfile::tempdir().unwrap();
    let (_taiwa, session, _) = manager(directory.path()).await;
    session.move_meeting(meeting(), at(20, 15)).await.unwrap();
    session.move_meeting(meeting(), at(20, 16)).await.unwrap();
    let commands = session.core.store.commands().await.unwrap();
    assert_eq!(commands[1].builds_on, Some(commands[0].id));
    assert!(matches!(commands[1].action, Action::Move { base: 1, .. }));

    let theirs = moved_by_other(9);
    answer_all(&session, &Outcome::Conflict { current: Current::Meeting(theirs.clone()) }).await;
    session.desk.apply_page(page(vec![RecordEntry::Meeting(theirs)])).await.unwrap();
    let cards = session.command_cards().await.unwrap();
    assert_eq!((cards.len(), session.home().await.unwrap().command_cards), (1, 1));
    let card = &cards[0];
    assert_eq!(card.kind, CardKind::Conflict);
    assert_eq!((card.mine.as_deref(), card.theirs.as_deref()), (Some("今日 16:00"), Some("今日 09:00")));
    assert_eq!(card.what, "田中 葵さんとの1on1（今日 15:00）を 今日 16:00 に変更");
    assert!(card.why.contains("田中 葵さんが「今日 09:00」に変更しました"), "{}", card.why);
    // Until the person decides, the screens show how it stands.
    assert!(session.upcoming().await.unwrap().iter().all(|it| !it.waiting));
}

#[tokio::test]
async fn each_choice_on_a_conflict_works() {
    for keeps in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let (_taiwa, session, _) = manager(directory.path()).await;
        session.move_meeting(meeting(), at(20, 15)).await.unwrap();
        let theirs = moved_by_other(11);
        answer_all(&session, &Outcome::Conflict { current: Current::Meeting(theirs.clone()) }).await;
        session.desk.apply_page(page(vec![RecordEntry::Meeting(theirs)])).await.unwrap();
        let card = session.command_cards().await.unwrap().remove(0);
        if keeps {
            session.keep_mine(card.id).await.unwrap();
            let commands = session.core.store.commands().await.unwrap();
            assert!(matches!(&commands[1].action, Action::Move { base: 1, time, .. } if *time == at(20, 15)));
            assert_eq!(shown(&session).await.when, "今日 15:00");
        } else {
            session.take_theirs(card.id).await.unwrap();
            assert_eq!(session.unsent().await.unwrap(), 0);
            assert_eq!(shown(&session).await.when, "今日 11:00");
        }
        assert_eq!(session.command_cards().await.unwrap(), []);
        assert!(matches!(session.take_theirs(card.id).await, Err(SessionError::NotFound)));
    }
}

#[tokio::test]
async fn a_rejection_says_what_it_was_also_when_the_pair_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let (_taiwa, session, _) = manager(directory.path()).await;
    session.cancel_meeting(meeting()).await.unwrap();
    answer_all(&session, &Outcome::Rejected { reason: RejectionReason::NotFound, current: None }).await;
    session.desk.apply_page(page(vec![RecordEntry::PairLost { pair: PAIR }])).await.unwrap();
    let cards = session.command_cards().await.unwrap();
    assert_eq!(cards[0].what, "田中 葵さんとの1on1（今日 10:00）の取りやめ");
    assert_eq!((cards[0].kind, cards[0].can_keep_mine), (CardKind::Rejected(RejectionReason::NotFound), false));
    assert!(matches!(session.keep_mine(cards[0].id).await, Err(SessionError::NoAccess)));
    session.take_theirs(cards[0].id).await.unwrap();
    assert_eq!(session.command_cards().await.unwrap(), []);
}

#[tokio::test]
async fn an_invitation_can_be_handed_over_before_the_server_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let (_taiwa, session, _) = manager(directory.path()).await;
    let made = session.invite(" 山田 光 ", "hikari@example.jp").await.unwrap();
    assert_eq!((made.name.as_str(), made.state), ("山田 光", InvitationState::Waiting));
    let (server, secret) = made.link.expose().rsplit_once("/invite/").unwrap();
    assert_eq!((server, secret.len()), (session.identity().server_url.trim_end_matches('/'), 43));
    let command = session.core.store.commands().await.unwrap().remove(0);
    assert!(
        matches!(command.action, Action::Invite { invitation, .. } if invitation == InvitationHash::of(secret)),
        "the server gets the hash of what stands in the link"
    );
    assert!(!serde_json::to_string(&command.to_send()).unwrap().contains(secret));
    answer_all(&session, &Outcome::Applied).await;
    assert_eq!(session.invitations().await.unwrap()[0].state, InvitationState::Ready);
    for (name, email) in [("", "a@example.jp"), ("山田", "example.jp"), ("山田", "a@"), ("山\n田", "a@example.jp")]
    {
        assert!(matches!(session.invite(name, email).await, Err(SessionError::Implausible(_))), "{name} {email}");
    }
}

#[tokio::test]
async fn the_receipt_is_given_once_for_each_state_of_the_prep() {
    let directory = tempfile::tempdir().unwrap();
    let (_taiwa, session, _) = manager(directory.path()).await;
    session.brief(meeting()).await.unwrap();
    session.brief_shown(meeting()).await.unwrap();
    assert_eq!(session.unsent().await.unwrap(), 0, "nothing has arrived, so nothing was seen");
    let key = DocumentKey::Prep { pair: PAIR, meeting: meeting() };
    let record = DocumentRecord { id: key.document_id(0), key, generation: 0, access: Access::Read, digest: None };
    session.desk.apply_page(page(vec![RecordEntry::Document(record)])).await.unwrap();
    let editor = Editor { user: MEMBER, actor: [8; 16] };
    let form = DocumentKey::Draft { pair: PAIR, meeting: meeting() };
    let mut form = Replica::open(form, 0, [], editor).unwrap();
    let mut published = Replica::open(key, 0, [], editor).unwrap();
    for (looks, chosen) in [(2, "career.future"), (3, "work.priorities")] {
        let Some(topic) = session.all_topics().into_iter().map(|it| it.slug).find(|it| it.as_str() == chosen) else {
            continue;
        };
        draft::set_response(&mut form, &topic, &response("think"), now()).unwrap();
        prep::publish(&mut published, &form, now()).unwrap();
        receive(&session, key, &mut published).await;
        let receipts_before = session.core.store.commands().await.unwrap().len();
        let mut screen = session.observe(|session| async move { session.brief(meeting()).await });
        screen.next().await.unwrap().unwrap();
        session.enter_background();
        session.enter_foreground();
        session.brief(meeting()).await.unwrap();
        let receipts = session.core.store.commands().await.unwrap().len();
        assert_eq!(receipts, receipts_before, "loading a brief is not looking at it");
        for _ in 0..looks {
            session.brief_shown(meeting()).await.unwrap();
        }
        let commands = session.core.store.commands().await.unwrap();
        let held = session.core.store.document(key.document_id(0)).await.unwrap().unwrap().local_digest;
        let Action::BriefSeen { heads, .. } = &commands.last().unwrap().action else { panic!("no receipt") };
        assert_eq!(Some(*heads), held, "the receipt names what this phone holds");
    }
    let receipts = session.core.store.commands().await.unwrap().len();
    let states = usize::from(session.all_topics().iter().any(|it| it.slug.as_str() == "work.priorities")) + 1;
    assert_eq!(receipts, states);
    assert!(!shown(&session).await.waiting, "a receipt is not something that a person waits for");
}

#[tokio::test]
async fn what_was_prepared_for_a_cancelled_meeting_is_offered_and_copied_only_when_asked() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    let career = topic("career.future");
    session.set_response(meeting(), career.clone(), response("think")).await.unwrap();
    session.set_word(meeting(), career.clone(), "異動のこと".to_owned()).await.unwrap();
    session.cancel_meeting(meeting()).await.unwrap();
    let home = session.home().await.unwrap();
    let next = home.next.unwrap();
    assert_eq!((next.topics.len(), next.preparation), (0, PreparationState::NotBegun));
    let [offer] = &home.carry_offers[..] else { panic!("{:?}", home.carry_offers) };
    assert_eq!((offer.from, offer.to, offer.from_when.as_str()), (meeting(), next.meeting, "今日 10:00"));
    assert_eq!(offer.topics[0].slug, career);
    assert_eq!(session.carry_preparation(offer.from, offer.to).await.unwrap(), 1);
    let home = session.home().await.unwrap();
    assert_eq!(home.carry_offers, []);
    let topics = home.next.unwrap().topics;
    assert_eq!((&topics[0].slug, topics[0].words.as_slice()), (&career, ["異動のこと".to_owned()].as_slice()));
    assert_eq!(session.carry_preparation(offer.from, offer.to).await.unwrap(), 0, "what is there stays as it is");
    // The meeting is put back with what was prepared for it.
    session.move_meeting(meeting(), at(20, 11)).await.unwrap();
    let put_back = shown(&session).await;
    assert_eq!((put_back.when.as_str(), put_back.topics.len()), ("今日 11:00", 1));
    assert_eq!(session.meeting_of(meeting()).unwrap().state, MeetingState::Planned);
}

#[tokio::test]
async fn what_a_restored_server_lacks_waits_until_it_was_sent_again() {
    let directory = tempfile::tempdir().unwrap();
    let (taiwa, session, _) = manager(directory.path()).await;
    session.move_meeting(meeting(), at(20, 15)).await.unwrap();
    answer_all(&session, &Outcome::Applied).await;
    assert_eq!((session.unsent().await.unwrap(), session.save_state().await.unwrap()), (0, SaveState::Synced));
    let restored = RecordsPage { epoch: StoreEpoch::from_bytes([2; 16]), ..page(Vec::new()) };
    session.desk.apply_page(restored).await.unwrap();
    assert!(matches!(session.save_state().await.unwrap(), SaveState::Waiting { changes: 1 }));
    assert_eq!(taiwa.sign_out(OnUnsent::Ask).await.unwrap(), SignedOut::Unsent { changes: 1 });
}

#[tokio::test]
async fn an_invitation_is_not_called_good_after_the_week_in_which_it_can_be_used() {
    let directory = tempfile::tempdir().unwrap();
    let (_taiwa, session, _) = manager(directory.path()).await;
    session.invite("山田 光", "hikari@example.jp").await.unwrap();
    let id = session.core.store.commands().await.unwrap()[0].id;
    let states = async |answered| {
        session.core.store.answer_commands(epoch(), answered, &[(id, Outcome::Applied)]).await.unwrap();
        session.invitations().await.unwrap().into_iter().map(|it| it.state).collect::<Vec<_>>()
    };
    let week = Duration::from_secs(7 * 24 * 60 * 60);
    assert_eq!(states(now().minus(week)).await, [InvitationState::Expired]);
    let later = states(now()).await;
    assert_eq!(later, [InvitationState::Expired], "the same answer in another epoch makes no new link");
}

#[tokio::test]
async fn an_invitation_that_was_sent_again_is_listed_once() {
    let directory = tempfile::tempdir().unwrap();
    let (_taiwa, session, _) = manager(directory.path()).await;
    let made = session.invite("山田 光", "hikari@example.jp").await.unwrap();
    let closed = Outcome::Rejected { reason: RejectionReason::InvitesClosed, current: None };
    answer_all(&session, &closed).await;
    let rejected = session.invitations().await.unwrap();
    assert_eq!(rejected[0].state, InvitationState::Rejected(RejectionReason::InvitesClosed));
    session.keep_mine(made.id).await.unwrap();
    let listed = session.invitations().await.unwrap();
    assert_eq!(listed.iter().map(|it| it.state).collect::<Vec<_>>(), [InvitationState::Waiting]);
    assert_eq!(listed[0].link, made.link);
}

#[tokio::test]
async fn a_conflict_about_the_length_alone_says_both_lengths() {
    let directory = tempfile::tempdir().unwrap();
    let (_taiwa, session, _) = manager(directory.path()).await;
    let long = |length_minutes| MeetingTime { length_minutes, ..at(20, 10) };
    session.move_meeting(meeting(), long(45)).await.unwrap();
    let slot = Cadence::default().meeting_in_slot(PAIR, date(2026, 4, 20));
    let change = Some(MeetingChange { by: MEMBER, at: now(), from: slot.starts });
    let theirs = Meeting { length_minutes: 60, revision: 1, change, ..slot };
    answer_all(&session, &Outcome::Conflict { current: Current::Meeting(theirs.clone()) }).await;
    session.desk.apply_page(page(vec![RecordEntry::Meeting(theirs)])).await.unwrap();
    let card = session.command_cards().await.unwrap().remove(0);
    assert_eq!(card.mine.as_deref(), Some("今日 10:00（45分）"));
    assert_eq!(card.theirs.as_deref(), Some("今日 10:00（60分）"));
    assert_eq!(card.what, "田中 葵さんとの1on1（今日 10:00、30分）を 今日 10:00（45分） に変更");
    assert!(card.why.contains("「今日 10:00（60分）」"), "{}", card.why);
}

#[tokio::test]
async fn what_took_effect_late_is_sent_again_for_thirty_days_from_then() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let day = Duration::from_secs(24 * 60 * 60);
    let (taiwa, session) = signed_in(directory.path(), &vault, MANAGER).await;
    session.move_meeting(meeting(), at(20, 15)).await.unwrap();
    taiwa.close().await;
    let restored = |epoch| RecordsPage { epoch: StoreEpoch::from_bytes([epoch; 16]), ..page(Vec::new()) };
    // Offline for a month; then it took effect, and the server came back from an older copy.
    for (after, epoch_of_answer, waiting) in [(31, 1, 1), (59, 2, 1), (62, 3, 0)] {
        let clock = Arc::new(TestClock::at(now().plus(day * after)));
        let options = Options { clock: clock.clone(), ..options(directory.path(), &vault) };
        let taiwa = Taiwa::open(options).await.unwrap();
        let session = taiwa.session().await.unwrap();
        let id = session.core.store.commands().await.unwrap()[0].id;
        let answered = StoreEpoch::from_bytes([epoch_of_answer; 16]);
        if epoch_of_answer < 3 {
            let outcome = [(id, Outcome::Applied)];
            session.core.store.answer_commands(answered, clock.now(), &outcome).await.unwrap();
        }
        session.desk.apply_page(restored(epoch_of_answer + 1)).await.unwrap();
        assert_eq!(session.unsent().await.unwrap(), waiting, "day {after}");
        taiwa.close().await;
    }
}

#[tokio::test]
async fn an_old_preparation_is_not_offered_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    let prepared_and_cancelled = async |day| {
        let slot = Cadence::default().meeting_in_slot(PAIR, day);
        session.set_response(slot.id, topic("career.future"), response("think")).await.unwrap();
        let cancelled = Meeting { state: MeetingState::Cancelled, revision: 1, ..slot };
        session.desk.apply_page(page(vec![RecordEntry::Meeting(cancelled.clone())])).await.unwrap();
        cancelled
    };
    // Ten months ago, in the rhythm of two weeks that began then.
    let cadence = Cadence { first: date(2025, 6, 16), ..Cadence::default() };
    let entry = RecordEntry::Pair(taiwa_shared::domain::people::Pair { cadence, ..pair(PairState::Open) });
    session.desk.apply_page(page(vec![entry])).await.unwrap();
    prepared_and_cancelled(date(2025, 6, 30)).await;
    assert_eq!(session.carry_offers().await.unwrap(), []);
    let recent = prepared_and_cancelled(date(2026, 4, 6)).await;
    let offers = session.carry_offers().await.unwrap();
    assert_eq!(offers.iter().map(|it| it.from).collect::<Vec<_>>(), [recent.id]);
    // What was held since then is where it would have been talked about.
    let held = Cadence::default().meeting_in_slot(PAIR, date(2026, 4, 20));
    let held = Meeting { state: MeetingState::Finished, revision: 1, ..held };
    session.desk.apply_page(page(vec![RecordEntry::Meeting(held)])).await.unwrap();
    assert_eq!(session.carry_offers().await.unwrap(), []);
}

#[tokio::test]
async fn home_leaves_the_memo_open_that_is_being_written() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    // A member of nine pairs, in each of which a meeting was cancelled.
    for number in 10..19 {
        let id = PairId::from_bytes([number; 16]);
        let entry = taiwa_shared::domain::people::Pair { id, ..pair(PairState::Open) };
        let slot = Cadence::default().meeting_in_slot(id, date(2026, 4, 20));
        let cancelled = Meeting { state: MeetingState::Cancelled, revision: 1, ..slot };
        let entries = vec![RecordEntry::Pair(entry), RecordEntry::Meeting(cancelled)];
        session.desk.apply_page(page(entries)).await.unwrap();
    }
    let memo = session.memo(meeting()).await.unwrap();
    memo.splice(0, 0, "書きかけ".to_owned()).await.unwrap();
    let key = DocumentKey::Memo { pair: PAIR, meeting: meeting() };
    let opened = async || session.desk.read(key, |replica| replica.editor().actor).await.unwrap();
    let before = opened().await;
    session.home().await.unwrap();
    assert_eq!(opened().await, before, "a document that is opened again has another actor");
}

#[tokio::test]
async fn a_receipt_names_what_was_shown_and_not_what_arrived_behind_it() {
    let directory = tempfile::tempdir().unwrap();
    let (_taiwa, session, _) = manager(directory.path()).await;
    let key = DocumentKey::Prep { pair: PAIR, meeting: meeting() };
    let record = DocumentRecord { id: key.document_id(0), key, generation: 0, access: Access::Read, digest: None };
    session.desk.apply_page(page(vec![RecordEntry::Document(record)])).await.unwrap();
    let editor = Editor { user: MEMBER, actor: [8; 16] };
    let mut form = Replica::open(DocumentKey::Draft { pair: PAIR, meeting: meeting() }, 0, [], editor).unwrap();
    let mut published = Replica::open(key, 0, [], editor).unwrap();
    let mut publish = async |chosen: &str| {
        draft::set_response(&mut form, &topic(chosen), &response("think"), now()).unwrap();
        prep::publish(&mut published, &form, now()).unwrap();
        receive(&session, key, &mut published).await;
        session.core.store.document(key.document_id(0)).await.unwrap().unwrap().local_digest.unwrap()
    };
    let shown = publish("career.future").await;
    session.brief(meeting()).await.unwrap();
    publish("work.progress").await;
    // Another screen knows of it, and the brief has not been loaded again.
    assert_eq!(session.home().await.unwrap().next.unwrap().topics.len(), 2);
    session.brief_shown(meeting()).await.unwrap();
    let commands = session.core.store.commands().await.unwrap();
    assert!(matches!(commands[0].action, Action::BriefSeen { heads, .. } if heads == shown), "{commands:?}");
}
