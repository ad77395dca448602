//! A database that an older version has filled: what this version's migrations make of it keeps every row.
//!
//! The migrations before number 20 run from their files, as the older version ran them; the rest when the store opens.

use std::{collections::BTreeMap, path::Path};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection, migrate::Migrator};
use taiwa_server::store::Store;
use taiwa_shared::time::Timestamp;
use taiwa_tests::{postgres::Postgres, skip::skip};

/// The first migration that is not run beforehand: on SQLite it makes the table of people anew.
const FIRST_LEFT: &str = "0020";

/// Every table of that older version. `u7` stands for an id, `b7` for some bytes, `yes` and `no` for themselves.
const ROWS: &[&str] = &[
    "insert into store_epoch (one, epoch, made, restored) values (1, {u1}, 10, 20)",
    "insert into organisation (id, slug, name, counter, made) values ({u1}, 'a', '甲社', 90, 11), ({u2}, 'b', '乙社', 8, 12)",
    "insert into site (organisation, id, name) values ({u1}, {u3}, '東京'), ({u2}, {u3}, '大阪')",
    "insert into person (organisation, id, email, name, site, role, active, manager, rev) values
        ({u1}, {u4}, 'sato@a.jp', '佐藤 健一', {u3}, 'member', {yes}, null, 41),
        ({u1}, {u5}, 'tanaka@a.jp', '田中 ''花子''', null, 'hr', {yes}, {u4}, 42),
        ({u1}, {u6}, 'ito@a.jp', '', {u3}, 'member', {no}, {u5}, 43),
        ({u2}, {u4}, 'sato@a.jp', '別の佐藤', {u3}, 'hr', {no}, null, 4)",
    "insert into pair (organisation, id, member, manager, kind, cadence, closed, rev) values
        ({u1}, {u7}, {u5}, {u4}, 'line', '{\"weeks\": 2}', null, 51), ({u1}, {u8}, {u6}, {u4}, 'mentor', '{}', 52, 52)",
    "insert into sight (organisation, person, pair, state, rev) values
        ({u1}, {u4}, {u7}, 'granted', 53), ({u1}, {u5}, {u7}, 'granted', 54), ({u1}, {u6}, {u8}, 'lost', 55)",
    "insert into meeting (organisation, id, pair, slot, starts, zone, length_minutes, state, rev) values
        ({u1}, {u9}, {u7}, '2026-04-20', '2026-04-20T10:00:00', 'Asia/Tokyo', 30, 'finished', 56)",
    "insert into document (organisation, id, root, generation, kind, pair, meeting, person, digest, rev) values
        ({u1}, {u10}, {u10}, 0, 'memo', {u7}, {u9}, null, {b1}, 57),
        ({u1}, {u11}, {u11}, 0, 'field_notes', null, null, {u6}, null, 58)",
    "insert into author (organisation, document, actor, person, id, rev) values ({u1}, {u10}, {b2}, {u5}, {u12}, 59)",
    "insert into password (organisation, person, hash, changed) values ({u1}, {u4}, 'hash', 13), ({u2}, {u4}, 'other', 14)",
    "insert into invitation (hash, organisation, person, made, expires, used) values
        ({b3}, {u1}, {u6}, 15, 16, null), ({b4}, {u1}, {u4}, 15, 16, 16)",
    "insert into device (organisation, id, person, name, made, refreshed, revoked) values
        ({u1}, {u13}, {u4}, '佐藤の電話', 17, 18, null), ({u1}, {u14}, {u5}, '', 17, 18, 19)",
    "insert into refresh_token (hash, organisation, device, parent, state, made, expires) values
        ({b5}, {u1}, {u13}, null, 'used', 20, 21), ({b6}, {u1}, {u13}, {b5}, 'unused', 20, 21)",
    "insert into socket_ticket (hash, organisation, device, expires, principal_expires) values ({b7}, {u1}, {u13}, 22, 23)",
    "insert into login_lock (key, failures, locked_until, tried) values ({b8}, 3, 24, 25)",
    "insert into claimed (organisation, person, day, opened) values ({u1}, {u4}, 26, 27), ({u1}, {u6}, 26, 28)",
    "insert into chunk (organisation, document, n, body) values ({u1}, {u10}, 0, {b9}), ({u1}, {u10}, 1, {b10})",
    "insert into stale_digest (organisation, document) values ({u1}, {u11})",
];

