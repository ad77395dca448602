//! The records pull and document claims.

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

use super::{
    App,
    extract::{Body, SignedIn},
    problem::HttpError,
};
use crate::records::{
    claims::{self, MAX_CLAIMS},
    feed::{self, Cursor},
};

#[derive(Deserialize)]
pub(super) struct PullQuery {
    since: Option<String>,
    epoch: Option<StoreEpoch>,
}

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
