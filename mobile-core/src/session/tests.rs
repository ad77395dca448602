//! A session without any server: what is written stays, whatever happens to the phone or to the pair.

mod ahead;
mod ended;
mod rating;
mod search;
mod signing_out;
mod tips;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use taiwa_shared::{
    documents::{Editor, Replica, draft, memo as memo_document, prep},
    domain::{
        cadence::Cadence,
        catalog::{ResponseSlug, TopicSlug},
        ownership::{Access, DocumentKey},
        people::{Pair, PairKind, PairState, Person, Role, Side},
    },
    ids::{DeviceId, DocumentId, MeetingId, OrganisationId, PairId, StoreEpoch, UserId},
    protocol::{
        login::{LoginResponse, Secret, Tokens},
        records::{DocumentRecord, RecordEntry, RecordsPage},
    },
    sync::chunks::StoredChange,
    time::{Clock, Timestamp, Zone},
};

use super::{
    MemoryVault, NotesOf, OnUnsent, Options, PreparationState, SaveState, Session, SessionError, SignedOut, Taiwa,
};
use crate::store::RefusalReason;

pub(super) const MEMBER: UserId = UserId::from_bytes([1; 16]);
pub(super) const MANAGER: UserId = UserId::from_bytes([2; 16]);
pub(super) const PAIR: PairId = PairId::from_bytes([3; 16]);
/// Nobody listens on the discard port.
const NO_SERVER: &str = "http://127.0.0.1:9";
const WAIT: Duration = Duration::from_secs(20);

#[derive(Default)]
pub(super) struct TestClock(AtomicI64);

impl TestClock {
    pub(super) fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.as_millis()))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// Monday 20 April 2026, 9:58 in Japan: two minutes before the pair's second slot.
pub(super) fn now() -> Timestamp {
    Zone::tokyo().at(jiff::civil::date(2026, 4, 20).at(9, 58, 0, 0))
}

pub(super) fn meeting() -> MeetingId {
    taiwa_shared::domain::meeting::Meeting::id_of_slot(PAIR, jiff::civil::date(2026, 4, 20))
}

pub(super) fn topic(slug: &str) -> TopicSlug {
    slug.parse().unwrap()
}

pub(super) fn response(slug: &str) -> ResponseSlug {
    slug.parse().unwrap()
}

pub(super) fn options(directory: &Path, vault: &Arc<MemoryVault>) -> Options {
    let clock = Arc::new(TestClock(AtomicI64::new(now().as_millis())));
    Options { clock, ..Options::new(directory, vault.clone()) }
}

fn login(user: UserId) -> LoginResponse {
    LoginResponse {
        user,
        organisation: OrganisationId::from_bytes([4; 16]),
        organisation_slug: "sample".to_owned(),
        organisation_name: "サンプル産業".to_owned(),
        device: DeviceId::from_bytes([5; 16]),
        tokens: Tokens {
            access_token: Secret::new("access"),
            access_expires: now().plus(Duration::from_secs(600)),
            server_time: now(),
            refresh_token: Secret::new("refresh"),
        },
    }
}

pub(super) fn page(entries: Vec<RecordEntry>) -> RecordsPage {
    RecordsPage { epoch: StoreEpoch::from_bytes([1; 16]), cursor: "1".to_owned(), more: false, entries }
}

fn company() -> RecordsPage {
    let person = |id, name: &str| {
        RecordEntry::Person(Person {
            id,
            name: name.to_owned(),
            site: None,
            site_name: None,
            role: Role::Member,
            active: true,
        })
    };
    page(vec![person(MEMBER, "田中 葵"), person(MANAGER, "佐藤 健"), RecordEntry::Pair(pair(PairState::Open))])
}

pub(super) fn pair(state: PairState) -> Pair {
    Pair {
        id: PAIR,
        member: MEMBER,
        manager: MANAGER,
        kind: PairKind::Line,
        cadence: Cadence::default(),
        cadence_revision: 0,
        state,
    }
}

async fn enter(taiwa: &Taiwa, user: UserId) -> Session {
    taiwa.enter(login(user), &taiwa.http(NO_SERVER).unwrap()).await.unwrap()
}

pub(super) async fn signed_in(directory: &Path, vault: &Arc<MemoryVault>, user: UserId) -> (Taiwa, Session) {
    let taiwa = Taiwa::open(options(directory, vault)).await.unwrap();
    let session = enter(&taiwa, user).await;
    session.desk.apply_page(company()).await.unwrap();
    (taiwa, session)
}

