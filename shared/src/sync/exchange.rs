//! The Automerge sync protocol of one peer on one document, over the change graph.
//!
//! A peer's first `have` is answered once, with its Bloom filter; from then on a cursor runs over the staging order:
//! everything committed below it was sent, is known there or came from there. That is sound because the transport is
//! ordered and reliable, and `need` repairs the filter's false positives. Decides when to speak, so that two peers
//! fall silent after finitely many messages.

use automerge::sync::BloomFilter;

use super::{
    chunks::ChangeHash,
    document::{Due, PeerAccess, PeerRole},
    graph::{Graph, Index},
    limits::{MAX_HASHES, MAX_HEADS, MAX_MESSAGE_BYTES_OUT, MAX_UNANSWERED_NEEDS, MAX_WANTED},
    message::{Have, Incoming, READ_ONLY, SUPPORTS_SYNC_RESET, SYNC_RESET},
    parked::Parked,
    rejection::Rejection,
    runs::Runs,
};

/// What of a received message the exchange still has to know once its changes are staged.
pub(crate) struct Received<'a> {
    pub(crate) message: Incoming<'a>,
    /// The peer says it has nothing.
    pub(crate) is_request: bool,
    /// It brought changes that were new here.
    pub(crate) brought_news: bool,
}

/// What to send.
#[derive(Debug, PartialEq)]
pub(crate) struct Draft {
    pub(crate) heads: Vec<ChangeHash>,
    pub(crate) need: Vec<ChangeHash>,
    pub(crate) have: Option<Have>,
    pub(crate) changes: Vec<Index>,
    pub(crate) flags: Option<u8>,
}

#[derive(Debug)]
pub(crate) struct Exchange {
    role: PeerRole,
    their_heads: Option<Vec<ChangeHash>>,
    /// Committed here and known to be there.
    shared: Vec<ChangeHash>,
    /// The rest of the answer to their `have`, latest first.
    backlog: Vec<Index>,
    /// `None` until their `have` was answered.
    cursor: Option<Index>,
    /// What they asked for by name and is not sent yet.
    wanted: Vec<Index>,
    last_sent_heads: Option<Vec<Index>>,
    /// They refer to changes we do not know: tell them to start over.
    owes_reset: bool,
    asked: Vec<ChangeHash>,
    unanswered: u8,
    ask_again: bool,
    /// They take no changes from us.
    refuses_changes: bool,
    understands_reset: bool,
    /// They may write again: tell them to send what we ignored.
    write_restored: bool,
    /// A `have` of ours went out and still stands.
    introduced: bool,
    /// Changes that were walked through for this peer since somebody asked.
    pub(crate) walked: usize,
    pub(crate) parked: Parked,
}

impl Exchange {
    pub(crate) fn new(role: PeerRole) -> Self {
        Self {
            role,
            their_heads: None,
            shared: Vec::new(),
            backlog: Vec::new(),
            cursor: None,
            wanted: Vec::new(),
            last_sent_heads: None,
            owes_reset: false,
            asked: Vec::new(),
            unanswered: 0,
            ask_again: false,
            refuses_changes: false,
            understands_reset: false,
            write_restored: false,
            introduced: false,
            walked: 0,
            parked: Parked::default(),
        }
    }

    pub(crate) fn role(&self) -> PeerRole {
        self.role
    }

    pub(crate) fn cursor(&self) -> Option<Index> {
        self.cursor
    }

    pub(crate) fn set_role(&mut self, role: PeerRole) {
        let before = std::mem::replace(&mut self.role, role);
        if before.access == role.access {
            return;
        }
        // Either way they have to hear of it, and what was asked under the other rule does not count.
        self.last_sent_heads = None;
        self.introduced = false;
        self.asked.clear();
        self.unanswered = 0;
        self.write_restored = role.access == PeerAccess::Write;
        if role.access == PeerAccess::Read {
            self.parked.clear();
        }
    }

    pub(crate) fn seed(&mut self, graph: &Graph, heads: &[ChangeHash]) {
        self.shared = heads.iter().filter(|hash| graph.find_committed(hash).is_some()).copied().collect();
        self.shared.sort_unstable();
        self.shared.dedup();
        self.shared.truncate(MAX_HEADS);
    }

