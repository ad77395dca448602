//! What every part of a session shares: the store, who is signed in, the records in memory, and the news of changes.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use taiwa_shared::{
    domain::{
        catalog::{Catalog, Language},
        ownership::{Access, DocumentKey},
    },
    ids::{DocumentId, HeadsDigest, MeetingId, UserId},
    protocol::records::{RecordEntry, RecordsPage},
    time::{Clock, Timestamp, Zone},
};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{SessionError, roster::Roster, stored::Stored, summary::Summary, tips::shelf::ShelfState, watch::Changes};
use crate::store::{Identity, LocalDocument, Store};

pub(super) struct Core {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) identity: Identity,
    pub(super) language: Language,
    pub(super) zone: Zone,
    pub(super) changes: Changes,
    pub(super) ended: CancellationToken,
    /// Until when the outbox rests, because the server asked for it.
    pub(super) outbox_rests: watch::Sender<Option<Instant>>,
    /// The roster, and the number of the reading that gave it: a slow reading does not replace a later one.
    roster: RwLock<(u64, Arc<Roster>)>,
    readings: AtomicU64,
    /// The states of preps that the briefs loaded last have shown.
    briefs: Mutex<HashMap<MeetingId, HeadsDigest>>,
    /// Generations above 0, and summaries: both come from the store and are only a faster way to it.
    generations: Mutex<HashMap<DocumentKey, u32>>,
    summaries: Mutex<HashMap<DocumentId, Arc<Summary>>>,
    /// When the own ratings were pulled last.
    ratings_pulled: Mutex<Option<Timestamp>>,
    shelf: Mutex<ShelfState>,
    /// Since when something waits to be stored by the server.
    waiting_since: Mutex<Option<Instant>>,
}

/// Whether something waits to be stored by the server.
#[derive(Debug, Clone, Copy)]
pub(super) enum Waits {
    Something,
    Nothing,
}

impl Core {
    /// Of what the `store` has; gives the documents back, which nothing here keeps.
    pub(super) fn new(
        store: Store,
        stored: Stored,
        identity: Identity,
        clock: Arc<dyn Clock>,
        language: Language,
        zone: Zone,
    ) -> (Self, Vec<LocalDocument>) {
        let Stored { documents, commands, records, summaries } = stored;
        let roster = Roster::new(records, &commands, identity.user, clock.now());
        let mut generations = HashMap::new();
        for document in documents.iter().filter(|document| document.generation > 0) {
            let newest = generations.entry(document.key).or_insert(0);
            *newest = document.generation.max(*newest);
        }
        let core = Self {
            store,
            clock,
            identity,
            language,
            zone,
            changes: Changes::new(),
            ended: CancellationToken::new(),
            outbox_rests: watch::Sender::new(None),
            roster: RwLock::new((0, Arc::new(roster))),
            readings: AtomicU64::new(0),
            briefs: Mutex::default(),
            generations: Mutex::new(generations),
            summaries: Mutex::new(summaries.into_iter().map(|(id, summary)| (id, Arc::new(summary))).collect()),
            ratings_pulled: Mutex::new(None),
            shelf: Mutex::default(),
            waiting_since: Mutex::new(None),
        };
        (core, documents)
    }

    pub(super) fn me(&self) -> UserId {
        self.identity.user
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn catalog(&self) -> &'static Catalog {
        Catalog::built_in()
    }

    pub(super) fn roster(&self) -> Arc<Roster> {
        self.roster.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Reads records and outbox again; called after either has changed in the store.
    pub(super) async fn read_roster(&self) -> Result<(), SessionError> {
        let reading = self.readings.fetch_add(1, Ordering::AcqRel) + 1;
        // The outbox first: what is settled meanwhile is then in the records as well, and laying it over changes nothing.
        let commands = self.store.unsettled_commands().await?;
        let roster = Arc::new(Roster::new(self.store.records().await?, &commands, self.me(), self.now()));
        let mut current = self.roster.write().unwrap_or_else(PoisonError::into_inner);
        if current.0 < reading {
            *current = (reading, roster);
        }
        drop(current);
        self.changes.happened();
        Ok(())
    }

    /// The state of the preparation that the last brief of a meeting showed; none if a receipt for it says nothing.
    pub(super) fn note_brief(&self, meeting: MeetingId, heads: Option<HeadsDigest>) {
        let mut briefs = self.briefs.lock().unwrap_or_else(PoisonError::into_inner);
        match heads {
            Some(heads) => briefs.insert(meeting, heads),
            None => briefs.remove(&meeting),
        };
    }

    pub(super) fn noted_brief(&self, meeting: MeetingId) -> Option<HeadsDigest> {
        self.briefs.lock().unwrap_or_else(PoisonError::into_inner).get(&meeting).copied()
    }

    pub(super) fn generation(&self, key: &DocumentKey) -> u32 {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied().unwrap_or(0)
    }

    /// The id of the current generation of a document.
    pub(super) fn document_id(&self, key: &DocumentKey) -> DocumentId {
        key.document_id(self.generation(key))
    }

    pub(super) fn access(&self, key: &DocumentKey) -> Access {
        self.roster().access(key, self.me(), self.now())
    }

    pub(super) fn summary(&self, document: DocumentId) -> Option<Arc<Summary>> {
        self.summaries.lock().unwrap_or_else(PoisonError::into_inner).get(&document).cloned()
    }

    pub(super) fn keep_summary(&self, document: DocumentId, summary: Summary) {
        self.summaries.lock().unwrap_or_else(PoisonError::into_inner).insert(document, Arc::new(summary));
    }

    pub(super) fn forget_summary(&self, document: DocumentId) {
        self.summaries.lock().unwrap_or_else(PoisonError::into_inner).remove(&document);
    }

    pub(super) fn ratings_pulled(&self) -> Option<Timestamp> {
        *self.ratings_pulled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note_ratings_pulled(&self, at: Timestamp) {
        *self.ratings_pulled.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    pub(super) fn shelf_state(&self) -> ShelfState {
        *self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change_shelf(&self, change: impl FnOnce(&mut ShelfState, Timestamp)) {
        change(&mut self.shelf.lock().unwrap_or_else(PoisonError::into_inner), self.now());
    }

    pub(super) fn waiting_since(&self) -> Option<Instant> {
        *self.waiting_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something waits to be sent since now, unless something waited already; or nothing does any more.
    pub(super) fn note_waiting(&self, waits: Waits) {
        let mut since = self.waiting_since.lock().unwrap_or_else(PoisonError::into_inner);
        *since = match waits {
            Waits::Something => since.or_else(|| Some(Instant::now())),
            Waits::Nothing => None,
        };
    }

    /// After a page of records is in the store.
    pub(super) async fn page_applied(&self, page: &RecordsPage, purged: &[DocumentId]) -> Result<(), SessionError> {
        self.read_roster().await?;
        {
            let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
            for entry in &page.entries {
                if let RecordEntry::Document(document) = entry {
                    let newest = generations.entry(document.key).or_insert(0);
                    *newest = document.generation.max(*newest);
                }
            }
        }
        let mut summaries = self.summaries.lock().unwrap_or_else(PoisonError::into_inner);
        for document in purged {
            summaries.remove(document);
        }
        drop(summaries);
        self.changes.happened();
        Ok(())
    }
}