/// What a kill leaves: the files as they are at this moment.
pub(super) fn copy_of(directory: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        // The shared-memory index of a killed process is not read again.
        if !entry.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
    }
    copy
}

/// Changes that somebody else made, stored and passed on as the sync does.
pub(super) async fn receive(session: &Session, key: DocumentKey, replica: &mut Replica) {
    let document = session.core.document_id(&key);
    let bytes: Vec<Bytes> = replica.take_changes().into_iter().map(Bytes::from).collect();
    let changes = bytes.iter().map(|bytes| StoredChange::read(bytes.clone()).unwrap()).collect();
    session.core.store.append_remote(&[(document, changes)]).await.unwrap();
    session.desk.received(document, bytes).await.unwrap();
}

/// What the member told the manager about a meeting, arrived on the manager's phone.
pub(super) async fn told(session: &Session, key: DocumentKey, topics: &[(&str, &str)]) {
    let record = DocumentRecord { id: key.document_id(0), key, generation: 0, access: Access::Read, digest: None };
    session.desk.apply_page(page(vec![RecordEntry::Document(record)])).await.unwrap();
    let editor = Editor { user: MEMBER, actor: [8; 16] };
    let draft = DocumentKey::Draft { pair: PAIR, meeting: key.meeting().unwrap() };
    let mut form = Replica::open(draft, 0, [], editor).unwrap();
    for (slug, asked) in topics {
        draft::set_response(&mut form, &topic(slug), &response(asked), now()).unwrap();
    }
    let mut published = Replica::open(key, 0, [], editor).unwrap();
    prep::publish(&mut published, &form, now()).unwrap();
    receive(session, key, &mut published).await;
}

async fn replica_of(session: &Session, key: DocumentKey, user: UserId) -> Replica {
    let changes = session.core.store.changes(session.core.document_id(&key)).await.unwrap();
    let editor = Editor { user, actor: [77; 16] };
    Replica::open(key, 0, changes.iter().map(|change| &change.bytes[..]), editor).unwrap()
}

#[tokio::test]
async fn every_tap_of_the_form_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    let career = topic("career.future");
    for step in 0..4 {
        match step {
            0 => session.choose_topic(meeting(), career.clone()).await.unwrap(),
            1 => session.set_response(meeting(), career.clone(), response("think")).await.unwrap(),
            2 => session.set_word(meeting(), career.clone(), "異動のこと".to_owned()).await.unwrap(),
            _ => assert!(session.publish(meeting()).await.unwrap()),
        }
        let copy = copy_of(directory.path());
        let again = Taiwa::open(options(copy.path(), &vault)).await.unwrap();
        let restored = again.session().await.expect("the session is restored without a server");
        let form = restored.prepare(meeting()).await.unwrap();
        assert_eq!(form.chosen, session.prepare(meeting()).await.unwrap().chosen, "after step {step}");
        assert_eq!(form.chosen[0].slug, career);
        let expected = if step == 3 { PreparationState::Published } else { PreparationState::Draft };
        assert_eq!(restored.home().await.unwrap().next.unwrap().preparation, expected, "after step {step}");
        assert_eq!(restored.unsent().await.unwrap(), step + 1);
        again.close().await;
    }
    assert!(matches!(session.save_state().await.unwrap(), SaveState::Waiting { changes: 4 }));
}

#[tokio::test]
async fn a_manager_has_no_form_and_a_stranger_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MANAGER).await;
    let refused = session.choose_topic(meeting(), topic("career.future")).await;
    assert!(matches!(refused, Err(SessionError::NoAccess)));
    let unknown = MeetingId::from_bytes([9; 16]);
    assert!(matches!(session.brief(unknown).await, Err(SessionError::NoAccess)));
    assert!(matches!(session.memo(unknown).await.map(drop), Err(SessionError::NoAccess)));
}

