//! Opening a document from what the store has, and staging changes made here.
//!
//! These are changes of our own or such as the guard let in before, so only their place in the graph is checked.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

use super::DocumentSync;
use crate::{
    ids::UserId,
    sync::{
        chunks::{ActorId, ChangeHash, ChangeHeader, StoredChange},
        graph::{Graph, Index},
        guard::operations_of,
        limits::{MAX_CHANGE_BYTES, MAX_CHANGE_OPS, MAX_GRAPH_STEPS, MAX_OP},
        op_index::Horizon,
        rejection::{ChangeFault, GraphError},
        runs::Runs,
    },
};

impl<P: Copy + Eq + Hash> DocumentSync<P> {
    /// A document with what the store has of it. The genesis is always change 0; `stored` need not contain it, and
    /// may come in any order. `bindings` are the actors whose changes do not name their author.
    ///
    /// # Errors
    /// [`GraphError`] if stored changes do not fit together.
    pub fn open(
        genesis: StoredChange,
        stored: impl IntoIterator<Item = StoredChange>,
        bindings: impl IntoIterator<Item = (ActorId, UserId)>,
    ) -> Result<Self, GraphError> {
        let bindings: HashMap<_, _> = bindings.into_iter().collect();
        let mut graph = Graph::new();
        let header = &genesis.header;
        if !header.deps.is_empty() || header.seq != 1 {
            return Err(GraphError::DoesNotFit { hash: header.hash, fault: ChangeFault::Genesis });
        }
        push(&mut graph, &genesis, &[], None, None)?;
        let mut waiting: HashMap<ChangeHash, Vec<StoredChange>> = HashMap::new();
        for change in stored {
            let mut ready = VecDeque::from([change]);
            while let Some(change) = ready.pop_front() {
                let header = &change.header;
                if graph.find(&header.hash).is_some() {
                    continue;
                }
                match known_deps(&graph, header) {
                    Err(missing) => waiting.entry(missing).or_default().push(change),
                    Ok(deps) => {
                        add(&mut graph, &bindings, &change, &deps, None)?;
                        ready.extend(waiting.remove(&header.hash).unwrap_or_default());
                    }
                }
            }
        }
        if let Some(first) = waiting.values().flatten().map(|change| change.header.hash).min() {
            return Err(GraphError::MissingDependencies { count: waiting.values().map(Vec::len).sum(), first });
        }
        graph.commit_until(graph.staged());
        Ok(Self { graph, bindings, sessions: HashMap::new(), doomed: HashMap::new(), runs: Runs::new(), life: 0 })
    }

    /// Stages a change made here. One that is known already changes nothing.
    ///
    /// # Errors
    /// [`GraphError`] if it does not fit, or is larger than peers accept.
    pub fn stage_local(&mut self, change: StoredChange) -> Result<(), GraphError> {
        let header = &change.header;
        if self.graph.find(&header.hash).is_some() {
            return Ok(());
        }
        let operations = header.max_op.saturating_add(1).saturating_sub(header.start_op);
        if change.bytes.len() > MAX_CHANGE_BYTES || operations > MAX_CHANGE_OPS || header.max_op >= MAX_OP {
            return Err(GraphError::TooLarge(header.hash));
        }
        let deps = known_deps(&self.graph, header)
            .map_err(|_| GraphError::MissingDependencies { count: 1, first: header.hash })?;
        // What peers would refuse is better noticed here than when the phone is online again.
        let does_not_fit = |fault| Err(GraphError::DoesNotFit { hash: header.hash, fault });
        if header.start_op <= self.graph.max_op_of(&deps) {
            return does_not_fit(ChangeFault::StartOp);
        }
        let mut steps = MAX_GRAPH_STEPS;
        if let Some(actor) = self.graph.actor(&header.actor)
            && self.graph.is_within(actor.last, &deps, &mut steps) == Some(false)
        {
            return does_not_fit(ChangeFault::PreviousNotAncestor);
        }
        let horizon = self.graph.horizon(&deps, &mut steps).unwrap_or_default();
        add(&mut self.graph, &self.bindings, &change, &deps, Some(&horizon))
    }
}

/// The dependencies of a change in the graph, sorted; or the first that is missing.
pub(super) fn known_deps(graph: &Graph, header: &ChangeHeader) -> Result<Vec<Index>, ChangeHash> {
    let mut deps = header.deps.iter().map(|dep| graph.find(dep).ok_or(*dep)).collect::<Result<Vec<_>, _>>()?;
    deps.sort_unstable();
    deps.dedup();
    Ok(deps)
}

fn add(
    graph: &mut Graph,
    bindings: &HashMap<ActorId, UserId>,
    change: &StoredChange,
    deps: &[Index],
    horizon: Option<&Horizon>,
) -> Result<(), GraphError> {
    let header = &change.header;
    let actor = graph.actor(&header.actor);
    let does_not_fit = |fault| Err(GraphError::DoesNotFit { hash: header.hash, fault });
    if deps.is_empty() || actor.is_some_and(|actor| actor.last == 0) {
        return does_not_fit(ChangeFault::Genesis);
    }
    if header.seq != actor.map_or(1, |actor| actor.last_seq + 1) {
        return does_not_fit(ChangeFault::Sequence);
    }
    let author = header.author.or_else(|| bindings.get(&header.actor).copied());
    push(graph, change, deps, author, horizon)
}

fn push(
    graph: &mut Graph,
    change: &StoredChange,
    deps: &[Index],
    author: Option<UserId>,
    horizon: Option<&Horizon>,
) -> Result<(), GraphError> {
    let pushed =
        operations_of(change).and_then(|operations| graph.push(&change.header, &operations, deps, author, horizon));
    pushed.map(drop).map_err(|fault| GraphError::DoesNotFit { hash: change.header.hash, fault })
}
