//! The state of an open document: its sync state, who is connected to it, and what waits to be stored.
//!
//! Entered through `document` alone. Received changes are staged, taken by the writer as a batch, and acknowledged and
//! forwarded when the writer says that they are on disk. Decides nothing about access and never waits.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use taiwa_shared::{
    ids::{DocumentId, UserId},
    sync::{
        chunks::{ActorId, ChangeHash, encode_log},
        document::{DocumentSync, Due, InspectedMessage, Outgoing, PeerRole, StageMark, SyncKind},
        rejection::Rejection,
    },
};
use tokio::time::Instant;

use super::{HubLimits, acknowledgements::Acknowledgements, connection::Connection, document::Remains};
use crate::store::chunks::ChunkRow;

/// First byte of a row that is not sealed.
pub(super) const PLAIN: u8 = 0;
/// 64 KiB of the newest changes stay in memory for fan-out; older bytes are read from the store
/// when needed.
const RECENT_BYTES: usize = 64 * 1024;

/// Names one session of one connection on one document; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SessionKey(pub(super) u64);

/// The bytes of changes by hash, read from the store.
pub(super) type Archive = HashMap<ChangeHash, Bytes>;

/// Received changes that no commit has made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Unstored {
    pub(super) changes: usize,
    pub(super) bytes: usize,
}

/// Changes of an actor that somebody else than their author brought, as after a restore.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Relayed {
    pub(super) actor: ActorId,
    pub(super) author: Option<UserId>,
    pub(super) brought_by: UserId,
}

/// What one commit stores of a document.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) row: ChunkRow,
    pub(super) bindings: Vec<(ActorId, UserId)>,
    /// Changes that somebody else than their author brought.
    pub(super) relayed: BTreeSet<Relayed>,
    /// Whether this commit has to note that the digest is stale.
    pub(super) marks_stale: bool,
    pub(super) unstored: Unstored,
    mark: StageMark,
    changes: Vec<(ChangeHash, Bytes)>,
}

/// What came of a received message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Received {
    /// New changes were staged: the document has to be committed.
    pub(super) staged: Option<Unstored>,
    /// How pressing it is to answer the sender.
    pub(super) answer: Due,
}

/// A message that can be sent.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) kind: SyncKind,
    pub(super) data: Vec<u8>,
    pub(super) has_changes: bool,
    /// Another one follows.
    pub(super) more: bool,
}

/// The next message to a session.
#[derive(Debug)]
pub(super) enum Next {
    Nothing,
    Message(Ready),
    /// The changes' bytes have to be read from the store first.
    Missing(Outgoing),
}

/// What the sweep needs to know of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) digest_stale: bool,
    pub(super) waiting: bool,
    pub(super) quiet_for: Duration,
    /// Since when nobody is connected; none if somebody is.
    pub(super) unused_for: Option<Duration>,
    pub(super) rows: usize,
    pub(super) log_bytes: usize,
    pub(super) resident_bytes: usize,
    pub(super) archive_bytes: usize,
}

/// What the store has of a document when it is opened.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) next_row: i64,
    pub(super) rows: usize,
    pub(super) log_bytes: usize,
    /// Of its changes, as they arrived.
    pub(super) change_bytes: usize,
    pub(super) digest_stale: bool,
    pub(super) genesis: (ChangeHash, Bytes),
    pub(super) archive: Option<Archive>,
}

/// The state of an open document.
#[derive(Debug)]
pub(super) struct State {
    pub(super) sync: DocumentSync<SessionKey>,
    sessions: HashMap<SessionKey, Arc<Connection>>,
    staged: Vec<(ChangeHash, Bytes)>,
    bindings: Vec<(ActorId, UserId)>,
    relayed: BTreeSet<Relayed>,
    unstored: Unstored,
    is_queued: bool,
    in_commit: Unstored,
    stored: Stored,
    recent: Recent,
    archive_used: bool,
    changed: Instant,
    used: Instant,
}

