//! What the file holds, what it refuses, and what survives.

use std::{collections::HashSet, path::Path};

use taiwa_shared::{
    documents::{Editor, Replica, notebook},
    domain::{
        cadence::Cadence,
        meeting::Meeting,
        ownership::{Access, DocumentKey},
        people::{Pair, PairKind, PairState, Person, Role},
    },
    ids::{DeviceId, DocumentId, IntentionId, OrganisationId, PairId, StoreEpoch, UserId},
    protocol::{
        login::Secret,
        records::{DocumentRecord, RecordEntry, RecordsPage},
    },
    sync::chunks::StoredChange,
    time::Timestamp,
};

use super::{
    Identity, LocalTokens, PageEffects, RefusalReason, RefusedEdit, RefusedEditId, Store, StoreError, VaultKey,
};

const ME: UserId = UserId::from_bytes([1; 16]);
const OTHER: UserId = UserId::from_bytes([2; 16]);
const PAIR: PairId = PairId::from_bytes([3; 16]);
const NOTEBOOK: DocumentKey = DocumentKey::Notebook { pair: PAIR };
/// Stands in every kind of content; must not be found in any file.
const SENTINEL: &str = "秘密の標識SENTINEL";

pub(super) fn key(byte: u8) -> VaultKey {
    VaultKey::new([byte; 32])
}

pub(super) async fn open(path: &Path) -> Store {
    Store::open(path, &key(7)).await.unwrap()
}

/// `n` changes of one replica, each an intention with this text.
pub(super) fn changes(actor: u8, n: u8, text: &str) -> Vec<StoredChange> {
    let editor = Editor { user: ME, actor: [actor; 16] };
    let mut replica = Replica::open(NOTEBOOK, 0, [], editor).unwrap();
    for i in 0..n {
        let id = IntentionId::from_bytes([actor.wrapping_mul(31).wrapping_add(i); 16]);
        notebook::add_intention(&mut replica, id, ME, text, None, Timestamp::from_millis(1)).unwrap();
    }
    replica.take_changes().into_iter().map(|bytes| StoredChange::read(bytes.into()).unwrap()).collect()
}

fn texts(changes: &[StoredChange]) -> Vec<String> {
    let editor = Editor { user: ME, actor: [200; 16] };
    let bytes = changes.iter().map(|change| &change.bytes[..]);
    let replica = Replica::open(NOTEBOOK, 0, bytes, editor).unwrap();
    notebook::intentions(&replica).into_iter().map(|it| it.text.value).collect()
}

async fn with_notebook(store: &Store) -> DocumentId {
    store.add_document(NOTEBOOK, 0, Access::Write, None).await.unwrap()
}

pub(super) fn identity() -> Identity {
    Identity {
        user: ME,
        organisation: OrganisationId::from_bytes([4; 16]),
        organisation_slug: SENTINEL.to_owned(),
        organisation_name: SENTINEL.to_owned(),
        device: DeviceId::from_bytes([5; 16]),
        server_url: "http://127.0.0.1:9".to_owned(),
    }
}

fn tokens() -> LocalTokens {
    LocalTokens {
        access_token: Secret::new(SENTINEL),
        access_expires: Timestamp::from_millis(1),
        refresh_token: Secret::new(SENTINEL),
    }
}

fn person(id: UserId) -> Person {
    Person {
        id,
        name: SENTINEL.to_owned(),
        site: None,
        site_name: Some(SENTINEL.to_owned()),
        role: Role::Member,
        active: true,
    }
}

fn pair() -> Pair {
    Pair {
        id: PAIR,
        member: ME,
        manager: OTHER,
        kind: PairKind::Line,
        cadence: Cadence::default(),
        cadence_revision: 0,
        state: PairState::Open,
    }
}

fn page(epoch: u8, entries: Vec<RecordEntry>) -> RecordsPage {
    RecordsPage { epoch: StoreEpoch::from_bytes([epoch; 16]), cursor: SENTINEL.to_owned(), more: false, entries }
}

