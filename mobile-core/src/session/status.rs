//! The three honest words: 保存済み, 送信待ち, 同期済み.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    Session, SessionError,
    core::{Core, Waits},
};
use crate::sync::{Connection, SyncStatus};

/// A change on its way for longer than this is said to be waiting: people look at the word after a sentence, not after a key.
const ON_ITS_WAY: Duration = Duration::from_secs(3);

/// Where the edits of this person are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveState {
    /// 保存済み: on this phone's disk, and on its way to the server.
    Saved,
    /// 送信待ち: on this phone's disk; the server has not stored so many changes, commands and ratings.
    Waiting {
        /// How many.
        changes: u32,
    },
    /// 同期済み: the server has stored everything.
    Synced,
}

impl Session {
    /// Where the edits of this person are.
    ///
    /// # Errors
    /// [`SessionError`] if the store cannot be read.
    pub async fn save_state(&self) -> Result<SaveState, SessionError> {
        let mut changes = self.core.unsent_requests().await?;
        for (document, unacknowledged) in self.core.store.unacknowledged().await? {
            let known = self.core.store.document(document).await?;
            if known.is_some_and(|known| known.refused.is_none()) {
                changes += unacknowledged;
            }
        }
        if changes == 0 {
            self.core.note_waiting(Waits::Nothing);
            return Ok(SaveState::Synced);
        }
        self.core.note_waiting(Waits::Something);
        let waited_long = self.core.waiting_since().is_some_and(|since| since.elapsed() >= ON_ITS_WAY);
        if self.sync.status().connection == Connection::Online && !waited_long {
            Ok(SaveState::Saved)
        } else {
            Ok(SaveState::Waiting { changes })
        }
    }

    /// How the connection stands.
    pub fn sync_status(&self) -> SyncStatus {
        self.sync.status()
    }
}

/// Makes observers look again when 保存済み has to become 送信待ち.
pub(super) async fn remind_of_waiting(core: Arc<Core>) {
    let mut changes = core.changes.subscribe();
    let mut reminded_of: Option<Instant> = None;
    loop {
        let since = core.waiting_since().filter(|since| reminded_of != Some(*since));
        tokio::select! {
            () = core.ended.cancelled() => return,
            () = sleep_until(since.map(|since| since + ON_ITS_WAY)) => {
                reminded_of = since;
                core.changes.happened();
            }
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}

pub(super) async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
