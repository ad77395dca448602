//! Health, and the page behind an invitation link when it is opened in a browser.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header},
    response::{Html, IntoResponse},
};
use serde_json::{Value, json};

use super::{App, extract::Caller};

/// Neither scripts nor anything from elsewhere.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Whether the database answers; with the hub's figures for whoever asks from this machine.
pub(super) async fn health(State(app): State<App>, caller: Caller) -> (StatusCode, Json<Value>) {
    if let Err(error) = app.store.counters().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "the health check found no database");
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "database unavailable" })));
    }
    let mut answer = json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") });
    if caller.is_local {
        let hub = app.hub.statistics();
        answer["hub"] = json!({
            "connections": hub.connections,
            "documents": hub.documents,
            "resident_bytes": hub.resident_bytes,
            "commits": hub.commits,
            "changes_stored": hub.changes_stored,
            "changes_uncommitted": hub.changes_uncommitted,
            "quarantined": hub.quarantined,
        });
    }
    (StatusCode::OK, Json(answer))
}

/// The same for every token: it says neither whether there is such an invitation nor whose it is.
pub(super) async fn invitation() -> impl IntoResponse {
    const HEADERS: [(HeaderName, &str); 1] = [(header::CONTENT_SECURITY_POLICY, POLICY)];
    (HEADERS, Html(include_str!("invitation.html")))
}
