//! A phone's exchanges against the shared engine in the role of the server, without a socket.

use std::collections::HashMap;

use bytes::Bytes;
use taiwa_shared::{
    documents::{Editor, Replica, genesis, memo},
    domain::ownership::{Access, DocumentKey},
    ids::{MeetingId, PairId, UserId},
    sync::{
        chunks::ChangeHash,
        document::{Authors, DocumentSync, PeerAccess, PeerRole},
    },
    time::Timestamp,
};
use tempfile::TempDir;

use super::*;
use crate::{store::VaultKey, sync::outcome::Incoming};

const PHONE: UserId = UserId::from_bytes([1; 16]);
const OTHER: UserId = UserId::from_bytes([2; 16]);

fn memo_key(n: u8) -> DocumentKey {
    DocumentKey::Memo { pair: PairId::from_bytes([7; 16]), meeting: MeetingId::from_bytes([n; 16]) }
}

fn genesis_of(key: &DocumentKey) -> StoredChange {
    StoredChange::read(genesis(key, 0).bytes.into()).unwrap()
}

/// One document as the server has it.
struct Hub {
    sync: DocumentSync<()>,
    bytes: HashMap<ChangeHash, Bytes>,
}

impl Hub {
    fn new(key: &DocumentKey) -> Self {
        let first = genesis_of(key);
        let bytes = HashMap::from([(first.header.hash, first.bytes.clone())]);
        let mut sync = DocumentSync::open(first, [], []).unwrap();
        sync.connect((), PeerRole { access: PeerAccess::Write, authors: Authors::Only(PHONE) });
        Self { sync, bytes }
    }

    /// Somebody else's change reached the server.
    fn gain(&mut self, changes: Vec<StoredChange>) {
        for change in changes {
            self.bytes.insert(change.header.hash, change.bytes.clone());
            self.sync.stage_local(change).unwrap();
        }
        self.sync.commit();
    }

    fn receive(&mut self, kind: SyncKind, data: &[u8]) {
        for accepted in self.sync.receive((), kind, data).unwrap() {
            self.bytes.insert(accepted.change.header.hash, accepted.change.bytes);
        }
    }

    fn answers(&mut self, document: DocumentId) -> Vec<Incoming> {
        let mut answers = Vec::new();
        while let Some(message) = self.sync.next_message(()) {
            let bytes: Vec<_> = message.changes().iter().map(|hash| self.bytes[hash].clone()).collect();
            answers.push(Incoming::Message { document, kind: message.kind, data: message.encode(&bytes).into() });
        }
        answers
    }
}

/// A phone with a store, and the server's documents.
struct World {
    store: Store,
    _folder: TempDir,
    exchanges: Exchanges,
    quarantine: Quarantine,
    hubs: HashMap<DocumentId, Hub>,
    events: Vec<SyncEvent>,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store"), &VaultKey::new([9; 32])).await.unwrap();
        let exchanges = Exchanges::new(store.clone());
        let quarantine = Quarantine::default();
        Self { store, _folder: folder, exchanges, quarantine, hubs: HashMap::new(), events: Vec::new() }
    }

    /// A document that both sides know.
    async fn document(&mut self, n: u8, access: Access) -> DocumentId {
        let key = memo_key(n);
        let id = self.store.add_document(key, 0, access, None).await.unwrap();
        self.store.mark_claimed(&[id]).await.unwrap();
        self.hubs.insert(id, Hub::new(&key));
        id
    }

    async fn plan(&mut self, on_screen: &[DocumentId]) -> Outcome {
        let on_screen = on_screen.iter().copied().collect();
        self.exchanges.plan(on_screen, &HashSet::new(), &mut self.quarantine).await.unwrap()
    }

    /// Everything the phone has to say, one message after the other.
    async fn speak(&mut self) -> Vec<(DocumentId, SyncKind, Vec<u8>)> {
        self.exchanges.fill().await.unwrap();
        let mut said = Vec::new();
        let mut outcome = Outcome::default();
        while let Some(message) = self.exchanges.next_message(&mut outcome).await.unwrap() {
            said.push(message);
        }
        self.events.extend(outcome.events);
        said
    }

    async fn hear(&mut self, batch: Vec<Incoming>) -> Outcome {
        let mut outcome = Outcome::default();
        self.exchanges.receive(batch, &mut outcome).await.unwrap();
        self.events.append(&mut outcome.events);
        outcome
    }

    /// Both sides talk until nobody has anything to say.
    async fn quiesce(&mut self) {
        for _ in 0..50 {
            let said = self.speak().await;
            let answers = self.answers(&said);
            if said.is_empty() && answers.is_empty() {
                return;
            }
            self.hear(answers).await;
        }
        panic!("the two sides never fall silent");
    }

    /// The server takes what was said and has its say.
    fn answers(&mut self, said: &[(DocumentId, SyncKind, Vec<u8>)]) -> Vec<Incoming> {
        for (document, kind, data) in said {
            let hub = self.hubs.get_mut(document).unwrap();
            hub.receive(*kind, data);
            hub.sync.commit();
        }
        let live = self.hubs.iter_mut().filter(|(document, _)| self.exchanges.is_live(**document));
        live.flat_map(|(document, hub)| hub.answers(*document)).collect()
    }

    async fn unsent(&self) -> Vec<(DocumentId, u32)> {
        self.store.unacknowledged().await.unwrap()
    }
}

