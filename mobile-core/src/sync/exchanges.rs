//! All documents in exchange over one connection: who has a turn, what arrived, what goes out.
//!
//! Made when the server has answered `join` and dropped with the connection. Everything received in one batch is stored
//! in one transaction, and nothing that acknowledges it leaves before. Knows nothing of sockets and tokens.

mod receiving;

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet, VecDeque},
};

use taiwa_shared::{
    ids::DocumentId,
    sync::{
        chunks::StoredChange,
        document::{Due, SyncKind},
    },
};

use super::{
    event::SyncEvent,
    open_document::{OpenDocument, OpenError},
    outcome::Outcome,
    plan::{Plan, is_withheld, plan},
    quarantine::Quarantine,
};
use crate::store::{LocalDocument, RefusalReason, Store, StoreError};

/// Documents exchanged at a time besides those on screen: enough to fill a round trip, few enough for 30 MB.
const MAX_IN_FLIGHT: usize = 16;
/// Documents in sync that stay loaded because they may be written to again.
const MAX_IDLE: usize = 8;

/// The documents of one connection.
pub(super) struct Exchanges {
    store: Store,
    known: HashMap<DocumentId, LocalDocument>,
    on_screen: HashSet<DocumentId>,
    open: HashMap<DocumentId, OpenDocument>,
    queue: VecDeque<DocumentId>,
    in_flight: HashSet<DocumentId>,
    /// In sync; the server tells of everything new by itself.
    live: HashSet<DocumentId>,
    idle: VecDeque<DocumentId>,
    /// The server has spoken about these and goes on to, loaded here or not; it does not repeat itself.
    joined: HashSet<DocumentId>,
    /// Asked once more after the server did not know them.
    asked_again: HashSet<DocumentId>,
    /// Not to be tried again on this connection.
    given_up: HashSet<DocumentId>,
    claim_asked: HashSet<DocumentId>,
    /// The server was sent changes of these and has not said that it has them.
    sent: HashSet<DocumentId>,
}

