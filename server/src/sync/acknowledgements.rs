//! Acknowledgements that wait for a message that goes anyway: when two people type at once, the next message to each
//! is a moment away and says which heads are here too. What waited long enough is sent by itself.
//!
//! The same delay for all, so that a queue in the order of arrival is in the order of deadlines, and no connection needs
//! a timer of its own.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use taiwa_shared::ids::DocumentId;
use tokio::{sync::Notify, time::Instant};

use super::{Shared, connection::Connection};

/// Connections that owe an acknowledgement, and until when it may wait.
#[derive(Debug)]
pub(super) struct Acknowledgements {
    patience: Duration,
    queue: Mutex<VecDeque<(Instant, Arc<Connection>)>>,
    filled: Notify,
}

impl Acknowledgements {
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, queue: Mutex::default(), filled: Notify::new() }
    }

    /// The connection has to be told what is here of a document, at the latest in a while.
    pub(super) fn owe(&self, connection: &Arc<Connection>, document: DocumentId, now: Instant) {
        let Some(until) = connection.outbox.owe(document, now, self.patience) else { return };
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.push_back((until, Arc::clone(connection)));
        if queue.len() == 1 {
            self.filled.notify_one();
        }
    }

    /// The first deadline.
    fn next(&self) -> Option<Instant> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).front().map(|(due, _)| *due)
    }

    /// Those whom nothing was sent meanwhile are told now.
    fn release(&self, now: Instant) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let due = queue.iter().take_while(|(due, _)| *due <= now).count();
        queue.drain(..due).for_each(|(_, connection)| connection.outbox.release(now));
    }
}

/// Releases what is due, until the hub has halted.
pub(super) async fn run(hub: Arc<Shared>) {
    loop {
        let due = hub.acknowledgements.next();
        tokio::select! {
            () = hub.halted.cancelled() => return,
            () = hub.acknowledgements.filled.notified(), if due.is_none() => {}
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                hub.acknowledgements.release(Instant::now());
            }
        }
    }
}
