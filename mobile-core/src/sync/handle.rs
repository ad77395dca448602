//! The session's end of synchronising: asks and returns at once; nothing here waits for the network.
//!
//! Dropping the last handle ends the task, as does [`SyncHandle::stop`].

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use taiwa_shared::{ids::DocumentId, sync::chunks::StoredChange, time::Clock};
use tokio::sync::{mpsc, watch};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{
    config::SyncConfig,
    credentials::Credentials,
    event::{SyncEvent, SyncRun, SyncStatus},
    inbox::{Attention, Inbox, Shown},
    task::{Ends, Task},
};
use crate::store::{LocalDocument, Store};

/// Events that wait for the session; when they are not taken, the task stops reading the socket.
const MAX_EVENTS_WAITING: usize = 64;

/// Synchronises one signed-in person's store with the server, until dropped or stopped.
#[derive(Debug, Clone)]
pub struct SyncHandle {
    inbox: Arc<Inbox>,
    status: watch::Receiver<SyncStatus>,
    _life: Arc<DropGuard>,
    cancel: CancellationToken,
    task: TaskTracker,
}

impl SyncHandle {
    /// Starts the task on the current runtime; it connects by itself. `documents` are those of the store.
    ///
    /// The receiver must be read: a full one holds the task back, which holds the socket back.
    pub fn start<C: Credentials>(
        config: SyncConfig,
        store: Store,
        credentials: Arc<C>,
        clock: Arc<dyn Clock>,
        documents: &[LocalDocument],
    ) -> (Self, mpsc::Receiver<SyncEvent>) {
        let inbox = Arc::new(Inbox::default());
        let cancel = CancellationToken::new();
        let (events, received) = mpsc::channel(MAX_EVENTS_WAITING);
        let (report, status) = watch::channel(SyncStatus::default());
        let refused =
            documents.iter().filter(|document| document.refused.is_some()).map(|document| document.id).collect();
        let ends = Ends { inbox: inbox.clone(), events, report, cancel: cancel.clone() };
        let task = Task::new(config, store, credentials, clock, ends, refused);
        // It ends when the token is cancelled, and its own jobs end with it.
        let tracker = TaskTracker::new();
        tracker.spawn(task.run());
        tracker.close();
        (Self { inbox, status, _life: Arc::new(cancel.clone().drop_guard()), cancel, task: tracker }, received)
    }

    /// A document is on screen: it is synchronised first and stays live. Calls are counted.
    pub fn open_document(&self, document: DocumentId) {
        self.inbox.show(document, Shown::Opened);
    }

    /// A document left the screen, as often as it was opened.
    pub fn close_document(&self, document: DocumentId) {
        self.inbox.show(document, Shown::Closed);
    }

    /// Changes made here, which are in the store already, in order.
    pub fn local_change(&self, document: DocumentId, changes: Vec<StoredChange>) {
        self.inbox.local(document, changes);
    }

    /// Synchronises these documents whatever their digests say.
    pub fn sync_documents(&self, documents: impl IntoIterator<Item = DocumentId>) {
        self.inbox.want(documents);
    }

    /// Sends a message that is not kept to whoever has the document open; dropped when offline.
    pub fn broadcast(&self, document: DocumentId, data: impl Into<Bytes>) {
        self.inbox.broadcast(document, data.into());
    }

    /// Commands were put into the outbox: records are exchanged soon if there is a connection, else with the next one.
    pub fn commands_wait(&self) {
        self.inbox.commands_wait();
    }

    /// The host says that the network is back or another one: tries at once.
    pub fn network_available(&self) {
        self.inbox.network_available();
    }

    /// Somebody looks at the app: connects at once.
    pub fn enter_foreground(&self) {
        self.inbox.attend(Attention::Foreground);
    }

    /// Nobody looks any more: finishes what is under way and closes the connection.
    pub fn enter_background(&self) {
        self.inbox.attend(Attention::Background);
    }

    /// How synchronising stands now.
    pub fn status(&self) -> SyncStatus {
        *self.status.borrow()
    }

    /// Connects if need be, exchanges records and everything that waits, and returns when done or after `budget`.
    ///
    /// # Cancellation
    /// The run goes on until its budget is over; only the answer is lost.
    pub async fn sync_until(&self, budget: Duration) -> SyncRun {
        self.inbox.run(budget).await.unwrap_or(SyncRun::Unfinished)
    }

    /// Ends the task and waits until it no longer touches the store.
    ///
    /// # Cancellation
    /// The task ends all the same.
    pub async fn stop(&self) {
        self.cancel.cancel();
        self.task.wait().await;
    }
}
