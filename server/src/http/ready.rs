//! Readiness: whether a proxy or supervisor should send requests here now. Liveness is `pages::health`.
//!
//! Asks the database for the right to write and gives it back; nothing is changed. One request at a time asks, the
//! others get its answer, so that checks from outside cannot keep the writer busy.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{App, pages::Health};
use crate::store::{Store, StoreError};

/// Below the five seconds after which common proxies give up on a check.
const PATIENCE: Duration = Duration::from_secs(3);
/// An answer is good for so long; checks come every few seconds.
const FRESH: Duration = Duration::from_secs(1);

/// Why no requests should come here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NotReady {
    Stopping,
    DatabaseNotWritable,
    MigrationsIncomplete,
}

impl NotReady {
    fn reason(self) -> &'static str {
        match self {
            Self::Stopping => "stopping",
            Self::DatabaseNotWritable => "database not writable",
            Self::MigrationsIncomplete => "migrations incomplete",
        }
    }
}

/// When the database was asked, and what came of it.
type Answered = (Instant, Result<(), NotReady>);

/// Answers the question; clones share the last answer.
#[derive(Debug, Clone)]
pub(crate) struct Readiness {
    stopping: CancellationToken,
    last: Arc<Mutex<Option<Answered>>>,
}

impl Readiness {
    pub(crate) fn until(stopping: CancellationToken) -> Self {
        Self { stopping, last: Arc::default() }
    }

    async fn now(&self, store: &Store) -> Result<(), NotReady> {
        // Waiting with the lock held is the point: whoever comes meanwhile takes this answer.
        let mut last = self.last.lock().await;
        let answer = match *last {
            Some((asked, answer)) if asked.elapsed() < FRESH => answer,
            _ => {
                let answer = ask(store).await;
                *last = Some((Instant::now(), answer));
                answer
            }
        };
        if self.stopping.is_cancelled() { Err(NotReady::Stopping) } else { answer }
    }
}

async fn ask(store: &Store) -> Result<(), NotReady> {
    match timeout(PATIENCE, is_migrated_and_writable(store)).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err(NotReady::MigrationsIncomplete),
        Ok(Err(error)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "not ready: the database cannot be written");
            Err(NotReady::DatabaseNotWritable)
        }
        Err(_) => {
            tracing::warn!("not ready: no write could begin within {PATIENCE:?}");
            Err(NotReady::DatabaseNotWritable)
        }
    }
}

async fn is_migrated_and_writable(store: &Store) -> Result<bool, StoreError> {
    store.try_writing().await?;
    store.is_migrated().await
}

/// Says whether requests can be served now.
///
/// For proxies and supervisors: not ready while the server stops, and while its database takes no writes.
#[utoipa::path(
    get, path = "/readyz", tag = "server", operation_id = "ready", security(()),
    responses(
        (status = 200, description = "Requests can be served.", body = Health),
        (status = 503, description = "Send requests elsewhere or later; `status` says why.", body = Health, example = json!({ "status": "database not writable" })),
    ),
)]
pub(super) async fn ready(State(app): State<App>) -> (StatusCode, Json<Health>) {
    match app.readiness.now(&app.store).await {
        Ok(()) => (StatusCode::OK, Json(Health::only("ready"))),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, Json(Health::only(why.reason()))),
    }
}

#[cfg(test)]
mod tests {
    use taiwa_shared::time::Timestamp;

    use super::*;

    #[tokio::test]
    async fn a_server_that_stops_is_not_ready_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("taiwa.db").display().to_string();
        let store = Store::open(&file, Timestamp::from_millis(0)).await.unwrap();
        let stopping = CancellationToken::new();
        let readiness = Readiness::until(stopping.clone());
        assert_eq!(readiness.now(&store).await, Ok(()));
        stopping.cancel();
        assert_eq!(readiness.now(&store).await, Err(NotReady::Stopping));
    }
}
