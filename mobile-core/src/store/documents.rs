//! Which documents this phone knows of, and how each stands with the server.
//!
//! A document is known from a record, or because this phone derived its id and wrote into it before the server knew.

use std::{collections::HashSet, time::Duration};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use taiwa_shared::{
    domain::ownership::{Access, DocumentKey},
    ids::{DocumentId, HeadsDigest},
    sync::chunks::ChangeHash,
    time::Timestamp,
};

use super::{Store, StoreError, Write, seal::Place};

const READ_ALL: &str = "select d.id, d.heads, d.sealed,
    (select count(*) from chunk c where c.document = d.id and c.hash is not null) from document d order by d.id";
const READ_ONE: &str = "select d.id, d.heads, d.sealed,
    (select count(*) from chunk c where c.document = d.id and c.hash is not null) from document d where d.id = $1";
const INSERT: &str = "insert into document (id, heads, sealed) values ($1, $2, $3) on conflict (id) do nothing";
const UPDATE: &str = "update document set sealed = $2 where id = $1";
const SET_HEADS: &str = "update document set heads = $2 where id = $1";
const DELETE: &str = "delete from document where id = $1";

/// Documents that are asked for one by one: a trip each, while all are thousands to read.
const FEW: usize = 8;
/// A server that goes on refusing changes to a document is not asked to take new ones more often than this.
const TRY_AGAIN: Duration = Duration::from_hours(24);

/// Why the server no longer takes changes of this person into a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// The pair was closed or the person moved.
    NoAccess,
    /// The history was erased; there is a newer generation.
    Replaced,
    /// The document has reached its size limit.
    Full,
    /// The server found the changes not acceptable.
    Rejected,
}

/// One document on this phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalDocument {
    /// Its id, which follows from key and generation.
    pub id: DocumentId,
    /// Whose and what for.
    pub key: DocumentKey,
    /// Its generation.
    pub generation: u32,
    /// What this person may do with it, as far as the phone knows.
    pub access: Access,
    /// Nominal date of the meeting's slot, for the claim.
    pub slot: Option<Date>,
    /// Digest of the server's heads, from the records; none if the server has no changes or it is not known.
    pub server_digest: Option<HeadsDigest>,
    /// Digest of the heads stored here; none while there is only the genesis.
    pub local_digest: Option<HeadsDigest>,
    /// Whether the server knows the document.
    pub claimed: bool,
    /// Set when the server refuses this person's changes.
    pub refused: Option<RefusalReason>,
    /// Own changes that the server has not acknowledged.
    pub unacknowledged: u32,
}

impl LocalDocument {
    /// Whether the server and this phone are known to hold different changes.
    pub fn differs_from_server(&self) -> bool {
        self.unacknowledged > 0 || self.server_digest != self.local_digest
    }
}

/// The sealed part of a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct DocumentRow {
    pub(super) key: DocumentKey,
    pub(super) generation: u32,
    pub(super) access: Access,
    pub(super) slot: Option<Date>,
    pub(super) server_digest: Option<HeadsDigest>,
    pub(super) claimed: bool,
    pub(super) refused: Option<RefusalReason>,
    /// When a refusal was last lifted to try again.
    #[serde(default)]
    pub(super) lifted: Option<Timestamp>,
}

type Columns = (Vec<u8>, Vec<u8>, Vec<u8>, i64);

