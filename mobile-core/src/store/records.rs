//! The server's word on this phone: people, pairs, meetings, authors, and the cursor of the pull.
//!
//! A page and its cursor are applied in one transaction. Only an entry of the server removes anything, and what it
//! removes was first looked through for unsent edits by the session ([`PageEffects`]).

use serde::{Serialize, de::DeserializeOwned};
use taiwa_shared::{
    domain::{
        meeting::Meeting,
        ownership::Access,
        people::{Pair, Person},
    },
    ids::{DocumentId, PairId},
    protocol::records::{AuthorRecord, DocumentRecord, RecordEntry, RecordsPage},
};

use super::{Cursor, RefusalReason, RefusedEdit, Store, StoreError, Write, documents::DocumentRow, seal::Place};

const PERSON: i64 = 1;
const PAIR: i64 = 2;
const MEETING: i64 = 3;
const AUTHOR: i64 = 4;

const READ: &str = "select id, sealed from record where kind = $1 order by id";
const UPSERT: &str = "insert into record (kind, id, sealed) values ($1, $2, $3)
    on conflict (kind, id) do update set sealed = excluded.sealed";
const DELETE: &str = "delete from record where kind = $1 and id = $2";
const DOCUMENT_IDS: &str = "select id from document";

/// All records on this phone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredRecords {
    /// People.
    pub people: Vec<Person>,
    /// Pairs.
    pub pairs: Vec<Pair>,
    /// Meetings that somebody has touched.
    pub meetings: Vec<Meeting>,
    /// Actors whose changes do not say whose they are.
    pub authors: Vec<AuthorRecord>,
}

/// What applying a page does besides storing its entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageEffects {
    /// Documents to remove, because the pair was lost or there is a newer generation.
    pub purge: Vec<DocumentId>,
    /// Own unsent text found in them.
    pub cards: Vec<RefusedEdit>,
}