#[tokio::test]
async fn the_brief_never_says_that_nothing_was_prepared() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MANAGER).await;
    session.core.store.put_last_exchange(now()).await.unwrap();
    let brief = session.brief(meeting()).await.unwrap();
    assert_eq!(brief.not_arrived.as_deref(), Some("まだ届いていません（今日 09:58 時点）"));
    assert_eq!(session.home().await.unwrap().next.unwrap().preparation, PreparationState::NotArrived);

    let key = DocumentKey::Prep { pair: PAIR, meeting: meeting() };
    let record = DocumentRecord { id: key.document_id(0), key, generation: 0, access: Access::Read, digest: None };
    session.desk.apply_page(page(vec![RecordEntry::Document(record)])).await.unwrap();
    let mut observed = session.observe(|session| async move { session.home().await });
    assert!(observed.next().await.unwrap().unwrap().next.unwrap().topics.is_empty());
    let editor = Editor { user: MEMBER, actor: [8; 16] };
    let form = DocumentKey::Draft { pair: PAIR, meeting: meeting() };
    let mut form = Replica::open(form, 0, [], editor).unwrap();
    draft::set_response(&mut form, &topic("career.future"), &response("think"), now()).unwrap();
    let mut published = Replica::open(key, 0, [], editor).unwrap();
    prep::publish(&mut published, &form, now()).unwrap();
    receive(&session, key, &mut published).await;

    let home = tokio::time::timeout(WAIT, observed.next()).await.unwrap().unwrap().unwrap();
    let next = home.next.unwrap();
    assert_eq!((next.side, next.preparation), (Side::Manager, PreparationState::Published));
    assert_eq!(next.topics[0].slug, topic("career.future"));
    let brief = session.brief(meeting()).await.unwrap();
    assert_eq!((brief.not_arrived, brief.topics.len()), (None, 1));
}

#[tokio::test]
async fn losing_the_pair_removes_its_documents_and_keeps_unsent_text_as_a_card() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    let memo = session.memo(meeting()).await.unwrap();
    memo.splice(0, 0, "届いた行\n".to_owned()).await.unwrap();
    let key = DocumentKey::Memo { pair: PAIR, meeting: meeting() };
    let document = key.document_id(0);
    let sent: Vec<_> = session.core.store.headers(document).await.unwrap().iter().map(|it| it.hash).collect();
    session.core.store.acknowledge(document, &sent).await.unwrap();
    memo.splice(5, 0, "送れなかった行".to_owned()).await.unwrap();
    session.add_note(NotesOf::Pair(PAIR), "自分だけの行".to_owned(), None).await.unwrap();

    session.desk.apply_page(page(vec![RecordEntry::PairLost { pair: PAIR }])).await.unwrap();
    let cards = session.refused_edits().await.unwrap();
    assert_eq!(cards.len(), 1);
    assert_eq!((cards[0].text.as_str(), cards[0].reason), ("送れなかった行", RefusalReason::NoAccess));
    assert_eq!(session.core.store.document(document).await.unwrap(), None);
    assert!(session.pairs().is_empty() && session.upcoming().await.unwrap().is_empty());
    assert!(matches!(memo.read().await, Err(SessionError::NoAccess)));
    assert_eq!(session.notes(NotesOf::Pair(PAIR)).await.unwrap()[0].texts, ["自分だけの行"]);

    taiwa.close().await;
    let taiwa = Taiwa::open(options(directory.path(), &vault)).await.unwrap();
    let session = taiwa.session().await.unwrap();
    let card = session.refused_edits().await.unwrap().remove(0);
    session.copy_to_private_note(card.id).await.unwrap();
    assert_eq!(session.refused_edits().await.unwrap(), []);
    assert_eq!(session.notes(NotesOf::Field).await.unwrap()[0].texts, ["送れなかった行"]);
}

#[tokio::test]
async fn a_refused_document_goes_back_to_what_the_server_has_and_leaves_a_card() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    session.add_intention(PAIR, "先に聞く".to_owned(), None).await.unwrap();
    let document = DocumentKey::Notebook { pair: PAIR }.document_id(0);
    session.core.store.mark_refused(document, Some(RefusalReason::NoAccess)).await.unwrap();
    session.desk.refused(document, RefusalReason::NoAccess).await.unwrap();
    let mut cards = session.observe(|session| async move { session.refused_edits().await });
    let card = loop {
        let found = tokio::time::timeout(WAIT, cards.next()).await.unwrap().unwrap().unwrap();
        if let Some(card) = found.into_iter().next() {
            break card;
        }
    };
    assert_eq!(card.text, "先に聞く");
    assert_eq!(session.unsent().await.unwrap(), 0);
    assert_eq!(session.save_state().await.unwrap(), SaveState::Synced);
    let more = session.add_intention(PAIR, "もう書けない".to_owned(), None).await;
    assert!(matches!(more, Err(SessionError::NoAccess)));
    session.copy_to_private_note(card.id).await.unwrap();
    assert_eq!(session.notes(NotesOf::Pair(PAIR)).await.unwrap()[0].texts, ["先に聞く"]);
}

