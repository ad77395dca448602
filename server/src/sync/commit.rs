//! The group commit: one writer for everything the hub stores, and nothing acknowledged before it is on disk.
//!
//! Documents with staged changes queue up; the writer stores all of them in one transaction, one row per document,
//! and only then lets them acknowledge and forward. Digests and folded rows go through the same writer, so they never
//! meet a half-done commit. If the store fails, the documents are dropped and their connections closed: clients
//! reconnect and send again what nobody acknowledged.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use taiwa_shared::ids::{HeadsDigest, OrganisationId};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::Instant,
};

use super::{
    Shared,
    connection::Closing,
    document::{OpenDocument, Remains},
    state::{Batch, Relayed, Unstored},
};
use crate::{
    bus::News,
    store::{StoreError, chunks::ChunkRow},
};

/// Documents in one transaction: bounds how long the first of them waits for the last.
const MAX_DOCUMENTS: usize = 512;
/// 16 MiB received and not stored: beyond, readers wait, and TCP makes the clients wait.
const MAX_UNSTORED_BYTES: usize = 16 * 1024 * 1024;
/// Jobs besides commits that may wait for the writer.
pub(super) const MAX_JOBS: usize = 16;

/// Something else for the writer to do.
#[derive(Debug)]
pub(super) enum Job {
    /// Store what is queued now.
    Flush(oneshot::Sender<()>),
    /// Renew the digests of documents that fell quiet.
    Digests(Vec<Arc<OpenDocument>>, oneshot::Sender<Result<(), StoreError>>),
    /// Put one row in the place of all from `first` to its own number, of which there are `count`.
    Fold {
        document: Arc<OpenDocument>,
        first: i64,
        count: u64,
        row: ChunkRow,
        done: oneshot::Sender<Result<bool, StoreError>>,
    },
}

/// The queue of the writer.
#[derive(Debug)]
pub(super) struct Committer {
    queue: Mutex<Vec<Arc<OpenDocument>>>,
    filled: Notify,
    room: Notify,
    jobs: mpsc::Sender<Job>,
    unstored_changes: AtomicUsize,
    unstored_bytes: AtomicUsize,
    pub(super) commits: AtomicU64,
    pub(super) changes_stored: AtomicU64,
}

impl Committer {
    pub(super) fn new(jobs: mpsc::Sender<Job>) -> Self {
        Self {
            queue: Mutex::default(),
            filled: Notify::new(),
            room: Notify::new(),
            jobs,
            unstored_changes: AtomicUsize::new(0),
            unstored_bytes: AtomicUsize::new(0),
            commits: AtomicU64::new(0),
            changes_stored: AtomicU64::new(0),
        }
    }

    /// Counts newly staged changes and, if the document is not in the queue yet, puts it there.
    pub(super) fn queue(&self, document: &Arc<OpenDocument>, staged: Unstored, is_new: bool) {
        self.unstored_changes.fetch_add(staged.changes, Ordering::AcqRel);
        self.unstored_bytes.fetch_add(staged.bytes, Ordering::AcqRel);
        if is_new {
            self.queue.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(document));
            self.filled.notify_one();
        }
    }

    /// Waits until less than 16 MiB are received and not stored.
    ///
    /// # Cancellation
    /// Safe.
    pub(super) async fn room(&self) {
        loop {
            let room = self.room.notified();
            tokio::pin!(room);
            // Registered before looking, so that no wake-up falls in between.
            room.as_mut().enable();
            if self.unstored_bytes.load(Ordering::Acquire) < MAX_UNSTORED_BYTES {
                return;
            }
            room.await;
        }
    }

    /// How many received changes no commit has made durable.
    pub(super) fn unstored_changes(&self) -> usize {
        self.unstored_changes.load(Ordering::Acquire)
    }

    /// Changes are stored, or given up with their document.
    pub(super) fn settle(&self, settled: Unstored) {
        self.unstored_changes.fetch_sub(settled.changes, Ordering::AcqRel);
        self.unstored_bytes.fetch_sub(settled.bytes, Ordering::AcqRel);
        self.room.notify_waiters();
    }

    /// Stores everything that is queued now.
    pub(super) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.jobs.send(Job::Flush(done)).await.is_ok() {
            // An error means that the writer has stopped, which it does only after its last commit.
            let _ = flushed.await;
        }
    }

    /// Writes the digests of quiet documents into their records.
    ///
    /// # Errors
    /// [`StoreError`] if they could not be written; they stay stale.
    pub(super) async fn renew_digests(&self, documents: Vec<Arc<OpenDocument>>) -> Result<(), StoreError> {
        let (done, renewed) = oneshot::channel();
        if self.jobs.send(Job::Digests(documents, done)).await.is_ok()
            && let Ok(outcome) = renewed.await
        {
            return outcome;
        }
        Ok(())
    }

    /// Puts one row in the place of several; false if there were not as many as expected, and then nothing changed.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be written; nothing changed then.
    pub(super) async fn fold(
        &self,
        document: Arc<OpenDocument>,
        first: i64,
        count: u64,
        row: ChunkRow,
    ) -> Result<bool, StoreError> {
        let (done, folded) = oneshot::channel();
        if self.jobs.send(Job::Fold { document, first, count, row, done }).await.is_ok()
            && let Ok(outcome) = folded.await
        {
            return outcome;
        }
        Ok(false)
    }

    fn queued(&self) -> usize {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn take_queue(&self, most: usize) -> Vec<Arc<OpenDocument>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let count = queue.len().min(MAX_DOCUMENTS).min(most);
        let rest = queue.split_off(count);
        std::mem::replace(&mut *queue, rest)
    }
}

