//! The owner task of the open documents: performs one job after the other, and renews summaries in between.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt;
use taiwa_shared::{
    documents::Replica,
    domain::ownership::{Access, DocumentKey},
    ids::DocumentId,
    protocol::records::{RecordEntry, RecordsPage},
    sync::chunks::StoredChange,
};
use tokio::{sync::mpsc, time::Instant};

use super::{
    super::{
        SessionError,
        core::{Core, Waits},
        search_text::SearchText,
        summary::Summary,
        unsent,
    },
    Hands, Job, Target, Work, open_replica,
};
use crate::{
    store::{LocalDocument, RefusalReason},
    sync::SyncHandle,
};

/// Replicas that stay open: a memo is some 300 kB open, a screen uses at most three documents.
const MAX_OPEN: usize = 8;
/// A summary is written to the store when its document has been left alone for this long: not once per keystroke.
const QUIET: Duration = Duration::from_secs(1);

struct Open {
    replica: Replica,
    used: u64,
    /// The store was asked: it knows the document and takes edits of it. Everything that changes this comes through here.
    takes_edits: bool,
}

pub(super) struct Owner {
    core: Arc<Core>,
    sync: Arc<OnceLock<SyncHandle>>,
    open: HashMap<DocumentId, Open>,
    used: u64,
    /// Documents whose summary row in the store is older than they are, and when it is to be made again.
    stale: HashMap<DocumentId, Instant>,
    /// Refused edits may be without a card: a kill came between, or there was no space left.
    cards_due: bool,
}

