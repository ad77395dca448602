//! Health, and the page behind an invitation link when it is opened in a browser.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header},
    response::{Html, IntoResponse},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{App, extract::Caller};
use crate::sync::Hub;

/// Neither scripts nor anything from elsewhere.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the health check says.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok`, or what is wrong.
    #[schema(examples("ok"))]
    status: &'static str,
    /// Version of the server; left out when something is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(examples("0.1.0"))]
    version: Option<&'static str>,
    /// Figures of the document hub, only for requests from the server's own machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    hub: Option<HubFigures>,
}

/// Figures of the document hub.
#[derive(Serialize, ToSchema)]
struct HubFigures {
    /// Open sockets.
    connections: usize,
    /// Documents in memory.
    documents: usize,
    /// Memory of those documents.
    resident_bytes: usize,
    /// Commits since the start.
    commits: u64,
    /// Changes stored since the start.
    changes_stored: u64,
    /// Changes received and not yet committed.
    changes_uncommitted: usize,
    /// Documents that are closed to everybody because their stored bytes are damaged.
    quarantined: usize,
}

/// Says whether the database answers.
#[utoipa::path(
    get, path = "/healthz", tag = "server", operation_id = "health", security(()),
    responses(
        (status = 200, description = "The server works.", body = Health),
        (status = 503, description = "The database does not answer.", body = Health, example = json!({ "status": "database unavailable" })),
    ),
)]
pub(super) async fn health(State(app): State<App>, caller: Caller) -> (StatusCode, Json<Health>) {
    if let Err(error) = app.store.counters().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "the health check found no database");
        return (StatusCode::SERVICE_UNAVAILABLE, Json(Health::only("database unavailable")));
    }
    let hub = caller.is_local.then(|| HubFigures::of(&app.hub));
    (StatusCode::OK, Json(Health { status: "ok", version: Some(env!("CARGO_PKG_VERSION")), hub }))
}

impl Health {
    /// Nothing but a word.
    pub(super) fn only(status: &'static str) -> Self {
        Self { status, version: None, hub: None }
    }
}

impl HubFigures {
    fn of(hub: &Hub) -> Self {
        let figures = hub.statistics();
        Self {
            connections: figures.connections,
            documents: figures.documents,
            resident_bytes: figures.resident_bytes,
            commits: figures.commits,
            changes_stored: figures.changes_stored,
            changes_uncommitted: figures.changes_uncommitted,
            quarantined: figures.quarantined,
        }
    }
}

/// Shows what to do with an invitation link that was opened in a browser.
///
/// The same page for every token: it says neither whether there is such an invitation nor whose it is. An app opens the
/// link by itself and signs in by `/v1/login/invitation`.
#[utoipa::path(
    get, path = "/invite/{token}", tag = "server", operation_id = "show_invitation", security(()),
    params(("token" = String, Path, description = "The secret of the invitation; not read by this page.")),
    responses((status = 200, description = "A page in Japanese and English.", content_type = "text/html", body = String)),
)]
pub(super) async fn invitation() -> impl IntoResponse {
    const HEADERS: [(HeaderName, &str); 1] = [(header::CONTENT_SECURITY_POLICY, POLICY)];
    (HEADERS, Html(include_str!("invitation.html")))
}
