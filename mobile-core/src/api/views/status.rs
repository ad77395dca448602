//! The honest words, the connection, and what was saved from a damaged store.

use crate::session::SaveState;

/// Where the edits of this person are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum SaveView {
    /// 保存済み: on this phone's disk, and on its way to the server.
    Saved,
    /// 送信待ち: on this phone's disk; the server has not stored so many changes.
    Waiting {
        /// How many.
        changes: u32,
    },
    /// 同期済み: the server has stored everything.
    Synced,
}

/// How the connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ConnectionView {
    /// None; it tries again by itself.
    Offline,
    /// On its way.
    Connecting,
    /// There.
    Online,
    /// The sign-in is over: offer it; edits wait on this phone.
    SignInAgain,
    /// Too old for the server: offer the update; edits wait on this phone.
    UpdateApp,
    /// The phone's storage refuses to write: ask for room.
    StorageFailed,
}

/// Edits and connection together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct StatusView {
    /// Where the edits are.
    pub save: SaveView,
    /// How the connection stands.
    pub connection: ConnectionView,
}

/// What was saved from a damaged store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct RecoveredView {
    /// Unsent edits that were saved.
    pub unsent_kept: u32,
    /// Unsent edits that could not be read; the damaged file is kept.
    pub unsent_lost: u32,
}

impl From<SaveState> for SaveView {
    fn from(state: SaveState) -> Self {
        match state {
            SaveState::Saved => Self::Saved,
            SaveState::Waiting { changes } => Self::Waiting { changes },
            SaveState::Synced => Self::Synced,
        }
    }
}

impl From<&str> for ConnectionView {
    /// From the words of the session's status; one that is not known here is shown as the most careful one.
    fn from(word: &str) -> Self {
        match word {
            "connecting" => Self::Connecting,
            "online" => Self::Online,
            "sign_in_again" => Self::SignInAgain,
            "update_app" => Self::UpdateApp,
            "storage_failed" => Self::StorageFailed,
            _ => Self::Offline,
        }
    }
}
