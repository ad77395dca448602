//! Changes of documents: own ones until the server has acknowledged them, and everything received.
//!
//! Changes are appended in causal order, so that heads are kept without reading the document. A row holds one own
//! change that is not acknowledged, or any number of others.

use std::collections::HashSet;

use bytes::Bytes;
use taiwa_shared::{
    ids::DocumentId,
    sync::chunks::{ChangeHash, ChangeHeader, StoredChange, decode_row, encode_log, encode_pack},
};

use super::{
    Store, StoreError, Write,
    documents::{join_heads, split_heads},
    seal::Place,
};

const NEXT: &str = "select (select coalesce(max(position), 0) + 1 from chunk), heads from document where id = $1";
const INSERT: &str = "insert into chunk (position, document, hash, sealed) values ($1, $2, $3, $4)";
/// In one trip to the database's thread: an edit makes few, and a phone that sleeps in between pays for each.
const INSERT_AND_SET_HEADS: &str = "insert into chunk (position, document, hash, sealed) values ($1, $2, $3, $4);
    update document set heads = $5 where id = $2";
const READ: &str = "select position, hash, sealed from chunk where document = $1 order by position";
const UNACKNOWLEDGED: &str = "select document, count(*) from chunk where hash is not null group by document";
const ACKNOWLEDGE: &str = "update chunk set hash = null where document = $1 and hash = $2";
const DELETE_ROW: &str = "delete from chunk where position = $1";
const DROP_UNACKNOWLEDGED: &str = "delete from chunk where document = $1 and hash is not null";

/// Rows of a document that are worth folding into one: reading 64 small rows costs about as much as unpacking one.
const PACK_ROWS: usize = 64;

/// Position, hash if unacknowledged, sealed body.
pub(super) type Row = (i64, Option<Vec<u8>>, Vec<u8>);

impl Store {
    /// Stores changes made on this phone; when this returns they are on the disk and count as unsent.
    ///
    /// # Errors
    /// [`StoreError::UnknownDocument`], [`StoreError::StorageFull`]; nothing is stored then.
    pub async fn append_local(&self, document: DocumentId, changes: &[StoredChange]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        self.insert_local(&mut tx, document, changes).await?;
        self.commit(tx).await
    }

    /// Stores changes received from the server, of any number of documents in one transaction.
    ///
    /// # Errors
    /// [`StoreError::UnknownDocument`], [`StoreError::StorageFull`]; nothing is stored then.
    pub async fn append_remote(&self, received: &[(DocumentId, Vec<StoredChange>)]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for (document, changes) in received.iter().filter(|(_, changes)| !changes.is_empty()) {
            self.insert_remote(&mut tx, *document, changes).await?;
        }
        self.commit(tx).await
    }

