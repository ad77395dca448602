//! Copies of a whole database: into one SQLite file from either engine, and from such a file into either.
//!
//! Called by `operate` alone. Tables and columns come from the databases' own catalogues, so that no migration can be
//! forgotten here; that is why these statements are built. Knows nothing of what the tables mean, except that a copy
//! starts a new epoch. Who may run it and which file is replaced is decided by the caller.

mod tables;

use std::path::Path;

use sqlx::{
    Connection, PgConnection, SqliteConnection,
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use taiwa_shared::{ids::StoreEpoch, time::Timestamp};
use uuid::Uuid;

use self::tables::{Table, execute, parents_first, postgres_tables, quoted};
use super::{
    Db, Store, StoreError,
    open::{POSTGRES_MIGRATIONS, SQLITE_MIGRATIONS, classify, migrate_error},
};
use crate::entropy::random;

/// What a file of this kind looks like; another number is another program's business.
pub const BACKUP_FORMAT: i64 = 1;
const MAKE_LABEL: &str = "create table backup (
    one integer not null primary key check (one = 1),
    format integer not null,
    made integer not null,
    epoch blob not null,
    version text not null,
    engine text not null
) strict";
const ADD_LABEL: &str = "insert into backup (one, format, made, epoch, version, engine) values (1, $1, $2, $3, $4, $5)";
const LABEL: &str = "select format, made, epoch, version, engine from backup where one = 1";
const HAS_LABEL: &str = "select count(*) from sqlite_schema where type = 'table' and name = 'backup'";
/// Tickets of sockets that a restored server never gave out; they live for seconds.
const FORGET_TICKETS: &str = "delete from socket_ticket";
const NEW_LIFE: &str = "update store_epoch set epoch = $1, restored = $2 where one = 1";

/// What a backup says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// [`BACKUP_FORMAT`] of the program that wrote it.
    pub format: i64,
    /// When it was begun; everything committed until then is in it.
    pub made: Timestamp,
    /// The epoch of the database that it was taken from.
    pub epoch: StoreEpoch,
    /// The version of the program that wrote it.
    pub version: String,
    /// `sqlite` or `postgresql`: what it was taken from.
    pub engine: String,
}

impl Store {
    /// Writes everything that is committed now into `file`, which is there and empty; `copied` hears of each table that
    /// is done. Writers go on meanwhile and are not in it.
    ///
    /// # Errors
    /// [`StoreError`] if the database could not be read or the file not be written; the file is useless then.
    pub async fn copy_into(
        &self,
        file: &Path,
        now: Timestamp,
        copied: &(dyn Fn(&str, u64) + Sync),
    ) -> Result<Label, StoreError> {
        let engine = match self.db() {
            Db::Sqlite { read, .. } => {
                sqlx::query("vacuum into $1").bind(file.to_string_lossy().into_owned()).execute(read).await?;
                "sqlite"
            }
            Db::Postgres(pool) => {
                let mut source = pool.begin_with("begin isolation level repeatable read read only").await?;
                // A large table takes longer than a statement of a request.
                sqlx::query("set local statement_timeout = 0").execute(&mut *source).await?;
                sqlx::query("set local idle_in_transaction_session_timeout = 0").execute(&mut *source).await?;
                let version: i64 =
                    sqlx::query_scalar("select max(version) from _sqlx_migrations").fetch_one(&mut *source).await?;
                let mut target = connect(file, SqliteSynchronous::Off).await?;
                let migrated = SQLITE_MIGRATIONS.run_to(version, &mut target).await;
                migrated.map_err(|error| migrate_error(&file.display().to_string(), error))?;
                for table in postgres_tables(&mut source).await? {
                    let rows = table.read_from_postgres(&mut source, &mut target).await?;
                    copied(&table.name, rows);
                }
                target.close().await?;
                "postgresql"
            }
        };
        let label = Label {
            format: BACKUP_FORMAT,
            made: now,
            epoch: self.epoch(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            engine: engine.to_owned(),
        };
        let mut target = connect(file, SqliteSynchronous::Full).await?;
        sqlx::query(MAKE_LABEL).execute(&mut target).await?;
        let add = sqlx::query(ADD_LABEL).bind(label.format).bind(now.as_millis()).bind(label.epoch.as_uuid());
        add.bind(&label.version).bind(engine).execute(&mut target).await?;
        target.close().await?;
        Ok(label)
    }

    /// What a backup says about itself; none if this is no backup.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn label(&self) -> Result<Option<Label>, StoreError> {
        let Db::Sqlite { read, .. } = self.db() else { return Ok(None) };
        let tables: i64 = sqlx::query_scalar(HAS_LABEL).fetch_one(read).await?;
        if tables == 0 {
            return Ok(None);
        }
        let row: Option<(i64, i64, Uuid, String, String)> = sqlx::query_as(LABEL).fetch_optional(read).await?;
        Ok(row.map(|(format, made, epoch, version, engine)| Label {
            format,
            made: Timestamp::from_millis(made),
            epoch: StoreEpoch::from_uuid(epoch),
            version,
            engine,
        }))
    }
}

