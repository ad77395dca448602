//! What is stored of a change: its chunk exactly as it arrived, and the header that the change graph needs.
//!
//! Called by stores on both ends with bytes of our own making; what a peer sends goes through the guard first. Reads
//! headers only: no operation is decoded and no document is opened.

pub(crate) mod columns;
pub(crate) mod format;
mod rows;

use bytes::Bytes;

pub use automerge::{ActorId, ChangeHash};
pub use rows::{decode_row, encode_log, encode_pack};

use crate::ids::UserId;

use format::ParsedChange;

/// The bytes are not one intact change chunk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// The layout is wrong or incomplete.
    #[error("malformed change chunk: {0}")]
    Malformed(&'static str),
    /// The contents do not match the checksum.
    #[error("change chunk does not match its checksum")]
    Checksum,
    /// Larger than [`super::limits`] allow.
    #[error("change chunk too large: {0}")]
    TooLarge(&'static str),
    /// Some other kind of chunk: a whole document or a bundle.
    #[error("chunk of type {0} is not a change")]
    NotAChange(u8),
    /// A storage row of an unknown form.
    #[error("storage row of unknown form {0}")]
    UnknownRow(u8),
}

/// What the change graph needs of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeHeader {
    /// SHA-256 that names the change.
    pub hash: ChangeHash,
    /// Changes it was made on top of.
    pub deps: Vec<ChangeHash>,
    /// Who made it (a process, not a person).
    pub actor: ActorId,
    /// Number among the actor's changes, from 1.
    pub seq: u64,
    /// Counter of its first operation.
    pub start_op: u64,
    /// Counter of its last operation; `start_op - 1` if it has none.
    pub max_op: u64,
    /// The person, if the change says so (only an actor's first change does).
    pub author: Option<UserId>,
    /// Length of the chunk as stored and sent.
    pub length_bytes: u32,
}

/// A change as it is stored and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredChange {
    /// What the graph needs.
    pub header: ChangeHeader,
    /// One change chunk, plain or deflated, exactly as it arrived.
    pub bytes: Bytes,
}

impl StoredChange {
    /// Reads one change chunk and verifies its hash.
    ///
    /// For bytes of our own making (a store, the local document): operations are counted, not checked.
    ///
    /// # Errors
    /// [`ChunkError`] if it is not exactly one intact change chunk.
    pub fn read(bytes: Bytes) -> Result<Self, ChunkError> {
        let parsed = ParsedChange::read(&bytes)?;
        Ok(Self { header: parsed.header, bytes })
    }
}

#[cfg(test)]
mod tests;
