//! One document's sync state: its change graph and one exchange per connected peer.
//!
//! Called by the hub (many peers) and the phone (one). Received changes are *staged*: they count as known when the
//! next change is checked, but nothing that mentions them leaves before [`DocumentSync::commit`], which the caller
//! calls when the store has them on disk. Holds headers only; the caller keeps the bytes.

mod inspect;
mod open;
mod receive;

use std::{collections::HashMap, hash::Hash};

use bytes::Bytes;

use super::{
    chunks::{ActorId, ChangeHash, StoredChange},
    exchange::{Draft, Exchange},
    graph::{Graph, Index},
    message,
    rejection::Rejection,
    runs::Runs,
};
use crate::ids::{HeadsDigest, UserId};

pub use inspect::{InspectedMessage, UncheckedMessage, weigh};

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

/// When a message is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// There is nothing to say.
    Nothing,
    /// What the peer sent is here, and that is all there is to say: an acknowledgement, which may wait for a message
    /// that goes anyway, as TCP's do (RFC 1122, section 4.2.3.2).
    Later,
    /// There are changes to send, or an answer is waited for.
    Now,
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
    front: Vec<u8>,
    changes: Vec<ChangeHash>,
    flags: Option<u8>,
}

impl Outgoing {
    /// The changes it carries, in order.
    pub fn changes(&self) -> &[ChangeHash] {
        &self.changes
    }

    /// The sync message; `bytes` are the chunks of [`Self::changes`], in the same order.
    pub fn encode(self, bytes: &[Bytes]) -> Vec<u8> {
        debug_assert_eq!(bytes.len(), self.changes.len(), "every change of a message has its bytes");
        let mut message = self.front;
        message.reserve(bytes.iter().map(|chunk| chunk.len() + 5).sum::<usize>() + 3);
        for chunk in bytes {
            message::write_change(&mut message, chunk);
        }
        if let Some(flags) = self.flags {
            message::write_flags(&mut message, flags);
        }
        message
    }
}

/// One document's sync state; `P` is the caller's key of a peer.
#[derive(Debug)]
pub struct DocumentSync<P> {
    graph: Graph,
    /// Actors whose changes do not name their author, also such as have no change here yet.
    bindings: HashMap<ActorId, UserId>,
    sessions: HashMap<P, Exchange>,
    /// Peers whose parked changes turned out bad when their dependencies came from elsewhere.
    doomed: HashMap<P, Rejection>,
    runs: Runs<P>,
    /// Rises with every rollback, so that older marks count for nothing.
    life: u32,
}

impl<P: Copy + Eq + Hash> DocumentSync<P> {
    /// Starts a session with a peer, forgetting an earlier one under the same key.
    pub fn connect(&mut self, peer: P, role: PeerRole) {
        self.disconnect(peer);
        self.sessions.insert(peer, Exchange::new(role));
    }

    /// Tells what a peer is known to have from earlier sessions, before the first message to it: unchanged documents
    /// then reconnect in about 100 bytes. Unknown hashes are ignored; if the peer lost them, it says so.
    pub fn seed_shared_heads(&mut self, peer: P, heads: &[ChangeHash]) {
        if let Some(exchange) = self.sessions.get_mut(&peer) {
            exchange.seed(&self.graph, heads);
        }
    }

    /// Ends a session.
    pub fn disconnect(&mut self, peer: P) {
        self.sessions.remove(&peer);
        self.doomed.remove(&peer);
        self.runs.forget_peer(peer);
    }

    /// Whether the peer has a session.
    pub fn is_connected(&self, peer: P) -> bool {
        self.sessions.contains_key(&peer)
    }

    /// Changes what a peer may do, on the open session. [`Self::next_message`] may then have something to say.
    pub fn set_role(&mut self, peer: P, role: PeerRole) {
        if let Some(exchange) = self.sessions.get_mut(&peer) {
            exchange.set_role(role);
        }
    }

    /// Everything staged is on disk now.
    pub fn commit(&mut self) {
        self.graph.commit_until(self.graph.staged());
    }

    /// Where staging stands.
    pub fn stage_mark(&self) -> StageMark {
        StageMark { staged: self.graph.staged(), life: self.life }
    }

    /// Everything staged up to the mark is on disk now. A mark from before a [`Self::rollback`] does nothing.
    pub fn commit_until(&mut self, mark: StageMark) {
        if mark.life == self.life {
            self.graph.commit_until(mark.staged);
        }
    }

    /// The store failed: forgets what is staged, and every session.
    pub fn rollback(&mut self) {
        self.graph.truncate(self.graph.committed());
        self.sessions.clear();
        self.doomed.clear();
        self.runs = Runs::new();
        self.life += 1;
    }