impl Owner {
    pub(super) fn new(
        core: Arc<Core>,
        sync: Arc<OnceLock<SyncHandle>>,
        stale: impl IntoIterator<Item = DocumentId>,
    ) -> Self {
        let now = Instant::now();
        let stale = stale.into_iter().map(|document| (document, now)).collect();
        Self { core, sync, open: HashMap::new(), used: 0, stale, cards_due: true }
    }

    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let ended = self.core.ended.clone();
        let done = AssertUnwindSafe(self.keep_missing_cards()).catch_unwind().await;
        self.after(done.is_err());
        while !ended.is_cancelled() {
            let oldest = self.stale.iter().min_by_key(|(_, due)| **due).map(|(document, due)| (*document, *due));
            // Whoever waits on a screen goes first.
            tokio::select! {
                biased;
                () = ended.cancelled() => {}
                job = jobs.recv() => match job {
                    Some(job) => {
                        // Whoever asked hears of a panic, as the answer is dropped with the job.
                        let done = AssertUnwindSafe(self.perform(job)).catch_unwind().await;
                        self.after(done.is_err());
                        self.close_least_used();
                    }
                    None => return,
                },
                document = due(oldest) => {
                    let done = AssertUnwindSafe(self.renew(document)).catch_unwind().await;
                    self.after(done.is_err());
                }
            }
        }
    }

    /// After a panic nothing that is open can be trusted; the store has what was answered, and is read again.
    fn after(&mut self, panicked: bool) {
        if panicked {
            tracing::error!("a job on a document panicked");
            self.open.clear();
            self.core.changes.happened();
        }
    }

    async fn perform(&mut self, job: Job) {
        match job {
            Job::Edit { target, source, work } => self.edit(target, source, work).await,
            Job::Read { key, work } => self.read(key, work).await,
            Job::Renew { documents, done } => {
                for document in documents {
                    self.renew(document).await;
                }
                let _ = done.send(());
            }
            Job::Received { document, changes } => self.received(document, &changes),
            Job::Refused { document, reason } => self.refused(document, reason).await,
            Job::Page { page, done } => {
                let _ = done.send(self.page(&page).await);
            }
        }
    }

    async fn edit(&mut self, target: Target, source: Option<DocumentKey>, work: Work) {
        let document = self.core.document_id(&target.key);
        let opened = self.open_for_edit(target, source).await;
        if let Err(error) = opened {
            return work(Err(error))(Ok(()));
        }
        let source = source.map(|key| self.core.document_id(&key));
        let from = source.and_then(|id| self.open.remove_entry(&id));
        let open = self.open.get_mut(&document).expect("it was just opened");
        let finish =
            work(Ok(Hands { replica: &mut open.replica, source: from.as_ref().map(|(_, open)| &open.replica) }));
        let changes = open.replica.take_changes();
        self.open.extend(from);
        let stored = self.keep(document, changes).await;
        if stored.is_err() {
            self.open.remove(&document);
        }
        finish(stored);
    }

    /// Opens the document to edit and the one to read; makes it known to the store if it is new.
    async fn open_for_edit(&mut self, target: Target, source: Option<DocumentKey>) -> Result<(), SessionError> {
        if self.core.access(&target.key) != Access::Write {
            return Err(SessionError::NoAccess);
        }
        let document = self.core.document_id(&target.key);
        if !self.open.get(&document).is_some_and(|open| open.takes_edits) {
            self.have_store_take_edits(document, target).await?;
        }
        self.ensure_open(target.key).await?;
        if let Some(open) = self.open.get_mut(&document) {
            open.takes_edits = true;
        }
        if let Some(source) = source {
            self.ensure_open(source).await?;
        }
        Ok(())
    }

    async fn have_store_take_edits(&mut self, document: DocumentId, target: Target) -> Result<(), SessionError> {
        match self.core.store.document(document).await? {
            Some(known) if known.refused.is_some() => {
                let is_on_card = known.unacknowledged == 0;
                if !is_on_card || !self.core.store.lift_rejection(document, self.core.now()).await? {
                    return Err(SessionError::NoAccess);
                }
            }
            Some(_) => {}
            None => {
                let generation = self.core.generation(&target.key);
                self.core.store.add_document(target.key, generation, Access::Write, target.slot).await?;
            }
        }
        Ok(())
    }

    async fn keep(&mut self, document: DocumentId, changes: Vec<Vec<u8>>) -> Result<(), SessionError> {
        if changes.is_empty() {
            return Ok(());
        }
        let read = |bytes: Vec<u8>| StoredChange::read(Bytes::from(bytes));
        let changes = changes.into_iter().map(read).collect::<Result<Vec<_>, _>>();
        let changes = changes.map_err(|error| SessionError::Unexpected(Box::new(error)))?;
        self.core.store.append_local(document, &changes).await?;
        self.core.note_waiting(Waits::Something);
        if let Some(sync) = self.sync.get() {
            sync.local_change(document, changes);
        }
        self.summarise_open(document);
        self.stale.insert(document, Instant::now() + QUIET);
        self.core.changes.happened();
        Ok(())
    }

    async fn read(&mut self, key: DocumentKey, work: Work) {
        let opened = if self.core.access(&key) == Access::None { Err(SessionError::NoAccess) } else { Ok(()) };
        let opened = match opened {
            Ok(()) => self.ensure_open(key).await,
            refused => refused,
        };
        let document = self.core.document_id(&key);
        let hands = opened.map(|()| {
            let open = self.open.get_mut(&document).expect("it was just opened");
            Hands { replica: &mut open.replica, source: None }
        });
        work(hands)(Ok(()));
    }

    fn received(&mut self, document: DocumentId, changes: &[Bytes]) {
        if let Some(open) = self.open.get_mut(&document)
            && let Err(error) = open.replica.apply(changes)
        {
            // The store has them; the next reader opens the document from there.
            tracing::warn!(document.id = %document, %error, "received changes do not apply to the open document");
            self.open.remove(&document);
        }
        self.summarise_open(document);
        let wait = if self.open.contains_key(&document) { QUIET } else { Duration::ZERO };
        self.stale.insert(document, Instant::now() + wait);
        self.core.changes.happened();
    }

    async fn refused(&mut self, document: DocumentId, reason: RefusalReason) {
        self.open.remove(&document);
        if let Err(error) = unsent::keep_as_card(&self.core, document, reason).await {
            tracing::error!(document.id = %document, %error, "unsent edits could not be kept as a card");
            self.cards_due = true;
        }
        self.core.forget_summary(document);
        self.stale.insert(document, Instant::now());
        self.core.changes.happened();
    }

    /// Makes the cards that should be there: nobody waits for refused edits any more, so they must not stay unseen.
    async fn keep_missing_cards(&mut self) {
        if !std::mem::take(&mut self.cards_due) {
            return;
        }
        match unsent::without_card(&self.core).await {
            Ok(refused) => {
                for (document, reason) in refused {
                    self.refused(document, reason).await;
                }
            }
            Err(error) => {
                tracing::error!(%error, "refused edits could not be looked for");
                self.cards_due = true;
            }
        }
    }

    async fn page(&mut self, page: &RecordsPage) -> Result<(), SessionError> {
        let effects = unsent::effects_of(&self.core, page).await?;
        self.core.store.apply_page(page, &effects).await?;
        for document in &effects.purge {
            self.open.remove(document);
            self.stale.remove(document);
        }
        self.open.values_mut().for_each(|open| open.takes_edits = false);
        self.bind_authors(page);
        self.core.page_applied(page, &effects.purge).await?;
        self.keep_missing_cards().await;
        Ok(())
    }

    /// Documents that are open already learn who their nameless actors are; others learn it when they are opened.
    fn bind_authors(&mut self, page: &RecordsPage) {
        for entry in &page.entries {
            if let RecordEntry::Author(author) = entry
                && let Some(open) = self.open.get_mut(&author.document)
                && let Ok(actor) = hex::decode(&author.actor)
            {
                open.replica.bind_actor(&actor, author.user);
            }
        }
    }

    async fn ensure_open(&mut self, key: DocumentKey) -> Result<(), SessionError> {
        let document = self.core.document_id(&key);
        self.used += 1;
        if let Some(open) = self.open.get_mut(&document) {
            open.used = self.used;
            return Ok(());
        }
        let changes = self.core.store.changes(document).await?;
        let replica = open_replica(&self.core, key, self.core.generation(&key), changes).await?;
        self.open.insert(document, Open { replica, used: self.used, takes_edits: false });
        Ok(())
    }

    fn close_least_used(&mut self) {
        while self.open.len() > MAX_OPEN {
            let Some(oldest) = self.open.iter().min_by_key(|(_, open)| open.used).map(|(id, _)| *id) else { return };
            self.open.remove(&oldest);
        }
    }

    fn summarise_open(&mut self, document: DocumentId) {
        let Some(open) = self.open.get(&document) else { return };
        // The changes are stored: that must be answered even if they cannot be summarised.
        match catch_unwind(AssertUnwindSafe(|| Summary::of(&open.replica))) {
            Ok(summary) => self.core.keep_summary(document, summary),
            Err(_) => {
                tracing::error!(document.id = %document, "making a summary panicked");
                self.open.remove(&document);
            }
        }
    }

    /// Makes the summary new in memory and in the store, and folds the document's rows together if there are many.
    async fn renew(&mut self, document: DocumentId) {
        self.stale.remove(&document);
        if let Err(error) = self.try_renew(document).await {
            tracing::warn!(document.id = %document, %error, "a summary could not be renewed");
        }
    }

    async fn try_renew(&mut self, document: DocumentId) -> Result<(), SessionError> {
        let Some(LocalDocument { key, generation, .. }) = self.core.store.document(document).await? else {
            return Ok(());
        };
        let language = self.core.language;
        let read = |replica: &Replica| {
            let summary = Summary::of(replica);
            let text = SearchText::of(replica, &summary, language);
            (summary, text)
        };
        let (summary, text) = match self.open.get(&document) {
            Some(open) => read(&open.replica),
            None => {
                let changes = self.core.store.changes(document).await?;
                read(&open_replica(&self.core, key, generation, changes).await?)
            }
        };
        self.core.store.put_summary(document, &summary, &text).await?;
        self.core.store.pack(document).await?;
        if self.core.summary(document).as_deref() != Some(&summary) {
            self.core.keep_summary(document, summary);
            self.core.changes.happened();
        }
        Ok(())
    }
}

/// The document when its time has come; never if there is none.
async fn due(oldest: Option<(DocumentId, Instant)>) -> DocumentId {
    match oldest {
        Some((document, at)) => {
            tokio::time::sleep_until(at).await;
            document
        }
        None => std::future::pending().await,
    }
}
