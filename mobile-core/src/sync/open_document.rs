//! One document while it is exchanged: the engine's state and the bytes that may have to be sent.
//!
//! Loaded from the store when its turn comes and dropped when it is in sync and not on screen.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use taiwa_shared::{
    documents::genesis,
    ids::HeadsDigest,
    sync::{
        chunks::{ChangeHash, StoredChange},
        document::{Accepted, Authors, DocumentSync, Due, Outgoing, PeerAccess, PeerRole, SyncKind},
        rejection::{GraphError, Rejection},
    },
};

use super::plan::is_withheld;
use crate::store::{LocalDocument, Store, StoreError};

/// The one peer of a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Server;

/// The server relays everybody's changes and may receive everything that is exchanged.
const SERVER_ROLE: PeerRole = PeerRole { access: PeerAccess::Write, authors: Authors::Relayed };

/// Why a document cannot be exchanged.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored does not fit together.
    #[error("stored changes do not fit together")]
    Graph(#[source] GraphError),
    /// An own change is such that the server would refuse it.
    #[error("an own change would be refused")]
    Unacceptable(#[source] GraphError),
}

/// A sync message for the server.
pub(super) struct Message {
    pub(super) kind: SyncKind,
    pub(super) data: Vec<u8>,
    pub(super) has_changes: bool,
}

/// A document in exchange with the server.
#[derive(Debug)]
pub(super) struct OpenDocument {
    sync: DocumentSync<Server>,
    /// Own changes that the server has not acknowledged, in order.
    unacknowledged: Vec<ChangeHash>,
    /// Their bytes.
    unsent: HashMap<ChangeHash, Bytes>,
    /// Whether the server has said anything about this document on this connection.
    heard: bool,
    withheld: bool,
}

impl OpenDocument {
    /// Loads a document and begins its exchange.
    pub(super) async fn load(store: &Store, document: &LocalDocument) -> Result<Self, OpenError> {
        let stored = store.changes_with_state(document.id).await?;
        let withheld = is_withheld(document);
        let (base, unsent_changes) = split(stored);
        let mut opened = Self {
            sync: open_engine(document, &base)?,
            unacknowledged: Vec::new(),
            unsent: HashMap::new(),
            heard: false,
            withheld,
        };
        for (change, _) in base.into_iter().filter(|(_, is_unsent)| *is_unsent) {
            opened.await_acknowledgement(&change);
        }
        // It said so of all of these, on an earlier connection; a server that has lost some says that.
        let shared = opened.sync.heads();
        opened.take_local(unsent_changes).map_err(OpenError::Unacceptable)?;
        opened.sync.connect(Server, SERVER_ROLE);
        opened.sync.seed_shared_heads(Server, &shared);
        Ok(opened)
    }

    /// Whether it was loaded without the person's unsent changes.
    pub(super) fn withheld(&self) -> bool {
        self.withheld
    }

    /// Takes changes made here, which are stored already; those that were loaded with the document are skipped.
    pub(super) fn take_local(&mut self, changes: Vec<StoredChange>) -> Result<(), GraphError> {
        if self.withheld {
            return Ok(());
        }
        for change in changes {
            if !self.sync.contains(&change.header.hash) {
                self.sync.stage_local(change.clone())?;
                self.await_acknowledgement(&change);
            }
        }
        self.sync.commit();
        Ok(())
    }

    fn await_acknowledgement(&mut self, change: &StoredChange) {
        self.unacknowledged.push(change.header.hash);
        self.unsent.insert(change.header.hash, change.bytes.clone());
    }

    /// Takes a message of the server; what is returned is staged and has to be stored.
    pub(super) fn receive(&mut self, kind: SyncKind, data: &[u8]) -> Result<Vec<StoredChange>, Rejection> {
        self.heard = true;
        let accepted = self.sync.receive_from_server(Server, kind, data)?;
        Ok(accepted.into_iter().map(|Accepted { change, .. }| change).collect())
    }

    /// What was staged is stored.
    pub(super) fn commit(&mut self) {
        self.sync.commit();
    }

    /// Own changes that the server has acknowledged since the last call.
    pub(super) fn take_acknowledged(&mut self) -> Vec<ChangeHash> {
        if self.unacknowledged.is_empty() {
            return Vec::new();
        }
        let acknowledged = self.sync.acknowledged(Server, &self.unacknowledged);
        let gone: HashSet<_> = acknowledged.iter().copied().collect();
        self.unacknowledged.retain(|hash| !gone.contains(hash));
        self.unsent.retain(|hash, _| !gone.contains(hash));
        acknowledged
    }

    /// Whether nothing of this document waits for the server's acknowledgement.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.unacknowledged.is_empty()
    }

    /// How pressing it is to send [`Self::next_message`].
    pub(super) fn due(&self) -> Due {
        self.sync.due(Server)
    }

    /// Whether both sides are known to have the same.
    pub(super) fn is_in_sync(&self) -> bool {
        self.heard && self.due() < Due::Now && self.sync.peer_has_all(Server) && self.sync.has_all_of(Server)
    }

    /// The digest as records carry it: none while there is only the genesis.
    pub(super) fn digest(&self) -> Option<HeadsDigest> {
        (self.sync.len() > 1).then(|| self.sync.digest())
    }

    /// The next message, with bytes of older changes fetched from the store where the server lacks them.
    pub(super) async fn next_message(
        &mut self,
        store: &Store,
        document: &LocalDocument,
    ) -> Result<Option<Message>, StoreError> {
        let Some(message) = self.sync.next_message(Server) else { return Ok(None) };
        let (kind, has_changes) = (message.kind, !message.changes().is_empty());
        let bytes = self.bytes_of(&message, store, document).await?;
        Ok(Some(Message { kind, data: message.encode(&bytes), has_changes }))
    }

    async fn bytes_of(
        &self,
        message: &Outgoing,
        store: &Store,
        document: &LocalDocument,
    ) -> Result<Vec<Bytes>, StoreError> {
        let mut older = HashMap::new();
        if message.changes().iter().any(|hash| !self.unsent.contains_key(hash)) {
            let stored = store.changes(document.id).await?;
            older.extend(stored.into_iter().map(|change| (change.header.hash, change.bytes)));
            let first = genesis(&document.key, document.generation);
            older.insert(first.hash, first.bytes.into());
        }
        let find = |hash| self.unsent.get(hash).or_else(|| older.get(hash)).cloned();
        let found = message.changes().iter().map(find).collect::<Option<Vec<_>>>();
        found.ok_or(StoreError::UnknownDocument(document.id))
    }
}

/// The engine with the changes that the server is known to have.
fn open_engine(document: &LocalDocument, base: &[(StoredChange, bool)]) -> Result<DocumentSync<Server>, OpenError> {
    let first = genesis(&document.key, document.generation);
    let first = StoredChange::read(Bytes::from(first.bytes)).expect("the genesis is a change of our own making");
    let stored = base.iter().map(|(change, _)| change.clone());
    // The server checks authors; the phone shows them from the changes and the records.
    DocumentSync::open(first, stored, []).map_err(OpenError::Graph)
}

/// What the server is known to have, with what that stands on (an acknowledgement may have been lost), and the rest.
fn split(stored: Vec<(StoredChange, bool)>) -> (Vec<(StoredChange, bool)>, Vec<StoredChange>) {
    let mut needed: HashSet<ChangeHash> = HashSet::new();
    let (mut base, mut rest) = (Vec::new(), Vec::new());
    for (change, is_unsent) in stored.into_iter().rev() {
        if is_unsent && !needed.contains(&change.header.hash) {
            rest.push(change);
        } else {
            needed.extend(&change.header.deps);
            base.push((change, is_unsent));
        }
    }
    base.reverse();
    rest.reverse();
    (base, rest)
}