#[derive(Debug, Default)]
struct Recent {
    order: VecDeque<ChangeHash>,
    bytes: HashMap<ChangeHash, Bytes>,
    total: usize,
}

impl Recent {
    fn push(&mut self, hash: ChangeHash, bytes: Bytes) {
        self.total += bytes.len();
        self.order.push_back(hash);
        self.bytes.insert(hash, bytes);
        while self.total > RECENT_BYTES
            && let Some(oldest) = self.order.pop_front()
        {
            self.total -= self.bytes.remove(&oldest).map_or(0, |bytes| bytes.len());
        }
    }
}

impl State {
    pub(super) fn new(sync: DocumentSync<SessionKey>, stored: Stored) -> Self {
        let now = Instant::now();
        Self {
            sync,
            sessions: HashMap::new(),
            staged: Vec::new(),
            bindings: Vec::new(),
            relayed: BTreeSet::new(),
            unstored: Unstored::default(),
            is_queued: false,
            in_commit: Unstored::default(),
            archive_used: stored.archive.is_some(),
            stored,
            recent: Recent::default(),
            changed: now,
            used: now,
        }
    }

    /// Starts a session.
    pub(super) fn connect(&mut self, key: SessionKey, role: PeerRole, connection: Arc<Connection>) {
        self.sync.connect(key, role);
        self.sessions.insert(key, connection);
        self.used = Instant::now();
    }

    /// Ends a session.
    pub(super) fn disconnect(&mut self, key: SessionKey) {
        self.sync.disconnect(key);
        self.sessions.remove(&key);
        self.used = Instant::now();
    }

    /// Takes an inspected message of a session and stages its changes.
    pub(super) fn receive(
        &mut self,
        key: SessionKey,
        message: InspectedMessage<'_>,
        limits: &HubLimits,
    ) -> Result<Received, Rejection> {
        let (changes, bytes) = message.size();
        let waiting = self.unstored + self.in_commit;
        let is_full = self.sync.len() + waiting.changes + changes > limits.document_changes
            || self.stored.change_bytes + waiting.bytes + bytes > limits.document_bytes;
        // Whoever brings nothing new goes on reading.
        if changes > 0 && is_full {
            self.sync.disconnect(key);
            return Err(Rejection::DocumentFull);
        }
        let sessions = &self.sessions;
        let may_write = |other: SessionKey| sessions.get(&other).is_some_and(|connection| connection.may_write(other));
        let accepted = self.sync.admit_beside(key, message, may_write)?;
        let mut new = Unstored::default();
        for (bringer, accepted) in accepted {
            let header = accepted.change.header;
            if let Some(bringer) = self.sessions.get(&bringer).map(|connection| connection.principal.user)
                && accepted.author != Some(bringer)
            {
                let (actor, author) = (header.actor.clone(), accepted.author);
                self.relayed.insert(Relayed { actor, author, brought_by: bringer });
            }
            if accepted.binds_actor
                && let Some(author) = accepted.author
            {
                self.bindings.push((header.actor, author));
            }
            new.changes += 1;
            new.bytes += accepted.change.bytes.len();
            // A copy of its own: a slice would keep the whole received message in memory.
            self.staged.push((header.hash, Bytes::copy_from_slice(&accepted.change.bytes)));
        }
        let received = Received { staged: (new.changes > 0).then_some(new), answer: self.sync.due(key) };
        // Last: after a panic, what is counted here is subtracted from what the caller counted, which is nothing yet.
        self.unstored = self.unstored + new;
        Ok(received)
    }

    /// Notes that the document is in the queue of the next commit; false if it was already.
    pub(super) fn enqueue(&mut self) -> bool {
        !std::mem::replace(&mut self.is_queued, true)
    }

