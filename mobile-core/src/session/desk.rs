//! The open documents: one owner task edits, stores, applies what arrived, and renews summaries.
//!
//! An edit is done when its change is synced to disk; a caller who goes away meanwhile does not break it off. If the
//! store refuses, the replica is dropped, so that no screen shows what is not kept. A few replicas stay open.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use jiff::civil::Date;
use taiwa_shared::{
    documents::{DocumentError, Editor, Replica},
    domain::ownership::{Access, DocumentKey},
    ids::DocumentId,
    protocol::records::RecordsPage,
    sync::chunks::StoredChange,
};
use tokio::sync::{mpsc, oneshot};

use std::convert::identity;

use super::{
    SessionError,
    core::{Core, Waits},
    summary::Summary,
    unsent,
};
use crate::{
    store::{LocalDocument, RefusalReason},
    sync::SyncHandle,
};

/// Replicas that stay open: a memo is some 300 kB open, a screen uses at most three documents.
const MAX_OPEN: usize = 8;
/// Jobs that wait; a caller waits when it is full.
const MAX_WAITING: usize = 64;

/// What an edit needs to know of the document before it can make it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) key: DocumentKey,
    /// Nominal date of the meeting's slot, for the claim.
    pub(super) slot: Option<Date>,
}

/// Asks the owner task.
#[derive(Clone)]
pub(super) struct Desk {
    jobs: mpsc::Sender<Job>,
}

type Finish = Box<dyn FnOnce(Result<(), SessionError>) + Send>;
type Work = Box<dyn FnOnce(Result<Hands<'_>, SessionError>) -> Finish + Send>;

/// The replica to work on, and another one to read.
pub(super) struct Hands<'a> {
    pub(super) replica: &'a mut Replica,
    pub(super) source: Option<&'a Replica>,
}

enum Job {
    Edit { target: Target, source: Option<DocumentKey>, work: Work },
    Read { key: DocumentKey, work: Work },
    Renew { documents: Vec<DocumentId>, done: oneshot::Sender<()> },
    Received { document: DocumentId, changes: Vec<Bytes> },
    Refused { document: DocumentId, reason: RefusalReason },
    Page { page: Box<RecordsPage>, done: oneshot::Sender<Result<(), SessionError>> },
}

impl Desk {
    /// Starts the owner task; `sync` is filled right after.
    pub(super) fn start(
        core: Arc<Core>,
        sync: Arc<OnceLock<SyncHandle>>,
        stale: impl IntoIterator<Item = DocumentId>,
        tasks: &tokio_util::task::TaskTracker,
    ) -> Self {
        let (jobs, received) = mpsc::channel(MAX_WAITING);
        let owner = Owner { core, sync, open: HashMap::new(), used: 0, stale: stale.into_iter().collect() };
        tasks.spawn(owner.run(received));
        Self { jobs }
    }