/// Turns `file`, a copy of a backup, into a database that a server can open, with a new epoch. No log is left beside it.
///
/// # Errors
/// [`StoreError`] if it could not be written; the file is useless then.
pub async fn bring_to_life(file: &Path, now: Timestamp) -> Result<StoreEpoch, StoreError> {
    let epoch = StoreEpoch::new(now, random());
    let mut database = connect(file, SqliteSynchronous::Full).await?;
    sqlx::query("drop table backup").execute(&mut database).await?;
    let migrated = SQLITE_MIGRATIONS.run(&mut database).await;
    migrated.map_err(|error| migrate_error(&file.display().to_string(), error))?;
    sqlx::query(NEW_LIFE).bind(epoch.as_uuid()).bind(now.as_millis()).execute(&mut database).await?;
    sqlx::query(FORGET_TICKETS).execute(&mut database).await?;
    database.close().await?;
    Ok(epoch)
}

/// Moves what stands in a file's log into the file and leaves no log beside it.
///
/// # Errors
/// [`StoreError::Damaged`] if it is no database; [`StoreError`] if somebody else works with it.
pub async fn settle_log(file: &Path) -> Result<(), StoreError> {
    let mut database = connect(file, SqliteSynchronous::Full).await?;
    // Fails as long as anybody else has the file open.
    let mode: String = sqlx::query_scalar("pragma journal_mode = delete")
        .fetch_one(&mut database)
        .await
        .map_err(|error| classify(file, error))?;
    database.close().await?;
    if mode == "delete" { Ok(()) } else { Err(StoreError::row("the file", format!("its journal stays {mode}"))) }
}

/// What became of a restore into PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IntoPostgres {
    /// It holds what the backup holds; if it had people before, everything stands in this schema now.
    Done {
        /// The database's new epoch.
        epoch: StoreEpoch,
        /// Where the old tables are.
        aside: Option<String>,
    },
    /// It has people, and nothing was changed.
    HasPeople,
}

/// Puts what `file`, a living copy of a backup, holds into a PostgreSQL database, in one transaction; what was there is
/// renamed to `aside`, or refused if there is no such name to give it.
///
/// # Errors
/// [`StoreError`]; nothing is changed then.
pub async fn copy_into_postgres(
    file: &Path,
    url: &str,
    aside: Option<&str>,
    now: Timestamp,
    copied: &(dyn Fn(&str, u64) + Sync),
) -> Result<IntoPostgres, StoreError> {
    let options: PgConnectOptions = url.parse()?;
    let mut connection = PgConnection::connect_with(&options.options([("synchronous_commit", "on")])).await?;
    let mut source = connect(file, SqliteSynchronous::Full).await?;
    let mut target = connection.begin().await?;
    let schema: String = sqlx::query_scalar("select current_schema()::text").fetch_one(&mut *target).await?;
    let old = postgres_tables(&mut target).await?;
    let has_people = if old.iter().any(|table| table.name == "person") {
        sqlx::query_scalar::<_, i64>("select count(*) from person").fetch_one(&mut *target).await? > 0
    } else {
        false
    };
    let renamed = match aside {
        None if has_people => return Ok(IntoPostgres::HasPeople),
        Some(aside) if has_people => {
            execute(&mut target, format!("alter schema {} rename to {}", quoted(&schema), quoted(aside))).await?;
            execute(&mut target, format!("create schema {}", quoted(&schema))).await?;
            Some(aside.to_owned())
        }
        _ => None,
    };
    let migrated = POSTGRES_MIGRATIONS.run(&mut *target).await;
    migrated.map_err(|error| migrate_error("PostgreSQL", error))?;
    let order = parents_first(&mut source).await?;
    let mut tables: Vec<Table> = postgres_tables(&mut target).await?;
    tables.sort_by_key(|table| order.iter().position(|name| *name == table.name));
    for table in tables.iter().rev() {
        execute(&mut target, format!("delete from {}", quoted(&table.name))).await?;
    }
    for table in &tables {
        let rows = table.write_to_postgres(&mut source, &mut target).await?;
        copied(&table.name, rows);
    }
    let epoch = StoreEpoch::new(now, random());
    sqlx::query(NEW_LIFE).bind(epoch.as_uuid()).bind(now.as_millis()).execute(&mut *target).await?;
    sqlx::query(FORGET_TICKETS).execute(&mut *target).await?;
    target.commit().await?;
    connection.close().await?;
    source.close().await?;
    Ok(IntoPostgres::Done { epoch, aside: renamed })
}

async fn connect(file: &Path, synchronous: SqliteSynchronous) -> Result<SqliteConnection, StoreError> {
    let options = SqliteConnectOptions::new().filename(file).synchronous(synchronous).foreign_keys(false);
    // A copy that breaks off is made again from the start, so its journal need not survive.
    let options = match synchronous {
        SqliteSynchronous::Off => options.journal_mode(SqliteJournalMode::Memory),
        _ => options,
    };
    SqliteConnection::connect_with(&options).await.map_err(|error| classify(file, error))
}