/// Types into a memo as `user`, on top of `stored`.
fn typed(n: u8, user: UserId, actor: u8, text: &str, stored: &[StoredChange]) -> Vec<StoredChange> {
    let bytes: Vec<&[u8]> = stored.iter().map(|change| &change.bytes[..]).collect();
    let editor = Editor { user, actor: [actor; 16] };
    let mut replica = Replica::open(memo_key(n), 0, bytes, editor).unwrap();
    for (at, letter) in text.chars().enumerate() {
        memo::splice_utf16(&mut replica, at, 0, &letter.to_string(), Timestamp::from_millis(1_000)).unwrap();
    }
    replica.take_changes().into_iter().map(|bytes| StoredChange::read(bytes.into()).unwrap()).collect()
}

#[tokio::test]
async fn an_acknowledgement_is_taken_only_from_the_commit_of_the_server() {
    let mut world = World::new().await;
    let id = world.document(1, Access::Write).await;
    world.store.append_local(id, &typed(1, PHONE, 1, "あいう", &[])).await.unwrap();
    world.plan(&[]).await;

    // The server receives everything and has not committed: whatever it says now acknowledges nothing.
    for _ in 0..5 {
        let said = world.speak().await;
        let hub = world.hubs.get_mut(&id).unwrap();
        for (_, kind, data) in said {
            hub.receive(kind, &data);
        }
        let answers = hub.answers(id);
        world.hear(answers).await;
    }
    assert!(world.hubs[&id].sync.has_staged());
    assert_eq!(world.unsent().await, [(id, 3)]);
    assert!(world.exchanges.is_busy());

    world.hubs.get_mut(&id).unwrap().sync.commit();
    world.quiesce().await;
    assert_eq!(world.unsent().await, []);
    assert_eq!(world.events, [SyncEvent::Acknowledged { document: id }]);
    assert!(!world.exchanges.is_busy());
}

#[tokio::test]
async fn what_is_received_is_in_the_store_before_anything_is_said_about_it() {
    let mut world = World::new().await;
    let id = world.document(1, Access::Write).await;
    let others = typed(1, OTHER, 2, "かき", &[]);
    world.hubs.get_mut(&id).unwrap().gain(others.clone());
    world.plan(&[id]).await;
    world.quiesce().await;
    assert_eq!(world.store.changes(id).await.unwrap(), others);
    let bytes: Vec<_> = others.iter().map(|change| change.bytes.clone()).collect();
    assert_eq!(world.events, [SyncEvent::Received { document: id, changes: bytes }]);

    // A store that is gone: nothing may be acknowledged.
    let more = typed(1, OTHER, 3, "x", &others);
    world.hubs.get_mut(&id).unwrap().gain(more);
    let answers = world.hubs.get_mut(&id).unwrap().answers(id);
    world.store.close().await;
    let received = world.exchanges.receive(answers, &mut Outcome::default()).await;
    assert!(received.is_err());
    assert_eq!(world.exchanges.due(), Due::Nothing);
}