#[tokio::test]
async fn a_document_with_rejected_changes_on_a_card_is_written_again_once_a_day() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let clock = Arc::new(TestClock(AtomicI64::new(now().as_millis())));
    let options = Options { clock: clock.clone(), ..options(directory.path(), &vault) };
    let taiwa = Taiwa::open(options).await.unwrap();
    let session = enter(&taiwa, MEMBER).await;
    session.desk.apply_page(company()).await.unwrap();
    let document = DocumentKey::Notebook { pair: PAIR }.document_id(0);
    let add = |text: &str| session.add_intention(PAIR, text.to_owned(), None);
    let reject = async || {
        session.core.store.mark_refused(document, Some(RefusalReason::Rejected)).await.unwrap();
        session.desk.refused(document, RefusalReason::Rejected).await.unwrap();
    };
    add("一つ目").await.unwrap();
    reject().await;
    add("二つ目").await.unwrap();
    assert_eq!(session.refused_edits().await.unwrap().len(), 1);
    assert_eq!(session.unsent().await.unwrap(), 1);
    reject().await;
    assert!(matches!(add("三つ目").await, Err(SessionError::NoAccess)));
    clock.0.fetch_add(24 * 60 * 60 * 1_000, Ordering::Relaxed);
    add("三つ目").await.unwrap();
    assert_eq!(session.refused_edits().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_kill_between_a_refusal_and_its_card_loses_neither() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    session.add_intention(PAIR, "先に聞く".to_owned(), None).await.unwrap();
    let document = DocumentKey::Notebook { pair: PAIR }.document_id(0);
    session.core.store.mark_refused(document, Some(RefusalReason::Full)).await.unwrap();

    let killed = copy_of(directory.path());
    let taiwa = Taiwa::open(options(killed.path(), &vault)).await.unwrap();
    let session = taiwa.session().await.unwrap();
    let mut cards = session.observe(|session| async move { session.refused_edits().await });
    let card = loop {
        let found = tokio::time::timeout(WAIT, cards.next()).await.unwrap().unwrap().unwrap();
        if let Some(card) = found.into_iter().next() {
            break card;
        }
    };
    assert_eq!((card.text.as_str(), card.reason), ("先に聞く", RefusalReason::Full));
    assert_eq!(session.unsent().await.unwrap(), 0);
}

#[tokio::test]
async fn a_panic_in_a_job_is_answered_and_the_next_job_starts_from_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    let memo = session.memo(meeting()).await.unwrap();
    memo.splice(0, 0, "残る".to_owned()).await.unwrap();
    let key = DocumentKey::Memo { pair: PAIR, meeting: meeting() };
    let target = super::desk::Target { key, slot: None };

    let edited: Result<(), SessionError> = session
        .desk
        .edit(target, |replica| {
            memo_document::splice_utf16(replica, 0, 0, "半端", now())?;
            panic!("half way");
        })
        .await;
    assert!(matches!(edited, Err(SessionError::Unexpected(_))), "{edited:?}");
    let read: Result<(), SessionError> = session.desk.read(key, |_| panic!("reading")).await;
    assert!(matches!(read, Err(SessionError::Unexpected(_))), "{read:?}");

    memo.splice(2, 0, "もの".to_owned()).await.unwrap();
    assert_eq!(session.memo(meeting()).await.unwrap().read().await.unwrap().text, "残るもの");
    assert_eq!(session.unsent().await.unwrap(), 2);
}

#[tokio::test]
async fn the_preps_of_the_next_day_are_live_for_the_manager_alone() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (taiwa, session) = signed_in(directory.path(), &vault, MANAGER).await;
    let prep = DocumentKey::Prep { pair: PAIR, meeting: meeting() }.document_id(0);
    assert_eq!(super::soon::preps(&session.core), [prep].into());
    taiwa.close().await;
    let (_taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    assert_eq!(super::soon::preps(&session.core), [].into());
}

#[tokio::test]
async fn a_second_person_on_the_phone_neither_sees_nor_sends_the_first_ones_queue() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (taiwa, first) = signed_in(directory.path(), &vault, MEMBER).await;
    first.add_note(NotesOf::Field, "最初の人".to_owned(), None).await.unwrap();
    let second = enter(&taiwa, MANAGER).await;
    assert_eq!(second.me(), MANAGER);
    assert_eq!(second.unsent().await.unwrap(), 0);
    assert!(second.core.store.documents().await.unwrap().is_empty());
    assert!(matches!(first.add_note(NotesOf::Field, "x".to_owned(), None).await, Err(SessionError::Ended)));
    assert_eq!(taiwa.sign_out(OnUnsent::Ask).await.unwrap(), SignedOut::Done);
    assert!(taiwa.session().await.is_none());
    let first = enter(&taiwa, MEMBER).await;
    assert_eq!(first.unsent().await.unwrap(), 1);
    assert_eq!(first.notes(NotesOf::Field).await.unwrap()[0].texts, ["最初の人"]);
}

