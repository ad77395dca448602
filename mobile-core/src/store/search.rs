//! The text of documents that search looks through, sealed like everything else.
//!
//! What a text is made of is the session's. It is written with the summary and goes with its document; a search opens the
//! rows one by one, away from the threads that serve screens, and keeps none.

use serde::de::DeserializeOwned;
use taiwa_shared::ids::DocumentId;

use super::{Store, StoreError, seal::Place};

const READ: &str = "select document, sealed from search_text";

/// The text of a document, still sealed.
#[derive(Debug, Clone)]
pub struct SealedText {
    /// Whose text.
    pub document: DocumentId,
    sealed: Vec<u8>,
}

impl Store {
    /// The texts of all documents.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn search_texts(&self) -> Result<Vec<SealedText>, StoreError> {
        let rows: Vec<(Vec<u8>, Vec<u8>)> =
            sqlx::query_as(READ).fetch_all(&self.0.read).await.map_err(|e| self.failed(e))?;
        let text =
            |(document, sealed): (Vec<u8>, Vec<u8>)| Ok(SealedText { document: self.document_id(&document)?, sealed });
        rows.into_iter().map(text).collect()
    }

    /// Opens a text; none if it does not read as `T`, such as an older form, which is made again.
    pub fn open_search_text<T: DeserializeOwned>(&self, text: &SealedText) -> Option<T> {
        self.0.sealer.open_json(Place("search_text", text.document.as_bytes()), &text.sealed).ok()
    }
}
