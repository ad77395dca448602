//! Tests of the engine as a whole: a hub against stock Automerge clients and against phones, over in-memory queues.
//!
//! Randomness comes from a seed, which a failure prints; `SYNC_SEED=<n> cargo test -p taiwa-shared` runs that one.

mod attacks;
mod conversations;
mod costs;
mod properties;
mod references;
mod roles;
mod simulation;
mod soundness;

use std::collections::{BTreeMap, HashMap};

use automerge::{
    Author, AutoCommit, ObjType, ROOT, ReadDoc, ScalarValue,
    sync::{Message, State, SyncDoc},
    transaction::{CommitOptions, Transactable},
};
use bytes::Bytes;

use super::{
    chunks::{ActorId, ChangeHash, StoredChange},
    document::{Authors, DocumentSync, PeerAccess, PeerRole, SyncKind},
    rejection::Rejection,
};
use crate::ids::UserId;

/// SplitMix64, so that a seed means the same everywhere.
pub(super) struct Seeded(pub(super) u64);

impl Seeded {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
    pub(super) fn actor(&mut self) -> ActorId {
        ActorId::from([self.next().to_be_bytes(), self.next().to_be_bytes()].concat())
    }
}

pub(super) fn user(n: u8) -> UserId {
    UserId::from_bytes([n; 16])
}

pub(super) fn writer(n: u8) -> PeerRole {
    PeerRole { access: PeerAccess::Write, authors: Authors::Only(user(n)) }
}

pub(super) fn relay() -> PeerRole {
    PeerRole { access: PeerAccess::Write, authors: Authors::Relayed }
}

pub(super) fn genesis() -> StoredChange {
    let mut doc = AutoCommit::new().with_actor(ActorId::from(b"genesis".to_vec()));
    doc.put_object(ROOT, "body", ObjType::Text).unwrap();
    doc.put_object(ROOT, "notes", ObjType::Map).unwrap();
    doc.commit_with(CommitOptions::default().with_time(0));
    let change = doc.get_last_local_change().unwrap();
    StoredChange::read(Bytes::copy_from_slice(change.raw_bytes())).unwrap()
}

pub(super) fn document(rng: &mut Seeded, author: Option<UserId>) -> AutoCommit {
    // In this order: setting an author takes a new random actor.
    let author = author.map(|user| Author::from(user.as_bytes().to_vec()));
    AutoCommit::load(&genesis().bytes).unwrap().with_author(author).with_actor(rng.actor())
}

/// One key, as typing makes it, committed.
pub(super) fn type_key(doc: &mut AutoCommit, key: &str) {
    let (_, body) = doc.get(ROOT, "body").unwrap().unwrap();
    let end = doc.length(&body);
    doc.splice_text(&body, end, 0, key).unwrap();
    doc.commit_with(CommitOptions::default().with_time(0));
}

/// One random edit, committed. No empty changes: Automerge 0.12 chooses the actor of an isolated edit by operations,
/// so after an empty change it makes one that does not stand on its actor's last, which the guard rightly refuses.
pub(super) fn edit(doc: &mut AutoCommit, rng: &mut Seeded) {
    let (_, body) = doc.get(ROOT, "body").unwrap().unwrap();
    let (_, notes) = doc.get(ROOT, "notes").unwrap().unwrap();
    if rng.one_in(12) {
        // As of an earlier state, as a composition that others typed into is committed.
        let history = doc.get_changes(&[]);
        let base = history[rng.below(history.len())].hash();
        doc.isolate(&[base]);
        let end = doc.length(&body);
        doc.splice_text(&body, end, 0, "語").unwrap();
        doc.commit_with(CommitOptions::default().with_time(0));
        doc.integrate();
        return;
    }
    match rng.below(13) {
        0 => doc.put(&notes, format!("k{}", rng.below(4)), rng.next()).unwrap(),
        1 if doc.length(&body) > 0 => {
            let at = rng.below(doc.length(&body));
            let count = (1 + rng.below(4)).min(doc.length(&body) - at);
            doc.splice_text(&body, at, count as isize, "").unwrap();
        }
        2 => {
            let list = doc.put_object(&notes, "list", ObjType::List).unwrap();
            (0..3).for_each(|n| doc.insert(&list, n, 1.5 * n as f64).unwrap());
        }
        3 => match doc.get(&notes, "count").unwrap() {
            Some(_) => doc.increment(&notes, "count", -2).unwrap(),
            None => doc.put(&notes, "count", ScalarValue::counter(5)).unwrap(),
        },
        4 => drop(doc.delete(&notes, "k1")),
        5 => {
            let child = doc.put_object(&notes, format!("m{}", rng.next()), ObjType::Map).unwrap();
            doc.put(&child, "done", false).unwrap();
            doc.put(&child, "due", ScalarValue::Timestamp(5)).unwrap();
            doc.put(&child, "none", ()).unwrap();
            doc.put(&child, "raw", vec![1, 2, 3]).unwrap();
        }
        _ => {
            let at = rng.below(doc.length(&body) + 1);
            let text = if rng.one_in(20) { "長い文章".repeat(100) } else { "あ".to_owned() };
            doc.splice_text(&body, at, 0, &text).unwrap();
        }
    }
    doc.commit_with(CommitOptions::default().with_time(0).with_message("編集"));
}