pub(super) fn card(document: DocumentId) -> RefusedEdit {
    RefusedEdit {
        id: RefusedEditId::from_bytes([6; 16]),
        document,
        key: NOTEBOOK,
        text: SENTINEL.to_owned(),
        reason: RefusalReason::NoAccess,
        at: Timestamp::from_millis(1),
    }
}

pub(super) async fn fill(store: &Store) -> DocumentId {
    store.put_login(&identity(), &tokens()).await.unwrap();
    let meeting = Cadence::default().meeting_in_slot(PAIR, jiff::civil::date(2026, 4, 6));
    let entries = vec![
        RecordEntry::Person(person(OTHER)),
        RecordEntry::Pair(pair()),
        RecordEntry::Meeting(Meeting { ..meeting }),
    ];
    store.apply_page(&page(1, entries), &PageEffects::default()).await.unwrap();
    let document = with_notebook(store).await;
    store.append_local(document, &changes(10, 2, SENTINEL)).await.unwrap();
    store.append_remote(&[(document, changes(11, 2, SENTINEL))]).await.unwrap();
    store.put_summary(document, &SENTINEL, &SENTINEL).await.unwrap();
    let effects = PageEffects { purge: Vec::new(), cards: vec![card(document)] };
    store.apply_page(&page(1, Vec::new()), &effects).await.unwrap();
    document
}

/// Everything in the directory.
fn bytes_on_disk(directory: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.flat_map(|file| std::fs::read(file).unwrap()).collect()
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[tokio::test]
async fn nothing_readable_stands_in_the_file_or_its_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.taiwa");
    let store = open(&path).await;
    let document = fill(&store).await;
    // The control: everything is there, for who has the key.
    assert_eq!(store.identity().await.unwrap(), Some(identity()));
    assert_eq!(store.tokens().await.unwrap(), Some(tokens()));
    assert_eq!(store.records().await.unwrap().people, [person(OTHER)]);
    assert_eq!(texts(&store.changes(document).await.unwrap()), [SENTINEL; 4]);
    assert_eq!(store.summaries::<String>().await.unwrap(), [(document, SENTINEL.to_owned())]);
    let texts = store.search_texts().await.unwrap();
    assert_eq!(texts.iter().map(|text| store.open_search_text(text)).collect::<Vec<_>>(), [Some(SENTINEL.to_owned())]);
    assert_eq!(store.refused_edits().await.unwrap(), [card(document)]);
    let open_files = bytes_on_disk(directory.path());
    assert!(open_files.len() > 10_000 && path.with_extension("taiwa-wal").exists());
    store.close().await;
    for bytes in [open_files, bytes_on_disk(directory.path())] {
        for text in [SENTINEL, "秘密", "SENTINEL", "notebook", "intention", "127.0.0.1", "Asia/Tokyo"] {
            assert!(!contains(&bytes, text.as_bytes()), "{text} stands in the file");
        }
    }
}

