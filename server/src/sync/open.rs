//! Reading a document from the store: its rows into a change graph, or the bytes of its changes.
//!
//! Every hash is verified. Rows that do not fit are never repaired or dropped here: the document is quarantined.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bytes::Bytes;
use taiwa_shared::{
    documents::genesis,
    domain::ownership::DocumentKey,
    ids::UserId,
    sync::{
        chunks::{ActorId, ChunkError, StoredChange, decode_row},
        document::DocumentSync,
        rejection::GraphError,
    },
};

use super::{
    document::{DocumentName, OpenDocument},
    registry::Opened,
    state::{Archive, PLAIN, State, Stored},
};
use crate::store::{Store, StoreError, chunks::ChunkRow};

/// More than this is read on the blocking pool: parsing takes about 3 µs per change of 125 bytes.
const INLINE_BYTES: usize = 32 * 1024;
/// Bytes of a document up to this stay in memory after opening, for the peer that asked; more is read again if needed.
const KEPT_BYTES: usize = 256 * 1024;

/// Second byte of a row that `shared::sync::chunks` packed.
const PACK: u8 = 1;

/// A document's rows cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Damage {
    /// A row cannot be read.
    #[error("row {n}: {source}")]
    Row {
        /// Its number.
        n: i64,
        /// Why.
        source: ChunkError,
    },
    /// A row is sealed, or something this version does not know.
    #[error("row {n} begins with header byte {header}")]
    Header {
        /// Its number.
        n: i64,
        /// What it begins with.
        header: u8,
    },
    /// The changes do not fit together.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The genesis that follows from the document's key is not a change.
    #[error("genesis: {0}")]
    Genesis(ChunkError),
    /// Reading them panicked.
    #[error("reading the rows panicked")]
    Panicked,
}

/// Opens a document from the store.
pub(super) async fn open(
    store: &Store,
    name: DocumentName,
    key: &DocumentKey,
    generation: u32,
) -> Result<Opened, StoreError> {
    let (organisation, document) = name;
    let rows = store.chunks(organisation, document).await?;
    let authors = store.authors(organisation, document).await?;
    let digest_stale = store.has_stale_digest(organisation, document).await?;
    let key = *key;
    let built = off_the_loop(body_bytes(&rows), move || build(&key, generation, &rows, authors, digest_stale));
    Ok(match built.await {
        Ok(state) => Opened::Open(Arc::new(OpenDocument::new(name, state))),
        Err(damage) => {
            tracing::error!(document.id = %document, damage = %damage, "document quarantined: its rows are left as they are");
            Opened::Quarantined
        }
    })
}

/// The bytes of all stored changes of a document, by hash.
pub(super) async fn read_archive(store: &Store, name: DocumentName) -> Result<Result<Archive, Damage>, StoreError> {
    let rows = store.chunks(name.0, name.1).await?;
    let archive = off_the_loop(body_bytes(&rows), move || {
        let changes = read_rows(&rows)?;
        Ok(changes.into_iter().map(|change| (change.header.hash, change.bytes)).collect())
    });
    Ok(archive.await)
}

/// Runs `work` where it does not hold others up, and turns a panic into damage.
pub(super) async fn off_the_loop<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> Result<T, Damage> + Send + 'static,
) -> Result<T, Damage> {
    if bytes <= INLINE_BYTES {
        return catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Damage::Panicked));
    }
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Damage::Panicked))
}

/// All changes of some rows, in their order.
pub(super) fn read_rows(rows: &[ChunkRow]) -> Result<Vec<StoredChange>, Damage> {
    let mut changes = Vec::new();
    for ChunkRow { n, body } in rows {
        match body.split_first() {
            Some((&PLAIN, body)) => {
                changes.append(&mut decode_row(body).map_err(|source| Damage::Row { n: *n, source })?);
            }
            other => return Err(Damage::Header { n: *n, header: other.map_or(0, |(header, _)| *header) }),
        }
    }
    Ok(changes)
}

/// How many bytes rows have.
pub(super) fn body_bytes(rows: &[ChunkRow]) -> usize {
    rows.iter().map(|row| row.body.len()).sum()
}

/// How many bytes of rows are not packed.
pub(super) fn log_bytes(rows: &[ChunkRow]) -> usize {
    rows.iter().filter(|row| row.body.get(1) != Some(&PACK)).map(|row| row.body.len()).sum()
}

fn build(
    key: &DocumentKey,
    generation: u32,
    rows: &[ChunkRow],
    authors: Vec<(Vec<u8>, UserId)>,
    digest_stale: bool,
) -> Result<State, Damage> {
    let genesis = genesis(key, generation);
    let genesis = StoredChange::read(Bytes::from(genesis.bytes)).map_err(Damage::Genesis)?;
    let changes = read_rows(rows)?;
    let bindings = authors.into_iter().map(|(actor, user)| (ActorId::from(actor), user));
    let sync = DocumentSync::open(genesis.clone(), changes.iter().cloned(), bindings)?;
    let bytes: usize = changes.iter().map(|change| change.bytes.len()).sum();
    let archive: Option<Archive> = (bytes <= KEPT_BYTES)
        .then(|| changes.into_iter().map(|change| (change.header.hash, change.bytes)).collect::<HashMap<_, _>>());
    let stored = Stored {
        next_row: rows.last().map_or(0, |row| row.n + 1),
        rows: rows.len(),
        log_bytes: log_bytes(rows),
        change_bytes: bytes,
        digest_stale,
        genesis: (genesis.header.hash, genesis.bytes),
        archive,
    };
    Ok(State::new(sync, stored))
}