    /// All changes of a document in the order they were stored, which is causal.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn changes(&self, document: DocumentId) -> Result<Vec<StoredChange>, StoreError> {
        Ok(self.changes_with_state(document).await?.into_iter().map(|(change, _)| change).collect())
    }

    /// All changes of a document, and whether each one is still unsent.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn changes_with_state(&self, document: DocumentId) -> Result<Vec<(StoredChange, bool)>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(READ)
            .bind(&document.as_bytes()[..])
            .fetch_all(&self.0.read)
            .await
            .map_err(|e| self.failed(e))?;
        let mut changes = Vec::with_capacity(rows.len());
        for (position, hash, sealed) in rows {
            let read = self.open_chunk(document, position, &sealed)?;
            changes.extend(read.into_iter().map(|change| (change, hash.is_some())));
        }
        Ok(changes)
    }

    /// The headers of all changes of a document.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn headers(&self, document: DocumentId) -> Result<Vec<ChangeHeader>, StoreError> {
        Ok(self.changes(document).await?.into_iter().map(|change| change.header).collect())
    }

    /// The server has stored these changes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn acknowledge(&self, document: DocumentId, hashes: &[ChangeHash]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for hash in hashes {
            let query = sqlx::query(ACKNOWLEDGE).bind(&document.as_bytes()[..]).bind(&hash.0[..]);
            query.execute(&mut *tx).await.map_err(|e| self.failed(e))?;
        }
        self.commit(tx).await
    }

    /// Counts own changes as acknowledged that stored changes of others stand upon: the server has sent what needs them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn settle(&self, document: DocumentId) -> Result<(), StoreError> {
        let mut needed = HashSet::new();
        let mut settled = Vec::new();
        for (change, is_unsent) in self.changes_with_state(document).await?.into_iter().rev() {
            let is_needed = needed.contains(&change.header.hash);
            if !is_unsent || is_needed {
                needed.extend(change.header.deps);
            }
            if is_unsent && is_needed {
                settled.push(change.header.hash);
            }
        }
        if settled.is_empty() { Ok(()) } else { self.acknowledge(document, &settled).await }
    }

    /// Documents with own changes that the server has not acknowledged, and how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unacknowledged(&self) -> Result<Vec<(DocumentId, u32)>, StoreError> {
        let rows: Vec<(Vec<u8>, i64)> =
            sqlx::query_as(UNACKNOWLEDGED).fetch_all(&self.0.read).await.map_err(|e| self.failed(e))?;
        rows.iter()
            .map(|(document, n)| Ok((self.document_id(document)?, u32::try_from(*n).unwrap_or(u32::MAX))))
            .collect()
    }

    /// Folds the acknowledged rows of a document into one if there are many; contents and order stay the same.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pack(&self, document: DocumentId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let rows: Vec<Row> = sqlx::query_as(READ)
            .bind(&document.as_bytes()[..])
            .fetch_all(&mut *tx)
            .await
            .map_err(|e| self.failed(e))?;
        // Only the rows before the first unsent one: the order stays causal, and unsent rows stay single.
        let settled: Vec<Row> = rows.into_iter().take_while(|(_, hash, _)| hash.is_none()).collect();
        let Some(&(first, ..)) = settled.first().filter(|_| settled.len() >= PACK_ROWS) else {
            return Ok(());
        };
        let mut bytes = Vec::new();
        for (position, _, sealed) in &settled {
            bytes.extend(self.open_chunk(document, *position, sealed)?.into_iter().map(|change| change.bytes));
            sqlx::query(DELETE_ROW).bind(position).execute(&mut *tx).await.map_err(|e| self.failed(e))?;
        }
        self.insert_body(&mut tx, first, document, None, &encode_pack(&bytes)).await?;
        self.commit(tx).await
    }

    /// Gives up the unsent changes of a document, after their text was kept as a card.
    pub(super) async fn drop_unacknowledged(&self, tx: &mut Write, document: DocumentId) -> Result<(), StoreError> {
        let query = sqlx::query(DROP_UNACKNOWLEDGED).bind(&document.as_bytes()[..]);
        query.execute(&mut **tx).await.map_err(|e| self.failed(e))?;
        let rows: Vec<Row> = sqlx::query_as(READ)
            .bind(&document.as_bytes()[..])
            .fetch_all(&mut **tx)
            .await
            .map_err(|e| self.failed(e))?;
        let mut heads = Vec::new();
        for (position, _, sealed) in rows {
            advance(&mut heads, &self.open_chunk(document, position, &sealed)?);
        }
        self.set_heads(tx, document, &heads).await
    }

    pub(super) async fn insert_local(
        &self,
        tx: &mut Write,
        document: DocumentId,
        changes: &[StoredChange],
    ) -> Result<(), StoreError> {
        let rows =
            changes.iter().map(|change| (Some(change.header.hash), encode_log(std::slice::from_ref(&change.bytes))));
        self.append(tx, document, rows.collect(), changes).await
    }

    pub(super) async fn insert_remote(
        &self,
        tx: &mut Write,
        document: DocumentId,
        changes: &[StoredChange],
    ) -> Result<(), StoreError> {
        let bytes: Vec<Bytes> = changes.iter().map(|change| change.bytes.clone()).collect();
        self.append(tx, document, vec![(None, encode_log(&bytes))], changes).await
    }

    /// Appends rows that hold these changes.
    async fn append(
        &self,
        tx: &mut Write,
        document: DocumentId,
        mut rows: Vec<(Option<ChangeHash>, Vec<u8>)>,
        changes: &[StoredChange],
    ) -> Result<(), StoreError> {
        let next: Option<(i64, Vec<u8>)> = sqlx::query_as(NEXT)
            .bind(&document.as_bytes()[..])
            .fetch_optional(&mut **tx)
            .await
            .map_err(|e| self.failed(e))?;
        let (mut position, heads) = next.ok_or(StoreError::UnknownDocument(document))?;
        let Some((hash, body)) = rows.pop() else { return Ok(()) };
        for (hash, body) in rows {
            self.insert_body(tx, position, document, hash, &body).await?;
            position += 1;
        }
        let mut heads: Vec<_> = split_heads(&heads).map(ChangeHash).collect();
        advance(&mut heads, changes);
        let sealed = self.seal_chunk(document, position, &body);
        let query = sqlx::query(INSERT_AND_SET_HEADS).bind(position).bind(&document.as_bytes()[..]);
        let query = query.bind(hash.map(|hash| hash.0.to_vec())).bind(sealed).bind(join_heads(&heads));
        query.execute(&mut **tx).await.map(drop).map_err(|e| self.failed(e))
    }

    async fn insert_body(
        &self,
        tx: &mut Write,
        position: i64,
        document: DocumentId,
        hash: Option<ChangeHash>,
        body: &[u8],
    ) -> Result<(), StoreError> {
        let sealed = self.seal_chunk(document, position, body);
        let query = sqlx::query(INSERT).bind(position).bind(&document.as_bytes()[..]);
        let query = query.bind(hash.map(|hash| hash.0.to_vec())).bind(sealed);
        query.execute(&mut **tx).await.map(drop).map_err(|e| self.failed(e))
    }

    fn seal_chunk(&self, document: DocumentId, position: i64, body: &[u8]) -> Vec<u8> {
        self.0.sealer.seal(Place("chunk", &row_identity(document, position)), body)
    }

    pub(super) fn open_chunk(
        &self,
        document: DocumentId,
        position: i64,
        sealed: &[u8],
    ) -> Result<Vec<StoredChange>, StoreError> {
        let row = row_identity(document, position);
        let body = self.0.sealer.open(Place("chunk", &row), sealed).map_err(self.not_opened("chunk"))?;
        decode_row(&body).map_err(|e| StoreError::damaged(&self.0.path, format!("chunk: {e}")))
    }
}

fn row_identity(document: DocumentId, position: i64) -> Vec<u8> {
    [&document.as_bytes()[..], &position.to_be_bytes()].concat()
}

/// New heads after changes that are no ancestors of what is stored.
fn advance(heads: &mut Vec<ChangeHash>, changes: &[StoredChange]) {
    for StoredChange { header, .. } in changes {
        heads.retain(|head| !header.deps.contains(head) && *head != header.hash);
        heads.push(header.hash);
    }
}