/// A stock client: Automerge's own sync state.
pub(super) struct Stock {
    pub(super) doc: AutoCommit,
    pub(super) state: State,
}

impl Stock {
    pub(super) fn send(&mut self) -> Option<Vec<u8>> {
        self.doc.sync().generate_sync_message(&mut self.state).map(Message::encode)
    }
    pub(super) fn receive(&mut self, data: &[u8]) {
        let message = Message::decode(data).unwrap();
        self.doc.sync().receive_sync_message(&mut self.state, message).unwrap();
    }
}

/// A phone: this engine, and a document beside it.
pub(super) struct Phone {
    pub(super) doc: AutoCommit,
    pub(super) sync: DocumentSync<()>,
    pub(super) store: BTreeMap<ChangeHash, Bytes>,
}

impl Phone {
    pub(super) fn new(doc: AutoCommit) -> Self {
        let genesis = genesis();
        let store = BTreeMap::from([(genesis.header.hash, genesis.bytes.clone())]);
        Self { doc, sync: DocumentSync::open(genesis, [], []).unwrap(), store }
    }
    pub(super) fn edit(&mut self, rng: &mut Seeded) {
        edit(&mut self.doc, rng);
        self.stage();
    }
    /// What it says first.
    pub(super) fn hello(&mut self) -> Vec<u8> {
        self.sync.connect((), relay());
        self.send().unwrap()
    }
    /// One key, as typing makes it.
    pub(super) fn key(&mut self) {
        type_key(&mut self.doc, "あ");
        self.stage();
    }
    fn stage(&mut self) {
        for mut change in self.doc.get_changes(&self.sync.heads()) {
            let change = StoredChange::read(change.bytes().into_owned().into()).unwrap();
            self.store.insert(change.header.hash, change.bytes.clone());
            self.sync.stage_local(change).unwrap();
        }
        self.sync.commit();
    }
    pub(super) fn send(&mut self) -> Option<Vec<u8>> {
        let outgoing = self.sync.next_message(())?;
        let bytes: Vec<_> = outgoing.changes().iter().map(|hash| self.store[hash].clone()).collect();
        Some(outgoing.encode(&bytes))
    }
    pub(super) fn receive(&mut self, data: &[u8]) -> Result<(), Rejection> {
        for accepted in self.sync.receive((), SyncKind::Sync, data)? {
            self.store.insert(accepted.change.header.hash, accepted.change.bytes.clone());
            self.doc.load_incremental(&accepted.change.bytes).unwrap();
        }
        self.sync.commit();
        Ok(())
    }
}

/// A hub with a store that can fail and a check that nothing uncommitted leaves.
pub(super) struct Hub {
    pub(super) sync: DocumentSync<usize>,
    pub(super) store: BTreeMap<ChangeHash, StoredChange>,
    pub(super) staged: Vec<StoredChange>,
    pub(super) authors: HashMap<ActorId, UserId>,
}

impl Hub {
    pub(super) fn new() -> Self {
        let genesis = genesis();
        let store = BTreeMap::from([(genesis.header.hash, genesis.clone())]);
        let sync = DocumentSync::open(genesis, [], []).unwrap();
        Self { sync, store, staged: Vec::new(), authors: HashMap::new() }
    }
    pub(super) fn receive(&mut self, peer: usize, data: &[u8]) -> Result<usize, Rejection> {
        let accepted = self.sync.receive(peer, SyncKind::Sync, data)?;
        let count = accepted.len();
        for accepted in accepted {
            if accepted.binds_actor {
                self.authors.insert(accepted.change.header.actor.clone(), accepted.author.unwrap());
            }
            self.staged.push(accepted.change);
        }
        Ok(count)
    }
    pub(super) fn commit(&mut self) {
        self.store.extend(self.staged.drain(..).map(|change| (change.header.hash, change)));
        self.sync.commit();
    }
    pub(super) fn send(&mut self, peer: usize) -> Option<Vec<u8>> {
        let wanted = self.sync.wants_to_send(peer);
        let outgoing = self.sync.next_message(peer);
        assert_eq!(wanted, outgoing.is_some(), "wants_to_send and next_message disagree");
        let outgoing = outgoing?;
        let bytes: Vec<_> = outgoing.changes().iter().map(|hash| self.store[hash].bytes.clone()).collect();
        let data = outgoing.encode(&bytes);
        let message = Message::decode(&data).unwrap();
        let mentioned = message.heads.iter().chain(message.have.iter().flat_map(|have| &have.last_sync));
        for hash in mentioned {
            assert!(self.store.contains_key(hash), "an uncommitted change was mentioned");
        }
        Some(data)
    }
    /// The process died: only the store is left.
    pub(super) fn reopen(&mut self) {
        self.staged.clear();
        let stored = self.store.values().cloned();
        self.sync = DocumentSync::open(genesis(), stored, self.authors.clone()).unwrap();
    }
}