#[tokio::test]
async fn both_sides_edits_of_two_days_meet() {
    let mut world = World::new().await;
    let mut ids = Vec::new();
    for n in 1..=20 {
        let id = world.document(n, Access::Write).await;
        world.store.append_local(id, &typed(n, PHONE, n, "二日ぶんの入力です", &[])).await.unwrap();
        world.hubs.get_mut(&id).unwrap().gain(typed(n, OTHER, 100 + n, "あちらでも", &[]));
        ids.push(id);
    }
    world.plan(&[ids[4]]).await;
    world.quiesce().await;
    assert_eq!(world.unsent().await, []);
    for id in ids {
        let local = world.store.document(id).await.unwrap().unwrap();
        assert_eq!(local.local_digest, Some(world.hubs[&id].sync.digest()));
        assert_eq!(local.server_digest, local.local_digest);
        assert!(!local.differs_from_server());
    }
    assert!(!world.exchanges.is_busy());
    assert!(world.exchanges.open.len() <= MAX_IDLE + 1, "{} stay loaded", world.exchanges.open.len());
}

#[tokio::test]
async fn a_document_that_was_put_away_is_loaded_again_when_somebody_writes() {
    let mut world = World::new().await;
    let id = world.document(1, Access::Write).await;
    world.hubs.get_mut(&id).unwrap().gain(typed(1, OTHER, 2, "か", &[]));
    world.plan(&[id]).await;
    world.quiesce().await;
    world.exchanges.open.clear();
    world.exchanges.idle.clear();

    let stored = world.store.changes(id).await.unwrap();
    world.hubs.get_mut(&id).unwrap().gain(typed(1, OTHER, 3, "き", &stored));
    world.quiesce().await;
    assert_eq!(world.store.changes(id).await.unwrap().len(), 2);

    world.exchanges.open.clear();
    let stored = world.store.changes(id).await.unwrap();
    let mine = typed(1, PHONE, 4, "く", &stored);
    world.store.append_local(id, &mine).await.unwrap();
    world.exchanges.take_local(id, mine);
    world.quiesce().await;
    assert_eq!(world.unsent().await, []);
    assert_eq!(world.hubs[&id].sync.len(), 4);
}

#[tokio::test]
async fn a_plan_in_between_does_not_forget_what_was_written_in_a_document_that_was_put_away() {
    let mut world = World::new().await;
    let id = world.document(1, Access::Write).await;
    world.hubs.get_mut(&id).unwrap().gain(typed(1, OTHER, 2, "か", &[]));
    world.plan(&[id]).await;
    world.quiesce().await;
    world.plan(&[]).await;
    world.exchanges.open.clear();
    world.exchanges.idle.clear();

    let stored = world.store.changes(id).await.unwrap();
    let mine = typed(1, PHONE, 3, "き", &stored);
    world.store.append_local(id, &mine).await.unwrap();
    world.exchanges.take_local(id, mine);
    world.plan(&[]).await;
    world.quiesce().await;
    assert_eq!(world.unsent().await, []);
}

#[tokio::test]
async fn a_message_that_is_not_accepted_gives_up_its_document_alone_and_for_this_connection() {
    let mut world = World::new().await;
    let (bad, good) = (world.document(1, Access::Write).await, world.document(2, Access::Write).await);
    world.store.append_local(bad, &typed(1, PHONE, 1, "待つ", &[])).await.unwrap();
    world.hubs.get_mut(&good).unwrap().gain(typed(2, OTHER, 2, "か", &[]));
    world.plan(&[good, bad]).await;
    world.speak().await;
    let garbage = || Incoming::Message { document: bad, kind: SyncKind::Sync, data: vec![0xff].into() };
    world.hear(vec![garbage(), garbage()]).await;
    world.quiesce().await;
    assert_eq!(world.store.changes(good).await.unwrap().len(), 1);
    assert_eq!(world.unsent().await, [(bad, 2)], "nothing of it is dropped or refused");
    assert!(!world.exchanges.is_busy());
    world.plan(&[good, bad]).await;
    assert!(world.speak().await.is_empty(), "it is left alone on this connection");

    world.exchanges = Exchanges::new(world.store.clone());
    world.hubs.insert(bad, Hub::new(&memo_key(1)));
    world.plan(&[]).await;
    world.quiesce().await;
    assert_eq!(world.unsent().await, []);
}

