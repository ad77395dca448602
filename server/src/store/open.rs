//! Opening a database: settings, integrity, migrations, epoch.
//!
//! SQLite runs with WAL and `synchronous=FULL`: a commit that was acknowledged survives a power cut. A file that is
//! damaged or newer than this version is refused and left as it is.

use std::{
    fs,
    future::ready,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use sqlx::{
    Connection, PgConnection, SqliteConnection,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use taiwa_shared::{ids::StoreEpoch, time::Timestamp};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep},
};
use uuid::Uuid;

use super::{Db, Shared, Store, StoreError, WRITING_REQUESTS, in_time};
use crate::entropy::random;

/// How long a SQLite statement waits for a lock that another process (an import) holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Readers of a SQLite file; more do not help, they share one disk.
const SQLITE_READERS: u32 = 4;
/// Connections to PostgreSQL; eight carry the hub's batches, and requests need some beside it.
const POSTGRES_CONNECTIONS: u32 = 16;
/// Waiting for a free connection longer than this is an overload, which the caller reports.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// PostgreSQL keeps the lock of a server that has just stopped until its backend has noticed, on a busy machine for
/// about a second.
const ENDED_SESSION: Duration = Duration::from_secs(5);
/// Time between two tries for that lock.
const LOCK_RETRY: Duration = Duration::from_millis(100);
/// What every session asks of PostgreSQL, whatever the database or the URL says: a commit is on disk, a statement ends
/// before [`super::ANSWER_PATIENCE`], and a server that vanished holds no locks for long.
const POSTGRES_SETTINGS: [(&str, &str); 7] = [
    ("synchronous_commit", "on"),
    ("statement_timeout", "30s"),
    ("idle_in_transaction_session_timeout", "60s"),
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "30s"),
];
/// Key of the advisory lock that a server shares and `restored` takes alone: "taiwa" in ASCII.
const SERVER_LOCK: i64 = 0x0074_6169_7761;
/// 64 MiB of 4 KiB pages: only if [`Store::checkpoint`] does not keep up does the writer move the log itself.
const WRITER_CHECKPOINT_PAGES: &str = "16384";
/// The log is cut back to this after a checkpoint.
const JOURNAL_SIZE_LIMIT_BYTES: &str = "67108864";

/// The tables, as SQLite has them; a backup has them too.
pub(super) static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("../migrations/sqlite");
/// The tables, as PostgreSQL has them.
pub(super) static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("../migrations/postgres");

/// Whether a database has ever been migrated: where the catalogue stands differs.
const IS_MIGRATED_SQLITE: &str = "select count(*) from sqlite_schema where name = '_sqlx_migrations'";
const IS_MIGRATED_POSTGRES: &str = "select count(*) from information_schema.tables
    where table_schema = current_schema() and table_name = '_sqlx_migrations'";

statements! {
    MIGRATED_TO = "select max(version) from _sqlx_migrations";
    ADD_EPOCH = "insert into store_epoch (one, epoch, made) values (1, $1, $2) on conflict (one) do nothing";
    EPOCH = "select epoch, restored from store_epoch where one = 1";
    TOUCH_EPOCH = "update store_epoch set one = one where one = 1";
    RENEW_EPOCH = "update store_epoch set epoch = $1, restored = $2 where one = 1";
}

