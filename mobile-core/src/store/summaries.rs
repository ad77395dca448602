//! What lists show of a document, kept so that it need not be opened.
//!
//! The content is the session's; this only seals it. A summary is a cache: it may be missing, never wrong about which
//! heads it was made of.

use serde::{Serialize, de::DeserializeOwned};
use taiwa_shared::ids::DocumentId;

use super::{Store, StoreError, seal::Place};

const READ: &str = "select document, sealed from summary";
const UPSERT: &str = "insert into summary (document, sealed) values ($1, $2)
    on conflict (document) do update set sealed = excluded.sealed";
const UPSERT_TEXT: &str = "insert into search_text (document, sealed) values ($1, $2)
    on conflict (document) do update set sealed = excluded.sealed";

impl Store {
    /// All summaries; one that does not read as `T`, such as an older form, is left out and made again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn summaries<T: DeserializeOwned>(&self) -> Result<Vec<(DocumentId, T)>, StoreError> {
        let rows: Vec<(Vec<u8>, Vec<u8>)> =
            sqlx::query_as(READ).fetch_all(&self.0.read).await.map_err(|e| self.failed(e))?;
        let mut summaries = Vec::with_capacity(rows.len());
        for (document, sealed) in rows {
            let document = self.document_id(&document)?;
            if let Ok(summary) = self.0.sealer.open_json(Place("summary", document.as_bytes()), &sealed) {
                summaries.push((document, summary));
            }
        }
        Ok(summaries)
    }

    /// Keeps the summary of a document and the text that search looks through.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_summary(
        &self,
        document: DocumentId,
        summary: &impl Serialize,
        text: &impl Serialize,
    ) -> Result<(), StoreError> {
        let summary = self.0.sealer.seal_json(Place("summary", document.as_bytes()), summary);
        let text = self.0.sealer.seal_json(Place("search_text", document.as_bytes()), text);
        let mut tx = self.begin().await?;
        for (upsert, sealed) in [(UPSERT, summary), (UPSERT_TEXT, text)] {
            let query = sqlx::query(upsert).bind(&document.as_bytes()[..]).bind(sealed);
            match query.execute(&mut *tx).await {
                Ok(_) => {}
                Err(e) if e.as_database_error().is_some_and(|e| e.is_foreign_key_violation()) => {
                    return Err(StoreError::UnknownDocument(document));
                }
                Err(e) => return Err(self.failed(e)),
            }
        }
        self.commit(tx).await
    }
}
