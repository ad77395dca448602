//! What can go wrong with a document, by what the caller does about it.

use automerge::AutomergeError;

/// A document could not be read or written. It is as it was before the call.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The bytes are no changes of this document: refuse them and whoever sent them.
    #[error("change refused: {0}")]
    Refused(&'static str),
    /// Changes that these depend on are missing: fetch them first.
    #[error("{missing} changes are missing that these depend on")]
    Incomplete {
        /// How many.
        missing: usize,
    },
    /// More text than fits: show the limit; what was typed stays in the field.
    #[error("text of {length} is longer than the {limit} that fit")]
    TooLong {
        /// Most that fits, in letters as people count them.
        limit: usize,
        /// What it would have become.
        length: usize,
    },
    /// A line break where one line is wanted.
    #[error("one line is wanted, without line breaks")]
    NotOneLine,
    /// The item, position or version is not in this document (any more): read again.
    #[error("{0} is not in this document")]
    NotFound(&'static str),
    /// This kind of document has no such content: a mistake of the caller.
    #[error("a {actual} document was given where a {wanted} document is needed")]
    WrongKind {
        /// Kind that the function works on.
        wanted: &'static str,
        /// Kind of the document.
        actual: &'static str,
    },
    /// Automerge refused an operation of our own.
    #[error("document operation failed")]
    Automerge(#[from] AutomergeError),
    /// Automerge panicked; the document was rebuilt from its changes.
    #[error("document operation panicked and was undone")]
    Panicked,
}