    /// Changes a document; when this returns the change is on the disk.
    pub(super) async fn edit<T: Send + 'static>(
        &self,
        target: Target,
        edit: impl FnOnce(&mut Replica) -> Result<T, DocumentError> + Send + 'static,
    ) -> Result<T, SessionError> {
        self.ask(|work| Job::Edit { target, source: None, work }, |hands| edit(hands.replica), identity).await
    }

    /// Changes a document; `then` runs after the change is on the disk, whether or not anybody waits for it.
    pub(super) async fn edit_then<T, R: Send + 'static>(
        &self,
        target: Target,
        edit: impl FnOnce(&mut Replica) -> Result<T, DocumentError> + Send + 'static,
        then: impl FnOnce(T) -> R + Send + 'static,
    ) -> Result<R, SessionError>
    where
        T: Send + 'static,
    {
        self.ask(|work| Job::Edit { target, source: None, work }, |hands| edit(hands.replica), then).await
    }

    /// Changes a document from what another one shows.
    pub(super) async fn edit_from<T: Send + 'static>(
        &self,
        target: Target,
        source: DocumentKey,
        edit: impl FnOnce(&mut Replica, &Replica) -> Result<T, DocumentError> + Send + 'static,
    ) -> Result<T, SessionError> {
        let edit = |hands: Hands<'_>| match hands.source {
            Some(source) => edit(hands.replica, source),
            None => Err(DocumentError::NotFound("the source")),
        };
        self.ask(|work| Job::Edit { target, source: Some(source), work }, edit, identity).await
    }

    /// Reads a document, which is empty if this phone has nothing of it.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        key: DocumentKey,
        read: impl FnOnce(&Replica) -> T + Send + 'static,
    ) -> Result<T, SessionError> {
        self.ask(|work| Job::Read { key, work }, |hands| Ok(read(hands.replica)), identity).await
    }

    /// For functions that want a replica they could write to and write nothing.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        key: DocumentKey,
        look: impl FnOnce(&mut Replica) -> Result<T, DocumentError> + Send + 'static,
    ) -> Result<T, SessionError> {
        self.ask(|work| Job::Read { key, work }, |hands| look(hands.replica), identity).await
    }

    /// Makes the summaries of these documents new before returning.
    pub(super) async fn renew(&self, documents: Vec<DocumentId>) -> Result<(), SessionError> {
        let (done, finished) = oneshot::channel();
        self.send(Job::Renew { documents, done }).await?;
        finished.await.map_err(|_| SessionError::Ended)
    }

    /// Changes of others arrived and are in the store.
    pub(super) async fn received(&self, document: DocumentId, changes: Vec<Bytes>) -> Result<(), SessionError> {
        self.send(Job::Received { document, changes }).await
    }

    /// The server does not take this person's changes of a document.
    pub(super) async fn refused(&self, document: DocumentId, reason: RefusalReason) -> Result<(), SessionError> {
        self.send(Job::Refused { document, reason }).await
    }

    /// Applies a page of records, after looking for unsent text in what it removes.
    pub(super) async fn apply_page(&self, page: RecordsPage) -> Result<(), SessionError> {
        let (done, finished) = oneshot::channel();
        self.send(Job::Page { page: Box::new(page), done }).await?;
        finished.await.map_err(|_| SessionError::Ended)?
    }

    async fn ask<T: Send + 'static, R: Send + 'static>(
        &self,
        job: impl FnOnce(Work) -> Job,
        work: impl FnOnce(Hands<'_>) -> Result<T, DocumentError> + Send + 'static,
        then: impl FnOnce(T) -> R + Send + 'static,
    ) -> Result<R, SessionError> {
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |hands| {
            let result = hands.and_then(|hands| work(hands).map_err(SessionError::from));
            Box::new(move |stored| {
                // Whoever asked may have gone; what was asked is done.
                let _ = answer.send(stored.and(result).map(then));
            })
        });
        self.send(job(work)).await?;
        answered.await.map_err(|_| SessionError::Ended)?
    }

    async fn send(&self, job: Job) -> Result<(), SessionError> {
        self.jobs.send(job).await.map_err(|_| SessionError::Ended)
    }
}

struct Open {
    replica: Replica,
    used: u64,
}

struct Owner {
    core: Arc<Core>,
    sync: Arc<OnceLock<SyncHandle>>,
    open: HashMap<DocumentId, Open>,
    used: u64,
    /// Documents whose summary row in the store is older than they are.
    stale: BTreeSet<DocumentId>,
}

