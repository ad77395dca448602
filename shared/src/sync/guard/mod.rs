//! Everything a received change passes before it counts: first by itself, then against the graph.
//!
//! By itself ([`inspect`]): sizes, row totals, then Automerge's own parser and decoder under `catch_unwind`, a
//! canonical re-encoding, and operations that can never be right. Against the graph ([`admit`]): sequence, ancestry,
//! counters, actors and author. What its operations refer to is checked by the op index when the graph takes it.

mod operations;
pub(crate) mod references;

use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::Change;

use references::Operations;

use super::{
    chunks::{
        ActorId, ChunkError, StoredChange, columns,
        format::{self, AuthorField, ParsedChange},
    },
    document::Authors,
    graph::{Graph, Index},
    limits::{
        MAX_ACTOR_BYTES, MAX_CHANGE_ACTORS, MAX_CHANGE_DEPENDENCIES, MAX_CHANGE_FOOTER_BYTES, MAX_CHANGE_OPS,
        MAX_CHANGE_PREDECESSORS, MAX_COMMIT_MESSAGE_BYTES, MAX_MESSAGE_KEY_BYTES, MAX_OP, MAX_START_OP_GAP,
    },
    rejection::{ChangeFault, Rejection},
};
use crate::ids::UserId;

/// A change that is well-formed by itself.
#[derive(Debug, Clone)]
pub(crate) struct Inspected {
    pub(crate) change: StoredChange,
    author: AuthorField,
    other_actors: Vec<ActorId>,
    /// None while it is parked: a small chunk may hold thousands.
    operations: Option<Operations>,
}

impl Inspected {
    /// The same without what can be read from its bytes again.
    pub(crate) fn without_operations(self) -> Self {
        Self { operations: None, ..self }
    }

    /// Its operations, read again if it was parked.
    pub(crate) fn take_operations(&mut self) -> Result<Operations, Rejection> {
        match self.operations.take() {
            Some(operations) => Ok(operations),
            None => {
                operations_of(&self.change).map_err(|fault| Rejection::Change { hash: self.change.header.hash, fault })
            }
        }
    }
}

/// The operations of a change that was checked before or is of our own making.
pub(crate) fn operations_of(change: &StoredChange) -> Result<Operations, ChangeFault> {
    let parsed = ParsedChange::read(&change.bytes).map_err(|_| ChangeFault::Undecodable)?;
    Operations::read(&parsed.plain)
}

/// What [`admit`] found out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Admission {
    pub(crate) author: Option<UserId>,
    pub(crate) binds_actor: bool,
}

/// What a change claims to hold, which is what checking it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claims {
    /// Operations and predecessors.
    pub(crate) operations: u64,
    /// Texts, each as often as operations name it.
    pub(crate) key_bytes: u64,
}

/// About what one operation costs to check, in bytes of an ordinary change.
const OPERATION_BYTES: u64 = 64;

impl Claims {
    /// About what checking them costs, in bytes of an ordinary change: what is beyond the limits of a change is refused
    /// before anybody walks it.
    pub(crate) fn weight(&self) -> usize {
        let operations = self.operations.min(MAX_CHANGE_OPS + MAX_CHANGE_PREDECESSORS);
        let weight = operations * OPERATION_BYTES + self.key_bytes.min(MAX_MESSAGE_KEY_BYTES);
        usize::try_from(weight).unwrap_or(usize::MAX)
    }
}

/// Takes one chunk apart and verifies its hash; nothing is decoded.
pub(crate) fn read(chunk: &[u8]) -> Result<ParsedChange<'_>, Rejection> {
    ParsedChange::read(chunk).map_err(|error| match error {
        ChunkError::TooLarge(what) => Rejection::TooMuch(what),
        ChunkError::NotAChange(0) => Rejection::DocumentChunk,
        ChunkError::Checksum => Rejection::Malformed("checksum of a change"),
        _ => Rejection::Malformed("change chunk"),
    })
}

/// Counts what a change claims, one step per run.
pub(crate) fn claims(parsed: &ParsedChange<'_>) -> Result<Claims, Rejection> {
    let (mut rows, mut predecessors, mut key_bytes) = (parsed.operations, 0, 0u64);
    for column in &parsed.columns {
        let total = columns::rows(column.spec, parsed.column(column)).ok_or(Rejection::Malformed("column"))?;
        match column.spec {
            columns::PREDECESSOR_ACTOR | columns::PREDECESSOR_COUNTER => predecessors = total.rows.max(predecessors),
            columns::PREDECESSOR_COUNT => predecessors = total.sum.max(predecessors),
            _ => rows = total.rows.max(rows),
        }
        if columns::holds_texts(column.spec) {
            key_bytes = key_bytes.saturating_add(total.sum);
        }
    }
    Ok(Claims { operations: rows.saturating_add(predecessors), key_bytes })
}

/// Checks one change by itself.
pub(crate) fn inspect(chunk: &[u8], parsed: ParsedChange<'_>) -> Result<Inspected, Rejection> {
    check_sizes(&parsed)?;
    check_columns(&parsed)?;
    let hash = parsed.header.hash;
    let operations = check_operations(&parsed).map_err(|fault| Rejection::Change { hash, fault })?;
    let ParsedChange { header, author, other_actors, .. } = parsed;
    let change = StoredChange { header, bytes: format::own(chunk) };
    Ok(Inspected { change, author, other_actors, operations: Some(operations) })
}

