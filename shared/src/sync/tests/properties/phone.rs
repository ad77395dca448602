//! A phone as the product drives the engine: its disk first, then its memory, then the line; and it can die anywhere.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{Author, AutoCommit};
use bytes::Bytes;

use super::super::{Seeded, edit, genesis, relay, user};
use crate::sync::{
    chunks::{ChangeHash, StoredChange},
    document::{DocumentSync, SyncKind},
    rejection::Rejection,
};

/// Where a phone dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dies {
    Not,
    BeforeStoring,
    AfterStoring,
}

pub(super) struct Phone {
    pub(super) user: u8,
    /// What survives.
    pub(super) disk: BTreeMap<ChangeHash, Bytes>,
    /// What people were told is synced; survives too.
    pub(super) synced: BTreeSet<ChangeHash>,
    pub(super) sync: DocumentSync<()>,
    doc: AutoCommit,
}

impl Phone {
    pub(super) fn new(user: u8, rng: &mut Seeded) -> Self {
        let first = genesis();
        let disk = BTreeMap::from([(first.header.hash, first.bytes.clone())]);
        let sync = DocumentSync::open(first, [], []).unwrap();
        let mut phone = Self { user, disk, synced: BTreeSet::new(), sync, doc: AutoCommit::new() };
        phone.start_again(rng);
        phone
    }

    /// The process starts on what the disk has, with a fresh actor.
    pub(super) fn start_again(&mut self, rng: &mut Seeded) {
        let stored = self.disk.values().map(|bytes| StoredChange::read(bytes.clone()).unwrap());
        self.sync = DocumentSync::open(genesis(), stored, []).unwrap();
        let author = Author::from(user(self.user).as_bytes().to_vec());
        let mut doc = AutoCommit::new();
        doc.load_incremental(&self.disk.values().flatten().copied().collect::<Vec<u8>>()).unwrap();
        self.doc = doc.with_author(Some(author)).with_actor(rng.actor());
    }

    /// One edit; true if it was stored, and so shown as saved.
    pub(super) fn edit(&mut self, rng: &mut Seeded, dies: Dies) -> bool {
        edit(&mut self.doc, rng);
        if dies == Dies::BeforeStoring {
            self.start_again(rng);
            return false;
        }
        let mut changes = Vec::new();
        for mut change in self.doc.get_changes(&self.sync.heads()) {
            changes.push(StoredChange::read(change.bytes().into_owned().into()).unwrap());
        }
        self.disk.extend(changes.iter().map(|change| (change.header.hash, change.bytes.clone())));
        if dies == Dies::AfterStoring {
            self.start_again(rng);
            return true;
        }
        changes.into_iter().for_each(|change| self.sync.stage_local(change).unwrap());
        self.sync.commit();
        true
    }

    /// Begins a session, with what it remembers of the server or without.
    pub(super) fn connect(&mut self, remembers: bool) {
        self.sync.connect((), relay());
        if remembers {
            let heads: Vec<_> = self.synced.iter().take(2).copied().collect();
            self.sync.seed_shared_heads((), &heads);
        }
    }

    pub(super) fn next_message(&mut self) -> Option<Vec<u8>> {
        let outgoing = self.sync.next_message(())?;
        let bytes: Vec<_> = outgoing.changes().iter().map(|hash| self.disk[hash].clone()).collect();
        Some(outgoing.encode(&bytes))
    }

    /// Takes a message of the server; true if the phone died over it.
    pub(super) fn receive(&mut self, data: &[u8], rng: &mut Seeded, dies: Dies) -> Result<bool, Rejection> {
        let accepted = self.sync.receive_from_server((), SyncKind::Sync, data)?;
        if dies == Dies::BeforeStoring {
            self.start_again(rng);
            return Ok(true);
        }
        let stored = accepted.iter().map(|accepted| (accepted.change.header.hash, accepted.change.bytes.clone()));
        self.disk.extend(stored);
        if dies == Dies::AfterStoring {
            self.start_again(rng);
            return Ok(true);
        }
        self.sync.commit();
        let bytes: Vec<u8> = accepted.iter().flat_map(|accepted| accepted.change.bytes.to_vec()).collect();
        self.doc.load_incremental(&bytes).unwrap();
        let known: Vec<_> = self.disk.keys().copied().collect();
        self.synced.extend(self.sync.acknowledged((), &known));
        Ok(false)
    }

    pub(super) fn heads_on_screen(&mut self) -> Vec<ChangeHash> {
        self.doc.get_heads()
    }
}