    /// Takes what has to be stored now; none if nothing has.
    pub(super) fn take_batch(&mut self) -> Option<Batch> {
        self.is_queued = false;
        if self.staged.is_empty() {
            return None;
        }
        let changes = std::mem::take(&mut self.staged);
        let log: Vec<Bytes> = changes.iter().map(|(_, bytes)| bytes.clone()).collect();
        let mut body = vec![PLAIN];
        body.extend_from_slice(&encode_log(&log));
        self.in_commit = std::mem::take(&mut self.unstored);
        Some(Batch {
            row: ChunkRow { n: self.stored.next_row, body },
            bindings: std::mem::take(&mut self.bindings),
            relayed: std::mem::take(&mut self.relayed),
            marks_stale: !self.stored.digest_stale,
            unstored: self.in_commit,
            mark: self.sync.stage_mark(),
            changes,
        })
    }

    /// The batch is on disk: now, and not before, it may be acknowledged and forwarded.
    pub(super) fn committed(&mut self, document: DocumentId, batch: Batch, acknowledgements: &Acknowledgements) {
        self.sync.commit_until(batch.mark);
        self.in_commit = Unstored::default();
        self.stored.next_row = batch.row.n + 1;
        self.stored.rows += 1;
        self.stored.log_bytes += batch.row.body.len();
        self.stored.change_bytes += batch.unstored.bytes;
        self.stored.digest_stale = true;
        self.changed = Instant::now();
        for (hash, bytes) in batch.changes {
            self.recent.push(hash, bytes);
        }
        for (key, connection) in &self.sessions {
            match self.sync.due(*key) {
                Due::Now => connection.outbox.mark(document),
                Due::Later => acknowledgements.owe(connection, document, self.changed),
                Due::Nothing => {}
            }
        }
    }

    /// The next message to a session.
    pub(super) fn next(&mut self, key: SessionKey) -> Next {
        match self.sync.next_message(key) {
            None => Next::Nothing,
            Some(outgoing) => self.fill(key, outgoing),
        }
    }

    /// Adds the bytes to a message, from memory.
    pub(super) fn fill(&mut self, key: SessionKey, outgoing: Outgoing) -> Next {
        let archive = self.stored.archive.as_ref();
        let mut from_archive = false;
        let bytes: Option<Vec<Bytes>> = outgoing
            .changes()
            .iter()
            .map(|hash| {
                if let Some(recent) = self.recent.bytes.get(hash) {
                    return Some(recent.clone());
                }
                if *hash == self.stored.genesis.0 {
                    return Some(self.stored.genesis.1.clone());
                }
                from_archive = true;
                archive.and_then(|archive| archive.get(hash).cloned())
            })
            .collect();
        self.archive_used |= from_archive;
        match bytes {
            Some(bytes) => {
                let more = self.sync.due(key) == Due::Now;
                let (kind, has_changes) = (outgoing.kind, !bytes.is_empty());
                Next::Message(Ready { kind, data: outgoing.encode(&bytes), has_changes, more })
            }
            None => Next::Missing(outgoing),
        }
    }

    /// Keeps what was read from the store until nobody has used it for a while; none: it is read again when needed.
    pub(super) fn set_archive(&mut self, archive: Option<Archive>) {
        self.stored.archive = archive;
        self.archive_used = true;
    }

    /// Forwards an ephemeral message to the other sessions.
    pub(super) fn others(&self, key: SessionKey) -> impl Iterator<Item = &Arc<Connection>> {
        self.sessions.iter().filter(move |(other, _)| **other != key).map(|(_, connection)| connection)
    }

    /// The digest in the record is that of the committed heads now.
    pub(super) fn digest_renewed(&mut self) {
        self.stored.digest_stale = false;
    }

    /// The rows up to `batch.n` were folded into one.
    pub(super) fn folded(&mut self, removed: usize, log_bytes: usize) {
        self.stored.rows = self.stored.rows.saturating_sub(removed) + 1;
        self.stored.log_bytes = self.stored.log_bytes.saturating_sub(log_bytes);
    }

