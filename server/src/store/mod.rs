//! The server's database: SQLite by default, PostgreSQL by URL, one SQL text for both.
//!
//! Map: `open` opens and migrates; one file per group of tables holds its statements beside its functions. Statements
//! are consts in `statements!` (so that a test prepares each one on both engines) and run through `on!`, which expands
//! one body for each engine. Writes go through a [`Tx`]. Decides nothing about who may do what.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};
use taiwa_shared::{ids::StoreEpoch, time::Timestamp};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout},
};

/// Runs one body against whichever engine is open.
///
/// `on!(read store, |c| query(..).fetch_all(c).await)` reads outside a transaction;
/// `on!(tx tx, |c| query(..).execute(c).await)` runs inside one.
macro_rules! on {
    (read $store:expr, |$c:ident| $body:expr) => {
        match $store.db() {
            $crate::store::Db::Sqlite { read, .. } => {
                let $c = read;
                $body
            }
            $crate::store::Db::Postgres(pool) => {
                let $c = pool;
                $crate::store::in_time(async { $body }).await
            }
        }
    };
    (tx $tx:expr, |$c:ident| $body:expr) => {
        match $tx.inner() {
            $crate::store::TxInner::Sqlite(transaction) => {
                let $c = &mut **transaction;
                $body
            }
            $crate::store::TxInner::Postgres(transaction) => {
                let $c = &mut **transaction;
                $crate::store::in_time(async { $body }).await
            }
        }
    };
}