#[tokio::test]
async fn another_key_is_refused_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.taiwa");
    let store = open(&path).await;
    let document = fill(&store).await;
    store.close().await;
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(Store::open(&path, &key(8)).await, Err(StoreError::WrongKey)));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(open(&path).await.changes(document).await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_store_dropped_without_closing_keeps_every_commit() {
    let directory = tempfile::tempdir().unwrap();
    let (live, killed) = (directory.path().join("live.taiwa"), directory.path().join("killed.taiwa"));
    let store = open(&live).await;
    let document = with_notebook(&store).await;
    let mut kept = Vec::new();
    for change in changes(10, 5, "tap") {
        store.append_local(document, std::slice::from_ref(&change)).await.unwrap();
        kept.push(change);
        // What a kill leaves: the files as they are now, the log not folded in.
        for suffix in ["", "-wal"] {
            let from = format!("{}{suffix}", live.display());
            std::fs::copy(from, format!("{}{suffix}", killed.display())).unwrap();
        }
        let after_kill = open(&killed).await;
        assert_eq!(after_kill.changes(document).await.unwrap(), kept);
        assert_eq!(after_kill.unacknowledged().await.unwrap(), [(document, u32::try_from(kept.len()).unwrap())]);
        after_kill.close().await;
    }
}

#[tokio::test]
async fn acknowledged_changes_are_no_longer_unsent_and_heads_follow() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("a.taiwa")).await;
    let document = with_notebook(&store).await;
    assert_eq!(store.document(document).await.unwrap().unwrap().local_digest, None);
    let (mine, theirs) = (changes(10, 3, "mine"), changes(11, 2, "theirs"));
    store.append_local(document, &mine).await.unwrap();
    store.append_remote(&[(document, theirs.clone())]).await.unwrap();
    let heads = [mine[2].header.hash.0, theirs[1].header.hash.0];
    let digest = taiwa_shared::ids::HeadsDigest::of(heads);
    let known = store.document(document).await.unwrap().unwrap();
    assert_eq!((known.local_digest, known.unacknowledged), (Some(digest), 3));
    assert!(known.differs_from_server());
    store.acknowledge(document, &[mine[0].header.hash, mine[2].header.hash]).await.unwrap();
    assert_eq!(store.unacknowledged().await.unwrap(), [(document, 1)]);
    store.acknowledge(document, &[mine[1].header.hash]).await.unwrap();
    store.set_server_digest(document, Some(digest)).await.unwrap();
    assert!(!store.document(document).await.unwrap().unwrap().differs_from_server());
    assert_eq!(store.headers(document).await.unwrap().len(), 5);
}

#[tokio::test]
async fn packing_keeps_every_change_in_order_and_unsent_ones_single() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("a.taiwa")).await;
    let document = with_notebook(&store).await;
    for change in changes(11, 100, "theirs") {
        store.append_remote(&[(document, vec![change])]).await.unwrap();
    }
    store.append_local(document, &changes(10, 2, "mine")).await.unwrap();
    let before = store.changes_with_state(document).await.unwrap();
    store.pack(document).await.unwrap();
    assert_eq!(store.changes_with_state(document).await.unwrap(), before);
    let rows: i64 = sqlx::query_scalar("select count(*) from chunk").fetch_one(&store.0.read).await.unwrap();
    assert_eq!(rows, 3);
}

#[tokio::test]
async fn changes_of_an_unknown_document_are_refused_whole() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("a.taiwa")).await;
    let unknown = DocumentId::from_bytes([9; 16]);
    let refused = store.append_local(unknown, &changes(10, 2, "x")).await;
    assert!(matches!(refused, Err(StoreError::UnknownDocument(id)) if id == unknown));
    let known = with_notebook(&store).await;
    let both = [(known, changes(11, 1, "x")), (unknown, changes(12, 1, "x"))];
    assert!(matches!(store.append_remote(&both).await, Err(StoreError::UnknownDocument(id)) if id == unknown));
    assert_eq!(store.changes(known).await.unwrap(), []);
}

#[tokio::test]
async fn a_full_device_is_named_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("a.taiwa")).await;
    let document = with_notebook(&store).await;
    let first = changes(10, 1, "first");
    store.append_local(document, &first).await.unwrap();
    let pages: i64 = sqlx::query_scalar("pragma page_count").fetch_one(&store.0.write).await.unwrap();
    let limit = sqlx::AssertSqlSafe(format!("pragma max_page_count = {pages}"));
    let _: i64 = sqlx::query_scalar(limit).fetch_one(&store.0.write).await.unwrap();
    let large: Vec<StoredChange> = changes(11, 200, &"長".repeat(140));
    assert!(matches!(store.append_local(document, &large).await, Err(StoreError::StorageFull)));
    assert_eq!(store.changes(document).await.unwrap(), first);
}

