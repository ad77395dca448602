//! The change graph of one document: which change stands on which, in staging order.
//!
//! A staging order is topological (dependencies come first), so walks go by index and stop early. Nodes below the
//! committed watermark are on disk; the rest can be cut off again. Checks nothing: the guard does, before.

use std::collections::{BinaryHeap, HashMap};

use super::{
    chunks::{ActorId, ChangeHash, ChangeHeader},
    guard::references::Operations,
    op_index::{ActorNumber, Horizon, OpIndex},
    rejection::ChangeFault,
};
use crate::ids::UserId;

/// Position of a change in staging order; 0 is the genesis.
pub(crate) type Index = u32;

const NONE: Index = Index::MAX;

#[derive(Debug)]
struct Node {
    hash: ChangeHash,
    /// End of its dependencies in `edges`; they begin where the previous node's end.
    edges_end: u32,
    actor: u32,
    /// The actor's previous change.
    previous: Index,
    max_op: u32,
    length_bytes: u32,
}

/// A process that made changes, and the person behind it.
#[derive(Debug)]
pub(crate) struct Actor {
    pub(crate) id: ActorId,
    pub(crate) last: Index,
    pub(crate) last_seq: u64,
    pub(crate) author: Option<UserId>,
    /// The change that told the author.
    author_since: Index,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
    edges: Vec<Index>,
    /// By the first eight bytes of the hash; a clash goes to `clashes`.
    by_prefix: HashMap<u64, Index>,
    clashes: HashMap<ChangeHash, Index>,
    actors: Vec<Actor>,
    actor_by_id: HashMap<ActorId, u32>,
    committed: Index,
    committed_heads: Vec<Index>,
    staged_heads: Vec<Index>,
    operations: OpIndex,
}

fn prefix(hash: &ChangeHash) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.0[..8]);
    u64::from_le_bytes(bytes)
}

impl Graph {
    /// A graph of nothing, for [`Self::push`] of the genesis.
    pub(crate) fn new() -> Self {
        Self {
            nodes: Vec::new(),
            edges: Vec::new(),
            by_prefix: HashMap::new(),
            clashes: HashMap::new(),
            actors: Vec::new(),
            actor_by_id: HashMap::new(),
            committed: 0,
            committed_heads: Vec::new(),
            staged_heads: Vec::new(),
            operations: OpIndex::default(),
        }
    }

    pub(crate) fn find(&self, hash: &ChangeHash) -> Option<Index> {
        match self.by_prefix.get(&prefix(hash)) {
            Some(&index) if self.nodes[index as usize].hash == *hash => Some(index),
            _ if self.clashes.is_empty() => None,
            _ => self.clashes.get(hash).copied(),
        }
    }

    /// As [`Self::find`], committed changes only.
    pub(crate) fn find_committed(&self, hash: &ChangeHash) -> Option<Index> {
        self.find(hash).filter(|index| *index < self.committed)
    }

    pub(crate) fn hash(&self, index: Index) -> ChangeHash {
        self.nodes[index as usize].hash
    }

    pub(crate) fn length_bytes(&self, index: Index) -> usize {
        self.nodes[index as usize].length_bytes as usize
    }

    pub(crate) fn deps(&self, index: Index) -> &[Index] {
        let index = index as usize;
        let start = index.checked_sub(1).map_or(0, |before| self.nodes[before].edges_end as usize);
        &self.edges[start..self.nodes[index].edges_end as usize]
    }

    /// Number of changes, staged ones included.
    pub(crate) fn staged(&self) -> Index {
        self.nodes.len() as Index
    }

    pub(crate) fn committed(&self) -> Index {
        self.committed
    }

    pub(crate) fn committed_heads(&self) -> &[Index] {
        &self.committed_heads
    }

    pub(crate) fn staged_heads(&self) -> &[Index] {
        &self.staged_heads
    }

    /// How many of the staged heads this person made.
    pub(crate) fn heads_of(&self, user: UserId) -> usize {
        let author = |head: &&Index| self.actors[self.nodes[**head as usize].actor as usize].author;
        self.staged_heads.iter().filter(|head| author(head) == Some(user)).count()
    }

    /// Counter of the last operation of the staged document: counters rise along dependencies, so the heads tell.
    pub(crate) fn max_op(&self) -> u64 {
        self.max_op_of(&self.staged_heads)
    }

    pub(crate) fn max_op_of(&self, nodes: &[Index]) -> u64 {
        nodes.iter().map(|index| u64::from(self.nodes[*index as usize].max_op)).max().unwrap_or(0)
    }