/// What a person must be, before and after.
const REFUSED: &[&str] = &[
    "insert into person (organisation, id, email, name, role, active, rev) values ({u1}, {u20}, 'x@a.jp', '', 'boss', {yes}, 1)",
    "insert into person (organisation, id, email, name, role, active, rev) values ({u1}, {u20}, 'sato@a.jp', '', 'hr', {yes}, 1)",
    "insert into person (organisation, id, email, name, role, active, rev) values ({u1}, {u4}, 'x@a.jp', '', 'hr', {yes}, 1)",
    "insert into person (organisation, id, email, name, role, active, rev) values ({u9}, {u20}, 'x@a.jp', '', 'hr', {yes}, 1)",
];

const ADMIN: &str = "insert into person (organisation, id, email, name, role, active, rev)
    values ({u1}, {u20}, 'new@a.jp', '', 'admin', {yes}, 1)";

/// Tables by name, their columns, and the rows as text.
type Tables = BTreeMap<String, (Vec<String>, Vec<String>)>;

/// How an engine writes what differs.
struct Words {
    id: fn(u8) -> String,
    bytes: fn(u8) -> String,
    yes: &'static str,
    no: &'static str,
}

const SQLITE: Words = Words {
    id: |n| format!("x'{}'", hex::encode([n; 16])),
    bytes: |n| format!("x'{}'", hex::encode([n, 0, 0xff])),
    yes: "1",
    no: "0",
};
const POSTGRES: Words = Words {
    id: |n| format!("'{}'", hex::encode([n; 16])),
    bytes: |n| format!(r"'\x{}'", hex::encode([n, 0, 0xff])),
    yes: "true",
    no: "false",
};

impl Words {
    fn write(&self, text: &str) -> String {
        let mut text = text.replace("{yes}", self.yes).replace("{no}", self.no);
        for n in 1..=20 {
            text = text.replace(&format!("{{u{n}}}"), &(self.id)(n)).replace(&format!("{{b{n}}}"), &(self.bytes)(n));
        }
        text
    }
}

/// The migrations of an older version.
async fn older(engine: &str, folder: &Path) -> Migrator {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(engine);
    for file in std::fs::read_dir(all).unwrap() {
        let file = file.unwrap();
        if file.file_name().to_str().unwrap() < FIRST_LEFT {
            std::fs::copy(file.path(), folder.join(file.file_name())).unwrap();
        }
    }
    Migrator::new(folder).await.unwrap()
}

/// What a query of two texts gives, grouped by the first.
type Columns = BTreeMap<String, Vec<String>>;

fn grouped(rows: Vec<(String, String)>) -> Columns {
    let mut grouped = Columns::new();
    for (table, column) in rows {
        grouped.entry(table).or_default().push(column);
    }
    grouped
}

