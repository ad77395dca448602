//! Taking in a peer's message: everything or nothing of it.
//!
//! Order: the message's own limits and each change by itself (`inspect`, which needs no document), each change against
//! the graph, then what the message says about the peer. A change that waits for a dependency is parked; whoever brings the dependency releases it.

use std::{collections::HashMap, hash::Hash};

use super::{
    Accepted, Authors, DocumentSync, InspectedMessage, PeerAccess, SyncKind, UncheckedMessage, inspect::Budget,
    open::known_deps,
};
use crate::{
    ids::UserId,
    sync::{
        chunks::{ActorId, ChangeHash},
        exchange::{Exchange, Received},
        graph::{Graph, Index},
        guard::{self, Inspected},
        limits::{MAX_GRAPH_STEPS, MAX_HASHES, MAX_HEADS},
        op_index::Horizon,
        rejection::Rejection,
    },
};

/// Runs are looked through for such as every peer has passed when there are this many.
const RUNS_BEFORE_SWEEP: usize = 64;

impl<P: Copy + Eq + Hash> DocumentSync<P> {
    /// Takes a sync message: inspects it and admits it, as [`Self::admit`] does.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub fn receive(&mut self, peer: P, kind: SyncKind, data: &[u8]) -> Result<Vec<Accepted>, Rejection> {
        self.receive_within(Budget::Client, peer, kind, data)
    }

    /// As [`Self::receive`], for a phone's messages from its server: a server sends on what clients made, so several
    /// clients' worth may come together.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub fn receive_from_server(&mut self, peer: P, kind: SyncKind, data: &[u8]) -> Result<Vec<Accepted>, Rejection> {
        self.receive_within(Budget::Server, peer, kind, data)
    }

    fn receive_within(
        &mut self,
        budget: Budget,
        peer: P,
        kind: SyncKind,
        data: &[u8],
    ) -> Result<Vec<Accepted>, Rejection> {
        if let Some(rejection) = self.doomed.remove(&peer) {
            return Err(rejection);
        }
        let message = UncheckedMessage::read_within(budget, kind, data, self.takes_changes(peer))
            .and_then(|message| message.inspect(|hash| self.knows(peer, hash)));
        match message {
            Ok(message) => self.admit(peer, message),
            Err(rejection) if self.is_connected(peer) => {
                self.disconnect(peer);
                Err(rejection)
            }
            Err(_) => Err(Rejection::NotConnected),
        }
    }

    /// Whether the changes that a peer sends are looked at.
    pub fn takes_changes(&self, peer: P) -> bool {
        self.sessions.get(&peer).is_some_and(|exchange| exchange.role().access == PeerAccess::Write)
    }

    /// Whether a peer that sends this change brings nothing new: it is here, or waits for a dependency.
    pub fn knows(&self, peer: P, hash: &ChangeHash) -> bool {
        let is_parked = |exchange: &Exchange| exchange.parked.contains(hash);
        self.graph.find(hash).is_some() || self.sessions.get(&peer).is_some_and(is_parked)
    }

    /// Takes an inspected message: checks its changes against the graph and stages them. What is returned has to be
    /// stored, then committed; changes may belong to an earlier message (of another peer, too) that waited for a
    /// dependency.
    ///
    /// # Errors
    /// [`Rejection`]: nothing of the message was kept and the peer's session is over; close the connection.
    pub fn admit(&mut self, peer: P, message: InspectedMessage<'_>) -> Result<Vec<Accepted>, Rejection> {
        let accepted = self.admit_beside(peer, message, |_| true)?;
        Ok(accepted.into_iter().map(|(_, accepted)| accepted).collect())
    }

    /// As [`Self::admit`], and says which peer brought each change; other peers' changes that waited for these are
    /// staged only if their peer `may_write` still, otherwise they are dropped, and asked for again if it turns out that it may.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub fn admit_beside(
        &mut self,
        peer: P,
        message: InspectedMessage<'_>,
        may_write: impl Fn(P) -> bool,
    ) -> Result<Vec<(P, Accepted)>, Rejection> {
        if let Some(rejection) = self.doomed.remove(&peer) {
            return Err(rejection);
        }
        // Out of the map while it works; a refused message leaves it out.
        let mut exchange = self.sessions.remove(&peer).ok_or(Rejection::NotConnected)?;
        let start = self.graph.staged();
        let mut accepted = Vec::new();
        let mut staging = Staging::new(&mut self.graph, &self.bindings, &mut accepted);
        if let Err(rejection) = staging.take_in(&mut exchange, message) {
            self.graph.truncate(start);
            self.runs.forget_peer(peer);
            return Err(rejection);
        }
        self.sessions.insert(peer, exchange);
        self.runs.add(peer, start, self.graph.staged());
        let mut brought_by = vec![peer; accepted.len()];
        self.release_parked(start, &mut accepted, &mut brought_by, may_write);
        self.sweep_runs();
        Ok(brought_by.into_iter().zip(accepted).collect())
    }

    /// Stages the other peers' parked changes that waited for one of those from `from` on. All of them together may
    /// cost what a message may; those who sent them are not to blame if it is more.
    fn release_parked(
        &mut self,
        from: Index,
        accepted: &mut Vec<Accepted>,
        brought_by: &mut Vec<P>,
        may_write: impl Fn(P) -> bool,
    ) {
        if self.sessions.values().all(|exchange| exchange.parked.is_empty()) {
            return;
        }
        let mut steps = MAX_GRAPH_STEPS;
        let mut index = from;
        while index < self.graph.staged() {
            let hash = self.graph.hash(index);
            index += 1;
            let waiting: Vec<P> =
                self.sessions.iter().filter(|(_, x)| x.parked.awaits(&hash)).map(|(p, _)| *p).collect();
            for peer in waiting {
                let Some(exchange) = self.sessions.get_mut(&peer) else { continue };
                if !may_write(peer) {
                    exchange.parked.clear();
                    continue;
                }
                let (start, kept) = (self.graph.staged(), accepted.len());
                let released = exchange.parked.take(&hash);
                let mut staging = Staging { steps, ..Staging::new(&mut self.graph, &self.bindings, accepted) };
                let settled = staging.settle(exchange, released).and_then(|()| staging.check_heads(exchange));
                steps = staging.steps;
                match settled {
                    Ok(()) => {
                        self.runs.add(peer, start, self.graph.staged());
                        brought_by.resize(accepted.len(), peer);
                    }
                    Err(rejection) => {
                        self.graph.truncate(start);
                        accepted.truncate(kept);
                        if steps == 0 {
                            exchange.parked.clear();
                        } else {
                            self.disconnect(peer);
                            self.doomed.insert(peer, rejection);
                        }
                    }
                }
            }
        }
    }

    fn sweep_runs(&mut self) {
        if self.runs.len() > RUNS_BEFORE_SWEEP {
            let passed = self.sessions.values().filter_map(Exchange::cursor).min();
            self.runs.forget_below(passed.unwrap_or(self.graph.staged()));
        }
    }
}

