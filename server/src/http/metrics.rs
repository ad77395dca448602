//! `/metrics`, on a port of its own that only this machine reaches: for Prometheus, without a sign-in.

use axum::{
    Router,
    extract::State,
    http::{HeaderName, header},
    response::IntoResponse,
    routing::get,
};

use super::{App, unknown_route};
use crate::metrics::{CONTENT_TYPE, Levels};

/// The one route of the second port.
pub(crate) fn router(app: App) -> Router {
    Router::new().route("/metrics", get(metrics)).fallback(unknown_route).with_state(app)
}

async fn metrics(State(app): State<App>) -> impl IntoResponse {
    const HEADERS: [(HeaderName, &str); 2] =
        [(header::CONTENT_TYPE, CONTENT_TYPE), (header::CACHE_CONTROL, "no-store")];
    let hub = app.hub.statistics();
    let levels = Levels {
        connections: hub.connections,
        documents: hub.documents,
        quarantined: hub.quarantined,
        resident_bytes: hub.resident_bytes,
        changes_uncommitted: hub.changes_uncommitted,
    };
    (HEADERS, app.metrics.text(levels))
}
