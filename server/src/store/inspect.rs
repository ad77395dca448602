//! What the store suite checks about the SQL itself: every statement prepares, and both engines have the same tables.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Connection, Executor, SqlStr};

use super::{
    Db, Store, StoreError, chunks, commands, devices, documents, feed, login, meetings, open, organisations, pairs,
    people, ratings, refresh, relayed, strengths, tip_changes, tips, touched, verify,
};

const POSTGRES_COLUMNS: &str =
    "select table_name::text, column_name::text, data_type::text from information_schema.columns
    where table_schema = current_schema() order by table_name, ordinal_position";
const SQLITE_TABLES: &str = "select name from sqlite_schema where type = 'table' order by name";

/// Ratings as they lie in PostgreSQL's file, and what brought each.
const RATINGS_BY_PLACE: &str = "select ticket, xmin::text from rating order by ctid";

/// Columns by table, each with a kind that both engines share.
pub type Schema = BTreeMap<String, Vec<(String, &'static str)>>;

/// Every statement of the store, by file.
fn statements() -> Vec<(&'static str, &'static [&'static str])> {
    vec![
        ("chunks", chunks::ALL),
        ("commands", commands::ALL),
        ("devices", devices::ALL),
        ("documents", documents::ALL),
        ("feed", feed::ALL),
        ("login", login::ALL),
        ("meetings", meetings::ALL),
        ("open", open::ALL),
        ("organisations", organisations::ALL),
        ("pairs", pairs::ALL),
        ("people", people::ALL),
        ("ratings", ratings::ALL),
        ("refresh", refresh::ALL),
        ("relayed", relayed::ALL),
        ("strengths", strengths::ALL),
        ("tip_changes", tip_changes::ALL),
        ("tips", tips::ALL),
        ("touched", touched::ALL),
        ("verify", verify::ALL),
    ]
}

impl Store {
    /// The tickets of ratings in the order in which they lie in the database's file, and which transaction brought each;
    /// none where the file has no other order than that of the tickets.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn ratings_as_they_lie(&self) -> Result<Option<Vec<(Vec<u8>, String)>>, StoreError> {
        match self.db() {
            Db::Sqlite { .. } => Ok(None),
            Db::Postgres(pool) => Ok(Some(sqlx::query_as(RATINGS_BY_PLACE).fetch_all(pool).await?)),
        }
    }

    /// Prepares every statement and returns the refused ones with the reason.
    ///
    /// # Errors
    /// [`StoreError`] if there is no connection.
    pub async fn refused_statements(&self) -> Result<Vec<String>, StoreError> {
        let mut refused = Vec::new();
        for (file, all) in statements() {
            for statement in all {
                let sql = SqlStr::from_static(statement);
                let outcome = match self.db() {
                    Db::Sqlite { write, .. } => write.acquire().await?.prepare(sql).await.map(drop),
                    Db::Postgres(pool) => pool.acquire().await?.prepare(sql).await.map(drop),
                };
                refused.extend(outcome.err().map(|error| format!("{file}: {error}: {statement}")));
            }
        }
        Ok(refused)
    }

    /// All tables and columns, without the ones that migrations keep for themselves.
    ///
    /// # Errors
    /// [`StoreError`] if the schema cannot be read.
    pub async fn schema(&self) -> Result<Schema, StoreError> {
        let mut schema = Schema::new();
        match self.db() {
            Db::Sqlite { read, .. } => {
                let tables: Vec<String> = sqlx::query_scalar(SQLITE_TABLES).fetch_all(read).await?;
                for table in tables {
                    // The name comes from the database's own catalogue, and a pragma takes no parameter.
                    let pragma =
                        AssertSqlSafe(format!("select name, type from pragma_table_info('{table}') order by cid"));
                    let columns: Vec<(String, String)> = sqlx::query_as(pragma).fetch_all(read).await?;
                    let columns = columns.into_iter().map(|(name, kind)| (name, kind_of(&kind))).collect();
                    schema.insert(table, columns);
                }
            }
            Db::Postgres(pool) => {
                let rows: Vec<(String, String, String)> = sqlx::query_as(POSTGRES_COLUMNS).fetch_all(pool).await?;
                for (table, column, kind) in rows {
                    schema.entry(table).or_default().push((column, kind_of(&kind)));
                }
            }
        }
        // The search index is a matter of each engine.
        let is_own = |table: &str| ["_sqlx", "sqlite_", "tip_search"].iter().any(|start| table.starts_with(start));
        schema.retain(|table, _| !is_own(table));
        Ok(schema)
    }

    /// What SQLite says about the whole file. PostgreSQL checks its own: `ok` if it syncs what it commits.
    ///
    /// # Errors
    /// [`StoreError`] if the check could not run.
    pub async fn integrity(&self) -> Result<String, StoreError> {
        match self.db() {
            Db::Sqlite { write, .. } => {
                let mut connection = write.acquire().await?;
                connection.ping().await?;
                Ok(sqlx::query_scalar("pragma integrity_check(1)").fetch_one(&mut *connection).await?)
            }
            Db::Postgres(pool) => {
                let synced: String = sqlx::query_scalar("show synchronous_commit").fetch_one(pool).await?;
                Ok(if synced == "on" { "ok".to_owned() } else { format!("synchronous_commit is {synced}") })
            }
        }
    }
}

fn kind_of(declared: &str) -> &'static str {
    match declared.to_ascii_lowercase().as_str() {
        "blob" | "uuid" | "bytea" => "bytes",
        "integer" | "bigint" | "boolean" => "integer",
        "text" | "jsonb" => "text",
        _ => "another kind",
    }
}
