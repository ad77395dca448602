//! What goes into and comes out of a step with documents; the words between [`Exchanges`](super::exchanges::Exchanges)
//! and the task.

use bytes::Bytes;
use taiwa_shared::{ids::DocumentId, sync::document::SyncKind};

use super::event::SyncEvent;

/// What the server said about a document.
#[derive(Debug)]
pub(super) enum Incoming {
    Message { document: DocumentId, kind: SyncKind, data: Bytes },
    Unavailable { document: DocumentId },
}

/// What follows from a step, besides messages.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// For the session, in order.
    pub(super) events: Vec<SyncEvent>,
    /// The server has everything of these, and has not refused it.
    pub(super) taken: Vec<DocumentId>,
    /// Records and claims have to be exchanged before anything else can be done for some document.
    pub(super) ask_for_records: bool,
    /// What waits for the server may have changed.
    pub(super) waiting_changed: bool,
}
