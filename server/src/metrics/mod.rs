//! Figures for the operator's monitoring, in the text format of OpenMetrics.
//!
//! The only place with `prometheus_client`. Counts what happens and says how much there is; a label is a word of a fixed
//! list (a route's template, a status, an outcome), never an id, a name, an address or contents, so that neither the
//! figures nor their number tell of a person. Map: `words` the labels.

mod words;

use std::{fmt, sync::Arc, sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};
use taiwa_shared::{domain::command::Action, protocol::commands::Outcome, sync::rejection::Rejection};

/// Content type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds; from a write to memory to a disk that is in trouble.
const COMMIT_SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Seconds; a password takes about 50 ms, and a request at most 30 s.
const REQUEST_SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SignIns {
    with: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Commands {
    action: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Closed {
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    reason: &'static str,
}

/// What somebody signs in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignInWith {
    Invitation,
    Password,
    RefreshToken,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignInResult {
    Accepted,
    /// Wrong, unknown, used or over.
    Refused,
    /// Right, but the person has to type something else.
    Incomplete,
    TooManyTries,
    /// The server was busy or its database did not answer.
    Failed,
}

/// How much there is when the figures are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Levels {
    pub(crate) connections: usize,
    pub(crate) documents: usize,
    pub(crate) quarantined: usize,
    pub(crate) resident_bytes: usize,
    pub(crate) changes_uncommitted: usize,
}

/// The figures; clones are the same.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Registry,
    connections: Gauge,
    documents: Gauge,
    quarantined: Gauge,
    resident_bytes: Gauge,
    changes_uncommitted: Gauge,
    commit_seconds: Histogram,
    commits_failed: Counter,
    changes_stored: Counter,
    sync_refused: Family<Refused, Counter>,
    connections_closed: Family<Closed, Counter>,
    requests: Family<Request, Counter>,
    request_seconds: Family<Route, Histogram>,
    sign_ins: Family<SignIns, Counter>,
    commands: Family<Commands, Counter>,
}

impl Metrics {
    /// Figures of a server that starts now, at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("taiwa");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running version", build);
        let inner = Inner {
            connections: gauge(&mut registry, "connections", "Open sync sockets"),
            documents: gauge(&mut registry, "documents_open", "Documents in memory"),
            quarantined: gauge(
                &mut registry,
                "documents_quarantined",
                "Documents closed to everybody because their stored bytes are damaged",
            ),
            resident_bytes: {
                let level = Gauge::default();
                let help = "Memory of the documents in memory, about";
                registry.register_with_unit("documents_resident", help, Unit::Bytes, level.clone());
                level
            },
            changes_uncommitted: gauge(
                &mut registry,
                "changes_uncommitted",
                "Changes received that no commit has made durable yet",
            ),
            commit_seconds: {
                let times = Histogram::new(COMMIT_SECONDS);
                let help = "Time of the hub's commits, synced to disk";
                registry.register_with_unit("commit", help, Unit::Seconds, times.clone());
                times
            },
            commits_failed: counter(
                &mut registry,
                "commits_failed",
                "Commits of the hub that the database did not take; their connections were closed and send again",
            ),
            changes_stored: counter(&mut registry, "changes_stored", "Changes of documents stored"),
            sync_refused: family(&mut registry, "sync_refused", "Sync messages refused, by reason"),
            connections_closed: family(
                &mut registry,
                "connections_closed",
                "Sync sockets that ended, by the server's close code; 1000 if the client ended it",
            ),
            requests: family(&mut registry, "http_requests", "Requests answered, by route, method and status"),
            request_seconds: {
                let times = Family::new_with_constructor(request_histogram as fn() -> Histogram);
                let help = "Time from a request to its answer; of a socket until it is open";
                registry.register_with_unit("http_request", help, Unit::Seconds, times.clone());
                times
            },
            sign_ins: family(&mut registry, "sign_ins", "Attempts to sign in or renew tokens, by result"),
            commands: family(
                &mut registry,
                "commands",
                "Commands answered, by outcome; one that is sent again after a lost answer counts again",
            ),
            registry,
        };
        Self { inner: Arc::new(inner) }
    }

    /// All figures as text, ending with `# EOF`.
    pub(crate) fn text(&self, levels: Levels) -> String {
        let inner = &self.inner;
        for (gauge, level) in [
            (&inner.connections, levels.connections),
            (&inner.documents, levels.documents),
            (&inner.quarantined, levels.quarantined),
            (&inner.resident_bytes, levels.resident_bytes),
            (&inner.changes_uncommitted, levels.changes_uncommitted),
        ] {
            gauge.set(i64::try_from(level).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        encode(&mut text, &inner.registry).expect("writing to a String cannot fail");
        text
    }

    /// A commit of the hub is on disk.
    pub(crate) fn committed(&self, changes: usize, took: Duration) {
        self.inner.commit_seconds.observe(took.as_secs_f64());
        self.inner.changes_stored.inc_by(changes as u64);
    }

    /// The database did not take a commit of the hub.
    pub(crate) fn commit_failed(&self) {
        self.inner.commits_failed.inc();
    }

    /// A sync message was refused.
    pub(crate) fn sync_refused(&self, rejection: &Rejection) {
        self.inner.sync_refused.get_or_create(&Refused { reason: words::rejection(rejection) }).inc();
    }

    /// A sync socket ended.
    pub(crate) fn connection_closed(&self, code: u16) {
        self.inner.connections_closed.get_or_create(&Closed { code }).inc();
    }

    /// A request was answered; `route` is the template, never the path.
    pub(crate) fn answered(&self, route: &str, method: &str, status: u16, took: Duration) {
        let (route, method) = (route.to_owned(), words::method(method));
        self.inner.request_seconds.get_or_create(&Route { route: route.clone() }).observe(took.as_secs_f64());
        self.inner.requests.get_or_create(&Request { route, method, status }).inc();
    }

    /// Somebody tried to sign in.
    pub(crate) fn sign_in(&self, with: SignInWith, result: SignInResult) {
        let labels = SignIns { with: words::sign_in_with(with), result: words::sign_in_result(result) };
        self.inner.sign_ins.get_or_create(&labels).inc();
    }

    /// A command was answered.
    pub(crate) fn command(&self, action: &Action, outcome: &Outcome) {
        let labels = Commands { action: words::action(action), outcome: words::outcome(outcome) };
        self.inner.commands.get_or_create(&labels).inc();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn request_histogram() -> Histogram {
    Histogram::new(REQUEST_SECONDS)
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::<u64, AtomicU64>::default();
    registry.register(name, help, counter.clone());
    counter
}

fn family<L>(registry: &mut Registry, name: &str, help: &str) -> Family<L, Counter>
where
    L: Clone + std::hash::Hash + Eq + EncodeLabelSet + fmt::Debug + Send + Sync + 'static,
{
    let family = Family::default();
    registry.register(name, help, family.clone());
    family
}
