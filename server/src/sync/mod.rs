//! The document hub: sockets on one side, documents on the other, and nothing acknowledged before it is stored.
//!
//! Map: `socket` one socket's life, with `inbound` and `outbound` as its halves and `connection` as what others see of
//! it; `outbox` what it still has to send, `acknowledgements` what of that may wait; `roster` who is connected;
//! `registry`, `open`, `document` and `state` the open documents; `commit` the one writer; `quota` what one person may
//! cost; `access` and `news` what changed records mean; `upkeep` what goes by the clock.
//! The hub moves bytes between people who may have them; it never opens a document and knows nothing of its contents.

mod access;
mod acknowledgements;
mod commit;
mod connection;
mod document;
mod inbound;
mod limits;
mod news;
mod open;
mod outbound;
mod outbox;
mod quota;
mod registry;
mod roster;
mod socket;
mod state;
mod upkeep;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{extract::ws::WebSocketUpgrade, response::Response};
use taiwa_shared::{
    sync::{rejection::Rejection, wire::PeerId},
    time::Clock,
};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    access::AccessVersions,
    acknowledgements::Acknowledgements,
    commit::{Committer, MAX_JOBS},
    connection::Closing,
    document::{NotEntered, OpenDocument, Remains},
    quota::Quotas,
    registry::Registry,
    roster::Roster,
    state::State,
};
use crate::{bus::Bus, metrics::Metrics, records::access::Principal, store::Store};

pub use limits::{HubLimits, HubStatistics};

/// For this long after a restore a participant may bring back the other's changes, which the backup lacks.
const RELAYED_AFTER_RESTORE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long a stop waits for slow readers before it cuts them off.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Verifies the access token of a renewal frame; none if it is not valid now.
pub type VerifyToken = Arc<dyn Fn(&str) -> Option<Principal> + Send + Sync>;

/// The hub; clones are the same hub.
#[derive(Clone)]
pub struct Hub {
    shared: Arc<Shared>,
}

/// What all tasks of the hub share.
struct Shared {
    store: Store,
    bus: Bus,
    clock: Arc<dyn Clock>,
    verify: VerifyToken,
    metrics: Metrics,
    limits: HubLimits,
    name: PeerId,
    storage_id: String,
    registry: Registry,
    roster: Roster,
    access: AccessVersions,
    quotas: Quotas,
    committer: Committer,
    acknowledgements: Acknowledgements,
    numbers: AtomicU64,
    /// Nothing more is received.
    stopping: CancellationToken,
    /// Connections send what they have to and close.
    draining: CancellationToken,
    /// Tasks end.
    halted: CancellationToken,
    sockets: TaskTracker,
    tasks: TaskTracker,
}

impl Hub {
    /// Starts the hub's tasks. `verify` checks the access tokens of renewal frames; `metrics` counts.
    pub fn start(
        store: Store,
        bus: Bus,
        clock: Arc<dyn Clock>,
        verify: VerifyToken,
        metrics: Metrics,
        limits: HubLimits,
    ) -> Self {
        let (jobs, todo) = mpsc::channel(MAX_JOBS);
        // Stock clients keep their sync state under this name: another database must have another one.
        let storage_id = store.epoch().to_string();
        let name = PeerId::new(format!("taiwa-{storage_id}")).expect("a prefix and a UUID are a short text");
        let news = bus.subscribe();
        let shared = Arc::new(Shared {
            store,
            bus,
            clock,
            verify,
            metrics,
            limits,
            name,
            storage_id,
            registry: Registry::default(),
            roster: Roster::default(),
            access: AccessVersions::default(),
            quotas: Quotas::default(),
            committer: Committer::new(jobs),
            acknowledgements: Acknowledgements::new(limits.acknowledge_within),
            numbers: AtomicU64::new(0),
            stopping: CancellationToken::new(),
            draining: CancellationToken::new(),
            halted: CancellationToken::new(),
            sockets: TaskTracker::new(),
            tasks: TaskTracker::new(),
        });
        shared.tasks.spawn(commit::run(Arc::clone(&shared), todo));
        shared.tasks.spawn(acknowledgements::run(Arc::clone(&shared)));
        shared.tasks.spawn(news::run(Arc::clone(&shared), news));
        shared.tasks.spawn(upkeep::watch(Arc::clone(&shared)));
        shared.tasks.spawn(upkeep::sweep(Arc::clone(&shared)));
        shared.tasks.spawn(upkeep::recover(Arc::clone(&shared)));
        Self { shared }
    }