#[tokio::test]
async fn a_new_epoch_asks_for_everything_again_and_removes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("a.taiwa")).await;
    let record = |digest| {
        RecordEntry::Document(DocumentRecord {
            id: NOTEBOOK.document_id(0),
            key: NOTEBOOK,
            generation: 0,
            access: Access::Write,
            digest,
        })
    };
    let theirs = changes(11, 1, "theirs");
    let digest = taiwa_shared::ids::HeadsDigest::of([theirs[0].header.hash.0]);
    store.apply_page(&page(1, vec![record(Some(digest))]), &PageEffects::default()).await.unwrap();
    let document = NOTEBOOK.document_id(0);
    store.append_remote(&[(document, theirs)]).await.unwrap();
    assert!(!store.document(document).await.unwrap().unwrap().differs_from_server());
    store.apply_page(&page(2, Vec::new()), &PageEffects::default()).await.unwrap();
    let known = store.document(document).await.unwrap().unwrap();
    assert!(known.differs_from_server() && !known.claimed);
    assert_eq!(store.changes(document).await.unwrap().len(), 1);
}

#[tokio::test]
async fn unsent_changes_that_others_stand_upon_have_reached_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("a.taiwa")).await;
    let document = with_notebook(&store).await;
    let mine = changes(10, 3, "mine");
    store.append_local(document, &mine).await.unwrap();
    let editor = Editor { user: OTHER, actor: [11; 16] };
    let seen = mine[..2].iter().map(|change| &change.bytes[..]);
    let mut theirs = Replica::open(NOTEBOOK, 0, seen, editor).unwrap();
    let id = IntentionId::from_bytes([99; 16]);
    notebook::add_intention(&mut theirs, id, OTHER, "answer", None, Timestamp::default()).unwrap();
    let answer = theirs.take_changes().into_iter().map(|bytes| StoredChange::read(bytes.into()).unwrap()).collect();
    store.append_remote(&[(document, answer)]).await.unwrap();
    store.settle(document).await.unwrap();
    assert_eq!(store.unacknowledged().await.unwrap(), [(document, 1)]);
    store.turn_into_card(document, &card(document)).await.unwrap();
    assert_eq!(texts(&store.changes(document).await.unwrap()), ["mine", "mine", "answer"]);
}

#[tokio::test]
async fn a_damaged_file_is_kept_and_what_can_be_read_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let sound = directory.path().join("sound.taiwa");
    let store = open(&sound).await;
    let document = fill(&store).await;
    store.close().await;
    let bytes = std::fs::read(&sound).unwrap();
    let mut outcomes = HashSet::new();
    // One byte in every 97 of the file, and the file cut at every page.
    let flips = (0..bytes.len()).step_by(997).map(|at| {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        damaged
    });
    let cuts = (0..bytes.len()).step_by(4096).skip(1).map(|at| bytes[..at].to_vec());
    for (n, damaged) in flips.chain(cuts).enumerate() {
        let path = directory.path().join(format!("{n}.taiwa"));
        std::fs::write(&path, &damaged).unwrap();
        let error = match Store::open(&path, &key(7)).await {
            Ok(store) => {
                let read = store.changes(document).await.and(store.records().await).and(store.check().await);
                store.close().await;
                read.err()
            }
            Err(error) => Some(error),
        };
        let Some(error) = error else {
            outcomes.insert("unnoticed: the byte was unused or in another table");
            continue;
        };
        assert!(
            matches!(
                error,
                StoreError::Damaged { .. } | StoreError::WrongKey | StoreError::NewerVersion | StoreError::Failed(_)
            ),
            "{error}"
        );
        let (store, recovered) = Store::recover(&path, &key(7)).await.unwrap();
        assert_eq!(std::fs::read(&recovered.kept_at).unwrap().len(), damaged.len(), "the damaged file is kept");
        if recovered.unsent_kept == 2 {
            outcomes.insert("unsent edits kept");
            let unsent = store.unacknowledged().await.unwrap();
            assert_eq!(unsent, [(document, 2)]);
        }
        texts(&store.changes(document).await.unwrap());
        store.close().await;
    }
    assert!(outcomes.contains("unsent edits kept"));
}
