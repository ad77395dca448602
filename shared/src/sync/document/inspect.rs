//! A peer's message before any document sees it: limits, hashes, each change by itself.
//!
//! Pure and the expensive part of taking a message in, so the hub does it outside the document's lock. What all
//! changes of a message may cost together is bounded here, and counted before anything is decoded.

use super::SyncKind;
use crate::sync::{
    chunks::{ChangeHash, format::ParsedChange},
    guard::{self, Inspected},
    limits::{
        MAX_CHANGE_BYTES, MAX_GRAPH_STEPS, MAX_MESSAGE_CHANGE_BYTES, MAX_MESSAGE_KEY_BYTES, MAX_MESSAGE_OPERATIONS,
    },
    message::Incoming,
    rejection::Rejection,
};

/// A message within its limits, whose changes have the hashes they claim.
#[derive(Debug)]
pub struct UncheckedMessage<'a> {
    message: Incoming<'a>,
    kind: SyncKind,
    changes: Vec<(&'a [u8], ParsedChange<'a>)>,
    weight: usize,
    budget: Budget,
}

/// A message whose new changes are well-formed by themselves.
#[derive(Debug)]
pub struct InspectedMessage<'a> {
    pub(super) message: Incoming<'a>,
    pub(super) kind: SyncKind,
    pub(super) changes: Vec<Inspected>,
    /// Steps through the change graph that its changes may cost.
    pub(super) steps: usize,
}

/// What the changes of one message may hold together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Budget {
    /// The limits of a message.
    Client,
    /// What fits into a frame: the sender is trusted with the amount.
    Server,
}

impl Budget {
    /// Steps for a message with so many changes. A server may send together what clients sent one by one, each of which
    /// could cost as many as a client's message may.
    fn steps(self, changes: usize) -> usize {
        match self {
            Self::Client => MAX_GRAPH_STEPS,
            Self::Server => MAX_GRAPH_STEPS.saturating_mul(changes.max(1)),
        }
    }
}

impl<'a> UncheckedMessage<'a> {
    /// Reads a client's message; its changes only if it `takes_changes`. Changes that are known already count too:
    /// their bytes are inflated and hashed to learn that.
    ///
    /// # Errors
    /// [`Rejection`] if it is no message or holds too much.
    pub fn read(kind: SyncKind, data: &'a [u8], takes_changes: bool) -> Result<Self, Rejection> {
        Self::read_within(Budget::Client, kind, data, takes_changes)
    }

    pub(super) fn read_within(
        budget: Budget,
        kind: SyncKind,
        data: &'a [u8],
        takes_changes: bool,
    ) -> Result<Self, Rejection> {
        let message = Incoming::read(data)?;
        let mut changes = Vec::new();
        let (mut bytes, mut operations, mut key_bytes) = (0usize, 0u64, 0u64);
        let mut weight = 0;
        let chunks = if message.has_chunks && takes_changes { message.chunks()? } else { Vec::new() };
        for chunk in chunks {
            let change = guard::read(chunk)?;
            let claims = guard::claims(&change)?;
            bytes += change.plain.len();
            operations = operations.saturating_add(claims.operations);
            key_bytes = key_bytes.saturating_add(claims.key_bytes);
            weight += change.plain.len() + claims.weight();
            changes.push((chunk, change));
            if budget == Budget::Server {
                continue;
            }
            // A single change has limits of its own, which say what is wrong with it.
            let several = changes.len() > 1;
            if bytes > MAX_MESSAGE_CHANGE_BYTES {
                return Err(Rejection::TooMuch("bytes of a message's changes"));
            }
            if several && operations > MAX_MESSAGE_OPERATIONS {
                return Err(Rejection::TooMuch("operations of a message"));
            }
            if key_bytes > MAX_MESSAGE_KEY_BYTES {
                return Err(Rejection::TooMuch("keys of a message"));
            }
        }
        Ok(Self { message, kind, changes, weight, budget })
    }

    /// About what inspecting it costs, in bytes of ordinary changes, now that they are inflated; see [`weigh`].
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// The changes it brings.
    pub fn hashes(&self) -> impl Iterator<Item = ChangeHash> {
        self.changes.iter().map(|(_, change)| change.header.hash)
    }

    /// Checks each change by itself, except those that are known.
    ///
    /// # Errors
    /// [`Rejection`] if one is not well-formed.
    pub fn inspect(self, is_known: impl Fn(&ChangeHash) -> bool) -> Result<InspectedMessage<'a>, Rejection> {
        let Self { message, kind, changes, budget, .. } = self;
        let steps = budget.steps(changes.len());
        let unknown = changes.into_iter().filter(|(_, change)| !is_known(&change.header.hash));
        let changes = unknown.map(|(chunk, change)| guard::inspect(chunk, change)).collect::<Result<_, _>>()?;
        Ok(InspectedMessage { message, kind, changes, steps })
    }
}

impl InspectedMessage<'_> {
    /// How many new changes it brings, and their bytes.
    pub fn size(&self) -> (usize, usize) {
        (self.changes.len(), self.changes.iter().map(|change| change.change.bytes.len()).sum())
    }
}

/// About what inspecting a message costs, in bytes of ordinary changes; never less than that. Looks at headers only
/// and inflates nothing, so a deflated change counts as the largest there can be.
pub fn weigh(data: &[u8]) -> usize {
    // What is malformed is refused before it costs anything.
    let chunks = Incoming::read(data).and_then(|message| message.chunks()).unwrap_or_default();
    let weight = |chunk: &[u8]| match ParsedChange::peek(chunk) {
        None => MAX_CHANGE_BYTES,
        Some(change) => chunk.len() + guard::claims(&change).map_or(0, |claims| claims.weight()),
    };
    chunks.into_iter().fold(0, |sum, chunk| sum.saturating_add(weight(chunk)))
}
