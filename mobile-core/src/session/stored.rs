//! What a session reads from its store when it starts.
//!
//! Documents and summaries beside the rest: a manager of three years has two thousand of each, and unsealing them takes
//! longer than reading them.

use taiwa_shared::ids::DocumentId;
use tokio::task::JoinHandle;

use super::{SessionError, summary::Summary};
use crate::store::{LocalDocument, Store, StoreError, StoredCommand, StoredRecords};

/// Everything that is kept in memory, as the store has it.
pub(super) struct Stored {
    pub(super) documents: Vec<LocalDocument>,
    pub(super) summaries: Vec<(DocumentId, Summary)>,
    pub(super) commands: Vec<StoredCommand>,
    pub(super) records: StoredRecords,
}

impl Stored {
    /// Reads it.
    pub(super) async fn read(store: &Store) -> Result<Self, SessionError> {
        let (one, another) = (store.clone(), store.clone());
        let documents = tokio::spawn(async move { one.documents().await });
        let summaries = tokio::spawn(async move { another.summaries().await });
        let (commands, records) = (store.unsettled_commands().await?, store.records().await?);
        Ok(Self { documents: done(documents).await?, summaries: done(summaries).await?, commands, records })
    }
}

async fn done<T>(reading: JoinHandle<Result<T, StoreError>>) -> Result<T, SessionError> {
    Ok(reading.await.map_err(|panicked| SessionError::Unexpected(Box::new(panicked)))??)
}
