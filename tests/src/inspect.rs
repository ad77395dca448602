//! What a store really holds: every string that any change of any document ever carried, and every column of every row.
//!
//! For checks that something is *nowhere*, which count only with a control that finds it where it belongs. Reads a
//! server's database file by plain SQL and a phone's through its own store (it is sealed). Changes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context, Result};
use automerge::{ActorId, Change, ChangeHash, ScalarValue, legacy};
use bytes::Bytes;
use sqlx::{Column, Connection, Row, SqliteConnection, TypeInfo, ValueRef, sqlite::SqliteConnectOptions};
use taiwa_mobile_core::store::Store;
use taiwa_shared::{ids::DocumentId, sync::chunks::decode_row};
use uuid::Uuid;

/// Everything readable in a store, by place.
#[derive(Debug, Default)]
pub struct Contents {
    /// Strings per place; a place is a document, or a table and column.
    strings: BTreeMap<String, Vec<String>>,
    changes: BTreeMap<DocumentId, BTreeMap<ChangeHash, Vec<ChangeHash>>>,
}

impl Contents {
    /// Everything in a server's SQLite file: rows of tables as text, and documents decoded.
    ///
    /// # Errors
    /// If the file or a stored change cannot be read.
    pub async fn of_server(database: &Path) -> Result<Self> {
        let mut contents = Self::default();
        let options = SqliteConnectOptions::new().filename(database).read_only(true);
        let mut connection = SqliteConnection::connect_with(&options).await.context("open the server's database")?;
        let tables: Vec<String> = sqlx::query_scalar("select name from sqlite_master where type = 'table'")
            .fetch_all(&mut connection)
            .await?;
        // The bodies of chunks are decoded below, change by change.
        for table in tables.into_iter().filter(|table| table != "chunk") {
            contents.read_table(&mut connection, &table).await?;
        }
        let rows: Vec<(Uuid, Vec<u8>)> =
            sqlx::query_as("select document, body from chunk order by document, n").fetch_all(&mut connection).await?;
        for (document, body) in rows {
            let (header, body) = body.split_first().context("a chunk row is empty")?;
            anyhow::ensure!(*header == 0, "a chunk row is sealed");
            let changes = decode_row(body)?;
            contents.add_changes(DocumentId::from_uuid(document), changes.into_iter().map(|change| change.bytes))?;
        }
        Ok(contents)
    }

    /// Everything in a phone's store: documents decoded, records, summaries, search texts and cards.
    ///
    /// # Errors
    /// If the store or a stored change cannot be read.
    pub async fn of_phone(store: &Store) -> Result<Self> {
        let mut contents = Self::default();
        for document in store.documents().await? {
            let changes = store.changes(document.id).await?;
            contents.add_changes(document.id, changes.into_iter().map(|change| change.bytes))?;
        }
        let records = store.records().await?;
        contents.add_text("people", serde_json::to_string(&records.people)?);
        contents.add_text("pairs", serde_json::to_string(&records.pairs)?);
        contents.add_text("meetings", serde_json::to_string(&records.meetings)?);
        for (document, summary) in store.summaries::<serde_json::Value>().await? {
            contents.add_text(format!("summary of {document}"), summary.to_string());
        }
        for sealed in store.search_texts().await? {
            let text: serde_json::Value = store.open_search_text(&sealed).context("open a search text")?;
            contents.add_text(format!("search text of {}", sealed.document), text.to_string());
        }
        for card in store.refused_edits().await? {
            contents.add_text(format!("card of {}", card.document), card.text);
        }
        Ok(contents)
    }

    /// Adds the changes of a document.
    ///
    /// # Errors
    /// If a change cannot be decoded.
    pub fn add_changes(&mut self, document: DocumentId, changes: impl IntoIterator<Item = Bytes>) -> Result<()> {
        let changes: Vec<Bytes> = changes.into_iter().collect();
        let graph = self.changes.entry(document).or_default();
        for bytes in &changes {
            let change = Change::from_bytes(bytes.to_vec()).context("decode a stored change")?;
            graph.insert(change.hash(), change.deps().to_vec());
        }
        self.strings.entry(format!("document {document}")).or_default().extend(strings_of(&changes)?);
        Ok(())
    }