    pub(crate) fn actor(&self, id: &ActorId) -> Option<&Actor> {
        self.actor_by_id.get(id).map(|number| &self.actors[*number as usize])
    }

    /// Stages a change whose dependencies are here; `author` is the person, if now known. With a horizon what its
    /// operations refer to is checked.
    ///
    /// # Errors
    /// [`ChangeFault`] if a reference is wrong; nothing is staged then.
    pub(crate) fn push(
        &mut self,
        header: &ChangeHeader,
        operations: &Operations,
        deps: &[Index],
        author: Option<UserId>,
        horizon: Option<&Horizon>,
    ) -> Result<Index, ChangeFault> {
        let index = self.staged();
        let own = self.actor_by_id.get(&header.actor).copied().unwrap_or(self.actors.len() as u32);
        let number = |id: &ActorId| if *id == header.actor { own } else { self.number_of(id) };
        let actors: Vec<_> = operations.actors.iter().map(number).collect();
        if let Err(fault) = self.operations.push(index, &actors, operations, horizon) {
            self.operations.truncate(index);
            return Err(fault);
        }
        let number = match self.actor_by_id.get(&header.actor) {
            Some(number) => *number,
            None => {
                let number = self.actors.len() as u32;
                let id = header.actor.clone();
                self.actors.push(Actor { id, last: NONE, last_seq: 0, author: None, author_since: NONE });
                self.actor_by_id.insert(header.actor.clone(), number);
                number
            }
        };
        let actor = &mut self.actors[number as usize];
        if actor.author.is_none() && author.is_some() {
            (actor.author, actor.author_since) = (author, index);
        }
        let previous = std::mem::replace(&mut actor.last, index);
        actor.last_seq += 1;
        self.edges.extend_from_slice(deps);
        self.nodes.push(Node {
            hash: header.hash,
            edges_end: self.edges.len() as u32,
            actor: number,
            previous,
            // The guard keeps counters below 2^31; of our own stored changes a larger one only ends further edits.
            max_op: u32::try_from(header.max_op).unwrap_or(u32::MAX),
            length_bytes: header.length_bytes,
        });
        match self.by_prefix.entry(prefix(&header.hash)) {
            std::collections::hash_map::Entry::Vacant(entry) => drop(entry.insert(index)),
            std::collections::hash_map::Entry::Occupied(_) => drop(self.clashes.insert(header.hash, index)),
        }
        advance(&mut self.staged_heads, index, deps);
        Ok(index)
    }

    /// No operation is found under the number of an actor that is not here.
    fn number_of(&self, id: &ActorId) -> ActorNumber {
        self.actor_by_id.get(id).copied().unwrap_or(ActorNumber::MAX)
    }

    /// Names the person behind an actor that is here, on the word of a record.
    pub(crate) fn bind(&mut self, actor: &ActorId, user: UserId) {
        if let Some(number) = self.actor_by_id.get(actor) {
            let actor = &mut self.actors[*number as usize];
            if actor.author.is_none() {
                (actor.author, actor.author_since) = (Some(user), 0);
            }
        }
    }

    /// Everything below `length` is on disk.
    pub(crate) fn commit_until(&mut self, length: Index) {
        let mut heads = std::mem::take(&mut self.committed_heads);
        for index in self.committed..length.min(self.staged()) {
            advance(&mut heads, index, self.deps(index));
        }
        self.committed_heads = heads;
        self.committed = self.committed.max(length.min(self.staged()));
    }

    /// Cuts off the staged changes from `length` on.
    pub(crate) fn truncate(&mut self, length: Index) {
        let length = length.max(self.committed);
        if length == self.staged() {
            return;
        }
        while self.staged() > length {
            let Some(node) = self.nodes.pop() else { break };
            let index = self.staged();
            if self.clashes.remove(&node.hash).is_none() {
                self.by_prefix.remove(&prefix(&node.hash));
            }
            let actor = &mut self.actors[node.actor as usize];
            actor.last = node.previous;
            actor.last_seq -= 1;
            if actor.author_since >= index {
                (actor.author, actor.author_since) = (None, NONE);
            }
            // Actors stand in the order of their first changes, so one that has none left is the last.
            if actor.last == NONE
                && let Some(actor) = self.actors.pop()
            {
                self.actor_by_id.remove(&actor.id);
            }
        }
        self.operations.truncate(length);
        self.edges.truncate(self.nodes.last().map_or(0, |node| node.edges_end as usize));
        let mut heads = self.committed_heads.clone();
        for index in self.committed..length {
            advance(&mut heads, index, self.deps(index));
        }
        self.staged_heads = heads;
    }