/// Declares the statements of a file as consts, and `ALL` of them for the test that prepares each on both engines.
macro_rules! statements {
    ($($(#[$meta:meta])* $name:ident = $text:expr;)*) => {
        $($(#[$meta])* const $name: &str = $text;)*
        /// Every statement of this file.
        pub(super) const ALL: &[&str] = &[$($name),*];
    };
}

pub mod chunks;
pub mod commands;
pub mod copy;
pub mod devices;
pub mod documents;
mod error;
pub mod feed;
pub mod inspect;
pub mod login;
pub mod meetings;
mod open;
pub mod organisations;
pub mod pairs;
pub mod people;
pub mod ratings;
pub mod refresh;
pub mod relayed;
pub mod strengths;
pub mod tip_changes;
pub mod tip_search;
pub mod tips;
pub mod touched;
pub mod verify;

pub use error::StoreError;
pub use open::ServerLock;

/// Requests that write or wait for the writer at once. The hub is not among them, so that an edit waits for at most
/// these few transactions, however many people sign in.
const WRITING_REQUESTS: usize = 4;
/// For this long the hub tries to begin a commit while the database is away; then its clients have to send again.
const HUB_PATIENCE: Duration = Duration::from_secs(30);
/// Time between two tries.
const HUB_RETRY: Duration = Duration::from_millis(250);

/// A PostgreSQL that has not answered a statement for so long has vanished; it ends its own statements before that.
const ANSWER_PATIENCE: Duration = Duration::from_secs(40);
/// How long closing waits for connections that may never answer again.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// Gives up on a PostgreSQL that does not answer, so that neither a commit nor a stop waits for ever.
pub(crate) async fn in_time<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    let late = |_| sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the database did not answer"));
    timeout(ANSWER_PATIENCE, answer).await.map_err(late)?
}

/// The open database; clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    shared: Arc<Shared>,
    for_hub: bool,
}

#[derive(Debug)]
struct Shared {
    db: Db,
    epoch: StoreEpoch,
    restored: Option<Timestamp>,
    requests: Arc<Semaphore>,
}

/// The engine behind a store.
#[derive(Debug)]
pub(crate) enum Db {
    /// One writer, four readers, and one connection that moves the log into the file without stalling the writer.
    Sqlite { path: PathBuf, write: SqlitePool, read: SqlitePool, checkpoint: SqlitePool },
    /// A pool of sixteen.
    Postgres(PgPool),
}

/// A write transaction; dropped without [`Tx::commit`] it changes nothing.
#[derive(Debug)]
pub struct Tx {
    inner: TxInner,
    _turn: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
pub(crate) enum TxInner {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Store {
    pub(crate) fn db(&self) -> &Db {
        &self.shared.db
    }

    /// The same database for the hub, whose transactions do not queue behind requests and are begun again while the
    /// database is busy or away.
    pub fn for_hub(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), for_hub: true }
    }

    /// Begins a write transaction. On SQLite it waits for the one writer and holds it until the end.
    ///
    /// # Errors
    /// [`StoreError`] if no connection could be had.
    /// # Cancellation
    /// Dropping the future or the [`Tx`] rolls back.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        if !self.for_hub {
            let turn = Arc::clone(&self.shared.requests).acquire_owned();
            let turn = timeout(open::ACQUIRE_TIMEOUT, turn).await.map_err(|_| sqlx::Error::PoolTimedOut)?;
            let turn = turn.map_err(|_| sqlx::Error::PoolClosed)?;
            return Ok(Tx { inner: self.begin_now().await?, _turn: Some(turn) });
        }
        let until = Instant::now() + HUB_PATIENCE;
        loop {
            match self.begin_now().await {
                Ok(inner) => return Ok(Tx { inner, _turn: None }),
                Err(error) if error.is_retryable() && Instant::now() < until => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the hub tries again to begin a commit");
                    sleep(HUB_RETRY).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn begin_now(&self) -> Result<TxInner, StoreError> {
        Ok(match self.db() {
            Db::Sqlite { write, .. } => TxInner::Sqlite(write.begin_with("begin immediate").await?),
            Db::Postgres(pool) => TxInner::Postgres(in_time(pool.begin()).await?),
        })
    }

    /// Begins a transaction that only reads, in which every [`Tx`] function that reads can be called; it keeps no
    /// writer waiting.
    ///
    /// # Errors
    /// [`StoreError`] if no connection could be had.
    pub async fn begin_reading(&self) -> Result<Tx, StoreError> {
        let inner = match self.db() {
            Db::Sqlite { read, .. } => TxInner::Sqlite(read.begin().await?),
            Db::Postgres(pool) => TxInner::Postgres(in_time(pool.begin_with("begin read only")).await?),
        };
        Ok(Tx { inner, _turn: None })
    }

    /// The life of this database; another one after a restore.
    pub fn epoch(&self) -> StoreEpoch {
        self.shared.epoch
    }

    /// When this database was last restored from a backup, if ever.
    pub fn restored(&self) -> Option<Timestamp> {
        self.shared.restored
    }

    /// The file, if the database is one.
    pub fn file(&self) -> Option<&Path> {
        match self.db() {
            Db::Sqlite { path, .. } => Some(path),
            Db::Postgres(_) => None,
        }
    }

    /// Whether a connection is in use: for tests that let simulated time pass only while the database has nothing to do.
    pub fn is_busy(&self) -> bool {
        match self.db() {
            Db::Sqlite { write, read, checkpoint, .. } => is_in_use(write) || is_in_use(read) || is_in_use(checkpoint),
            Db::Postgres(pool) => is_in_use(pool),
        }
    }

    /// Closes all connections; later calls fail.
    pub async fn close(&self) {
        match self.db() {
            Db::Sqlite { write, read, checkpoint, .. } => {
                read.close().await;
                checkpoint.close().await;
                write.close().await;
            }
            Db::Postgres(pool) => {
                if timeout(CLOSE_PATIENCE, pool.close()).await.is_err() {
                    tracing::warn!("connections to the database did not close in {CLOSE_PATIENCE:?}: they are left");
                }
            }
        }
    }
}

/// Of a pool that is closed the counts mean nothing.
fn is_in_use<D: sqlx::Database>(pool: &sqlx::Pool<D>) -> bool {
    !pool.is_closed() && (pool.num_idle() as u64) < u64::from(pool.size())
}

impl Tx {
    pub(crate) fn inner(&mut self) -> &mut TxInner {
        &mut self.inner
    }

    /// Makes everything written in this transaction durable.
    ///
    /// # Errors
    /// [`StoreError`] if the database could not; then nothing of it is stored.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self.inner {
            TxInner::Sqlite(transaction) => transaction.commit().await?,
            TxInner::Postgres(transaction) => in_time(transaction.commit()).await?,
        }
        Ok(())
    }
}
