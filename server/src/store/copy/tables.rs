//! Tables, columns and rows on their way from one engine to the other.
//!
//! The names come from the databases' own catalogues; nothing here knows what a table means, except that the search index
//! of tips is made anew where it is missing.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection,
    postgres::{PgArguments, PgRow},
    query::Query,
    sqlite::SqliteRow,
};
use uuid::Uuid;

use crate::store::StoreError;

/// Rows in one statement to PostgreSQL: a trip to another machine costs more than a row.
const ROWS_PER_INSERT: usize = 50;

const SQLITE_TABLES: &str = "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'
    and name not in ('_sqlx_migrations', 'backup') and name not like 'tip_search%' order by name";
const POSTGRES_COLUMNS: &str =
    "select table_name::text, column_name::text, data_type::text from information_schema.columns
    where table_schema = current_schema() and table_name not in ('_sqlx_migrations', 'tip_search')
    order by table_name, ordinal_position";

/// How a column's values go over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Uuid,
    Bytes,
    Integer,
    Boolean,
    Text,
    Json,
}

/// A table as PostgreSQL has it.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    columns: Vec<(String, Kind)>,
}

/// A value on its way, as SQLite stores it.
#[derive(Debug)]
enum Value {
    Null,
    Bytes(Vec<u8>),
    Integer(i64),
    Text(String),
}

/// The tables of a PostgreSQL database, without what migrations keep for themselves.
pub(super) async fn postgres_tables(connection: &mut PgConnection) -> Result<Vec<Table>, StoreError> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(POSTGRES_COLUMNS).fetch_all(connection).await?;
    let mut tables: Vec<Table> = Vec::new();
    for (name, column, kind) in rows {
        let kind = match kind.as_str() {
            "uuid" => Kind::Uuid,
            "bytea" => Kind::Bytes,
            "bigint" | "integer" | "smallint" => Kind::Integer,
            "boolean" => Kind::Boolean,
            "text" => Kind::Text,
            "jsonb" => Kind::Json,
            other => {
                return Err(StoreError::row("catalogue", format!("{name}.{column} is {other}, which no copy knows")));
            }
        };
        if tables.last().is_none_or(|table| table.name != name) {
            tables.push(Table { name: name.clone(), columns: Vec::new() });
        }
        tables.last_mut().expect("one was pushed").columns.push((column, kind));
    }
    Ok(tables)
}

/// The tables of a file, each after those that it refers to.
pub(super) async fn parents_first(file: &mut SqliteConnection) -> Result<Vec<String>, StoreError> {
    let names: Vec<String> = sqlx::query_scalar(SQLITE_TABLES).fetch_all(&mut *file).await?;
    let mut parents: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in names {
        // A pragma takes no parameter; the name comes from the catalogue.
        let sql = format!("select distinct \"table\" from pragma_foreign_key_list('{name}')");
        let of_this: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut *file).await?;
        let of_this = of_this.into_iter().filter(|parent| *parent != name).collect();
        parents.insert(name, of_this);
    }
    let mut order: Vec<String> = Vec::new();
    while !parents.is_empty() {
        let is_ready = |of_this: &BTreeSet<String>| of_this.iter().all(|parent| order.contains(parent));
        let ready: Vec<String> = parents.iter().filter(|(_, p)| is_ready(p)).map(|(name, _)| name.clone()).collect();
        if ready.is_empty() {
            return Err(StoreError::row("catalogue", "tables that refer to each other cannot be copied"));
        }
        parents.retain(|name, _| !ready.contains(name));
        order.extend(ready);
    }
    Ok(order)
}

impl Table {
    fn column_list(&self) -> String {
        self.columns.iter().map(|(name, _)| quoted(name)).collect::<Vec<_>>().join(", ")
    }