    /// Whether `target` is one of `nodes` or an ancestor; `None` if `steps` ran out.
    pub(crate) fn is_within(&self, target: Index, nodes: &[Index], steps: &mut usize) -> Option<bool> {
        if target == 0 || nodes.contains(&target) || nodes == self.staged_heads {
            return Some(true);
        }
        let mut heap: BinaryHeap<Index> = nodes.iter().copied().filter(|index| *index > target).collect();
        let mut last = NONE;
        while let Some(index) = heap.pop() {
            if std::mem::replace(&mut last, index) == index {
                continue;
            }
            *steps = steps.checked_sub(1)?;
            for &dep in self.deps(index) {
                if dep == target {
                    return Some(true);
                }
                if dep > target {
                    heap.push(dep);
                }
            }
        }
        Some(false)
    }

    /// The committed changes that are not within `shared`, in staging order; costs their number, not the document's.
    pub(crate) fn committed_beyond(&self, shared: &[Index]) -> Vec<Index> {
        if shared.is_empty() {
            return (0..self.committed).collect();
        }
        let mut unbounded = usize::MAX;
        self.beyond(&self.committed_heads, shared, &mut unbounded).unwrap_or_default()
    }

    /// What a change on top of `deps` can know of; `None` if `steps` ran out.
    pub(crate) fn horizon(&self, deps: &[Index], steps: &mut usize) -> Option<Horizon> {
        if deps == self.staged_heads {
            return Some(Horizon::default());
        }
        self.beyond(&self.staged_heads, deps, steps).map(Horizon::new)
    }

    /// What is within `heads` and not within `shared`, in staging order; `None` if `steps` ran out.
    fn beyond(&self, heads: &[Index], shared: &[Index], steps: &mut usize) -> Option<Vec<Index>> {
        // Entries are (index, is shared), so of two equal indices the shared one comes out first.
        let mut heap: BinaryHeap<(Index, bool)> = heads.iter().map(|head| (*head, false)).collect();
        let mut unshared = heap.len();
        heap.extend(shared.iter().map(|index| (*index, true)));
        let mut beyond = Vec::new();
        let mut last = (NONE, false);
        while unshared > 0 {
            let Some((index, is_shared)) = heap.pop() else { break };
            if !is_shared {
                unshared -= 1;
            }
            if last.0 == index {
                continue;
            }
            last = (index, is_shared);
            *steps = steps.checked_sub(1)?;
            if !is_shared {
                beyond.push(index);
                unshared += self.deps(index).len();
            }
            heap.extend(self.deps(index).iter().map(|dep| (*dep, is_shared)));
        }
        beyond.reverse();
        Some(beyond)
    }

    /// Which of `candidates` lie within `nodes`, in one walk down to the lowest of them.
    pub(crate) fn within(&self, candidates: &[Index], nodes: &[Index]) -> Vec<Index> {
        let Some(&lowest) = candidates.iter().min() else { return Vec::new() };
        let mut sorted = candidates.to_vec();
        sorted.sort_unstable();
        let mut heap: BinaryHeap<Index> = nodes.iter().copied().filter(|index| *index >= lowest).collect();
        let mut last = NONE;
        let mut found = Vec::new();
        while let Some(index) = heap.pop() {
            if std::mem::replace(&mut last, index) == index {
                continue;
            }
            if sorted.binary_search(&index).is_ok() {
                found.push(index);
            }
            heap.extend(self.deps(index).iter().copied().filter(|dep| *dep >= lowest));
        }
        found
    }

    /// About how many bytes this takes, hash tables by their usual load.
    pub(crate) fn resident_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
            + self.edges.capacity() * size_of::<Index>()
            + self.by_prefix.capacity() * (size_of::<(u64, Index)>() + 1)
            + self.actors.capacity() * size_of::<Actor>()
            + self.actor_by_id.capacity() * (size_of::<(ActorId, u32)>() + 1)
            + self.operations.resident_bytes()
    }
}

/// Adds a change to the heads: what it stands on is no head any more. Heads stay sorted, as `index` is the highest.
fn advance(heads: &mut Vec<Index>, index: Index, deps: &[Index]) {
    heads.retain(|head| !deps.contains(head));
    heads.push(index);
}
