//! What the handle asks of the task, coalesced: a mark per document and never a queue of calls, so that no caller waits.
//!
//! The task takes everything at once. Bounded by the number of documents; ephemeral messages beyond a few are dropped,
//! oldest first.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use taiwa_shared::{ids::DocumentId, sync::chunks::StoredChange};
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use super::event::SyncRun;

/// Carets are worth nothing once newer ones exist; two people make at most a few per second.
const MAX_EPHEMERAL_WAITING: usize = 32;

/// What was asked since the task last looked.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// Documents that came on screen or left it.
    pub(super) screen: Vec<(DocumentId, Shown)>,
    /// Local changes that are in the store, in order.
    pub(super) local: HashMap<DocumentId, Vec<StoredChange>>,
    /// Documents to synchronise whatever their digests say.
    pub(super) wanted: HashSet<DocumentId>,
    /// Messages that are not kept.
    pub(super) ephemeral: VecDeque<(DocumentId, Bytes)>,
    /// The host said that there is a network.
    pub(super) network: Option<NetworkAvailable>,
    /// The host said whether anybody is looking.
    pub(super) attention: Option<Attention>,
    /// Bounded runs.
    pub(super) runs: Vec<RunRequest>,
    /// Commands were put into the outbox.
    pub(super) commands: Option<CommandsWait>,
}

/// The outbox holds something to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CommandsWait;

/// Whether a document is on screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Opened,
    Closed,
}

/// The network is back, or is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NetworkAvailable;

/// Whether the app is in the foreground.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attention {
    Foreground,
    Background,
}

/// A bounded run of the host's background slot.
#[derive(Debug)]
pub(super) struct RunRequest {
    pub(super) until: Instant,
    pub(super) done: oneshot::Sender<SyncRun>,
}

/// Shared by handles and task.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    requests: Mutex<Requests>,
    wake: Notify,
}

impl Inbox {
    pub(super) fn show(&self, document: DocumentId, shown: Shown) {
        self.ask(|requests| requests.screen.push((document, shown)));
    }

    pub(super) fn local(&self, document: DocumentId, changes: Vec<StoredChange>) {
        self.ask(|requests| requests.local.entry(document).or_default().extend(changes));
    }

    pub(super) fn want(&self, documents: impl IntoIterator<Item = DocumentId>) {
        self.ask(|requests| requests.wanted.extend(documents));
    }

    pub(super) fn broadcast(&self, document: DocumentId, data: Bytes) {
        self.ask(|requests| {
            if requests.ephemeral.len() == MAX_EPHEMERAL_WAITING {
                requests.ephemeral.pop_front();
            }
            requests.ephemeral.push_back((document, data));
        });
    }

    pub(super) fn network_available(&self) {
        self.ask(|requests| requests.network = Some(NetworkAvailable));
    }

    pub(super) fn commands_wait(&self) {
        self.ask(|requests| requests.commands = Some(CommandsWait));
    }

    pub(super) fn attend(&self, attention: Attention) {
        self.ask(|requests| requests.attention = Some(attention));
    }

    pub(super) fn run(&self, budget: Duration) -> oneshot::Receiver<SyncRun> {
        let (done, finished) = oneshot::channel();
        self.ask(|requests| requests.runs.push(RunRequest { until: Instant::now() + budget, done }));
        finished
    }

    /// Everything asked so far.
    pub(super) fn take(&self) -> Requests {
        std::mem::take(&mut *self.lock())
    }

    /// Waits until something was asked.
    ///
    /// # Cancellation
    /// Safe: what was asked stays.
    pub(super) async fn asked(&self) {
        self.wake.notified().await;
    }

    fn ask(&self, change: impl FnOnce(&mut Requests)) {
        change(&mut self.lock());
        self.wake.notify_one();
    }

    // A caller's panic cannot leave the requests half-written: every change of them is one push.
    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