    /// Adds a text that stands at a place.
    pub fn add_text(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.strings.entry(place.into()).or_default().push(text.into());
    }

    /// The places at which `sought` stands, or once stood.
    pub fn places_of(&self, sought: &str) -> Vec<&str> {
        let found = |strings: &Vec<String>| strings.iter().any(|text| text.contains(sought));
        self.strings.iter().filter(|(_, strings)| found(strings)).map(|(place, _)| place.as_str()).collect()
    }

    /// Every string that a document's changes ever carried, joined; what one change typed stands in one piece.
    pub fn history_of(&self, document: DocumentId) -> String {
        self.strings.get(&format!("document {document}")).map(|strings| strings.join("\n")).unwrap_or_default()
    }

    /// How many values stand in a column of a server's table.
    pub fn values_in(&self, table: &str, column: &str) -> usize {
        self.strings.get(&format!("table {table}.{column}")).map_or(0, Vec::len)
    }

    /// The hashes of the stored changes of this document.
    pub fn changes_of(&self, document: DocumentId) -> BTreeSet<ChangeHash> {
        self.changes.get(&document).map(|graph| graph.keys().copied().collect()).unwrap_or_default()
    }

    /// The stored changes of this document that no other stored change follows, sorted.
    pub fn heads_of(&self, document: DocumentId) -> Vec<ChangeHash> {
        let mut heads = self.changes_of(document);
        for before in self.changes.get(&document).into_iter().flat_map(BTreeMap::values).flatten() {
            heads.remove(before);
        }
        heads.into_iter().collect()
    }

    /// The documents of which there is a change.
    pub fn documents(&self) -> impl Iterator<Item = DocumentId> {
        self.changes.keys().copied()
    }

    async fn read_table(&mut self, connection: &mut SqliteConnection, table: &str) -> Result<()> {
        // The name comes from the database's own catalogue.
        let select = sqlx::AssertSqlSafe(format!("select * from \"{table}\""));
        for row in sqlx::query(select).fetch_all(&mut *connection).await? {
            for column in row.columns() {
                let value = row.try_get_raw(column.ordinal())?;
                let text = match value.type_info().name() {
                    "TEXT" => row.try_get::<String, _>(column.ordinal())?,
                    "BLOB" => String::from_utf8_lossy(row.try_get::<&[u8], _>(column.ordinal())?).into_owned(),
                    _ => continue,
                };
                self.add_text(format!("table {table}.{}", column.name()), text);
            }
        }
        Ok(())
    }
}

/// The strings in these changes: each value for itself, and what each actor typed, joined in the order of typing, so
/// that a text that was spliced or typed key by key is found though each operation holds one character.
fn strings_of(changes: &[Bytes]) -> Result<Vec<String>> {
    let mut strings = Vec::new();
    let mut typed: BTreeMap<(ActorId, u64), String> = BTreeMap::new();
    for bytes in changes {
        let change = Change::from_bytes(bytes.to_vec()).context("decode a stored change")?;
        strings.extend(change.message().map(str::to_owned));
        let text = typed.entry((change.actor_id().clone(), change.seq())).or_default();
        for op in change.decode().operations {
            if let legacy::Key::Map(key) = &op.key {
                strings.push(key.to_string());
            }
            match op.action {
                legacy::OpType::Put(ScalarValue::Str(value)) if op.insert => text.push_str(&value),
                legacy::OpType::Put(ScalarValue::Str(value)) => strings.push(value.to_string()),
                legacy::OpType::Put(ScalarValue::Bytes(value)) => {
                    strings.push(String::from_utf8_lossy(&value).into_owned());
                }
                _ => {}
            }
        }
    }
    let mut by_actor: BTreeMap<ActorId, String> = BTreeMap::new();
    for ((actor, _), text) in typed {
        by_actor.entry(actor).or_default().push_str(&text);
    }
    strings.extend(by_actor.into_values());
    Ok(strings)
}