impl Store {
    /// Opens `sqlite:path`, a plain path, or `postgres://…`; makes a missing SQLite file and runs new migrations.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::TooNew`] or [`StoreError::Open`]; nothing is changed then.
    pub async fn open(url: &str, now: Timestamp) -> Result<Self, StoreError> {
        let db = if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            open_postgres(url).await?
        } else {
            open_sqlite(Path::new(url.strip_prefix("sqlite:").unwrap_or(url))).await?
        };
        let requests = Arc::new(Semaphore::new(WRITING_REQUESTS));
        let with = |db, epoch, restored| {
            let shared = Shared { db, epoch, restored, requests: Arc::clone(&requests) };
            Store { shared: Arc::new(shared), for_hub: false }
        };
        let made = with(db, StoreEpoch::from_bytes([0; 16]), None);
        let (epoch, restored) = made.read_epoch(now).await?;
        let Shared { db, .. } = Arc::into_inner(made.shared).expect("nobody else has a clone yet");
        Ok(with(db, epoch, restored))
    }

    /// Opens a database to look into it: nothing is made, migrated or written, and a server may work with it meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if there is none, [`StoreError::TooNew`], [`StoreError::Damaged`] or [`StoreError::Open`].
    pub async fn open_existing(url: &str) -> Result<Self, StoreError> {
        let db = if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let options = PgConnectOptions::from_str(url).map_err(|error| open_error("at the given URL", error))?;
            let options = options.options(POSTGRES_SETTINGS).options([("default_transaction_read_only", "on")]);
            let pool = PgPoolOptions::new().max_connections(SQLITE_READERS).acquire_timeout(ACQUIRE_TIMEOUT);
            Db::Postgres(pool.connect_with(options).await.map_err(|error| open_error("at the given URL", error))?)
        } else {
            read_sqlite(Path::new(url.strip_prefix("sqlite:").unwrap_or(url))).await?
        };
        let name = match &db {
            Db::Sqlite { path, .. } => path.display().to_string(),
            Db::Postgres(_) => "PostgreSQL".to_owned(),
        };
        let shared = Shared {
            db,
            epoch: StoreEpoch::from_bytes([0; 16]),
            restored: None,
            requests: Arc::new(Semaphore::new(WRITING_REQUESTS)),
        };
        let mut store = Store { shared: Arc::new(shared), for_hub: false };
        let missing = || StoreError::Missing { database: name.clone() };
        let tables: i64 = match store.db() {
            Db::Sqlite { path, read, .. } => {
                sqlx::query_scalar(IS_MIGRATED_SQLITE).fetch_one(read).await.map_err(|error| classify(path, error))?
            }
            Db::Postgres(pool) => sqlx::query_scalar(IS_MIGRATED_POSTGRES).fetch_one(pool).await?,
        };
        let version = if tables == 0 { None } else { store.migrated_to().await? };
        let version = version.ok_or_else(missing)?;
        if SQLITE_MIGRATIONS.iter().all(|known| known.version < version) {
            return Err(StoreError::TooNew { migration: version });
        }
        let row: Option<(Uuid, Option<i64>)> = on!(read store, |c| sqlx::query_as(EPOCH).fetch_optional(c).await)?;
        let (epoch, restored) = row.ok_or_else(missing)?;
        let shared = Arc::get_mut(&mut store.shared).expect("nobody else has a clone yet");
        shared.epoch = StoreEpoch::from_uuid(epoch);
        shared.restored = restored.map(Timestamp::from_millis);
        Ok(store)
    }

    /// The newest migration that this database has; none if it has none.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn migrated_to(&self) -> Result<Option<i64>, StoreError> {
        Ok(on!(read self, |c| sqlx::query_scalar(MIGRATED_TO).fetch_one(c).await)?)
    }

    /// Whether every migration that this version knows has run.
    ///
    /// # Errors
    /// [`StoreError`] if the database could not be read.
    pub async fn is_migrated(&self) -> Result<bool, StoreError> {
        let newest = SQLITE_MIGRATIONS.iter().map(|migration| migration.version).max();
        Ok(self.migrated_to().await? >= newest)
    }

    /// Writes a row as it stands and takes that back: whether the database takes writes, without changing anything.
    /// A full disk shows only when a commit fails.
    ///
    /// # Errors
    /// [`StoreError`] if it does not.
    pub async fn try_writing(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        on!(tx tx, |c| sqlx::query(TOUCH_EPOCH).execute(c).await.map(drop))?;
        Ok(())
    }

    async fn read_epoch(&self, now: Timestamp) -> Result<(StoreEpoch, Option<Timestamp>), StoreError> {
        let mut tx = self.begin().await?;
        let fresh = Uuid::from_bytes(*StoreEpoch::new(now, random()).as_bytes());
        on!(tx tx, |c| sqlx::query(ADD_EPOCH).bind(fresh).bind(now.as_millis()).execute(c).await.map(drop))?;
        let (epoch, restored): (Uuid, Option<i64>) = on!(tx tx, |c| sqlx::query_as(EPOCH).fetch_one(c).await)?;
        tx.commit().await?;
        Ok((StoreEpoch::from_uuid(epoch), restored.map(Timestamp::from_millis)))
    }

    /// Gives the database a new epoch after it was restored from a backup, so that phones bring back what it lacks.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be written.
    pub async fn renew_epoch(&self, now: Timestamp) -> Result<StoreEpoch, StoreError> {
        let epoch = StoreEpoch::new(now, random());
        let mut tx = self.begin().await?;
        on!(tx tx, |c| sqlx::query(RENEW_EPOCH).bind(epoch.as_uuid()).bind(now.as_millis()).execute(c).await.map(drop))?;
        tx.commit().await?;
        Ok(epoch)
    }

    /// Moves SQLite's log into the file, on a connection of its own; does nothing on PostgreSQL.
    ///
    /// # Errors
    /// [`StoreError`] if the file could not be written; the log keeps everything then.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        if let Db::Sqlite { checkpoint, .. } = self.db() {
            sqlx::query("pragma wal_checkpoint(passive)").execute(checkpoint).await?;
        }
        Ok(())
    }
}