    /// Copies all rows into the same table of a file; how many there were.
    pub(super) async fn read_from_postgres(
        &self,
        source: &mut PgConnection,
        target: &mut SqliteConnection,
    ) -> Result<u64, StoreError> {
        let selected = self.columns.iter().map(|(name, kind)| match kind {
            Kind::Json => format!("{}::text", quoted(name)),
            _ => quoted(name),
        });
        let selected: Vec<String> = selected.collect();
        let select = format!("select {} from {}", selected.join(", "), quoted(&self.name));
        let places: Vec<String> = (1..=self.columns.len()).map(|place| format!("${place}")).collect();
        let insert =
            format!("insert into {} ({}) values ({})", quoted(&self.name), self.column_list(), places.join(", "));
        let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(source);
        let mut writing = target.begin().await?;
        let mut count = 0;
        while let Some(row) = rows.try_next().await? {
            let mut query = sqlx::query(AssertSqlSafe(insert.clone()));
            for (place, (_, kind)) in self.columns.iter().enumerate() {
                query = match from_postgres(&row, place, *kind)? {
                    Value::Null => query.bind(None::<i64>),
                    Value::Bytes(bytes) => query.bind(bytes),
                    Value::Integer(integer) => query.bind(integer),
                    Value::Text(text) => query.bind(text),
                };
            }
            query.execute(&mut *writing).await?;
            count += 1;
        }
        writing.commit().await?;
        Ok(count)
    }

    /// Copies all rows of the same table of a file here; how many there were.
    pub(super) async fn write_to_postgres(
        &self,
        source: &mut SqliteConnection,
        target: &mut PgConnection,
    ) -> Result<u64, StoreError> {
        let select = format!("select {} from {}", self.column_list(), quoted(&self.name));
        let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(source);
        let mut count = 0;
        let mut waiting = Vec::new();
        loop {
            let row = rows.try_next().await?;
            let is_last = row.is_none();
            waiting.extend(row);
            if waiting.len() == ROWS_PER_INSERT || (is_last && !waiting.is_empty()) {
                count += waiting.len() as u64;
                self.insert_into_postgres(target, &std::mem::take(&mut waiting)).await?;
            }
            if is_last {
                return Ok(count);
            }
        }
    }

    async fn insert_into_postgres(&self, target: &mut PgConnection, rows: &[SqliteRow]) -> Result<(), StoreError> {
        let width = self.columns.len();
        let groups: Vec<String> = (0..rows.len())
            .map(|row| {
                let places = self.columns.iter().enumerate().map(|(place, (_, kind))| {
                    let cast = if *kind == Kind::Json { "::jsonb" } else { "" };
                    format!("${}{cast}", row * width + place + 1)
                });
                format!("({})", places.collect::<Vec<_>>().join(", "))
            })
            .collect();
        let insert =
            format!("insert into {} ({}) values {}", quoted(&self.name), self.column_list(), groups.join(", "));
        let mut query = sqlx::query(AssertSqlSafe(insert));
        for row in rows {
            for (place, (_, kind)) in self.columns.iter().enumerate() {
                query = bind_from_sqlite(query, row, place, *kind)?;
            }
        }
        query.execute(target).await?;
        Ok(())
    }
}

fn from_postgres(row: &PgRow, place: usize, kind: Kind) -> Result<Value, StoreError> {
    Ok(match kind {
        Kind::Uuid => row.try_get::<Option<Uuid>, _>(place)?.map(|id| Value::Bytes(id.as_bytes().to_vec())),
        Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(place)?.map(Value::Bytes),
        Kind::Integer => row.try_get::<Option<i64>, _>(place)?.map(Value::Integer),
        Kind::Boolean => row.try_get::<Option<bool>, _>(place)?.map(|is| Value::Integer(i64::from(is))),
        Kind::Text | Kind::Json => row.try_get::<Option<String>, _>(place)?.map(Value::Text),
    }
    .unwrap_or(Value::Null))
}

type PgQuery<'q> = Query<'q, sqlx::Postgres, PgArguments>;

fn bind_from_sqlite<'q>(
    query: PgQuery<'q>,
    row: &SqliteRow,
    place: usize,
    kind: Kind,
) -> Result<PgQuery<'q>, StoreError> {
    Ok(match kind {
        Kind::Uuid => query.bind(row.try_get::<Option<Uuid>, _>(place)?),
        Kind::Bytes => query.bind(row.try_get::<Option<Vec<u8>>, _>(place)?),
        Kind::Integer => query.bind(row.try_get::<Option<i64>, _>(place)?),
        Kind::Boolean => query.bind(row.try_get::<Option<i64>, _>(place)?.map(|is| is != 0)),
        Kind::Text | Kind::Json => query.bind(row.try_get::<Option<String>, _>(place)?),
    })
}

/// Runs a statement that was built from names of a catalogue.
pub(super) async fn execute(connection: &mut PgConnection, sql: String) -> Result<(), StoreError> {
    sqlx::query(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

/// A name from a catalogue, or made here, as SQL writes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