    /// How the document is doing. Drops bytes that the store has too: what was read from it and not used since the
    /// last call, and the newest changes once the document is quiet.
    pub(super) fn condition(&mut self, quiet_after: Duration) -> Condition {
        if self.changed.elapsed() >= quiet_after {
            self.recent = Recent::default();
        }
        // A slow reader takes the rest of it when it can.
        let is_awaited = || self.sessions.keys().any(|key| self.sync.wants_to_send(*key));
        if !std::mem::take(&mut self.archive_used) && self.stored.archive.is_some() && !is_awaited() {
            self.stored.archive = None;
        }
        Condition {
            digest_stale: self.stored.digest_stale,
            waiting: self.is_waiting(),
            quiet_for: self.changed.elapsed(),
            unused_for: self.sessions.is_empty().then(|| self.used.elapsed()),
            rows: self.stored.rows,
            log_bytes: self.stored.log_bytes,
            resident_bytes: self.resident_bytes(),
            archive_bytes: self.archive_bytes(),
        }
    }

    /// About how much memory the document takes.
    pub(super) fn resident_bytes(&self) -> usize {
        self.sync.resident_bytes() + self.recent.total + self.archive_bytes() + self.unstored.bytes
    }

    fn archive_bytes(&self) -> usize {
        self.stored.archive.iter().flat_map(HashMap::values).map(Bytes::len).sum()
    }

    fn is_waiting(&self) -> bool {
        self.is_queued || self.unstored.changes > 0 || self.in_commit.changes > 0
    }

    /// Whether nobody is connected and nothing waits for the store.
    pub(super) fn is_unused(&self) -> bool {
        self.sessions.is_empty() && !self.is_waiting() && !self.stored.digest_stale
    }

    /// Who was connected and what was not stored, when the document goes out of service.
    pub(super) fn remains(self) -> Remains {
        Remains { connections: self.sessions.into_values().collect(), unstored: self.unstored }
    }
}

impl std::ops::Add for Unstored {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { changes: self.changes + other.changes, bytes: self.bytes + other.bytes }
    }
}

#[cfg(test)]
mod tests {
    use taiwa_shared::{
        documents,
        domain::{ownership::DocumentKey, people::Role},
        ids::{DeviceId, OrganisationId},
        sync::{
            chunks::StoredChange,
            document::{Authors, PeerAccess},
        },
        time::Timestamp,
    };

    use super::*;
    use crate::{records::access::Principal, sync::quota::Quota};

    #[test]
    fn what_was_read_from_the_store_is_kept_while_a_session_waits_for_it() {
        let user = UserId::from_bytes([1; 16]);
        let key = DocumentKey::FieldNotes { user };
        let genesis = StoredChange::read(Bytes::from(documents::genesis(&key, 0).bytes)).unwrap();
        let sync = DocumentSync::open(genesis.clone(), [], []).unwrap();
        let genesis = (genesis.header.hash, genesis.bytes);
        let archive = Some(HashMap::from([genesis.clone()]));
        let stored =
            Stored { next_row: 0, rows: 0, log_bytes: 0, change_bytes: 0, digest_stale: false, genesis, archive };
        let mut state = State::new(sync, stored);
        let principal = Principal {
            organisation: OrganisationId::from_bytes([2; 16]),
            user,
            device: DeviceId::from_bytes([3; 16]),
            role: Role::Member,
            expires: Timestamp::from_millis(0),
        };
        let quota = Arc::new(Quota::new(&HubLimits::default(), Timestamp::from_millis(0)));
        let connection = Arc::new(Connection::new(1, principal, Arc::default(), quota));
        let role = PeerRole { access: PeerAccess::Write, authors: Authors::Only(user) };
        state.connect(SessionKey(1), role, connection);
        let hour = Duration::from_secs(3_600);
        for _ in 0..5 {
            state.condition(hour);
            assert!(state.stored.archive.is_some(), "the reader has not been told anything yet");
        }
        while let Next::Message(_) = state.next(SessionKey(1)) {}
        state.condition(hour);
        state.condition(hour);
        assert!(state.stored.archive.is_none(), "nobody waits for it");
    }
}