    /// Takes in everything of a message but its changes, which are staged already.
    pub(crate) fn receive(&mut self, graph: &Graph, received: Received<'_>) -> Result<(), Rejection> {
        let Received { message, is_request, brought_news } = received;
        let had_heads = self.their_heads.as_ref().is_some_and(|heads| !heads.is_empty());
        let mut starts_over = is_request || (had_heads && message.heads.is_empty());
        if let Some(flags) = message.flags {
            self.understands_reset = flags & SUPPORTS_SYNC_RESET != 0;
            let refused = std::mem::replace(&mut self.refuses_changes, flags & READ_ONLY != 0);
            starts_over |= flags & SYNC_RESET != 0 || (refused && !self.refuses_changes);
        }
        // "I have nothing since nothing" beside heads is how Automerge says that it did not know our last sync.
        let disowns = |have: &Have| have == &Have::default();
        let disowned = !message.heads.is_empty() && message.have.iter().any(disowns);
        if self.cursor.is_some() && (starts_over || disowned) {
            self.forget_sent();
        }
        if disowned {
            self.shared.clear();
        }
        let heads = Some(message.heads);
        let repeats_heads = self.their_heads == heads;
        self.their_heads = heads;
        if !message.have.is_empty() {
            self.take_have(graph, message.have);
        }
        self.want(graph, &message.need);
        self.count_unanswered(graph, brought_news, repeats_heads)
    }

    fn forget_sent(&mut self) {
        self.cursor = None;
        self.backlog.clear();
        self.wanted.clear();
        self.last_sent_heads = None;
        self.introduced = false;
    }

    fn take_have(&mut self, graph: &Graph, have: Vec<Have>) {
        let mut last_sync = have.iter().flat_map(|have| &have.last_sync);
        // From a reader nothing is wanted, so what we do not know is only left out; from others it has to come back.
        if self.role.access == PeerAccess::Write && last_sync.any(|hash| graph.find(hash).is_none()) {
            self.forget_sent();
            self.owes_reset = true;
        } else if self.cursor.is_none() {
            if self.shared.is_empty() {
                let last_sync: Vec<_> = have.iter().flat_map(|have| have.last_sync.iter().copied()).collect();
                self.seed(graph, &last_sync);
            }
            self.owes_reset = false;
            self.backlog = lacking(graph, &have, &mut self.walked);
            self.cursor = Some(graph.committed());
        }
    }

    fn want(&mut self, graph: &Graph, need: &[ChangeHash]) {
        for index in need.iter().filter_map(|hash| graph.find_committed(hash)) {
            let is_queued = self.cursor.is_some_and(|cursor| index >= cursor)
                || self.backlog.binary_search_by(|queued| index.cmp(queued)).is_ok()
                || self.wanted.contains(&index);
            if !is_queued && self.wanted.len() < MAX_WANTED {
                self.wanted.push(index);
            }
        }
    }

    /// Counts messages that bring nothing although we asked, or told them to start over. With other heads than before
    /// they do not count: a client that types while our first answer is under way announces each of its heads.
    fn count_unanswered(&mut self, graph: &Graph, brought_news: bool, repeats_heads: bool) -> Result<(), Rejection> {
        let is_missing = |hash: &ChangeHash| graph.find(hash).is_none() && !self.parked.contains(hash);
        let waits = self.asked.iter().any(is_missing);
        if brought_news || !(waits || self.owes_reset) {
            self.unanswered = 0;
            return Ok(());
        }
        if !repeats_heads {
            return Ok(());
        }
        self.unanswered += 1;
        self.ask_again = waits;
        if self.unanswered >= MAX_UNANSWERED_NEEDS { Err(Rejection::NeedUnanswered) } else { Ok(()) }
    }