impl Owner {
    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let ended = self.core.ended.clone();
        loop {
            let job = match jobs.try_recv() {
                Ok(job) => job,
                Err(mpsc::error::TryRecvError::Disconnected) => return,
                Err(mpsc::error::TryRecvError::Empty) if !self.stale.is_empty() => {
                    self.renew_one().await;
                    continue;
                }
                Err(mpsc::error::TryRecvError::Empty) => {
                    let next = tokio::select! {
                        () = ended.cancelled() => None,
                        job = jobs.recv() => job,
                    };
                    match next {
                        Some(job) => job,
                        None => return,
                    }
                }
            };
            if ended.is_cancelled() {
                return;
            }
            self.perform(job).await;
            self.close_least_used();
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
            Job::Refused { document, reason } => {
                self.open.remove(&document);
                if let Err(error) = unsent::keep_as_card(&self.core, document, reason).await {
                    tracing::error!(document.id = %document, %error, "unsent edits could not be kept as a card");
                }
                self.stale.insert(document);
                self.core.changes.happened();
            }
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
        match self.core.store.document(document).await? {
            Some(known) if known.refused.is_some() => return Err(SessionError::NoAccess),
            Some(_) => {}
            None => {
                let generation = self.core.generation(&target.key);
                self.core.store.add_document(target.key, generation, Access::Write, target.slot).await?;
            }
        }
        self.ensure_open(target.key).await?;
        if let Some(source) = source {
            self.ensure_open(source).await?;
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
        self.stale.insert(document);
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
        self.stale.insert(document);
        self.core.changes.happened();
    }

    async fn page(&mut self, page: &RecordsPage) -> Result<(), SessionError> {
        let effects = unsent::effects_of(&self.core, page).await?;
        self.core.store.apply_page(page, &effects).await?;
        for document in &effects.purge {
            self.open.remove(document);
            self.stale.remove(document);
        }
        self.core.page_applied(page, &effects.purge).await
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
        self.open.insert(document, Open { replica, used: self.used });
        Ok(())
    }

    fn close_least_used(&mut self) {
        while self.open.len() > MAX_OPEN {
            let Some(oldest) = self.open.iter().min_by_key(|(_, open)| open.used).map(|(id, _)| *id) else { return };
            self.open.remove(&oldest);
        }
    }

    fn summarise_open(&self, document: DocumentId) {
        if let Some(open) = self.open.get(&document) {
            self.core.keep_summary(document, Summary::of(&open.replica));
        }
    }

    async fn renew_one(&mut self) {
        if let Some(document) = self.stale.pop_first() {
            self.renew(document).await;
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
        let summary = match self.open.get(&document) {
            Some(open) => Summary::of(&open.replica),
            None => {
                let changes = self.core.store.changes(document).await?;
                let replica = open_replica(&self.core, key, generation, changes).await?;
                Summary::of(&replica)
            }
        };
        self.core.store.put_summary(document, &summary).await?;
        self.core.store.pack(document).await?;
        if self.core.summary(document).as_deref() != Some(&summary) {
            self.core.keep_summary(document, summary);
            self.core.changes.happened();
        }
        Ok(())
    }
}

/// Opens a document from its changes, away from the threads that serve screens.
pub(super) async fn open_replica(
    core: &Core,
    key: DocumentKey,
    generation: u32,
    changes: Vec<StoredChange>,
) -> Result<Replica, SessionError> {
    let mut actor = [0; 16];
    getrandom::fill(&mut actor).expect("the operating system gives random bytes");
    let editor = Editor { user: core.me(), actor };
    let opened = tokio::task::spawn_blocking(move || {
        Replica::open(key, generation, changes.iter().map(|change| &change.bytes[..]), editor)
    });
    let mut replica = opened.await.map_err(|error| SessionError::Unexpected(Box::new(error)))??;
    for (actor, user) in core.roster().authors_of(key.document_id(generation)) {
        if let Ok(actor) = hex::decode(actor) {
            replica.bind_actor(&actor, *user);
        }
    }
    Ok(replica)
}

/// Whether the summary of a document is as new as the document.
pub(super) fn is_current(summary: Option<&Summary>, document: &LocalDocument) -> bool {
    summary.is_some_and(|summary| summary.made_of == document.local_digest)
}
