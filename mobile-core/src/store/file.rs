//! Opening the file of a store: the key is checked before anything is changed, and a damaged file is set aside.
//!
//! Called by the session. A damaged or foreign file is never overwritten.

use std::{future::ready, path::Path, sync::Arc, time::Duration};

use super::{
    Inner, Store, StoreError, place,
    seal::{Place, Sealer, VaultKey},
};
use sqlx::{
    Connection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/device");

const KEY_CHECK: Place<'static> = Place("vault", b"key check");
const HAS_VAULT: &str = "select count(*) from sqlite_master where type = 'table' and name = 'vault'";
const READ_KEY_CHECK: &str = "select sealed from vault where id = 1";
const WRITE_KEY_CHECK: &str = "insert into vault (id, sealed) values (1, $1)";

/// Readers besides the writer: one for the screen, one for the sync task.
const READERS: u32 = 2;
/// Rows that a connection's thread may be ahead of who reads them: a start reads thousands, and waking one another for
/// each costs more than reading it.
const ROWS_UNDER_WAY: usize = 1_024;
/// How long a connection waits for another one's transaction; ours take milliseconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

impl Store {
    /// Opens the store at `path` or makes a new one there.
    ///
    /// # Errors
    /// [`StoreError::WrongKey`] and [`StoreError::Damaged`] leave the file as it is.
    pub async fn open(path: &Path, key: &VaultKey) -> Result<Self, StoreError> {
        place::finish(path).map_err(StoreError::of_file)?;
        let sealer = Sealer::new(key);
        let is_new = !path.exists();
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .row_buffer_size(ROWS_UNDER_WAY)
            .pragma("temp_store", "memory");
        let failed = |e| StoreError::of(path, e);
        // On a full disk SQLite ends a transaction by itself, rolling it back fails for that reason, and the pool would go
        // on counting it: such a connection could never begin another, so it is replaced.
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .before_acquire(|connection, _| Box::pin(ready(Ok(!connection.is_in_transaction()))));
        let write = writer.connect_with(options.clone()).await.map_err(failed)?;
        let opened = prepare(path, &write, &sealer, is_new).await;
        if let Err(error) = opened {
            write.close().await;
            return Err(error);
        }
        let read = SqlitePoolOptions::new().max_connections(READERS).connect_lazy_with(options.read_only(true));
        Ok(Self(Arc::new(Inner { path: path.to_owned(), sealer, write, read })))
    }

    /// Opens a damaged file to read what is left of it. Nothing is written: not the schema, not the log.
    pub(super) fn open_as_it_is(path: &Path, key: &VaultKey) -> Self {
        let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY_TIMEOUT);
        let pool = |options| SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options);
        let (read, write) = (pool(options.clone()), pool(options));
        Self(Arc::new(Inner { path: path.to_owned(), sealer: Sealer::new(key), write, read }))
    }

    /// Folds the log into the file and ends all connections: the file is whole by itself then.
    pub(super) async fn close_whole(&self) -> Result<(), StoreError> {
        const FOLD: &str = "pragma wal_checkpoint(truncate)";
        self.0.read.close().await;
        let folded = sqlx::query(FOLD).execute(&self.0.write).await.map_err(|e| self.failed(e));
        self.0.write.close().await;
        folded.map(drop)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Ends all connections; later calls fail.
    pub async fn close(&self) {
        self.0.read.close().await;
        self.0.write.close().await;
    }

    /// Reads the whole file and reports damage that no query has met yet; for quiet moments.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if SQLite finds any.
    pub async fn check(&self) -> Result<(), StoreError> {
        const CHECK: &str = "pragma quick_check(1)";
        let found: String = sqlx::query_scalar(CHECK).fetch_one(&self.0.read).await.map_err(|e| self.failed(e))?;
        if found == "ok" { Ok(()) } else { Err(StoreError::damaged(&self.0.path, found)) }
    }
}

/// Checks the key, then brings the schema up to date; nothing is written if the key is wrong.
async fn prepare(path: &Path, write: &SqlitePool, sealer: &Sealer, is_new: bool) -> Result<(), StoreError> {
    let failed = |e| StoreError::of(path, e);
    let has_vault: i64 = sqlx::query_scalar(HAS_VAULT).fetch_one(write).await.map_err(failed)?;
    if has_vault == 0 && !is_new {
        let tables: i64 =
            sqlx::query_scalar("select count(*) from sqlite_master").fetch_one(write).await.map_err(failed)?;
        // Killed between making the file and the first migration: an empty file is as good as none.
        if tables > 1 {
            return Err(StoreError::damaged(path, "it is not a store"));
        }
    }
    if has_vault > 0 {
        let sealed: Option<Vec<u8>> = sqlx::query_scalar(READ_KEY_CHECK).fetch_optional(write).await.map_err(failed)?;
        if let Some(sealed) = sealed {
            sealer.open(KEY_CHECK, &sealed).map_err(|_| StoreError::WrongKey)?;
        }
    }
    MIGRATIONS.run(write).await.map_err(|e| StoreError::of(path, sqlx::Error::Migrate(Box::new(e))))?;
    let checked: Option<Vec<u8>> = sqlx::query_scalar(READ_KEY_CHECK).fetch_optional(write).await.map_err(failed)?;
    if checked.is_none() {
        let sealed = sealer.seal(KEY_CHECK, b"taiwa");
        sqlx::query(WRITE_KEY_CHECK).bind(sealed).execute(write).await.map_err(failed)?;
    }
    Ok(())
}