    /// The next message to a peer; `None` if there is nothing to say. Mentions only what is committed. Carries up to
    /// 64 KiB of changes (or one larger change); call again until `None`.
    pub fn next_message(&mut self, peer: P) -> Option<Outgoing> {
        let draft = self.sessions.get_mut(&peer)?.next(&self.graph, &self.runs, peer)?;
        let Draft { heads, need, have, changes, flags } = draft;
        let front = message::write_front(&heads, &need, have.as_ref(), changes.len());
        let changes = changes.into_iter().map(|index| self.graph.hash(index)).collect();
        Some(Outgoing { kind: SyncKind::Sync, front, changes, flags })
    }

    /// When to send what [`Self::next_message`] has for a peer.
    pub fn due(&self, peer: P) -> Due {
        let of = |exchange: &Exchange| exchange.due(&self.graph, &self.runs, peer);
        self.sessions.get(&peer).map_or(Due::Nothing, of)
    }

    /// Changes that had to be walked through for a peer since this was last asked: what its messages cost beside
    /// their bytes.
    pub fn take_walked(&mut self, peer: P) -> usize {
        self.sessions.get_mut(&peer).map_or(0, |exchange| std::mem::take(&mut exchange.walked))
    }

    /// Whether [`Self::next_message`] would say something.
    pub fn wants_to_send(&self, peer: P) -> bool {
        self.due(peer) != Due::Nothing
    }

    /// Whether the peer has acknowledged everything that is committed here.
    pub fn peer_has_all(&self, peer: P) -> bool {
        let heads = self.graph.committed_heads();
        self.sessions
            .get(&peer)
            .is_some_and(|exchange| self.graph.within(heads, &exchange.claimed(&self.graph)).len() == heads.len())
    }

    /// Whether everything that the peer has named in this session is committed here.
    pub fn has_all_of(&self, peer: P) -> bool {
        self.sessions.get(&peer).is_some_and(|exchange| exchange.lacks_nothing(&self.graph))
    }

    /// Whether the change is in the ancestors of the heads that the peer has claimed in this session.
    pub fn is_acknowledged(&self, peer: P, hash: &ChangeHash) -> bool {
        !self.acknowledged(peer, std::slice::from_ref(hash)).is_empty()
    }

    /// Which of these changes the peer has acknowledged; one walk for all.
    pub fn acknowledged(&self, peer: P, candidates: &[ChangeHash]) -> Vec<ChangeHash> {
        let Some(exchange) = self.sessions.get(&peer) else { return Vec::new() };
        let known: Vec<Index> = candidates.iter().filter_map(|hash| self.graph.find(hash)).collect();
        let within = self.graph.within(&known, &exchange.claimed(&self.graph));
        within.into_iter().map(|index| self.graph.hash(index)).collect()
    }

    /// The committed heads, sorted.
    pub fn heads(&self) -> Vec<ChangeHash> {
        let mut heads: Vec<_> = self.graph.committed_heads().iter().map(|index| self.graph.hash(*index)).collect();
        heads.sort_unstable();
        heads
    }

    /// Names the committed heads.
    pub fn digest(&self) -> HeadsDigest {
        HeadsDigest::of(self.graph.committed_heads().iter().map(|index| self.graph.hash(*index).0))
    }

    /// Committed changes, the genesis included.
    #[expect(clippy::len_without_is_empty, reason = "the genesis is always there")]
    pub fn len(&self) -> usize {
        self.graph.committed() as usize
    }

    /// Whether the change is known, staged or committed.
    pub fn contains(&self, hash: &ChangeHash) -> bool {
        self.graph.find(hash).is_some()
    }

    /// Whether something is staged and not committed.
    pub fn has_staged(&self) -> bool {
        self.graph.staged() > self.graph.committed()
    }

    /// About how much memory this takes.
    pub fn resident_bytes(&self) -> usize {
        let sessions: usize = self.sessions.values().map(Exchange::resident_bytes).sum();
        size_of::<Self>()
            + self.graph.resident_bytes()
            + sessions
            + self.bindings.len() * size_of::<(ActorId, UserId)>()
    }

    /// The person behind an actor, where that is known.
    pub fn author_of(&self, actor: &ActorId) -> Option<UserId> {
        let from_change = self.graph.actor(actor).and_then(|actor| actor.author);
        from_change.or_else(|| self.bindings.get(actor).copied())
    }

    /// Records the person behind an actor whose changes do not say so.
    pub fn bind_actor(&mut self, actor: &ActorId, user: UserId) {
        self.graph.bind(actor, user);
        self.bindings.entry(actor.clone()).or_insert(user);
    }
}
