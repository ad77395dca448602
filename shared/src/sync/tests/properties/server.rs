//! A server as the hub drives the engine: rows are what survives, and nothing that mentions a new head leaves before them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use automerge::{Automerge, Change, sync::Message};
use bytes::Bytes;

use super::super::genesis;
use crate::{
    ids::UserId,
    sync::{
        chunks::{ActorId, ChangeHash, decode_row, encode_log, encode_pack},
        document::{Accepted, DocumentSync, SyncKind},
        rejection::Rejection,
    },
};

/// Where the server dies while it commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dies {
    Not,
    BeforeStoring,
    AfterStoring,
    /// The database refuses: nothing is stored, and everybody has to connect again.
    StoreFails,
}

pub(super) struct Server {
    /// What survives.
    rows: Vec<Vec<u8>>,
    /// Survives too: actors whose changes do not name their author.
    bindings: HashMap<ActorId, UserId>,
    /// The same as `rows`, by hash.
    pub(super) stored: BTreeMap<ChangeHash, Bytes>,
    pub(super) sync: DocumentSync<usize>,
    staged: Vec<Accepted>,
}

impl Server {
    pub(super) fn new() -> Self {
        let first = genesis();
        let stored = BTreeMap::from([(first.header.hash, first.bytes.clone())]);
        let sync = DocumentSync::open(first, [], []).unwrap();
        Self { rows: Vec::new(), bindings: HashMap::new(), stored, sync, staged: Vec::new() }
    }

    pub(super) fn receive(&mut self, session: usize, data: &[u8]) -> Result<usize, Rejection> {
        let accepted = self.sync.receive(session, SyncKind::Sync, data)?;
        let count = accepted.len();
        self.staged.extend(accepted);
        Ok(count)
    }

    /// Stores what is staged; false if every session is gone now.
    pub(super) fn commit(&mut self, dies: Dies) -> bool {
        let staged = std::mem::take(&mut self.staged);
        if dies == Dies::StoreFails {
            self.sync.rollback();
            return false;
        }
        if dies == Dies::BeforeStoring {
            self.start_again();
            return false;
        }
        if !staged.is_empty() {
            let bytes: Vec<_> = staged.iter().map(|accepted| accepted.change.bytes.clone()).collect();
            self.rows.push(encode_log(&bytes));
        }
        for Accepted { change, author, binds_actor } in staged {
            if let (true, Some(author)) = (binds_actor, author) {
                self.bindings.insert(change.header.actor.clone(), author);
            }
            self.stored.insert(change.header.hash, change.bytes);
        }
        if dies == Dies::AfterStoring {
            self.start_again();
            return false;
        }
        self.sync.commit();
        true
    }

    /// The process starts on its rows; or the document is opened again after an eviction.
    pub(super) fn start_again(&mut self) {
        self.staged.clear();
        let stored = self.rows.iter().flat_map(|row| decode_row(row).unwrap());
        self.sync = DocumentSync::open(genesis(), stored, self.bindings.clone()).unwrap();
        assert_eq!(self.sync.len(), self.stored.len(), "every stored change is in the graph again");
    }

    /// All rows become one, as when the document has fallen quiet.
    pub(super) fn fold(&mut self) {
        let changes: Vec<Bytes> =
            self.rows.iter().flat_map(|row| decode_row(row).unwrap()).map(|change| change.bytes).collect();
        self.rows = vec![encode_pack(&changes)];
    }

    /// A restored backup that lacks the newest rows.
    pub(super) fn lose_rows(&mut self, keep: usize) {
        self.rows.truncate(keep);
        let first = genesis();
        self.stored = BTreeMap::from([(first.header.hash, first.bytes)]);
        let kept = self.rows.iter().flat_map(|row| decode_row(row).unwrap());
        self.stored.extend(kept.map(|change| (change.header.hash, change.bytes)));
        self.start_again();
    }

    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// What it says next, after a look at whether it may be said.
    pub(super) fn next_message(&mut self, session: usize) -> Option<Vec<u8>> {
        let wanted = self.sync.wants_to_send(session);
        let outgoing = self.sync.next_message(session);
        assert_eq!(wanted, outgoing.is_some(), "wants_to_send and next_message disagree");
        let outgoing = outgoing?;
        let bytes: Vec<_> = outgoing.changes().iter().map(|hash| self.stored[hash].clone()).collect();
        let data = outgoing.encode(&bytes);
        let message = Message::decode(&data).unwrap();
        let mentioned = message.heads.iter().chain(message.have.iter().flat_map(|have| &have.last_sync));
        for hash in mentioned {
            assert!(self.stored.contains_key(hash), "P2: an uncommitted change was mentioned");
        }
        Some(data)
    }

    /// P8: what is stored applies to a fresh replica, which survives saving and loading.
    pub(super) fn assert_sound(&self) {
        let changes = self.stored.values().map(|bytes| Change::from_bytes(bytes.to_vec()).unwrap());
        let mut fresh = Automerge::new();
        fresh.apply_changes(changes).expect("P8: what the guard accepted applies");
        let heads: BTreeSet<_> = fresh.get_heads().into_iter().collect();
        assert_eq!(heads, self.sync.heads().into_iter().collect(), "P8: the graph knows the document's heads");
        let loaded = Automerge::load(&fresh.save()).expect("P8: a saved document loads");
        assert_eq!(heads, loaded.get_heads().into_iter().collect(), "P8: saving loses nothing");
    }
}
