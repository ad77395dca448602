//! One document's sync state: its change graph and one exchange per connected peer.
//!
//! Called by the hub (many peers) and the phone (one). Received changes are *staged*: they count as known when the
//! next change is checked, but nothing that mentions them leaves before [`DocumentSync::commit`], which the caller
//! calls when the store has them on disk. Holds headers only; the caller keeps the bytes.

use std::{hash::Hash, marker::PhantomData};

use bytes::Bytes;

use super::{
    chunks::{ActorId, ChangeHash, ChangeHeader, StoredChange},
    rejection::{GraphError, Rejection},
};
use crate::ids::{HeadsDigest, UserId};

/// What a peer may do with the document. Without any access it is not connected at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerAccess {
    /// Receive it; what it sends is discarded unread.
    Read,
    /// Receive and change it.
    Write,
}

/// Whose changes a peer may bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authors {
    /// Only this user's: the hub's view of a client.
    Only(UserId),
    /// Anybody's: the phone's view of the hub, and the hub's for 30 days after a restore.
    Relayed,
}

/// What a peer may do and bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerRole {
    /// What it may do.
    pub access: PeerAccess,
    /// Whose changes it may bring.
    pub authors: Authors,
}

/// A change that was staged, to be stored before [`DocumentSync::commit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The change.
    pub change: StoredChange,
    /// The person who made it, where that is known.
    pub author: Option<UserId>,
    /// Whether the change does not name its author, so that (actor, author) has to be stored as a record of its own.
    pub binds_actor: bool,
}

/// The frame that carries a sync message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncKind {
    /// The sender has nothing of the document.
    Request,
    /// An ordinary message.
    Sync,
}

/// A point in the staging order, for commits that overlap with further staging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageMark {
    staged: u32,
    life: u32,
}

/// A message to send; the caller supplies the bytes of the changes it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The frame to send it in.
    pub kind: SyncKind,
    changes: Vec<ChangeHash>,
}

impl Outgoing {
    /// The changes it carries, in order.
    pub fn changes(&self) -> &[ChangeHash] {
        &self.changes
    }
    /// The sync message; `bytes` are the chunks of [`Self::changes`], in the same order.
    pub fn encode(self, bytes: &[Bytes]) -> Vec<u8> {
        let _ = bytes;
        todo!()
    }
}

/// One document's sync state; `P` is the caller's key of a peer.
#[derive(Debug)]
pub struct DocumentSync<P> {
    peers: PhantomData<P>,
}

#[expect(unused_variables, reason = "bodies follow in the next commit")]
impl<P: Copy + Eq + Hash> DocumentSync<P> {
    /// A document with what the store has of it. The genesis is always change 0; `stored` need not contain it, and
    /// may come in any order. `bindings` are the actors whose changes do not name their author.
    ///
    /// # Errors
    /// [`GraphError`] if stored changes do not fit together.
    pub fn open(
        genesis: StoredChange,
        stored: impl IntoIterator<Item = ChangeHeader>,
        bindings: impl IntoIterator<Item = (ActorId, UserId)>,
    ) -> Result<Self, GraphError> {
        todo!()
    }
    /// Starts a session with a peer, forgetting an earlier one under the same key.
    pub fn connect(&mut self, peer: P, role: PeerRole) {
        todo!()
    }
    /// Tells what a peer is known to have from earlier sessions, before the first message to it: unchanged documents
    /// then reconnect in about 100 bytes. Unknown hashes are ignored; if the peer lost them, it says so.
    pub fn seed_shared_heads(&mut self, peer: P, heads: &[ChangeHash]) {
        todo!()
    }
    /// Ends a session.
    pub fn disconnect(&mut self, peer: P) {
        todo!()
    }
    /// Changes what a peer may do, on the open session. [`Self::next_message`] may then have something to say.
    pub fn set_role(&mut self, peer: P, role: PeerRole) {
        todo!()
    }
    /// Takes a sync message: checks it and stages its changes. What is returned has to be stored, then committed;
    /// changes may belong to an earlier message (of another peer, too) that waited for a dependency.
    ///
    /// # Errors
    /// [`Rejection`]: nothing of the message was kept and the peer's session is over; close the connection.
    pub fn receive(&mut self, peer: P, kind: SyncKind, data: &[u8]) -> Result<Vec<Accepted>, Rejection> {
        todo!()
    }
    /// Stages a change made here.
    ///
    /// # Errors
    /// [`GraphError`] if it does not fit, or is larger than peers accept.
    pub fn stage_local(&mut self, change: StoredChange) -> Result<(), GraphError> {
        todo!()
    }
    /// Everything staged is on disk now.
    pub fn commit(&mut self) {
        todo!()
    }
    /// Where staging stands.
    pub fn stage_mark(&self) -> StageMark {
        todo!()
    }
    /// Everything staged up to the mark is on disk now. A mark from before a [`Self::rollback`] does nothing.
    pub fn commit_until(&mut self, mark: StageMark) {
        todo!()
    }
    /// The store failed: forgets what is staged, and every session.
    pub fn rollback(&mut self) {
        todo!()
    }
    /// The next message to a peer; `None` if there is nothing to say. Mentions only what is committed. Carries up to
    /// 64 KiB of changes; call again until `None`.
    pub fn next_message(&mut self, peer: P) -> Option<Outgoing> {
        todo!()
    }
    /// Whether [`Self::next_message`] would say something.
    pub fn wants_to_send(&self, peer: P) -> bool {
        todo!()
    }
    /// Whether the peer has acknowledged everything that is committed here.
    pub fn peer_has_all(&self, peer: P) -> bool {
        todo!()
    }
    /// Whether the change is in the ancestors of the heads that the peer has claimed.
    pub fn is_acknowledged(&self, peer: P, hash: &ChangeHash) -> bool {
        todo!()
    }
    /// Which of these changes the peer has acknowledged; one walk for all.
    pub fn acknowledged(&self, peer: P, candidates: &[ChangeHash]) -> Vec<ChangeHash> {
        todo!()
    }
    /// The committed heads, sorted.
    pub fn heads(&self) -> Vec<ChangeHash> {
        todo!()
    }
    /// Names the committed heads.
    pub fn digest(&self) -> HeadsDigest {
        todo!()
    }
    /// Committed changes, the genesis included.
    #[expect(clippy::len_without_is_empty, reason = "the genesis is always there")]
    pub fn len(&self) -> usize {
        todo!()
    }
    /// Whether the change is known, staged or committed.
    pub fn contains(&self, hash: &ChangeHash) -> bool {
        todo!()
    }
    /// Whether something is staged and not committed.
    pub fn has_staged(&self) -> bool {
        todo!()
    }
    /// About how much memory this takes.
    pub fn resident_bytes(&self) -> usize {
        todo!()
    }
    /// The person behind an actor, where that is known.
    pub fn author_of(&self, actor: &ActorId) -> Option<UserId> {
        todo!()
    }
    /// Records the person behind an actor whose changes do not say so.
    pub fn bind_actor(&mut self, actor: &ActorId, user: UserId) {
        todo!()
    }
}
