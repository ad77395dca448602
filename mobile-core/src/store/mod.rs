//! The phone's own copy of everything: one sealed SQLite file per person.
//!
//! Map: `file` opening and keys; `recover` damaged files, `place` how a new file takes their place; `seal` encryption; `chunks` changes of documents; `documents` which
//! documents there are; `records` people, pairs, meetings and the pull cursor; `account` who is signed in;
//! `summaries` what lists show, `search` the texts beside them; `refused` edits that could not be sent; `outbox` commands; `ratings` of
//! own 1on1s, `shelf` tips and own words. A function that returns has synced its
//! commit to disk. Knows nothing of the network and opens no Automerge document.

mod account;
mod chunks;
mod documents;
mod error;
mod file;
mod outbox;
mod place;
mod ratings;
mod records;
mod recover;
mod refused;
mod seal;
mod search;
mod shelf;
mod summaries;

use std::{path::PathBuf, sync::Arc};

use sqlx::SqlitePool;

pub use account::{Cursor, Identity, LocalTokens};
pub use documents::{LocalDocument, RefusalReason};
pub use error::StoreError;
pub use outbox::{CommandAbout, CommandAnswer, CommandState, KEPT, NewCommand, StoredCommand};
pub use ratings::{NotTaken, RatingAnswer, RatingState, StoredRating};
pub use records::{PageEffects, StoredRecords};
pub use recover::Recovered;
pub use refused::{RefusedEdit, RefusedEditId};
pub use seal::VaultKey;
pub use search::SealedText;
pub use shelf::{Pin, PulledShelf};

use seal::{NotOpenedError, Sealer};

/// One person's store; clones share it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    path: PathBuf,
    sealer: Sealer,
    write: SqlitePool,
    read: SqlitePool,
}

type Write = sqlx::Transaction<'static, sqlx::Sqlite>;

impl Store {
    /// A write transaction; SQLite has one writer, so this waits for the one before.
    async fn begin(&self) -> Result<Write, StoreError> {
        self.0.write.begin_with("begin immediate").await.map_err(|e| self.failed(e))
    }

    /// Ends a write transaction; when this returns, the commit is on the disk (`synchronous = full`).
    async fn commit(&self, tx: Write) -> Result<(), StoreError> {
        tx.commit().await.map_err(|e| self.failed(e))
    }

    fn failed(&self, error: sqlx::Error) -> StoreError {
        StoreError::of(&self.0.path, error)
    }

    fn not_opened(&self, table: &'static str) -> impl Fn(NotOpenedError) -> StoreError + '_ {
        move |error| StoreError::damaged(&self.0.path, format!("{table}: {error}"))
    }
}

#[cfg(test)]
mod tests;