impl Store {
    /// All records.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn records(&self) -> Result<StoredRecords, StoreError> {
        Ok(StoredRecords {
            people: self.records_of(PERSON).await?,
            pairs: self.records_of(PAIR).await?,
            meetings: self.records_of(MEETING).await?,
            authors: self.records_of(AUTHOR).await?,
        })
    }

    /// Applies a page of the records pull, its effects and its cursor in one transaction.
    ///
    /// A page of another epoch makes every document unclaimed and of unknown digest, so that all are synchronised;
    /// nothing is removed because of it.
    ///
    /// # Errors
    /// [`StoreError`]; nothing of the page is applied then.
    pub async fn apply_page(&self, page: &RecordsPage, effects: &PageEffects) -> Result<(), StoreError> {
        let before = self.cursor().await?;
        let mut tx = self.begin().await?;
        if before.is_some_and(|before| before.epoch != page.epoch) {
            self.forget_server_state(&mut tx).await?;
        }
        for entry in &page.entries {
            self.apply_entry(&mut tx, entry).await?;
        }
        for document in &effects.purge {
            self.delete_document(&mut tx, *document).await?;
        }
        for card in &effects.cards {
            self.insert_card(&mut tx, card).await?;
        }
        self.put_cursor(&mut tx, &Cursor { epoch: page.epoch, cursor: page.cursor.clone() }).await?;
        self.commit(tx).await
    }

    async fn apply_entry(&self, tx: &mut Write, entry: &RecordEntry) -> Result<(), StoreError> {
        match entry {
            RecordEntry::Person(person) => self.upsert(tx, PERSON, person.id.as_bytes(), person).await,
            RecordEntry::Pair(pair) => self.upsert(tx, PAIR, pair.id.as_bytes(), pair).await,
            RecordEntry::Meeting(meeting) => self.upsert(tx, MEETING, meeting.id.as_bytes(), meeting).await,
            RecordEntry::Author(author) => self.upsert(tx, AUTHOR, &author_id(author), author).await,
            RecordEntry::Document(document) => self.apply_document(tx, document).await,
            RecordEntry::PairLost { pair } => self.remove_pair(tx, *pair).await,
            RecordEntry::Unknown => Ok(()),
        }
    }

    async fn apply_document(&self, tx: &mut Write, record: &DocumentRecord) -> Result<(), StoreError> {
        // The id follows from the key; a record that says otherwise would let two documents share a name.
        if record.id != record.key.document_id(record.generation) {
            tracing::warn!(document.id = %record.id, "a document record does not match its key; ignored");
            return Ok(());
        }
        let before = self.document_row(tx, record.id).await?;
        let refused = before.as_ref().and_then(|row| row.refused);
        let row = DocumentRow {
            key: record.key,
            generation: record.generation,
            access: record.access,
            slot: before.as_ref().and_then(|row| row.slot),
            server_digest: record.digest,
            claimed: true,
            // Access that was given back lifts the refusal that its loss had caused.
            refused: refused.filter(|reason| record.access != Access::Write || *reason != RefusalReason::NoAccess),
            lifted: before.as_ref().and_then(|row| row.lifted),
        };
        match before {
            Some(_) => self.update_document(tx, record.id, &row).await,
            None => self.insert_document(tx, record.id, &row).await,
        }
    }

    async fn remove_pair(&self, tx: &mut Write, pair: PairId) -> Result<(), StoreError> {
        self.delete(tx, PAIR, pair.as_bytes()).await?;
        let meetings: Vec<Meeting> = self.records_in(tx, MEETING).await?;
        for meeting in meetings.iter().filter(|meeting| meeting.pair == pair) {
            self.delete(tx, MEETING, meeting.id.as_bytes()).await?;
        }
        Ok(())
    }

    async fn forget_server_state(&self, tx: &mut Write) -> Result<(), StoreError> {
        self.send_ratings_again(tx).await?;
        let ids: Vec<Vec<u8>> =
            sqlx::query_scalar(DOCUMENT_IDS).fetch_all(&mut **tx).await.map_err(|e| self.failed(e))?;
        for id in ids {
            let id = self.document_id(&id)?;
            if let Some(mut row) = self.document_row(tx, id).await? {
                row.claimed = false;
                row.server_digest = None;
                self.update_document(tx, id, &row).await?;
            }
        }
        Ok(())
    }

    async fn records_of<T: DeserializeOwned>(&self, kind: i64) -> Result<Vec<T>, StoreError> {
        let rows = sqlx::query_as(READ).bind(kind).fetch_all(&self.0.read).await.map_err(|e| self.failed(e))?;
        self.open_records(kind, rows)
    }

    async fn records_in<T: DeserializeOwned>(&self, tx: &mut Write, kind: i64) -> Result<Vec<T>, StoreError> {
        let rows = sqlx::query_as(READ).bind(kind).fetch_all(&mut **tx).await.map_err(|e| self.failed(e))?;
        self.open_records(kind, rows)
    }

    fn open_records<T: DeserializeOwned>(
        &self,
        kind: i64,
        rows: Vec<(Vec<u8>, Vec<u8>)>,
    ) -> Result<Vec<T>, StoreError> {
        let open = |(id, sealed): (Vec<u8>, Vec<u8>)| {
            let row = row_identity(kind, &id);
            self.0.sealer.open_json(Place("record", &row), &sealed).map_err(self.not_opened("record"))
        };
        rows.into_iter().map(open).collect()
    }

    async fn upsert(&self, tx: &mut Write, kind: i64, id: &[u8], value: &impl Serialize) -> Result<(), StoreError> {
        let sealed = self.0.sealer.seal_json(Place("record", &row_identity(kind, id)), value);
        let query = sqlx::query(UPSERT).bind(kind).bind(id).bind(sealed);
        query.execute(&mut **tx).await.map_err(|e| self.failed(e))?;
        Ok(())
    }

    async fn delete(&self, tx: &mut Write, kind: i64, id: &[u8]) -> Result<(), StoreError> {
        sqlx::query(DELETE).bind(kind).bind(id).execute(&mut **tx).await.map_err(|e| self.failed(e))?;
        Ok(())
    }
}

fn row_identity(kind: i64, id: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes(), id].concat()
}

fn author_id(author: &AuthorRecord) -> Vec<u8> {
    [&author.document.as_bytes()[..], author.actor.as_bytes()].concat()
}