impl Exchanges {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            known: HashMap::new(),
            on_screen: HashSet::new(),
            open: HashMap::new(),
            queue: VecDeque::new(),
            in_flight: HashSet::new(),
            live: HashSet::new(),
            idle: VecDeque::new(),
            joined: HashSet::new(),
            asked_again: HashSet::new(),
            given_up: HashSet::new(),
            claim_asked: HashSet::new(),
            sent: HashSet::new(),
        }
    }

    /// Documents whose unsent edits are no longer waited for.
    pub(super) fn refused(&self) -> impl Iterator<Item = DocumentId> {
        self.known.values().filter(|known| known.refused.is_some()).map(|known| known.id)
    }

    /// Whether anything is still to be exchanged.
    pub(super) fn is_busy(&self) -> bool {
        !self.queue.is_empty() || !self.in_flight.is_empty()
    }

    /// Whether the server sends what is broadcast about this document to others.
    pub(super) fn is_live(&self, document: DocumentId) -> bool {
        self.live.contains(&document) || self.in_flight.contains(&document)
    }

    /// Changes of these were sent, the person's or others', and are not acknowledged: suspects when the server refuses
    /// something.
    pub(super) fn awaiting_verdict(&self) -> Vec<DocumentId> {
        self.sent.iter().copied().collect()
    }

    /// Whether the server may still not take what is in this document.
    pub(super) fn has_unsent(&self, document: DocumentId) -> bool {
        self.known.get(&document).is_some_and(|known| known.unacknowledged > 0)
            || self.open.get(&document).is_some_and(|open| !open.is_acknowledged())
    }

    /// Decides anew what to exchange, after records were exchanged or something came on screen.
    pub(super) async fn plan(
        &mut self,
        on_screen: HashSet<DocumentId>,
        wanted: &HashSet<DocumentId>,
        quarantine: &mut Quarantine,
    ) -> Result<Outcome, StoreError> {
        let documents = self.store.documents().await?;
        let Plan { exchange, claim, refuse } = plan(&documents, &on_screen, wanted);
        self.known = documents.into_iter().map(|document| (document.id, document)).collect();
        self.on_screen = on_screen;
        let mut outcome = Outcome::default();
        for (document, reason) in refuse {
            self.refuse(document, reason, &mut outcome).await?;
        }
        self.close_changed();
        quarantine.keep_only(|id| exchange.contains(&id) && !self.given_up.contains(&id));
        for document in wanted {
            self.live.remove(document);
        }
        // A live document that is not loaded has its unsent changes in the store alone.
        let is_unsent = |id: &DocumentId| self.known.get(id).is_some_and(|d| d.unacknowledged > 0 && !is_withheld(d));
        let again = |id: &DocumentId| !self.in_flight.contains(id) && (!self.live.contains(id) || is_unsent(id));
        let reopen = |id: &DocumentId| self.on_screen.contains(id) && !self.open.contains_key(id);
        self.queue = exchange
            .into_iter()
            .filter(|id| !self.given_up.contains(id) && quarantine.admits(*id))
            .filter(|id| again(id) || reopen(id))
            .collect();
        for document in claim {
            outcome.ask_for_records |= self.claim_asked.insert(document);
        }
        self.drop_idle();
        Ok(outcome)
    }

    /// Gives turns to waiting documents.
    pub(super) async fn fill(&mut self) -> Result<Outcome, StoreError> {
        let mut outcome = Outcome::default();
        while let Some(document) = self.queue.front().copied() {
            if self.in_flight.len() >= MAX_IN_FLIGHT && !self.on_screen.contains(&document) {
                break;
            }
            self.queue.pop_front();
            if self.load(document, &mut outcome).await? {
                let open = self.open.get(&document).expect("it was just loaded");
                if self.joined.contains(&document) && (open.withheld() || open.is_acknowledged()) {
                    // The server would not answer: it has said everything, and says what is new by itself.
                    self.live.insert(document);
                    outcome.taken.push(document);
                } else {
                    self.begin(document);
                    self.note_progress(document, &mut outcome).await?;
                }
            }
        }
        self.drop_idle();
        Ok(outcome)
    }

    /// Takes changes made here; those of documents that are not loaded are read from the store when their turn comes.
    pub(super) fn take_local(&mut self, document: DocumentId, changes: Vec<StoredChange>) {
        if let Some(open) = self.open.get_mut(&document) {
            if let Err(error) = open.take_local(changes) {
                tracing::warn!(document.id = %document, %error, "a local change does not fit, reading the document again");
                self.close(document);
            } else if !open.is_acknowledged() {
                return self.begin(document);
            }
        }
        let is_ready = self.known.get(&document).is_some_and(|known| known.claimed && !is_withheld(known));
        if is_ready && !self.given_up.contains(&document) && !self.queue.contains(&document) {
            self.queue.push_front(document);
        }
    }

    /// Whether the store has a document that the last plan did not know, or not as it is now: a refusal is lifted before somebody writes.
    pub(super) fn is_unplanned(&self, document: DocumentId) -> bool {
        self.known.get(&document).is_none_or(|known| !known.claimed || known.refused.is_some())
    }

    /// How pressing it is to send [`Self::next_message`].
    pub(super) fn due(&self) -> Due {
        self.open.values().map(OpenDocument::due).max().unwrap_or(Due::Nothing)
    }

    /// The next message, the most pressing first, and of these documents on screen.
    pub(super) async fn next_message(
        &mut self,
        outcome: &mut Outcome,
    ) -> Result<Option<(DocumentId, SyncKind, Vec<u8>)>, StoreError> {
        let speaking = self.open.iter().map(|(id, open)| (Reverse(open.due()), !self.on_screen.contains(id), *id));
        let Some((_, _, document)) = speaking.filter(|(due, ..)| due.0 > Due::Nothing).min() else { return Ok(None) };
        let known = self.known.get(&document).ok_or(StoreError::UnknownDocument(document))?;
        let open = self.open.get_mut(&document).expect("it was just found");
        let message = open.next_message(&self.store, known).await?;
        if message.as_ref().is_some_and(|message| message.has_changes) {
            self.sent.insert(document);
        }
        self.note_progress(document, outcome).await?;
        Ok(message.map(|message| (document, message.kind, message.data)))
    }

    /// The server does not take this person's changes: they stay in the store and are no longer waited for.
    pub(super) async fn refuse(
        &mut self,
        document: DocumentId,
        reason: RefusalReason,
        outcome: &mut Outcome,
    ) -> Result<(), StoreError> {
        self.store.mark_refused(document, Some(reason)).await?;
        if let Some(known) = self.known.get_mut(&document) {
            known.refused = Some(reason);
        }
        self.close(document);
        outcome.events.push(SyncEvent::Refused { document, reason });
        outcome.waiting_changed = true;
        Ok(())
    }

    /// Loads a document if it is not; false if that is not possible.
    async fn load(&mut self, document: DocumentId, outcome: &mut Outcome) -> Result<bool, StoreError> {
        if self.open.contains_key(&document) {
            return Ok(true);
        }
        let Some(known) = self.known.get(&document) else { return Ok(false) };
        match OpenDocument::load(&self.store, known).await {
            Ok(open) => {
                self.open.insert(document, open);
                Ok(true)
            }
            Err(OpenError::Store(error)) => Err(error),
            Err(OpenError::Unacceptable(error)) => {
                tracing::warn!(document.id = %document, %error, "an own change cannot be sent");
                self.refuse(document, RefusalReason::Rejected, outcome).await?;
                Ok(false)
            }
            Err(OpenError::Graph(error)) => {
                tracing::error!(document.id = %document, %error, "a stored document does not fit together");
                self.given_up.insert(document);
                Ok(false)
            }
        }
    }

    async fn note_progress(&mut self, document: DocumentId, outcome: &mut Outcome) -> Result<(), StoreError> {
        let Some(open) = self.open.get_mut(&document) else { return Ok(()) };
        let acknowledged = open.take_acknowledged();
        let all_acknowledged = open.is_acknowledged();
        let settled = open.is_in_sync().then(|| open.digest());
        if settled.is_some() && (self.sent.remove(&document) || self.in_flight.contains(&document)) {
            outcome.taken.push(document);
        }
        if !acknowledged.is_empty() {
            self.store.acknowledge(document, &acknowledged).await?;
            outcome.waiting_changed = true;
            if all_acknowledged {
                outcome.events.push(SyncEvent::Acknowledged { document });
            }
        }
        if let Some(digest) = settled
            && self.in_flight.contains(&document)
        {
            self.store.set_server_digest(document, digest).await?;
            self.in_flight.remove(&document);
            self.live.insert(document);
            self.drop_idle();
        }
        Ok(())
    }

    /// A loaded document has something to exchange.
    fn begin(&mut self, document: DocumentId) {
        self.live.remove(&document);
        self.idle.retain(|id| *id != document);
        self.in_flight.insert(document);
    }

    /// Forgets the exchange of a document.
    fn close(&mut self, document: DocumentId) {
        self.open.remove(&document);
        self.in_flight.remove(&document);
        self.live.remove(&document);
        self.idle.retain(|id| *id != document);
    }

    /// Leaves a document alone until the next connection.
    fn give_up(&mut self, document: DocumentId) {
        self.close(document);
        self.joined.remove(&document);
        self.queue.retain(|id| *id != document);
        self.given_up.insert(document);
    }

    /// Documents that are gone, forbidden or now readable only have to be loaded differently.
    fn close_changed(&mut self) {
        let is_as_loaded = |(id, open): &(&DocumentId, &OpenDocument)| {
            self.known.get(*id).is_some_and(|known| is_withheld(known) == open.withheld())
        };
        let changed: Vec<_> = self.open.iter().filter(|entry| !is_as_loaded(entry)).map(|(id, _)| *id).collect();
        for document in changed {
            self.close(document);
        }
    }

    fn drop_idle(&mut self) {
        let Self { open, on_screen, in_flight, idle, .. } = self;
        idle.retain(|id| !on_screen.contains(id));
        // What owes an acknowledgement stays until it is sent.
        let is_done = |id: &DocumentId, open: &OpenDocument| {
            !on_screen.contains(id) && !in_flight.contains(id) && !idle.contains(id) && open.due() == Due::Nothing
        };
        let new: Vec<_> = open.iter().filter(|(id, open)| is_done(id, open)).map(|(id, _)| *id).collect();
        idle.extend(new);
        while self.idle.len() > MAX_IDLE {
            let Some(document) = self.idle.pop_front() else { return };
            self.open.remove(&document);
        }
    }
}

#[cfg(test)]
mod tests;