async fn open_postgres(url: &str) -> Result<Db, StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(|error| open_error("at the given URL", error))?;
    let name = format!("{}/{}", options.get_host(), options.get_database().unwrap_or_default());
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options.clone().options(POSTGRES_SETTINGS))
        .await
        .map_err(|error| open_error(&name, error))?;
    // On a connection of its own: a migration may take longer than a statement of a request.
    let mut connection = PgConnection::connect_with(&options).await.map_err(|error| open_error(&name, error))?;
    let migrated = POSTGRES_MIGRATIONS.run(&mut connection).await;
    migrated.map_err(|error| migrate_error(&name, error))?;
    connection.close().await.map_err(|error| open_error(&name, error))?;
    Ok(Db::Postgres(pool))
}

async fn open_sqlite(path: &Path) -> Result<Db, StoreError> {
    let name = path.display().to_string();
    make_private_file(path).map_err(|error| open_error(&name, error))?;
    let classify = |error: sqlx::Error| classify(path, error);
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .pragma("wal_autocheckpoint", WRITER_CHECKPOINT_PAGES)
        .pragma("journal_size_limit", JOURNAL_SIZE_LIMIT_BYTES)
        .pragma("secure_delete", "on");
    let one = || {
        SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None)
            // A file does not go away, and asking costs a trip to the connection's thread.
            .test_before_acquire(false)
            .before_acquire(|connection, _| Box::pin(ready(Ok(is_free(connection)))))
    };
    let write = one().connect_with(options.clone()).await.map_err(classify)?;
    let verdict: String = sqlx::query_scalar("pragma quick_check(1)").fetch_one(&write).await.map_err(classify)?;
    if verdict != "ok" {
        return Err(StoreError::Damaged { path: path.to_owned(), detail: verdict });
    }
    SQLITE_MIGRATIONS.run(&write).await.map_err(|error| match error {
        MigrateError::Execute(error) => classify(error),
        other => migrate_error(&name, other),
    })?;
    let checkpoint = one().connect_with(options.clone()).await.map_err(classify)?;
    let read = SqlitePoolOptions::new()
        .max_connections(SQLITE_READERS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options.pragma("query_only", "on"))
        .await
        .map_err(classify)?;
    Ok(Db::Sqlite { path: path.to_owned(), write, read, checkpoint })
}

/// Whether a connection that comes back is in no transaction. On a full disk SQLite ends one by itself, rolling it back
/// fails for that reason, and the pool would go on counting it: the connection could never begin another.
fn is_free(connection: &SqliteConnection) -> bool {
    !connection.is_in_transaction()
}

