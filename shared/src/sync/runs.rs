//! Who brought which changes, so that nobody gets their own back; kept until every peer's cursor has passed.
//!
//! Forgetting a run is harmless: its changes are then echoed to who brought them, and ignored there.

use std::collections::VecDeque;

use super::{graph::Index, limits::MAX_RUNS};

#[derive(Debug)]
struct Run<P> {
    from: Index,
    to: Index,
    peer: P,
}

#[derive(Debug)]
pub(crate) struct Runs<P> {
    runs: VecDeque<Run<P>>,
}

impl<P: Copy + Eq> Runs<P> {
    pub(crate) fn new() -> Self {
        Self { runs: VecDeque::new() }
    }

    /// The peer brought the changes `from..to`, the latest so far.
    pub(crate) fn add(&mut self, peer: P, from: Index, to: Index) {
        if from == to {
            return;
        }
        match self.runs.back_mut() {
            Some(last) if last.peer == peer && last.to == from => last.to = to,
            _ => self.runs.push_back(Run { from, to, peer }),
        }
        if self.runs.len() > MAX_RUNS {
            self.runs.pop_front();
        }
    }

    /// The first index from `index` on that the peer did not bring itself.
    pub(crate) fn skip_own(&self, peer: P, mut index: Index) -> Index {
        let first = self.runs.partition_point(|run| run.to <= index);
        for run in self.runs.iter().skip(first) {
            if run.from > index || run.peer != peer {
                break;
            }
            index = run.to;
        }
        index
    }

    /// Every cursor has passed `index`.
    pub(crate) fn forget_below(&mut self, index: Index) {
        while self.runs.front().is_some_and(|run| run.to <= index) {
            self.runs.pop_front();
        }
    }

    /// The peer's session ended: a new one under the same key starts from what it says to have.
    pub(crate) fn forget_peer(&mut self, peer: P) {
        self.runs.retain(|run| run.peer != peer);
    }

    pub(crate) fn len(&self) -> usize {
        self.runs.len()
    }
}