fn check_sizes(parsed: &ParsedChange<'_>) -> Result<(), Rejection> {
    let too_much = if parsed.operations > MAX_CHANGE_OPS {
        "operations of a change"
    } else if parsed.header.deps.len() > MAX_CHANGE_DEPENDENCIES {
        "dependencies of a change"
    } else if parsed.other_actors.len() > MAX_CHANGE_ACTORS {
        "actors of a change"
    } else if parsed.other_actors.iter().chain([&parsed.header.actor]).any(|a| a.to_bytes().len() > MAX_ACTOR_BYTES) {
        "bytes of an actor id"
    } else if parsed.commit_message_bytes > MAX_COMMIT_MESSAGE_BYTES {
        "bytes of a commit message"
    } else if parsed.footer_bytes > MAX_CHANGE_FOOTER_BYTES {
        "bytes of a change's footer"
    } else if parsed.header.max_op >= MAX_OP {
        "operation counter"
    } else {
        return Ok(());
    };
    Err(Rejection::TooMuch(too_much))
}

/// Row totals before Automerge walks them, and actor numbers before it looks them up.
fn check_columns(parsed: &ParsedChange<'_>) -> Result<(), Rejection> {
    let actors = parsed.other_actors.len() as u64 + 1;
    for column in &parsed.columns {
        let total = columns::rows(column.spec, parsed.column(column)).ok_or(Rejection::Malformed("column"))?;
        let limit = match column.spec {
            columns::PREDECESSOR_ACTOR | columns::PREDECESSOR_COUNTER => MAX_CHANGE_PREDECESSORS,
            _ => MAX_CHANGE_OPS,
        };
        if total.rows > limit {
            return Err(Rejection::TooMuch("rows of a column"));
        }
        if column.spec == columns::PREDECESSOR_COUNT && total.sum > MAX_CHANGE_PREDECESSORS {
            return Err(Rejection::TooMuch("predecessors of a change"));
        }
        if columns::holds_actors(column.spec) && total.largest >= actors {
            return Err(Rejection::Malformed("actor number"));
        }
    }
    Ok(())
}

/// Decodes, checks and re-encodes the operations. Other encodings of the same operations are accepted by Automerge
/// and then ruin the document: after saving, the hash differs and it cannot be loaded.
fn check_operations(parsed: &ParsedChange<'_>) -> Result<Operations, ChangeFault> {
    let checked = catch_unwind(AssertUnwindSafe(|| {
        let change = Change::try_from(&parsed.plain[..]).map_err(|_| ChangeFault::Undecodable)?;
        let expanded = change.decode();
        operations::check(&expanded)?;
        let operations = Operations::of(&expanded)?;
        if Change::from(expanded).raw_bytes() == &parsed.plain[..] {
            Ok(operations)
        } else {
            Err(ChangeFault::NotCanonical)
        }
    }));
    checked.unwrap_or(Err(ChangeFault::Undecodable))
}

/// Checks a change against the graph; `deps` are its dependencies there, `bound` is the person whom a record names
/// for its actor, `steps` bounds the walk.
pub(crate) fn admit(
    graph: &Graph,
    inspected: &Inspected,
    deps: &[Index],
    bound: Option<UserId>,
    authors: Authors,
    steps: &mut usize,
) -> Result<Admission, Rejection> {
    let header = &inspected.change.header;
    let refuse = |fault| Rejection::Change { hash: header.hash, fault };
    let actor = graph.actor(&header.actor);
    // The genesis is change 0 from the start, so whatever else its actor or a second root brings is forged.
    if deps.is_empty() || actor.is_some_and(|actor| actor.last == 0) {
        return Err(refuse(ChangeFault::Genesis));
    }
    if header.seq != actor.map_or(1, |actor| actor.last_seq + 1) {
        return Err(refuse(ChangeFault::Sequence));
    }
    if let Some(actor) = actor {
        match graph.is_within(actor.last, deps, steps) {
            None => return Err(Rejection::TooMuch("steps through the change graph")),
            Some(false) => return Err(refuse(ChangeFault::PreviousNotAncestor)),
            Some(true) => {}
        }
    }
    if header.start_op <= graph.max_op_of(deps) || header.start_op > graph.max_op() + 1 + MAX_START_OP_GAP {
        return Err(refuse(ChangeFault::StartOp));
    }
    if inspected.other_actors.iter().any(|id| graph.actor(id).is_none()) {
        return Err(refuse(ChangeFault::UnknownActor));
    }
    let claimed = match inspected.author {
        AuthorField::Absent => None,
        AuthorField::User(user) if header.seq == 1 => Some(user),
        AuthorField::User(_) | AuthorField::Malformed => return Err(refuse(ChangeFault::MalformedAuthor)),
    };
    let known = actor.and_then(|actor| actor.author).or(bound).or(claimed);
    match (authors, known) {
        (Authors::Only(user), Some(author)) if author != user => Err(refuse(ChangeFault::ForeignAuthor)),
        // Only at first sight: whose the changes are that a relay brought before is not known.
        (Authors::Only(user), None) if header.seq == 1 => Ok(Admission { author: Some(user), binds_actor: true }),
        (_, known) => Ok(Admission { author: known, binds_actor: false }),
    }
}