#[tokio::test]
async fn a_document_that_was_exchanged_in_between_is_asked_for_once_more_again() {
    let mut world = World::new().await;
    let id = world.document(1, Access::Write).await;
    world.plan(&[id]).await;
    for _ in 0..2 {
        world.quiesce().await;
        let outcome = world.hear(vec![Incoming::Unavailable { document: id }]).await;
        assert!(outcome.ask_for_records);
        assert_eq!(world.events, []);
        world.hubs.insert(id, Hub::new(&memo_key(1)));
        world.plan(&[id]).await;
    }
}

#[tokio::test]
async fn local_changes_go_out_while_the_document_is_live_and_twice_told_is_once_sent() {
    let mut world = World::new().await;
    let id = world.document(1, Access::Write).await;
    world.plan(&[id]).await;
    world.quiesce().await;
    let mine = typed(1, PHONE, 4, "くけ", &[]);
    world.store.append_local(id, &mine).await.unwrap();
    world.exchanges.take_local(id, mine.clone());
    world.exchanges.take_local(id, mine);
    assert!(world.exchanges.is_busy());
    world.quiesce().await;
    assert_eq!(world.unsent().await, []);
    assert_eq!(world.hubs[&id].sync.len(), 3);
}

#[tokio::test]
async fn a_document_that_the_server_cannot_open_is_asked_for_once_more_and_then_waits_with_its_edits() {
    let mut world = World::new().await;
    let id = world.document(1, Access::Write).await;
    let mine = typed(1, PHONE, 1, "消えない", &[]);
    world.store.append_local(id, &mine).await.unwrap();
    world.plan(&[]).await;
    world.speak().await;
    let outcome = world.hear(vec![Incoming::Unavailable { document: id }]).await;
    assert!(outcome.ask_for_records);

    world.plan(&[]).await;
    assert!(!world.speak().await.is_empty(), "it is asked for again");
    let outcome = world.hear(vec![Incoming::Unavailable { document: id }]).await;
    assert!(!outcome.ask_for_records);
    assert_eq!(world.events, [], "the records grant it: nothing is given up");
    world.plan(&[id]).await;
    assert!(world.speak().await.is_empty(), "it is not asked for a third time");
    assert!(!world.exchanges.is_busy());
    assert_eq!(world.unsent().await, [(id, 4)]);

    // The server was mended.
    world.exchanges = Exchanges::new(world.store.clone());
    world.plan(&[]).await;
    world.quiesce().await;
    assert_eq!(world.unsent().await, []);
}

#[tokio::test]
async fn whatever_was_sent_has_no_verdict_until_the_server_has_it() {
    let mut world = World::new().await;
    let (own, relayed, read) = (
        world.document(1, Access::Write).await,
        world.document(2, Access::Write).await,
        world.document(3, Access::Read).await,
    );
    world.store.append_local(own, &typed(1, PHONE, 1, "か", &[])).await.unwrap();
    // The server lost this one with a backup; somebody else had made it.
    world.store.append_remote(&[(relayed, typed(2, OTHER, 2, "き", &[]))]).await.unwrap();
    let after_a_restore = PeerRole { access: PeerAccess::Write, authors: Authors::Relayed };
    world.hubs.get_mut(&relayed).unwrap().sync.set_role((), after_a_restore);
    world.plan(&[own, relayed, read]).await;
    assert_eq!(world.exchanges.awaiting_verdict(), []);
    for _ in 0..5 {
        let said = world.speak().await;
        if world.exchanges.awaiting_verdict().len() == 2 {
            // Here the server would close the connection.
            break;
        }
        let answers = world.answers(&said);
        world.hear(answers).await;
    }
    let mut sent = world.exchanges.awaiting_verdict();
    sent.sort_unstable();
    let mut both = [own, relayed];
    both.sort_unstable();
    assert_eq!(sent, both);
    assert!(world.exchanges.has_unsent(own) && !world.exchanges.has_unsent(relayed));

    world.exchanges = Exchanges::new(world.store.clone());
    for (id, n) in [(own, 1), (relayed, 2), (read, 3)] {
        let mut hub = Hub::new(&memo_key(n));
        hub.sync.set_role((), after_a_restore);
        world.hubs.insert(id, hub);
    }
    world.plan(&[own, relayed, read]).await;
    world.quiesce().await;
    assert_eq!(world.exchanges.awaiting_verdict(), []);
    assert_eq!(world.hubs[&relayed].sync.len(), 2);
}

