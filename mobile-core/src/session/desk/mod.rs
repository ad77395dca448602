//! The open documents: one owner task edits, stores, applies what arrived, and renews summaries.
//!
//! An edit is done when its change is synced to disk; a caller who goes away meanwhile does not break it off. If the
//! store refuses or the job panics, the replica is dropped, so that no screen shows what is not kept. A few stay open.

mod owner;

use std::{
    convert::identity,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use jiff::civil::Date;
use taiwa_shared::{
    documents::{DocumentError, Editor, Replica},
    domain::ownership::DocumentKey,
    ids::DocumentId,
    protocol::records::RecordsPage,
    sync::chunks::StoredChange,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinError,
};

use owner::Owner;

use super::{SessionError, core::Core, summary::Summary};
use crate::{
    store::{LocalDocument, RefusalReason},
    sync::SyncHandle,
};

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
        tasks.spawn(Owner::new(core, sync, stale).run(received));
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
        finished.await.map_err(|_| self.unanswered())
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
        finished.await.map_err(|_| self.unanswered())?
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
        answered.await.map_err(|_| self.unanswered())?
    }

    /// Why a job ended without an answer: the owner task is over, or the job panicked and the task goes on.
    fn unanswered(&self) -> SessionError {
        if self.jobs.is_closed() { SessionError::Ended } else { DocumentError::Panicked.into() }
    }

    async fn send(&self, job: Job) -> Result<(), SessionError> {
        self.jobs.send(job).await.map_err(|_| SessionError::Ended)
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
    // What a panic says may quote the document.
    let panicked =
        |error: JoinError| if error.is_panic() { DocumentError::Panicked.into() } else { SessionError::Ended };
    let mut replica = opened.await.map_err(panicked)??;
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