macro_rules! engine {
    ($name:ident, $connection:ty, $words:expr, $engine:literal, $columns:literal, $text:literal) => {
        mod $name {
            use super::*;

            pub(super) async fn migrate_and_fill(url: &str) -> Tables {
                let folder = tempfile::tempdir().unwrap();
                let migrator = older($engine, folder.path()).await;
                assert!(migrator.iter().count() >= 5, "the older version's migrations are there");
                let mut connection = <$connection>::connect(url).await.unwrap();
                migrator.run(&mut connection).await.unwrap();
                for row in ROWS {
                    run(&mut connection, row).await.unwrap();
                }
                let tables = tables(&mut connection, None).await;
                let empty = tables.iter().find(|(_, (_, rows))| rows.is_empty());
                assert_eq!(empty, None, "every table is filled");
                tables
            }

            pub(super) async fn run(connection: &mut $connection, text: &str) -> sqlx::Result<()> {
                connection.execute(AssertSqlSafe($words.write(text))).await.map(drop)
            }

            /// Every table with all its columns, or with those that it had `before`.
            pub(super) async fn tables(connection: &mut $connection, before: Option<&Tables>) -> Tables {
                let rows: Vec<(String, String)> = sqlx::query_as($columns).fetch_all(&mut *connection).await.unwrap();
                let found = grouped(rows);
                let known = before.map(|it| it.iter().map(|(table, (columns, _))| (table.clone(), columns.clone())));
                let mut tables = Tables::new();
                for (table, columns) in known.map_or(found, Iterator::collect) {
                    let cells: Vec<String> = columns.iter().map(|column| $text.replace("{}", column)).collect();
                    let select = format!("select {} from {table} order by 1", cells.join(" || ' | ' || "));
                    let rows = sqlx::query_scalar(AssertSqlSafe(select)).fetch_all(&mut *connection).await.unwrap();
                    tables.insert(table, (columns, rows));
                }
                tables
            }

            /// That nothing was lost, and people are checked as before, besides the role that is new.
            pub(super) async fn check(connection: &mut $connection, before: &Tables) {
                let after = tables(connection, Some(before)).await;
                for (table, rows) in before {
                    assert_eq!(&after[table], rows, "{table}");
                }
                for refused in REFUSED {
                    assert!(run(connection, refused).await.is_err(), "{refused}");
                }
                run(connection, ADMIN).await.unwrap();
            }
        }
    };
}

engine!(
    sqlite,
    SqliteConnection,
    SQLITE,
    "sqlite",
    "select t.name, c.name from sqlite_schema t join pragma_table_info(t.name) c
        where t.type = 'table' and t.name not like '\\_%' escape '\\' and t.name not like 'sqlite%' order by t.name, c.cid",
    "quote({})"
);
engine!(
    postgres,
    PgConnection,
    POSTGRES,
    "postgres",
    "select table_name::text, column_name::text from information_schema.columns
        where table_schema = current_schema() and table_name not like '\\_%' order by table_name, ordinal_position",
    "coalesce({}::text, 'null')"
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filled_sqlite_database_of_an_older_version_keeps_every_row() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("taiwa.db").display());
    let before = sqlite::migrate_and_fill(&format!("{url}?mode=rwc")).await;
    let store = Store::open(&url, Timestamp::from_millis(99)).await.unwrap();
    assert!(store.is_migrated().await.unwrap());
    store.close().await;

    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let verdict: Vec<String> = sqlx::query_scalar("pragma integrity_check").fetch_all(&mut connection).await.unwrap();
    assert_eq!(verdict, ["ok"]);
    let broken = sqlx::query("pragma foreign_key_check").fetch_all(&mut connection).await.unwrap();
    assert_eq!(broken.len(), 0, "no reference leads nowhere");
    let indexes = "select name from sqlite_schema where tbl_name = 'person' and type = 'index' and sql is not null";
    let indexes: Vec<String> = sqlx::query_scalar(indexes).fetch_all(&mut connection).await.unwrap();
    assert_eq!(indexes, ["person_rev"], "the table that was made anew has its index");
    sqlite::check(&mut connection, &before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filled_postgres_database_of_an_older_version_keeps_every_row() {
    let Some(postgres) = Postgres::shared().await.unwrap() else {
        let test = "a_filled_postgres_database_of_an_older_version_keeps_every_row";
        return skip(test, "no PostgreSQL server is installed");
    };
    let url = postgres.database().unwrap();
    let before = postgres::migrate_and_fill(&url).await;
    let store = Store::open(&url, Timestamp::from_millis(99)).await.unwrap();
    assert!(store.is_migrated().await.unwrap());
    store.close().await;
    postgres::check(&mut PgConnection::connect(&url).await.unwrap(), &before).await;
}