    /// What we lack of what they have, sorted. Staged changes count as known. Nothing from a reader.
    fn need(&self, graph: &Graph) -> Vec<ChangeHash> {
        if self.role.access == PeerAccess::Read {
            return Vec::new();
        }
        let heads = self.their_heads.iter().flatten().copied();
        let unknown = heads.filter(|head| graph.find(head).is_none() && !self.parked.contains(head));
        let mut need: Vec<_> = unknown.chain(self.parked.missing()).collect();
        need.sort_unstable();
        need.dedup();
        need.truncate(MAX_HASHES);
        need
    }

    /// How pressing it is to say what [`Self::next`] has.
    pub(crate) fn due<P: Copy + Eq>(&self, graph: &Graph, runs: &Runs<P>, peer: P) -> Due {
        let is_pressing =
            self.owes_reset || self.last_sent_heads.is_none() || self.has_changes_to_send(graph, runs, peer) || {
                let need = self.need(graph);
                !need.is_empty() && (self.ask_again || need != self.asked)
            };
        if is_pressing {
            Due::Now
        } else if self.last_sent_heads.as_deref() != Some(graph.committed_heads()) {
            Due::Later
        } else {
            Due::Nothing
        }
    }

    fn has_changes_to_send<P: Copy + Eq>(&self, graph: &Graph, runs: &Runs<P>, peer: P) -> bool {
        let beyond_cursor = |cursor| runs.skip_own(peer, cursor) < graph.committed();
        !self.refuses_changes
            && (!self.backlog.is_empty() || !self.wanted.is_empty() || self.cursor.is_some_and(beyond_cursor))
    }

    /// The next message, if there is something to say.
    pub(crate) fn next<P: Copy + Eq>(&mut self, graph: &Graph, runs: &Runs<P>, peer: P) -> Option<Draft> {
        if self.due(graph, runs, peer) == Due::Nothing {
            return None;
        }
        let mut heads: Vec<_> = graph.committed_heads().iter().map(|index| graph.hash(*index)).collect();
        heads.sort_unstable();
        self.last_sent_heads = Some(graph.committed_heads().to_vec());
        self.ask_again = false;
        let mut flags = (self.role.access == PeerAccess::Read).then_some(READ_ONLY | SUPPORTS_SYNC_RESET);
        if std::mem::take(&mut self.write_restored) {
            flags = Some(SUPPORTS_SYNC_RESET | SYNC_RESET);
            if !self.understands_reset {
                // To peers without the flag, empty heads say the same: we lost everything, start over.
                heads.clear();
                self.last_sent_heads = None;
            }
        }
        if std::mem::take(&mut self.owes_reset) {
            self.asked.clear();
            self.introduced = false;
            return Some(Draft { heads, need: Vec::new(), have: Some(Have::default()), changes: Vec::new(), flags });
        }
        self.update_shared(graph);
        let need = self.need(graph);
        self.asked.clone_from(&need);
        // As Automerge does: while they cannot give all we ask for, a `have` would only bring the rest of it twice.
        let their_heads = self.their_heads.as_deref().unwrap_or_default();
        let can_give_all = need.iter().all(|hash| their_heads.contains(hash));
        let changes = if self.refuses_changes { Vec::new() } else { self.batch(graph, runs, peer) };
        // In the middle of a long answer it would be the same filter again and again; the last message has it anew.
        let is_in_between = self.introduced && self.has_changes_to_send(graph, runs, peer);
        let have = (can_give_all && !is_in_between).then(|| self.have(graph));
        self.introduced |= have.is_some();
        Some(Draft { heads, need, have, changes, flags })
    }

    /// Their heads that we know are shared. Computed when sending, from the committed graph: never a staged change.
    fn update_shared(&mut self, graph: &Graph) {
        let Some(heads) = &self.their_heads else { return };
        let mut known: Vec<_> = heads.iter().filter(|head| graph.find_committed(head).is_some()).copied().collect();
        let all_known = known.len() == heads.len();
        if !all_known && known.len() + self.shared.len() <= MAX_HEADS {
            known.append(&mut self.shared);
        }
        if all_known || !known.is_empty() {
            known.sort_unstable();
            known.dedup();
            self.shared = known;
        }
    }