#[tokio::test]
async fn an_unavailable_document_without_own_edits_is_left_alone() {
    let mut world = World::new().await;
    let id = world.document(1, Access::Read).await;
    world.plan(&[id]).await;
    for _ in 0..2 {
        world.speak().await;
        world.hear(vec![Incoming::Unavailable { document: id }]).await;
        world.plan(&[id]).await;
    }
    assert_eq!(world.events, []);
    assert!(world.speak().await.is_empty());
    assert_eq!(world.store.document(id).await.unwrap().unwrap().refused, None);
}

#[tokio::test]
async fn unsent_edits_of_a_reader_stay_here_while_the_rest_still_arrives() {
    let mut world = World::new().await;
    let id = world.document(1, Access::Read).await;
    let shared = typed(1, OTHER, 2, "前", &[]);
    world.store.append_remote(&[(id, shared.clone())]).await.unwrap();
    let mine = typed(1, PHONE, 1, "送れない", &shared);
    world.store.append_local(id, &mine).await.unwrap();
    let hub = world.hubs.get_mut(&id).unwrap();
    hub.gain(shared.clone());
    hub.gain(typed(1, OTHER, 3, "後", &shared));

    let outcome = world.plan(&[id]).await;
    assert_eq!(outcome.events, [SyncEvent::Refused { document: id, reason: RefusalReason::NoAccess }]);
    world.quiesce().await;
    assert_eq!(world.hubs[&id].sync.len(), 3, "nothing of the reader arrived");
    assert_eq!(world.store.changes(id).await.unwrap().len(), 1 + mine.len() + 1);
    assert_eq!(world.unsent().await, [(id, u32::try_from(mine.len()).unwrap())]);
}

#[tokio::test]
async fn a_lost_acknowledgement_does_not_tear_a_readers_document_apart() {
    let mut world = World::new().await;
    let id = world.document(1, Access::Write).await;
    let mine = typed(1, PHONE, 1, "私", &[]);
    world.store.append_local(id, &mine).await.unwrap();
    // The server stored it and another person built on it, but the phone never heard of the acknowledgement.
    let theirs = typed(1, OTHER, 2, "彼", &mine);
    world.store.append_remote(&[(id, theirs.clone())]).await.unwrap();
    world.store.mark_refused(id, Some(RefusalReason::NoAccess)).await.unwrap();
    let hub = world.hubs.get_mut(&id).unwrap();
    hub.gain(mine);
    hub.gain(theirs);
    world.plan(&[id]).await;
    world.quiesce().await;
    assert_eq!(world.unsent().await, [], "the server has it after all");
}

#[tokio::test]
async fn an_unclaimed_document_asks_for_a_claim_once_per_connection() {
    let mut world = World::new().await;
    let id = world.store.add_document(memo_key(1), 0, Access::Write, None).await.unwrap();
    world.store.append_local(id, &typed(1, PHONE, 1, "新", &[])).await.unwrap();
    assert!(world.exchanges.is_unplanned(id));
    assert!(world.plan(&[]).await.ask_for_records);
    assert!(!world.plan(&[]).await.ask_for_records);
    assert!(world.speak().await.is_empty());

    world.store.mark_claimed(&[id]).await.unwrap();
    world.hubs.insert(id, Hub::new(&memo_key(1)));
    world.plan(&[]).await;
    world.quiesce().await;
    assert_eq!(world.unsent().await, []);
}

#[tokio::test]
async fn a_server_that_lost_what_it_acknowledged_gets_it_again() {
    let mut world = World::new().await;
    let id = world.document(1, Access::Write).await;
    world.store.append_local(id, &typed(1, PHONE, 1, "戻す", &[])).await.unwrap();
    world.plan(&[]).await;
    world.quiesce().await;
    assert_eq!(world.unsent().await, []);

    // Restored from an older backup: its records say that it has nothing.
    world.hubs.insert(id, Hub::new(&memo_key(1)));
    world.store.set_server_digest(id, None).await.unwrap();
    world.exchanges = Exchanges::new(world.store.clone());
    world.plan(&[]).await;
    world.quiesce().await;
    assert_eq!(world.hubs[&id].sync.len(), 3);
}

