//! One copy of a memo at a client: the product's own sync engine and somebody who types, without an open document.
//!
//! Speaks exactly as a phone does, at a cost that does not depend on the memo's length. Keeps the bytes of what was typed
//! here, so that a peer that lost everything can have them again.

use std::collections::HashMap;

use anyhow::{Context, Result};
use bytes::Bytes;
use taiwa_shared::{
    documents::{Genesis, genesis},
    domain::ownership::DocumentKey,
    ids::{DocumentId, UserId},
    sync::{
        chunks::{ChangeHash, StoredChange},
        document::{Authors, DocumentSync, Due, PeerAccess, PeerRole, SyncKind},
    },
};

use crate::typist::Typist;

/// The peer: a client has one.
const SERVER: () = ();

/// A memo at a client.
#[derive(Debug)]
pub(crate) struct Replica {
    /// Which document.
    pub(crate) document: DocumentId,
    sync: DocumentSync<()>,
    /// Whoever types; only in memos.
    typist: Option<Typist>,
    max_op: u64,
    bytes: HashMap<ChangeHash, Bytes>,
}

impl Replica {
    /// A memo of which only its first change is there.
    ///
    /// # Errors
    /// If the key is no memo's.
    pub(crate) fn new(key: &DocumentKey, user: UserId) -> Result<Self> {
        Self::open(key, Some(user))
    }

    fn open(key: &DocumentKey, typist: Option<UserId>) -> Result<Self> {
        let first: Genesis = genesis(key, 0);
        let typist = typist.map(|user| Typist::new(user, &first)).transpose()?;
        let stored = StoredChange::read(Bytes::from(first.bytes)).context("the first change")?;
        let (hash, max_op, bytes) = (stored.header.hash, stored.header.max_op, stored.bytes.clone());
        let sync = DocumentSync::open(stored, [], []).context("the first change opens")?;
        Ok(Self { document: first.document, sync, typist, max_op, bytes: HashMap::from([(hash, bytes)]) })
    }

    /// A document with changes that were made elsewhere on this device.
    ///
    /// # Errors
    /// If they do not fit.
    pub(crate) fn of_changes(key: &DocumentKey, user: UserId, changes: Vec<Vec<u8>>) -> Result<Self> {
        let mut replica = Self::open(key, None)?;
        for change in changes {
            let change = StoredChange::read(Bytes::from(change)).context("a change of our own")?;
            replica.bytes.insert(change.header.hash, change.bytes.clone());
            replica.sync.stage_local(change).with_context(|| format!("a change of {user} fits"))?;
        }
        replica.sync.commit();
        Ok(replica)
    }

    /// Starts anew with a server, as after a broken connection.
    pub(crate) fn connect(&mut self) {
        self.sync.connect(SERVER, PeerRole { access: PeerAccess::Write, authors: Authors::Relayed });
    }

    /// As [`Self::connect`], knowing from last time what the server has: what a phone remembers of each document.
    pub(crate) fn reconnect(&mut self) {
        self.connect();
        let heads = self.sync.heads();
        self.sync.seed_shared_heads(SERVER, &heads);
    }

    /// Types a text as one change.
    ///
    /// # Errors
    /// If the engine does not take it.
    pub(crate) fn type_text(&mut self, text: &str) -> Result<ChangeHash> {
        let typist = self.typist.as_mut().context("somebody types")?;
        let change = typist.type_text(text, self.sync.heads(), self.max_op + 1)?;
        let (hash, max_op) = (change.header.hash, change.header.max_op);
        self.bytes.insert(hash, change.bytes.clone());
        self.sync.stage_local(change).context("a change of our own fits")?;
        self.sync.commit();
        self.max_op = max_op;
        Ok(hash)
    }

    /// Takes in a sync message and returns the changes that are new here.
    ///
    /// # Errors
    /// If the engine refuses it.
    pub(crate) fn receive(&mut self, kind: SyncKind, data: &[u8]) -> Result<Vec<ChangeHash>> {
        let accepted = self.sync.receive_from_server(SERVER, kind, data).context("what the server sends is right")?;
        self.sync.commit();
        let new = accepted.into_iter().map(|accepted| {
            let header = accepted.change.header;
            self.max_op = self.max_op.max(header.max_op);
            header.hash
        });
        Ok(new.collect())
    }

    /// The next sync message, if there is something to say.
    ///
    /// # Errors
    /// If it needs bytes that are not here.
    pub(crate) fn next_message(&mut self) -> Result<Option<(SyncKind, Vec<u8>)>> {
        let Some(outgoing) = self.sync.next_message(SERVER) else { return Ok(None) };
        let bytes: Option<Vec<Bytes>> = outgoing.changes().iter().map(|hash| self.bytes.get(hash).cloned()).collect();
        let bytes = bytes.context("the server asks for what somebody else typed")?;
        Ok(Some((outgoing.kind, outgoing.encode(&bytes))))
    }

    /// When to send [`Self::next_message`].
    pub(crate) fn due(&self) -> Due {
        self.sync.due(SERVER)
    }

    /// Whether the server has acknowledged all that is here, and all that it has told of is here.
    pub(crate) fn is_settled(&self) -> bool {
        self.sync.peer_has_all(SERVER) && self.sync.has_all_of(SERVER)
    }

    /// Whether the server has acknowledged this change.
    pub(crate) fn is_acknowledged(&self, hash: &ChangeHash) -> bool {
        self.sync.is_acknowledged(SERVER, hash)
    }

    /// The heads, sorted.
    pub(crate) fn heads(&self) -> Vec<ChangeHash> {
        self.sync.heads()
    }

    /// Changes, the first one included.
    pub(crate) fn len(&self) -> usize {
        self.sync.len()
    }

    /// Bytes of the changes typed here, and of the first one.
    pub(crate) fn own_change_bytes(&self) -> usize {
        self.bytes.values().map(Bytes::len).sum()
    }
}
