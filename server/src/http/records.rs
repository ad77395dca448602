//! The records pull and document claims.

use super::{
    App,
    extract::{Body, SignedIn},
    openapi::{OfBody, OfParameters, OfServer, OfToken},
    problem::HttpError,
};
use crate::records::{
    claims::{self, MAX_CLAIMS},
    feed::{self, Cursor},
};
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde::Deserialize;
use taiwa_shared::{
    ids::StoreEpoch,
    protocol::{
        problem::ProblemCode,
        records::{ClaimRequest, ClaimResponse, RecordsPage},
    },
};

/// Where the caller stopped last time.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PullQuery {
    /// `cursor` of the page before; left out or empty to begin at the start. Opaque.
    since: Option<String>,
    /// `epoch` of the page before; in another epoch the pull begins at the start.
    epoch: Option<StoreEpoch>,
}

/// Pulls what changed since a cursor.
///
/// The first pull gives everything that the caller may see. Pull again at once while `more` is true. The cursor has no
/// gaps: what is committed later comes later. Absence never deletes; only the entry `pair_lost` does, and never in
/// another epoch.
#[utoipa::path(
    get, path = "/v1/records", tag = "records", operation_id = "pull_records", security(("bearer" = [])),
    params(PullQuery),
    responses((status = 200, description = "A page of changes.", body = RecordsPage), OfParameters, OfToken, OfServer),
)]
pub(super) async fn pull(
    State(app): State<App>,
    person: SignedIn,
    query: Result<Query<PullQuery>, QueryRejection>,
) -> Result<Json<RecordsPage>, HttpError> {
    let invalid = |detail: String| HttpError::new(ProblemCode::InvalidRequest, detail);
    let Query(query) = query.map_err(|error| invalid(error.body_text()))?;
    let cursor = match query.since.as_deref() {
        None | Some("") => None,
        Some(text) => Some(text.parse::<Cursor>().map_err(|error| invalid(error.to_string()))?),
    };
    let cursor = cursor.filter(|_| query.epoch.is_none_or(|epoch| epoch == app.store.epoch()));
    Ok(Json(feed::pull(&app.store, &person.principal(), cursor, app.clock.now()).await?))
}

/// Makes the server know of documents whose ids the client derived by itself.
///
/// An offline client knows the ids of its documents: they follow from owner and purpose. Claim them before they are
/// exchanged on the socket. Repeating a claim changes nothing. One outcome per claim, in order.
#[utoipa::path(
    post, path = "/v1/documents", tag = "records", operation_id = "claim_documents", security(("bearer" = [])),
    request_body(content = ClaimRequest, example = json!({ "claims": [{
        "key": { "kind": "memo", "pair": "0190a5c0-7d3e-7c4b-9f00-3a6c1c2f0e11", "meeting": "5b6a1b52-3c1e-5d0a-8a3e-0d6b5b0a7a10" },
        "slot": "2026-04-20",
    }] })),
    responses((status = 200, description = "What became of each claim.", body = ClaimResponse), OfBody, OfToken, OfServer),
)]
pub(super) async fn claim(
    State(app): State<App>,
    person: SignedIn,
    Body(request): Body<ClaimRequest>,
) -> Result<Json<ClaimResponse>, HttpError> {
    if request.claims.len() > MAX_CLAIMS {
        let detail = format!("{} claims in one request: send at most {MAX_CLAIMS}", request.claims.len());
        return Err(HttpError::new(ProblemCode::InvalidRequest, detail));
    }
    let answer = claims::claim(&app.store, &app.bus, &person.principal(), &request, app.clock.now()).await?;
    Ok(Json(answer))
}
