//! Backups: taken while phones write, restored into either database, and what phones bring back that they lack.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod damage;
mod house;
mod interrupted;
mod phones;

use std::{
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicU64, Ordering},
};

use sqlx::{ConnectOptions, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use taiwa_server::{
    operate::{
        Step,
        backup::{BackupError, Damaged, backup},
        check::Report,
        restore::{Replace, RestoreError},
    },
    records::import::{self, Table},
};
use taiwa_shared::time::Clock;
use tokio::runtime::Handle;

use house::{House, MANAGER, MEMBER, backup_url, changes_of, report_of};

/// Declares each body as a test on both databases.
macro_rules! on_both {
    ($($name:ident;)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::backup::house::House::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let name = concat!(module_path!(), "::", stringify!($name));
                if let Some(house) = crate::backup::house::House::postgres(name).await {
                    super::$name(house).await;
                }
            })*
        }
    };
}
use on_both;

on_both! {
    a_backup_taken_while_phones_write_holds_everything_acknowledged_before;
    nothing_is_overwritten_unless_the_operator_says_so;
}

async fn a_backup_taken_while_phones_write_holds_everything_acknowledged_before(house: House) {
    let (member, manager) = (house.phone(MEMBER).await, house.phone(MANAGER).await);
    let meeting = member.next_meeting().await;
    member.write(meeting, "はじめに。").await;
    member.settled().await;
    manager.reads(meeting, &["はじめに。"]).await;
    let writing = async {
        for round in 0..60 {
            let (ours, theirs) = (format!("田中{round}。"), format!("佐藤{round}。"));
            tokio::join!(member.write(meeting, &ours), manager.write(meeting, &theirs));
        }
    };
    let backups = async {
        for round in 0..3 {
            let (before, name) = (house.changes().await, format!("{round}.taiwa"));
            let made = house.backup(&name).await.unwrap();
            assert_eq!(made.report, report_of(&backup_url(&house.path(&name))).await);
            assert_eq!((made.report.people, made.label.epoch), (2, house.server().store().epoch()));
            let held = changes_of(&backup_url(&house.path(&name))).await;
            for (document, changes) in before {
                assert!(held[&document].is_superset(&changes), "round {round}");
            }
        }
    };
    tokio::join!(writing, backups);
    member.settled().await;
    manager.settled().await;
    let mode = std::fs::metadata(house.path("0.taiwa")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!house.path("0.taiwa.partial").exists());
}

/// SQLite copies a file by one statement; PostgreSQL is read table by table, with writers between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_postgresql_is_of_one_moment_however_long_it_takes() {
    let name = "a_backup_of_postgresql_is_of_one_moment_however_long_it_takes";
    let Some(house) = House::postgres(name).await else { return };
    let (runtime, store, now) = (Handle::current(), house.server().store().clone(), house.clock.now());
    let late = AtomicU64::new(0);
    // After every table that was copied a company is added, which writes to most tables.
    let add_a_company = |step: Step<'_>| {
        if !matches!(step, Step::Copied { .. }) {
            return;
        }
        let slug = format!("late-{}", late.fetch_add(1, Ordering::Relaxed));
        let csv = format!("email,name,manager_email\nken@{slug}.jp,健,\naoi@{slug}.jp,葵,ken@{slug}.jp\n");
        let table = Table::read(csv.as_bytes()).unwrap();
        std::thread::scope(|scope| {
            let import = || runtime.block_on(import::apply(&store, &slug, &slug, &table, now)).map(drop);
            scope.spawn(import).join().unwrap().unwrap();
        });
    };
    let made = backup(&house.url, &house.path("moment"), Damaged::Refuse, now, &add_a_company).await.unwrap();
    let late = late.into_inner();
    assert!(late > 10, "the control: {late} companies were added meanwhile");
    assert_eq!(house.report().await.organisations, 1 + late);
    let Report { organisations, people, pairs, open_pairs, damage, .. } = made.report;
    assert_eq!((organisations, people, pairs, open_pairs, damage), (1, 2, 1, 1, Vec::new()));
}