/// The writer: runs until the hub has halted.
pub(super) async fn run(hub: Arc<Shared>, mut jobs: mpsc::Receiver<Job>) {
    let (mut last, mut window) = (Instant::now(), Duration::ZERO);
    loop {
        let job = tokio::select! {
            () = hub.committer.filled.notified() => None,
            job = jobs.recv() => job,
            () = hub.halted.cancelled() => break,
        };
        if job.is_none() {
            // An idle hub commits at once; a busy one gathers what comes within the window.
            tokio::time::sleep_until(last + window).await;
        }
        last = Instant::now();
        window = hub.limits.commit_window_after(commit_queued(&hub).await);
        match job {
            None => {}
            // Whoever asked may have gone away.
            Some(Job::Flush(done)) => drop(done.send(())),
            Some(Job::Digests(documents, done)) => drop(done.send(renew_digests(&hub, &documents).await)),
            Some(Job::Fold { document, first, count, row, done }) => {
                drop(done.send(fold(&hub, &document, first, count, &row).await));
            }
        }
    }
}

/// Stores what is queued now. What is queued meanwhile waits for the next window, so that under load other jobs get
/// their turn and commits stay few. Returns of how many documents.
async fn commit_queued(hub: &Shared) -> usize {
    let (mut left, mut stored) = (hub.committer.queued(), 0);
    while left > 0 {
        let documents = hub.committer.take_queue(left);
        if documents.is_empty() {
            break;
        }
        left -= documents.len();
        stored += documents.len();
        commit(hub, documents).await;
    }
    if hub.committer.queued() > 0 {
        // The wake-up for these may have been used up already.
        hub.committer.filled.notify_one();
    }
    stored
}

async fn commit(hub: &Shared, documents: Vec<Arc<OpenDocument>>) {
    let mut batches = Vec::with_capacity(documents.len());
    for document in documents {
        if let Ok(Some(batch)) = hub.enter(&document, |state| state.take_batch()) {
            batches.push((document, batch));
        }
    }
    match store(hub, &batches).await {
        Ok(()) => batches.into_iter().for_each(|(document, batch)| acknowledge(hub, &document, batch)),
        // Somebody else wrote one of the documents: the others must not suffer.
        Err(error) if error.is_unique_violation() && batches.len() > 1 => {
            for (document, batch) in batches {
                let single = [(document, batch)];
                let outcome = store(hub, &single).await;
                let [(document, batch)] = single;
                match outcome {
                    Ok(()) => acknowledge(hub, &document, batch),
                    Err(error) => {
                        hub.metrics.commit_failed();
                        give_up(hub, &document, &batch, &error);
                    }
                }
            }
        }
        Err(error) => {
            hub.metrics.commit_failed();
            for (document, batch) in &batches {
                give_up(hub, document, batch, &error);
            }
        }
    }
}