    /// The answer to a handshake, after which the socket is served until it is closed.
    ///
    /// Whoever pulls records after this answer and joins has heard of every change: from the pull, or as news.
    pub fn accept(&self, upgrade: WebSocketUpgrade, principal: Principal) -> Response {
        let shared = Arc::clone(&self.shared);
        let (_, heard) = shared.access.of(principal.organisation).point();
        socket::configure(upgrade).on_upgrade(async move |socket| {
            let sockets = shared.sockets.clone();
            sockets.track_future(socket::serve(shared, socket, principal, heard)).await;
        })
    }

    /// Commits and acknowledges everything that was taken in, renews digests and closes every socket with 1012; a message
    /// that is still being looked at is sent again to the next server.
    pub async fn stop(&self) {
        let shared = &self.shared;
        shared.stopping.cancel();
        shared.committer.flush().await;
        shared.draining.cancel();
        shared.sockets.close();
        if timeout(STOP_PATIENCE, shared.sockets.wait()).await.is_err() {
            shared.roster.each(|connection| connection.close(Closing::stopping()));
            shared.sockets.wait().await;
        }
        shared.committer.flush().await;
        upkeep::renew_all(shared).await;
        shared.halted.cancel();
        shared.tasks.close();
        shared.tasks.wait().await;
    }

    /// Ends all tasks and sockets without waiting for anybody, as a crash would: what was acknowledged is stored.
    pub fn abort(&self) {
        self.shared.stopping.cancel();
        self.shared.draining.cancel();
        self.shared.halted.cancel();
        self.shared.roster.each(|connection| connection.close(Closing::stopping()));
    }

    /// What the hub holds and has done.
    pub fn statistics(&self) -> HubStatistics {
        let shared = &self.shared;
        let (documents, quarantined) = shared.registry.count();
        let resident = shared
            .registry
            .documents()
            .into_iter()
            .filter_map(|document| shared.enter(&document, |state| state.resident_bytes()).ok());
        HubStatistics {
            connections: shared.roster.len(),
            documents,
            resident_bytes: resident.sum(),
            commits: shared.committer.commits.load(Ordering::Acquire),
            changes_stored: shared.committer.changes_stored.load(Ordering::Acquire),
            changes_uncommitted: shared.committer.unstored_changes(),
            quarantined,
        }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("statistics", &self.statistics()).finish_non_exhaustive()
    }
}

impl Shared {
    /// Runs `act` on an open document. A panic takes that document out of service and closes its connections, which
    /// find it again as the store has it.
    fn enter<R>(&self, document: &Arc<OpenDocument>, act: impl FnOnce(&mut State) -> R) -> Result<R, Gone> {
        document.enter(act).map_err(|reason| {
            if let NotEntered::Panicked(remains) = reason {
                tracing::error!(document.id = %document.id, "the sync engine panicked: the document is opened anew");
                self.registry.remove(document);
                self.dismiss(remains);
            }
            Gone
        })
    }

    /// Takes a document whose rows are damaged out of service until the server starts again.
    fn quarantine(&self, document: &Arc<OpenDocument>) {
        self.registry.quarantine(document);
        self.dismiss(document.retire());
    }

    fn dismiss(&self, remains: Remains) {
        self.committer.settle(remains.unstored);
        for connection in remains.connections {
            connection.close(Closing::fault());
        }
    }

    /// Counts a refused message; its connection is to be closed.
    fn refuse(&self, rejection: &Rejection) -> Closing {
        self.metrics.sync_refused(rejection);
        Closing::rejected(rejection)
    }

    /// Whether clients may bring changes that are not their own.
    fn takes_relayed(&self) -> bool {
        let restored = self.store.restored();
        restored.is_some_and(|restored| self.clock.now() < restored.plus(RELAYED_AFTER_RESTORE))
    }

    /// A number that was not given out before: names connections and sessions.
    fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }
}

/// The document is no longer in service.
#[derive(Debug)]
struct Gone;
