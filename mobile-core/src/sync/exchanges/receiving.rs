//! What arrives from the server: taken in batches, stored in one transaction each, and only then counted as received.

use taiwa_shared::{ids::DocumentId, sync::chunks::StoredChange};

use super::Exchanges;
use crate::{
    store::StoreError,
    sync::{
        event::SyncEvent,
        outcome::{Incoming, Outcome},
    },
};

impl Exchanges {
    /// Takes what arrived together. A document about which the server sends what a correct one does not send is given up
    /// until the next connection; the others go on.
    ///
    /// # Errors
    /// [`StoreError`]; nothing of the batch counts as received.
    pub(in crate::sync) async fn receive(
        &mut self,
        batch: Vec<Incoming>,
        outcome: &mut Outcome,
    ) -> Result<(), StoreError> {
        let mut received: Vec<(DocumentId, Vec<StoredChange>)> = Vec::new();
        let mut touched: Vec<DocumentId> = Vec::new();
        for incoming in batch {
            match incoming {
                Incoming::Message { document, kind, data } => {
                    let is_ours = self.is_live(document) || self.joined.contains(&document);
                    if !is_ours || !self.load(document, outcome).await? {
                        // The server answers only what was asked; a document may have been lost since.
                        continue;
                    }
                    if !self.idle.contains(&document) && !self.on_screen.contains(&document) {
                        self.begin(document);
                    }
                    self.joined.insert(document);
                    let open = self.open.get_mut(&document).expect("it was just loaded");
                    match open.receive(kind, &data) {
                        Ok(changes) => {
                            push(&mut received, document, changes);
                            touched.push(document);
                            // The server knows it: should it ever not, that is news again.
                            self.asked_again.remove(&document);
                        }
                        Err(rejection) => {
                            tracing::warn!(document.id = %document, error = %rejection, "a message is not accepted");
                            self.give_up(document);
                        }
                    }
                }
                Incoming::Unavailable { document } => self.unavailable(document, outcome).await?,
            }
        }
        self.store_received(&mut received).await?;
        for (document, changes) in received {
            let changes = changes.into_iter().map(|change| change.bytes).collect();
            outcome.events.push(SyncEvent::Received { document, changes });
        }
        for document in touched {
            self.note_progress(document, outcome).await?;
        }
        Ok(())
    }

    async fn unavailable(&mut self, document: DocumentId, outcome: &mut Outcome) -> Result<(), StoreError> {
        if !self.is_live(document) && !self.joined.contains(&document) {
            return Ok(());
        }
        self.close(document);
        self.joined.remove(&document);
        if self.asked_again.insert(document) {
            // Records tell whether it was lost, and unclaimed documents are claimed.
            outcome.ask_for_records = true;
            return Ok(());
        }
        // The records still grant it (otherwise the plan that followed them has refused it): the server cannot open it
        // now. Nothing is given up for that; it is tried again on the next connection.
        self.given_up.insert(document);
        Ok(())
    }

    /// Stores a batch in one transaction; a document that the session dropped meanwhile is left out.
    async fn store_received(&mut self, received: &mut Vec<(DocumentId, Vec<StoredChange>)>) -> Result<(), StoreError> {
        received.retain(|(_, changes)| !changes.is_empty());
        while !received.is_empty() {
            match self.store.append_remote(received).await {
                Ok(()) => break,
                Err(StoreError::UnknownDocument(lost)) if received.iter().any(|(id, _)| *id == lost) => {
                    received.retain(|(id, _)| *id != lost);
                    self.close(lost);
                    self.joined.remove(&lost);
                    self.known.remove(&lost);
                }
                Err(error) => return Err(error),
            }
        }
        for (document, _) in received.iter() {
            if let Some(open) = self.open.get_mut(document) {
                open.commit();
            }
        }
        Ok(())
    }
}

/// Adds changes to those of the same document, so that each is one row.
fn push(received: &mut Vec<(DocumentId, Vec<StoredChange>)>, document: DocumentId, changes: Vec<StoredChange>) {
    match received.iter_mut().find(|(id, _)| *id == document) {
        Some((_, known)) => known.extend(changes),
        None => received.push((document, changes)),
    }
}