#[tokio::test]
async fn an_own_change_that_the_server_would_refuse_is_not_sent_and_not_dropped() {
    let mut world = World::new().await;
    let id = world.document(1, Access::Write).await;
    let good = world.document(2, Access::Write).await;
    let mut mine = typed(1, PHONE, 1, "a", &[]);
    // Two changes that an actor made apart from each other, as after a restored backup: peers take only the first.
    let editor = Editor { user: PHONE, actor: [8; 16] };
    let base = mine.clone();
    for text in ["長", "短"] {
        let mut replica = Replica::open(memo_key(1), 0, base.iter().map(|change| &change.bytes[..]), editor).unwrap();
        memo::splice_utf16(&mut replica, 0, 0, text, Timestamp::from_millis(1_000)).unwrap();
        mine.extend(replica.take_changes().into_iter().map(|bytes| StoredChange::read(bytes.into()).unwrap()));
    }
    world.store.append_local(id, &mine).await.unwrap();
    world.store.append_local(good, &typed(2, PHONE, 1, "b", &[])).await.unwrap();
    world.plan(&[]).await;
    let outcome = world.exchanges.fill().await.unwrap();
    assert_eq!(outcome.events, [SyncEvent::Refused { document: id, reason: RefusalReason::Rejected }]);
    world.quiesce().await;
    assert_eq!(world.store.changes(id).await.unwrap(), mine);
    assert_eq!(world.hubs[&id].sync.len(), 1);
    assert_eq!(world.hubs[&good].sync.len(), 2);
}

#[tokio::test]
async fn what_is_written_after_a_refusal_was_lifted_is_planned_and_sent() {
    let mut world = World::new().await;
    let id = world.document(1, Access::Write).await;
    world.store.mark_refused(id, Some(RefusalReason::Rejected)).await.unwrap();
    world.plan(&[id]).await;
    world.quiesce().await;
    assert!(world.store.lift_rejection(id, Timestamp::from_millis(1_000)).await.unwrap());
    let mine = typed(1, PHONE, 1, "また", &[]);
    world.store.append_local(id, &mine).await.unwrap();
    assert!(world.exchanges.is_unplanned(id));
    world.exchanges.take_local(id, mine);
    world.plan(&[id]).await;
    world.quiesce().await;
    assert_eq!(world.unsent().await, []);
    assert_eq!(world.hubs[&id].sync.len(), 3);
}

#[tokio::test]
async fn a_document_that_comes_on_screen_again_does_not_wait_for_a_server_that_has_said_everything() {
    let mut world = World::new().await;
    let id = world.document(1, Access::Write).await;
    world.store.append_local(id, &typed(1, PHONE, 1, "あ", &[])).await.unwrap();
    world.plan(&[id]).await;
    world.quiesce().await;
    world.plan(&[]).await;
    world.exchanges.open.clear();
    world.exchanges.idle.clear();
    world.plan(&[id]).await;
    world.quiesce().await;
    assert!(!world.exchanges.is_busy());
    let stored = world.store.changes(id).await.unwrap();
    world.hubs.get_mut(&id).unwrap().gain(typed(1, OTHER, 2, "い", &stored));
    world.quiesce().await;
    assert_eq!(world.store.changes(id).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_arrives_while_a_document_is_loaded_anew_is_not_lost() {
    let mut world = World::new().await;
    let id = world.document(1, Access::Write).await;
    world.plan(&[id]).await;
    world.quiesce().await;
    let mut outcome = Outcome::default();
    world.exchanges.refuse(id, RefusalReason::Full, &mut outcome).await.unwrap();
    let hub = world.hubs.get_mut(&id).unwrap();
    hub.gain(typed(1, OTHER, 2, "い", &[]));
    let answers = hub.answers(id);
    assert!(!answers.is_empty());
    world.hear(answers).await;
    world.plan(&[id]).await;
    world.quiesce().await;
    assert_eq!(world.store.changes(id).await.unwrap().len(), 1);
    assert!(!world.exchanges.is_busy());
}
