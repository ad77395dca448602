//! What synchronising tells the session: how it stands, what arrived, what the server has stored.

use bytes::Bytes;
use taiwa_shared::ids::DocumentId;

use crate::store::RefusalReason;

/// How the connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Connection {
    /// No connection; edits wait on this phone and it tries again by itself.
    Offline,
    /// Getting a token, opening the socket, or exchanging records; also before the first attempt, when nothing is known yet.
    #[default]
    Connecting,
    /// Documents are being synchronised, or are in sync.
    Online,
    /// The sign-in is over; edits wait on this phone until the person signs in again.
    SignInAgain,
    /// The server no longer understands this version; edits wait on this phone.
    UpdateApp,
    /// The phone's own store refused to write, so nothing can be received.
    StorageFailed,
}

impl Connection {
    /// The state as a stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Connecting => "connecting",
            Self::Online => "online",
            Self::SignInAgain => "sign_in_again",
            Self::UpdateApp => "update_app",
            Self::StorageFailed => "storage_failed",
        }
    }
}

/// What is on this phone and not yet known to be stored by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Documents with unacknowledged changes, refused ones not counted.
    pub documents: u32,
    /// Unacknowledged changes in them.
    pub changes: u32,
}

/// The honest words of every screen come from this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SyncStatus {
    /// How the connection stands.
    pub connection: Connection,
    /// What waits to be stored by the server.
    pub waiting: Waiting,
}

/// Something happened that a screen may show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncEvent {
    /// The status changed; it is also in [`SyncHandle::status`](super::SyncHandle::status).
    Status(SyncStatus),
    /// Changes of others arrived and are in the store already.
    Received {
        /// Which document.
        document: DocumentId,
        /// The changes in an order in which they can be applied.
        changes: Vec<Bytes>,
    },
    /// The server has stored every change of this document that the phone has.
    Acknowledged {
        /// Which document.
        document: DocumentId,
    },
    /// The server does not take this document's unsent edits; they stay in the store and are no longer waited for.
    Refused {
        /// Which document.
        document: DocumentId,
        /// Why.
        reason: RefusalReason,
    },
    /// A message that is not kept, such as a caret.
    Ephemeral {
        /// Which document.
        document: DocumentId,
        /// The peer that sent it.
        sender: String,
        /// What it sent.
        data: Bytes,
    },
    /// Records were pulled because the server said that there is news.
    News,
}

/// How a bounded run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncRun {
    /// Everything that the server takes now was exchanged; what waits still is in the status.
    Complete,
    /// Time ran out, or there is no connection.
    Unfinished,
}

impl SyncRun {
    /// Whether everything that the server takes now was exchanged.
    pub fn is_complete(self) -> bool {
        self == Self::Complete
    }
}