/// The connections that would write are never opened.
async fn read_sqlite(path: &Path) -> Result<Db, StoreError> {
    if !path.exists() {
        return Err(StoreError::Missing { database: path.display().to_string() });
    }
    let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY_TIMEOUT);
    let pool = || SqlitePoolOptions::new().max_connections(SQLITE_READERS).acquire_timeout(ACQUIRE_TIMEOUT);
    let read = pool().connect_with(options.clone()).await.map_err(|error| classify(path, error))?;
    let (write, checkpoint) = (pool().connect_lazy_with(options.clone()), pool().connect_lazy_with(options));
    Ok(Db::Sqlite { path: path.to_owned(), write, read, checkpoint })
}

/// Only the server's own user may read the file; SQLite gives its log the same mode.
fn make_private_file(path: &Path) -> std::io::Result<()> {
    make_folder_of(path)?;
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn make_folder_of(path: &Path) -> std::io::Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => fs::DirBuilder::new().recursive(true).mode(0o700).create(folder),
        None => Ok(()),
    }
}

pub(super) fn classify(path: &Path, error: sqlx::Error) -> StoreError {
    // SQLite: 11 corrupt, 26 not a database; extended codes carry the primary code in the low byte.
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    match code.map(|code| code & 0xff) {
        Some(11 | 26) => StoreError::Damaged { path: path.to_owned(), detail: error.to_string() },
        _ => open_error(&path.display().to_string(), error),
    }
}

pub(super) fn open_error(database: &str, source: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Open { database: database.to_owned(), source: Box::new(source) }
}

pub(super) fn migrate_error(database: &str, error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(migration) => StoreError::TooNew { migration },
        other => open_error(database, other),
    }
}

/// What keeps a second server from the same SQLite file, and `restored` from the database of a running server; released
/// when dropped.
#[derive(Debug)]
pub struct ServerLock {
    held: Held,
}

#[derive(Debug)]
enum Held {
    File(fs::File),
    Session { _connection: PgConnection },
}

impl Drop for ServerLock {
    fn drop(&mut self) {
        // Closing would leave it to a program that this process is starting just now, until that runs.
        if let Held::File(file) = &self.held
            && let Err(error) = file.unlock()
        {
            tracing::warn!(%error, "the lock file stays locked until this process ends");
        }
    }
}

impl ServerLock {
    /// Takes the lock file beside `database`.
    ///
    /// # Errors
    /// The error of the file system; `WouldBlock` if another server holds it.
    pub fn take(database: &Path) -> std::io::Result<Self> {
        make_folder_of(database)?;
        let mut name = database.as_os_str().to_owned();
        name.push(".lock");
        let file =
            fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(PathBuf::from(name))?;
        file.try_lock()?;
        Ok(Self { held: Held::File(file) })
    }

    /// Takes the lock of a server in a PostgreSQL database, which servers share.
    ///
    /// # Errors
    /// [`StoreError`] if the database could not be reached.
    pub async fn share_session(url: &str) -> Result<Self, StoreError> {
        let mut connection = PgConnection::connect(url).await.map_err(|error| open_error("PostgreSQL", error))?;
        let lock = sqlx::query("select pg_advisory_lock_shared($1)").bind(SERVER_LOCK).execute(&mut connection);
        in_time(lock).await?;
        Ok(Self { held: Held::Session { _connection: connection } })
    }

    /// Takes the lock of a PostgreSQL database alone; none if a server works with it.
    ///
    /// # Errors
    /// [`StoreError`] if the database could not be reached.
    pub async fn take_session(url: &str) -> Result<Option<Self>, StoreError> {
        let mut connection = PgConnection::connect(url).await.map_err(|error| open_error("PostgreSQL", error))?;
        let until = Instant::now() + ENDED_SESSION;
        loop {
            let lock = sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(SERVER_LOCK);
            let taken: bool = in_time(lock.fetch_one(&mut connection)).await?;
            if taken || Instant::now() >= until {
                return Ok(taken.then_some(Self { held: Held::Session { _connection: connection } }));
            }
            sleep(LOCK_RETRY).await;
        }
    }
}