#[tokio::test]
async fn signing_out_asks_before_it_gives_up_what_was_not_sent() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    session.add_note(NotesOf::Field, "まだ".to_owned(), None).await.unwrap();
    assert_eq!(taiwa.sign_out(OnUnsent::Ask).await.unwrap(), SignedOut::Unsent { changes: 1 });
    assert_eq!(session.notes(NotesOf::Field).await.unwrap().len(), 1);
    assert_eq!(taiwa.sign_out(OnUnsent::Discard).await.unwrap(), SignedOut::Done);
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_sign_out_that_is_broken_off_does_not_bring_back_what_was_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    session.add_note(NotesOf::Field, "捨てる".to_owned(), None).await.unwrap();
    // Something in the way stands for a kill just before it is forgotten who is signed in.
    let current = directory.path().join("current");
    std::fs::remove_file(&current).unwrap();
    std::fs::create_dir(&current).unwrap();
    assert!(taiwa.sign_out(OnUnsent::Discard).await.is_err());
    std::fs::remove_dir(&current).unwrap();
    std::fs::write(&current, MEMBER.to_string()).unwrap();

    let taiwa = Taiwa::open(options(directory.path(), &vault)).await.unwrap();
    assert!(taiwa.session().await.is_none());
    let session = enter(&taiwa, MEMBER).await;
    assert_eq!(session.unsent().await.unwrap(), 0);
    assert!(session.notes(NotesOf::Field).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_lost_key_is_said_clearly_and_signing_in_again_keeps_the_old_file() {
    let directory = tempfile::tempdir().unwrap();
    let (taiwa, session) = signed_in(directory.path(), &Arc::new(MemoryVault::default()), MEMBER).await;
    session.add_note(NotesOf::Field, "まだ".to_owned(), None).await.unwrap();
    taiwa.close().await;
    let path = directory.path().join(format!("{MEMBER}.taiwa"));
    let before = std::fs::read(&path).unwrap();
    let vault = Arc::new(MemoryVault::default());
    super::TokenVault::store(&*vault, [9; 32]).unwrap();
    assert!(matches!(Taiwa::open(options(directory.path(), &vault)).await, Err(SessionError::WrongKey)));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let taiwa = Taiwa::open_signed_out(options(directory.path(), &vault)).unwrap();
    let session = enter(&taiwa, MEMBER).await;
    assert_eq!(session.unsent().await.unwrap(), 0);
    assert_eq!(std::fs::read(path.with_extension("taiwa.damaged-1")).unwrap(), before);
}

#[tokio::test]
async fn typing_while_the_other_person_writes_deletes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    let memo = session.memo(meeting()).await.unwrap();
    memo.splice(0, 0, "会議メモ".to_owned()).await.unwrap();
    let key = DocumentKey::Memo { pair: PAIR, meeting: meeting() };
    let mut theirs = replica_of(&session, key, MANAGER).await;
    memo_document::splice_utf16(&mut theirs, 0, 0, "【重要】", now()).unwrap();
    receive(&session, key, &mut theirs).await;
    // The field still shows what it showed, and a composition ends in it.
    assert_eq!(memo.shown(), "会議メモ");
    let shown = memo.commit_composition("会議メモを変換".to_owned(), 7).await.unwrap().unwrap();
    assert_eq!((shown.text.as_str(), shown.caret_utf16), ("【重要】会議メモを変換", 11));
    // Typed before the field took it: the offer is void, and nothing is lost.
    memo.splice(7, 0, "した".to_owned()).await.unwrap();
    assert!(!memo.adopt(shown.revision));
    let shown = memo.remote(9).await.unwrap().unwrap();
    assert_eq!((shown.text.as_str(), shown.caret_utf16), ("【重要】会議メモを変換した", 13));
    assert!(memo.adopt(shown.revision));
    memo.splice(0, 4, String::new()).await.unwrap();
    assert_eq!(memo.remote(0).await.unwrap(), None);
    let read = memo.watch().next().await.unwrap().unwrap();
    assert_eq!(read.text, "会議メモを変換した");
    assert_eq!(read.paragraphs[0].authors, [MEMBER]);
    assert_eq!(memo.versions().await.unwrap().len(), 3);
    assert_eq!(memo.text_of_version(0).await.unwrap(), "会議メモ");
}