impl Store {
    /// All documents on this phone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn documents(&self) -> Result<Vec<LocalDocument>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(READ_ALL).fetch_all(&self.0.read).await.map_err(|e| self.failed(e))?;
        rows.into_iter().map(|row| self.document_of(row)).collect()
    }

    /// Those of these documents that the phone knows; nothing of the others is unsealed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn documents_among(&self, wanted: &HashSet<DocumentId>) -> Result<Vec<LocalDocument>, StoreError> {
        let mut found = Vec::with_capacity(wanted.len());
        if wanted.len() <= FEW {
            for document in wanted {
                found.extend(self.document(*document).await?);
            }
            return Ok(found);
        }
        let rows: Vec<Columns> = sqlx::query_as(READ_ALL).fetch_all(&self.0.read).await.map_err(|e| self.failed(e))?;
        for row in rows {
            if wanted.contains(&self.document_id(&row.0)?) {
                found.push(self.document_of(row)?);
            }
        }
        Ok(found)
    }

    /// One document, if the phone knows it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn document(&self, id: DocumentId) -> Result<Option<LocalDocument>, StoreError> {
        let row: Option<Columns> = sqlx::query_as(READ_ONE)
            .bind(&id.as_bytes()[..])
            .fetch_optional(&self.0.read)
            .await
            .map_err(|e| self.failed(e))?;
        row.map(|row| self.document_of(row)).transpose()
    }

    /// Makes a document known that this phone derived by itself; changes nothing if it is known.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_document(
        &self,
        key: DocumentKey,
        generation: u32,
        access: Access,
        slot: Option<Date>,
    ) -> Result<DocumentId, StoreError> {
        let id = key.document_id(generation);
        let row = DocumentRow {
            key,
            generation,
            access,
            slot,
            server_digest: None,
            claimed: false,
            refused: None,
            lifted: None,
        };
        let mut tx = self.begin().await?;
        self.insert_document(&mut tx, id, &row).await?;
        self.commit(tx).await?;
        Ok(id)
    }

    /// The server knows these documents now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn mark_claimed(&self, documents: &[DocumentId]) -> Result<(), StoreError> {
        self.change_documents(documents, |row| row.claimed = true).await
    }

    /// The server refuses this person's changes, or takes them again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn mark_refused(&self, document: DocumentId, reason: Option<RefusalReason>) -> Result<(), StoreError> {
        self.change_documents(&[document], |row| row.refused = reason).await
    }

    /// Lets the person write again after changes were found not acceptable, at most once a day; true if that is so now.
    /// Called once those changes are on a card, for the document does not hold them any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lift_rejection(&self, document: DocumentId, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let Some(mut row) = self.document_row(&mut tx, document).await? else { return Ok(false) };
        let is_recent = row.lifted.is_some_and(|at| (at..at.plus(TRY_AGAIN)).contains(&now));
        if row.refused != Some(RefusalReason::Rejected) || is_recent {
            return Ok(false);
        }
        row.refused = None;
        row.lifted = Some(now);
        self.update_document(&mut tx, document, &row).await?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// The server's heads are known from the exchange itself.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_server_digest(&self, document: DocumentId, digest: Option<HeadsDigest>) -> Result<(), StoreError> {
        self.change_documents(&[document], |row| row.server_digest = digest).await
    }

    async fn change_documents(
        &self,
        documents: &[DocumentId],
        change: impl Fn(&mut DocumentRow),
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for id in documents {
            if let Some(mut row) = self.document_row(&mut tx, *id).await? {
                change(&mut row);
                self.update_document(&mut tx, *id, &row).await?;
            }
        }
        self.commit(tx).await
    }

    pub(super) async fn insert_document(
        &self,
        tx: &mut Write,
        id: DocumentId,
        row: &DocumentRow,
    ) -> Result<(), StoreError> {
        let sealed = self.0.sealer.seal_json(place(&id), row);
        let query = sqlx::query(INSERT).bind(&id.as_bytes()[..]).bind(&[][..]).bind(sealed);
        query.execute(&mut **tx).await.map_err(|e| self.failed(e))?;
        Ok(())
    }

    pub(super) async fn update_document(
        &self,
        tx: &mut Write,
        id: DocumentId,
        row: &DocumentRow,
    ) -> Result<(), StoreError> {
        let sealed = self.0.sealer.seal_json(place(&id), row);
        let query = sqlx::query(UPDATE).bind(&id.as_bytes()[..]).bind(sealed);
        query.execute(&mut **tx).await.map_err(|e| self.failed(e))?;
        Ok(())
    }

    pub(super) async fn document_row(&self, tx: &mut Write, id: DocumentId) -> Result<Option<DocumentRow>, StoreError> {
        const READ: &str = "select sealed from document where id = $1";
        let sealed: Option<Vec<u8>> = sqlx::query_scalar(READ)
            .bind(&id.as_bytes()[..])
            .fetch_optional(&mut **tx)
            .await
            .map_err(|e| self.failed(e))?;
        sealed.map(|s| self.0.sealer.open_json(place(&id), &s).map_err(self.not_opened("document"))).transpose()
    }

    pub(super) async fn delete_document(&self, tx: &mut Write, id: DocumentId) -> Result<(), StoreError> {
        sqlx::query(DELETE).bind(&id.as_bytes()[..]).execute(&mut **tx).await.map_err(|e| self.failed(e))?;
        Ok(())
    }

    pub(super) async fn set_heads(
        &self,
        tx: &mut Write,
        id: DocumentId,
        heads: &[ChangeHash],
    ) -> Result<(), StoreError> {
        let query = sqlx::query(SET_HEADS).bind(&id.as_bytes()[..]).bind(join_heads(heads));
        query.execute(&mut **tx).await.map_err(|e| self.failed(e))?;
        Ok(())
    }

    fn document_of(&self, (id, heads, sealed, unacknowledged): Columns) -> Result<LocalDocument, StoreError> {
        let id = self.document_id(&id)?;
        let row: DocumentRow = self.0.sealer.open_json(place(&id), &sealed).map_err(self.not_opened("document"))?;
        Ok(LocalDocument {
            id,
            key: row.key,
            generation: row.generation,
            access: row.access,
            slot: row.slot,
            server_digest: row.server_digest,
            local_digest: (!heads.is_empty()).then(|| HeadsDigest::of(split_heads(&heads))),
            claimed: row.claimed,
            refused: row.refused,
            unacknowledged: u32::try_from(unacknowledged).unwrap_or(u32::MAX),
        })
    }

    pub(super) fn document_id(&self, bytes: &[u8]) -> Result<DocumentId, StoreError> {
        let bytes = bytes.try_into().map_err(|_| StoreError::damaged(&self.0.path, "a document id is cut off"))?;
        Ok(DocumentId::from_bytes(bytes))
    }
}

fn place(id: &DocumentId) -> Place<'_> {
    Place("document", id.as_bytes())
}

pub(super) fn join_heads(heads: &[ChangeHash]) -> Vec<u8> {
    heads.iter().flat_map(|hash| hash.0).collect()
}

pub(super) fn split_heads(blob: &[u8]) -> impl Iterator<Item = [u8; 32]> + '_ {
    blob.chunks_exact(32).map(|hash| hash.try_into().expect("chunks_exact gives 32 bytes"))
}