    fn have(&mut self, graph: &Graph) -> Have {
        let shared: Vec<_> = self.shared.iter().filter_map(|hash| graph.find(hash)).collect();
        let beyond = graph.committed_beyond(&shared);
        self.walked += beyond.len();
        let bloom = BloomFilter::from_hashes(beyond.iter().map(|index| graph.hash(*index)));
        Have { last_sync: self.shared.clone(), bloom }
    }

    /// The next changes, up to the size of a message: what they asked for by name, the rest of the answer to their
    /// `have`, then what is new.
    fn batch<P: Copy + Eq>(&mut self, graph: &Graph, runs: &Runs<P>, peer: P) -> Vec<Index> {
        let mut batch = Vec::new();
        let mut room = MAX_MESSAGE_BYTES_OUT;
        let mut wanted = std::mem::take(&mut self.wanted);
        wanted.retain(|index| self.backlog.binary_search_by(|queued| index.cmp(queued)).is_err());
        // In staging order, so that they can be applied as they come.
        wanted.sort_unstable_by(|a, b| b.cmp(a));
        while fits(graph, wanted.last(), &batch, room) {
            let Some(index) = wanted.pop() else { break };
            room = room.saturating_sub(graph.length_bytes(index));
            batch.push(index);
        }
        self.wanted = wanted;
        while fits(graph, self.backlog.last(), &batch, room) {
            let Some(index) = self.backlog.pop() else { break };
            room = room.saturating_sub(graph.length_bytes(index));
            batch.push(index);
        }
        if !self.backlog.is_empty() || !self.wanted.is_empty() {
            return batch;
        }
        if let Some(cursor) = &mut self.cursor {
            *cursor = runs.skip_own(peer, *cursor);
            while *cursor < graph.committed() && fits(graph, Some(cursor), &batch, room) {
                room = room.saturating_sub(graph.length_bytes(*cursor));
                batch.push(*cursor);
                *cursor = runs.skip_own(peer, *cursor + 1);
            }
            *cursor = (*cursor).min(graph.committed());
        }
        batch
    }

    /// Whether everything they named is committed here.
    pub(crate) fn lacks_nothing(&self, graph: &Graph) -> bool {
        let known = |heads: &Vec<ChangeHash>| heads.iter().all(|head| graph.find_committed(head).is_some());
        self.their_heads.as_ref().is_some_and(known) && self.parked.missing().next().is_none()
    }

    /// The heads they claimed, as far as they are known here.
    pub(crate) fn claimed(&self, graph: &Graph) -> Vec<Index> {
        self.their_heads.iter().flatten().filter_map(|head| graph.find(head)).collect()
    }

    pub(crate) fn resident_bytes(&self) -> usize {
        size_of::<Self>()
            + size_of::<Index>() * (self.backlog.capacity() + self.wanted.capacity())
            + size_of::<ChangeHash>() * (self.shared.capacity() + self.their_heads.as_ref().map_or(0, Vec::capacity))
            + self.parked.resident_bytes()
    }
}

/// One change always fits into an empty message.
fn fits(graph: &Graph, index: Option<&Index>, batch: &[Index], room: usize) -> bool {
    index.is_some_and(|index| batch.is_empty() || graph.length_bytes(*index) <= room)
}

/// The committed changes that a peer with these `have`s lacks, latest first: those that no filter matches and all
/// that stand on them.
fn lacking(graph: &Graph, have: &[Have], walked: &mut usize) -> Vec<Index> {
    let last_sync = have.iter().flat_map(|have| &have.last_sync);
    let shared: Vec<_> = last_sync.filter_map(|hash| graph.find(hash)).collect();
    let beyond = graph.committed_beyond(&shared);
    *walked += beyond.len();
    let mut lacking: Vec<Index> = Vec::new();
    for index in beyond {
        let stands_on_lacking = || graph.deps(index).iter().any(|dep| lacking.binary_search(dep).is_ok());
        let hash = graph.hash(index);
        if have.iter().all(|have| !have.bloom.contains_hash(&hash)) || stands_on_lacking() {
            lacking.push(index);
        }
    }
    lacking.reverse();
    lacking
}