/// Staging the changes of one message.
struct Staging<'a> {
    graph: &'a mut Graph,
    bindings: &'a HashMap<ActorId, UserId>,
    accepted: &'a mut Vec<Accepted>,
    steps: usize,
    /// The change staged last and what it could know of, which the next one of a series shares.
    last: Option<(Index, Horizon)>,
}

impl<'a> Staging<'a> {
    fn new(graph: &'a mut Graph, bindings: &'a HashMap<ActorId, UserId>, accepted: &'a mut Vec<Accepted>) -> Self {
        Self { graph, bindings, accepted, steps: MAX_GRAPH_STEPS, last: None }
    }

    fn take_in(&mut self, exchange: &mut Exchange, inspected: InspectedMessage<'_>) -> Result<(), Rejection> {
        let InspectedMessage { message, kind, changes, steps } = inspected;
        self.steps = steps;
        let mut brought_news = false;
        // Access may have been lessened since the message was read.
        if exchange.role().access == PeerAccess::Write {
            for change in changes {
                let hash = &change.change.header.hash;
                // Others may have brought it since the message was inspected.
                if self.graph.find(hash).is_none() && !exchange.parked.contains(hash) {
                    brought_news = true;
                    self.settle(exchange, vec![change])?;
                }
            }
            self.check_heads(exchange)?;
        }
        exchange.walked += steps - self.steps;
        let is_request = kind == SyncKind::Request;
        exchange.receive(self.graph, Received { message, is_request, brought_news })
    }

    fn spend(&mut self, steps: usize) -> Result<(), Rejection> {
        let left = self.steps.checked_sub(steps);
        self.steps = left.unwrap_or(0);
        left.map(drop).ok_or(Rejection::TooMuch("steps through the change graph"))
    }

    /// What a change on top of `deps` can know of.
    fn horizon(&mut self, deps: &[Index]) -> Result<Horizon, Rejection> {
        if let Some((last, horizon)) = self.last.take()
            && deps == [last]
            && last + 1 == self.graph.staged()
        {
            return Ok(horizon);
        }
        let horizon = self.graph.horizon(deps, &mut self.steps);
        horizon.ok_or(Rejection::TooMuch("steps through the change graph"))
    }

    /// Not while a message is staged, whose later changes may merge what its earlier ones did; and nobody is to blame
    /// for the heads that others made.
    fn check_heads(&self, exchange: &Exchange) -> Result<(), Rejection> {
        let heads = self.graph.staged_heads().len();
        match exchange.role().authors {
            Authors::Only(user) if heads > MAX_HEADS && self.graph.heads_of(user) > MAX_HEADS => {
                Err(Rejection::TooMuch("heads of the document"))
            }
            _ if heads > MAX_HASHES => Err(Rejection::Diverged),
            _ => Ok(()),
        }
    }

    /// Stages changes and what waited for them, or parks them.
    fn settle(&mut self, exchange: &mut Exchange, mut ready: Vec<Inspected>) -> Result<(), Rejection> {
        let authors = exchange.role().authors;
        while let Some(mut inspected) = ready.pop() {
            let hash = inspected.change.header.hash;
            if self.graph.find(&hash).is_some() {
                continue;
            }
            let deps = match known_deps(self.graph, &inspected.change.header) {
                Ok(deps) => deps,
                Err(missing) => {
                    exchange.parked.park(missing, inspected)?;
                    continue;
                }
            };
            let operations = inspected.take_operations()?;
            let header = &inspected.change.header;
            let bound = self.bindings.get(&header.actor).copied();
            // What staging a change costs beside the walk for its ancestry.
            self.spend(self.graph.staged_heads().len())?;
            let admission = guard::admit(self.graph, &inspected, &deps, bound, authors, &mut self.steps)?;
            let horizon = self.horizon(&deps)?;
            let staged = self.graph.push(header, &operations, &deps, admission.author, Some(&horizon));
            self.last = Some((staged.map_err(|fault| Rejection::Change { hash, fault })?, horizon));
            ready.extend(exchange.parked.take(&hash));
            self.accepted.push(Accepted {
                change: inspected.change,
                author: admission.author,
                binds_actor: admission.binds_actor,
            });
        }
        Ok(())
    }
}