async fn nothing_is_overwritten_unless_the_operator_says_so(mut house: House) {
    let member = house.phone(MEMBER).await;
    let meeting = member.next_meeting().await;
    member.write(meeting, "はじめに。").await;
    member.settled().await;
    house.backup("one").await.unwrap();
    let first = std::fs::read(house.path("one")).unwrap();
    assert!(matches!(house.backup("one").await, Err(BackupError::Exists { .. })));
    assert_eq!(std::fs::read(house.path("one")).unwrap(), first);

    let running = house.restore("one", Replace::KeepAside).await;
    assert!(matches!(running, Err(RestoreError::ServerRuns)), "{running:?}");
    house.stop().await;
    let refused = house.restore("one", Replace::Refuse).await;
    assert!(matches!(refused, Err(RestoreError::HasPeople)), "{refused:?}");
    let old = house.changes().await;
    std::fs::write(house.path("other"), "no database").unwrap();
    assert!(house.restore("other", Replace::KeepAside).await.is_err());
    let plain = format!("sqlite:{}", house.path("plain").display());
    taiwa_server::store::Store::open(&plain, house.clock.now()).await.unwrap().close().await;
    let refused = house.restore("plain", Replace::KeepAside).await;
    assert!(matches!(refused, Err(RestoreError::NoBackup { .. })), "{refused:?}");
    assert_eq!(house.changes().await, old);

    let done = house.restore("one", Replace::KeepAside).await.unwrap();
    let aside = done.aside.unwrap();
    if house.url.starts_with("sqlite:") {
        assert_eq!(changes_of(&format!("sqlite:{aside}")).await, old);
    }
    assert_eq!(house.changes().await, old);
    assert_eq!(house.report().await.damage, []);
    house.start().await;
    assert_eq!(house.server().store().epoch(), done.epoch);
    assert_ne!(done.epoch, done.label.epoch);
    assert!(house.server().store().restored().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_of_a_file_that_was_moved_away_is_not_read_into_the_restored_one() {
    let mut house = House::sqlite().await;
    let member = house.phone(MEMBER).await;
    let meeting = member.next_meeting().await;
    member.write(meeting, "はじめに。").await;
    member.settled().await;
    house.backup("one").await.unwrap();
    let backed_up = house.changes().await;
    member.write(meeting, "あとから。").await;
    member.settled().await;
    // As after a kill: the log has what is not in the file yet, and only the file is moved.
    let (file, log) = (house.path("taiwa.db"), house.path("taiwa.db-wal"));
    let left = std::fs::read(&log).unwrap();
    house.stop().await;
    std::fs::rename(file, house.path("moved")).unwrap();
    std::fs::write(&log, &left).unwrap();

    let done = house.restore("one", Replace::Refuse).await.unwrap();
    assert!(!log.exists());
    assert_eq!(house.changes().await, backed_up);
    assert_eq!(house.report().await.damage, []);
    assert_eq!(std::fs::read(done.aside.unwrap()).unwrap(), left, "it may hold what is nowhere else");
}

/// Every row of every table but the epoch's, as text.
async fn rows_of(file: &std::path::Path) -> Vec<String> {
    let mut connection: SqliteConnection =
        SqliteConnectOptions::new().filename(file).read_only(true).connect().await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "select name from sqlite_schema where type = 'table' and name not in ('_sqlx_migrations', 'backup', 'store_epoch')",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let mut all = Vec::new();
    for table in tables {
        let columns: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select name from pragma_table_info('{table}')")))
                .fetch_all(&mut connection)
                .await
                .unwrap();
        let columns: Vec<String> = columns
            .iter()
            .map(|column| match (table.as_str(), column.as_str()) {
                // PostgreSQL keeps JSON as values and writes it in its own way.
                ("pair", "cadence") => "json_extract(cadence, '$.interval')".to_owned(),
                ("command", "action" | "outcome") => format!("length({column}) > 0"),
                _ => format!("quote(\"{column}\")"),
            })
            .collect();
        let select = format!("select '{table}' || concat_ws('|', {}) from \"{table}\"", columns.join(", "));
        let rows = sqlx::query(sqlx::AssertSqlSafe(select)).fetch_all(&mut connection).await.unwrap();
        all.extend(rows.iter().map(|row| row.get::<String, _>(0)));
    }
    all.sort_unstable();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_comes_back_the_same_through_either_database() {
    let sqlite = House::sqlite().await;
    let Some(mut postgres) = House::postgres("a_backup_comes_back_the_same_through_either_database").await else {
        return;
    };
    let (member, manager) = (sqlite.phone(MEMBER).await, sqlite.phone(MANAGER).await);
    let meeting = member.next_meeting().await;
    manager.write(meeting, "行き来する文。").await;
    member.reads(meeting, &["行き来する文。"]).await;
    manager.settled().await;
    sqlite.backup("one").await.unwrap();

    postgres.stop().await;
    std::fs::copy(sqlite.path("one"), postgres.path("one")).unwrap();
    let done = postgres.restore("one", Replace::KeepAside).await.unwrap();
    assert!(done.aside.unwrap().starts_with("taiwa_before_"));
    let made = postgres.backup("two").await.unwrap();
    assert_eq!((made.label.engine.as_str(), made.label.epoch), ("postgresql", done.epoch));
    let (one, two) = (rows_of(&sqlite.path("one")).await, rows_of(&postgres.path("two")).await);
    assert!(one.len() > 15 && one.iter().any(|row| row.starts_with("chunk")), "{one:#?}");
    assert_eq!(one, two);

    let mut back = House::sqlite().await;
    back.stop().await;
    std::fs::copy(postgres.path("two"), back.path("two")).unwrap();
    back.restore("two", Replace::KeepAside).await.unwrap();
    back.backup("three").await.unwrap();
    assert_eq!(rows_of(&back.path("three")).await, two);
    back.start().await;
}