#[tokio::test]
async fn notebook_entries_appear_on_home_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    let mut homes = session.observe(|session| async move { session.home().await });
    let first = homes.next().await.unwrap().unwrap();
    assert!(first.promises.is_empty() && first.state == SaveState::Synced);
    let promise = session.add_promise(PAIR, MEMBER, "担当表の案を1枚".to_owned(), Some(meeting())).await.unwrap();
    session.add_intention(PAIR, "先に聞く".to_owned(), None).await.unwrap();
    let home = session.home().await.unwrap();
    assert_eq!(home.promises[0].texts, ["担当表の案を1枚"]);
    assert!(home.promises[0].mine && home.promises[0].partner_name == "佐藤 健");
    assert_eq!(home.intentions[0].texts, ["先に聞く"]);
    let seen = tokio::time::timeout(WAIT, homes.next()).await.unwrap().unwrap().unwrap();
    assert!(!seen.promises.is_empty());
    session.tick_promise(PAIR, promise).await.unwrap();
    assert!(session.home().await.unwrap().promises.is_empty());
    session.add_agenda(PAIR, "次の異動".to_owned()).await.unwrap();
    assert_eq!(session.agenda(PAIR).await.unwrap()[0].texts, ["次の異動"]);
    session.stop().await;
    while homes.next().await.is_some() {}
}

#[tokio::test]
async fn a_closed_pair_is_readable_and_not_writable() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    let memo = session.memo(meeting()).await.unwrap();
    memo.splice(0, 0, "残る".to_owned()).await.unwrap();
    let closed = pair(PairState::Closed { at: now() });
    session.desk.apply_page(page(vec![RecordEntry::Pair(closed)])).await.unwrap();
    assert!(matches!(memo.splice(2, 0, "x".to_owned()).await, Err(SessionError::NoAccess)));
    let read = session.memo(meeting()).await.unwrap().read().await.unwrap();
    assert_eq!((read.text.as_str(), read.can_write), ("残る", false));
}

#[tokio::test]
async fn summaries_are_kept_and_made_again_only_when_old() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    session.add_note(NotesOf::Field, "要約".to_owned(), None).await.unwrap();
    let document: DocumentId = DocumentKey::FieldNotes { user: MEMBER }.document_id(0);
    session.desk.renew(vec![document]).await.unwrap();
    taiwa.close().await;
    let taiwa = Taiwa::open(options(directory.path(), &vault)).await.unwrap();
    let session = taiwa.session().await.unwrap();
    let known = session.core.store.document(document).await.unwrap().unwrap();
    assert!(super::desk::is_current(session.core.summary(document).as_deref(), &known));
}

#[tokio::test]
async fn a_damaged_store_is_set_aside_and_the_session_goes_on_with_what_was_not_sent() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    session.add_note(NotesOf::Field, "まだ".to_owned(), None).await.unwrap();
    taiwa.close().await;
    let path = directory.path().join(format!("{MEMBER}.taiwa"));
    let sound = std::fs::read(&path).unwrap();
    let mut kept = 0;
    // One byte at a time, over the whole file: the session always starts again or says that nobody is signed in.
    for at in (0..sound.len()).step_by(1021) {
        let mut damaged = sound.clone();
        damaged[at] ^= 0x55;
        std::fs::write(&path, damaged).unwrap();
        let opened = Taiwa::open(options(directory.path(), &vault)).await;
        let taiwa = match opened {
            Ok(taiwa) => taiwa,
            Err(error) => {
                assert!(!matches!(error, SessionError::StoreDamaged { .. }), "at {at}: {error}");
                continue;
            }
        };
        if let Some(session) = taiwa.session().await {
            let mut notes = session.notes(NotesOf::Field).await;
            if matches!(notes, Err(SessionError::StoreDamaged { .. })) {
                notes = match taiwa.recover().await.unwrap() {
                    Some(session) => session.notes(NotesOf::Field).await,
                    None => Ok(Vec::new()),
                };
            }
            kept += notes.map_or(0, |notes| notes.len());
        }
        taiwa.close().await;
    }
    assert!(kept > sound.len() / 1021 / 2, "the note was kept {kept} times");
}