async fn store(hub: &Shared, batches: &[(Arc<OpenDocument>, Batch)]) -> Result<(), StoreError> {
    if batches.is_empty() {
        return Ok(());
    }
    let started = Instant::now();
    let mut tx = hub.store.begin().await?;
    // In ascending order, as every transaction that takes several organisations' counters does.
    let mut revs: BTreeMap<OrganisationId, i64> = BTreeMap::new();
    for (document, batch) in batches {
        if !batch.bindings.is_empty() {
            revs.insert(document.organisation, 0);
        }
    }
    for (organisation, rev) in &mut revs {
        *rev = tx.next_rev(*organisation).await?;
    }
    let rows: Vec<_> =
        batches.iter().map(|(document, batch)| (document.organisation, document.id, &batch.row)).collect();
    tx.append_chunks(&rows).await?;
    for (document, batch) in batches {
        let (organisation, id) = (document.organisation, document.id);
        if batch.marks_stale {
            tx.mark_stale_digest(organisation, id).await?;
        }
        for (actor, user) in &batch.bindings {
            tx.bind_author(organisation, id, actor.to_bytes(), *user, revs[&organisation]).await?;
        }
        for Relayed { actor, author, brought_by } in &batch.relayed {
            tx.note_relayed(organisation, id, actor.to_bytes(), *author, *brought_by, hub.clock.now()).await?;
        }
    }
    tx.commit().await?;
    hub.committer.commits.fetch_add(1, Ordering::AcqRel);
    let changes = batches.iter().map(|(_, batch)| batch.unstored.changes).sum();
    hub.metrics.committed(changes, started.elapsed());
    for (organisation, rev) in revs {
        publish(hub, organisation, rev);
    }
    Ok(())
}

fn acknowledge(hub: &Shared, document: &Arc<OpenDocument>, batch: Batch) {
    let stored = batch.unstored;
    hub.committer.changes_stored.fetch_add(stored.changes as u64, Ordering::AcqRel);
    hub.committer.settle(stored);
    // Retired meanwhile: its connections were closed, and whoever opens it next reads the rows.
    let _ = hub.enter(document, |state| state.committed(document.id, batch, &hub.acknowledgements));
}

/// Nothing of the batch was stored, or we do not know: whoever opens the document next reads what is there.
fn give_up(hub: &Shared, document: &Arc<OpenDocument>, batch: &Batch, error: &StoreError) {
    tracing::error!(document.id = %document.id, error = error as &dyn std::error::Error, "storing changes");
    hub.committer.settle(batch.unstored);
    hub.registry.remove(document);
    let Remains { connections, unstored } = document.retire();
    hub.committer.settle(unstored);
    for connection in connections {
        connection.close(Closing::not_stored());
    }
}

async fn renew_digests(hub: &Shared, documents: &[Arc<OpenDocument>]) -> Result<(), StoreError> {
    let mut by_organisation: BTreeMap<OrganisationId, Vec<(&Arc<OpenDocument>, HeadsDigest)>> = BTreeMap::new();
    for document in documents {
        if let Ok(digest) = hub.enter(document, |state| state.sync.digest()) {
            by_organisation.entry(document.organisation).or_default().push((document, digest));
        }
    }
    for (organisation, digests) in by_organisation {
        let mut tx = hub.store.begin().await?;
        let rev = tx.next_rev(organisation).await?;
        for (document, digest) in &digests {
            tx.renew_digest(organisation, document.id, *digest, rev).await?;
        }
        tx.commit().await?;
        hub.committer.commits.fetch_add(1, Ordering::AcqRel);
        for (document, _) in &digests {
            // Nothing was committed since the digest was taken: commits go through this task too.
            let _ = hub.enter(document, |state| state.digest_renewed());
        }
        publish(hub, organisation, rev);
    }
    Ok(())
}

async fn fold(
    hub: &Shared,
    document: &Arc<OpenDocument>,
    first: i64,
    count: u64,
    row: &ChunkRow,
) -> Result<bool, StoreError> {
    let mut tx = hub.store.begin().await?;
    let removed = tx.fold_chunks(document.organisation, document.id, first, row).await?;
    if removed != count {
        return Ok(false);
    }
    tx.commit().await?;
    Ok(true)
}

/// Tells everybody about records that the hub wrote, and itself that they change nobody's access.
fn publish(hub: &Shared, organisation: OrganisationId, counter: i64) {
    hub.access.of(organisation).note_own(counter);
    hub.bus.publish(News::Records { organisation, counter });
}
