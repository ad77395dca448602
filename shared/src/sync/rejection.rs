//! Why a peer's message was refused, and why a stored graph was.
//!
//! A refused message leaves the document as it was; the caller closes the connection with [`Rejection::close_code`]
//! and audits it if [`Rejection::is_hostile`]. The texts name what was wrong and never contain document contents.

use super::chunks::ChangeHash;

/// Close code for data that no correct client sends.
pub const CLOSE_BAD_DATA: u16 = 4400;
/// Close code for a session that has to be started afresh; the client reconnects.
pub const CLOSE_START_AFRESH: u16 = 4409;

/// Close code for changes to a document that has reached its size limit: it will not take them later either.
pub const CLOSE_DOCUMENT_FULL: u16 = 4413;

/// Close code for somebody who has sent more than one person may in a day: the document would take it, later.
pub const CLOSE_OVER_QUOTA: u16 = 4429;

/// A peer's sync message was refused as a whole; nothing of it was kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The peer has no session here: it was never connected, or an earlier message of it was refused.
    #[error("the peer has no session on this document")]
    NotConnected,
    /// The bytes are no sync message.
    #[error("malformed sync message: {0}")]
    Malformed(&'static str),
    /// A limit of [`super::limits`] was exceeded.
    #[error("too many or too large: {0}")]
    TooMuch(&'static str),
    /// A whole-document chunk, which we never ask for; stock clients send one only after a change of access.
    #[error("whole-document chunks are not accepted")]
    DocumentChunk,
    /// A change was refused.
    #[error("change {hash} refused: {fault}")]
    Change {
        /// The change.
        hash: ChangeHash,
        /// What is wrong with it.
        fault: ChangeFault,
    },
    /// The document has diverged so far that its heads no longer fit into messages, not only by this peer's doing.
    #[error("too many heads of the document")]
    Diverged,
    /// The document has as much as it may have.
    #[error("the document has reached its size limit")]
    DocumentFull,
    /// The peer names changes that it does not send when asked.
    #[error("the peer does not send the changes it names")]
    NeedUnanswered,
}

impl Rejection {
    /// The WebSocket close code to use.
    pub fn close_code(&self) -> u16 {
        match self {
            Self::DocumentFull => CLOSE_DOCUMENT_FULL,
            other if other.is_hostile() => CLOSE_BAD_DATA,
            _ => CLOSE_START_AFRESH,
        }
    }

    /// Whether no correct client would have sent this, so that it is audited.
    pub fn is_hostile(&self) -> bool {
        !matches!(
            self,
            Self::NotConnected | Self::DocumentChunk | Self::Diverged | Self::DocumentFull | Self::NeedUnanswered
        )
    }
}

/// What is wrong with one change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeFault {
    /// Not the bytes that Automerge itself would write for these operations.
    #[error("not canonically encoded")]
    NotCanonical,
    /// The operations cannot be decoded.
    #[error("operations cannot be decoded")]
    Undecodable,
    /// An operation that can never be right, whatever the document contains.
    #[error("impossible operation: {0}")]
    Operation(&'static str),
    /// The sequence number is not the actor's next.
    #[error("sequence number is not the actor's next")]
    Sequence,
    /// The actor's previous change is not among the ancestors.
    #[error("the actor's previous change is not an ancestor")]
    PreviousNotAncestor,
    /// The first operation's counter lies at or below the dependencies', or far above the document's.
    #[error("start op out of range")]
    StartOp,
    /// An operation refers to something that is not there, is something else, or that its author could not know of.
    #[error("wrong reference: {0}")]
    Reference(&'static str),
    /// Refers to an actor that the document does not know.
    #[error("refers to an unknown actor")]
    UnknownActor,
    /// A change of the genesis actor that is not the genesis, or a second root.
    #[error("not the genesis of this document")]
    Genesis,
    /// The author field is not 16 bytes, or does not stand in the actor's first change.
    #[error("malformed author")]
    MalformedAuthor,
    /// The change is by somebody else than the peer's user.
    #[error("by another person than the peer's user")]
    ForeignAuthor,
}

/// A stored or local change does not fit the document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Changes whose dependencies are not there.
    #[error("{count} stored changes lack their dependencies, the first is {first}")]
    MissingDependencies {
        /// How many.
        count: usize,
        /// The first of them.
        first: ChangeHash,
    },
    /// The change contradicts the graph.
    #[error("change {hash} does not fit: {fault}")]
    DoesNotFit {
        /// The change.
        hash: ChangeHash,
        /// What is wrong with it.
        fault: ChangeFault,
    },
    /// The change is larger than peers accept ([`super::limits::MAX_CHANGE_BYTES`], [`super::limits::MAX_CHANGE_OPS`]).
    #[error("change {0} is larger than peers accept")]
    TooLarge(ChangeHash),
}
