//! The HTTP surface, on one screen: routes, and what holds for all of them.
//!
//! Map: `openapi` the API described, `api_page` as a page; `problem` errors; `extract` bodies, tokens and addresses;
//! `limits` tries per address; `listen` connections; `login`, `devices`, `records`, `commands`, `people`,
//! `ratings`, `socket`, `ready`, `pages` the handlers; `metrics` the second port. Decides nothing: a handler reads, asks `auth` or `records`, and answers. Neither query strings
//! nor bodies are logged.

mod api_page;
mod commands;
mod devices;
mod extract;
mod limits;
mod listen;
mod login;
pub(crate) mod metrics;
mod openapi;
mod pages;
mod people;
mod problem;
mod ratings;
mod ready;
mod records;
mod socket;
mod tips;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use taiwa_shared::{protocol::problem::ProblemCode, time::Clock};
use tokio::time::{Instant, timeout};
use tracing::Instrument;
use utoipa::OpenApi;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt},
    routes,
};

use crate::{
    auth::Auth, bus::Bus, config::Config, entropy::random, metrics::Metrics, records::ratings::key::RatingKey,
    store::Store, sync::Hub,
};
pub(crate) use extract::principal_of;
pub(crate) use limits::AddressLimit;
pub use listen::Door;
pub(crate) use listen::serve;
pub use openapi::text as openapi_text;
use problem::HttpError;
pub(crate) use ready::Readiness;

/// Largest request body: 200 claims have 60 KiB.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// A request, its body included, takes at most this long; a socket only until it is upgraded.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What handlers work with; clones share it.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) config: Arc<Config>,
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) auth: Auth,
    pub(crate) hub: Hub,
    pub(crate) login_limit: Arc<AddressLimit>,
    pub(crate) readiness: Readiness,
    pub(crate) metrics: Metrics,
    pub(crate) rating_key: Arc<RatingKey>,
}

/// All routes, each with its description.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::Around::openapi())
        .routes(routes!(login::with_invitation))
        .routes(routes!(login::with_password))
        .routes(routes!(login::refresh))
        .routes(routes!(login::sign_out))
        .routes(routes!(records::pull))
        .routes(routes!(records::claim))
        .routes(routes!(commands::take))
        .routes(routes!(ratings::put))
        .routes(routes!(ratings::own))
        .routes(routes!(ratings::strengths))
        .routes(routes!(devices::list))
        .routes(routes!(devices::revoke))
        .routes(routes!(people::import).layer(DefaultBodyLimit::max(people::MAX_IMPORT_BYTES)))
        .routes(routes!(tips::page))
        .routes(routes!(tips::shelf))
        .routes(routes!(socket::open))
        .routes(routes!(socket::ticket))
        .routes(routes!(openapi::document))
        .routes(routes!(api_page::page))
        .routes(routes!(api_page::file))
        .routes(routes!(pages::health))
        .routes(routes!(ready::ready))
        .routes(routes!(pages::invitation))
}

/// Routes and what holds for all of them.
pub(crate) fn router(app: App) -> Router {
    Router::from(routes())
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(app.metrics.clone(), common))
        .with_state(app)
}

async fn unknown_route() -> HttpError {
    HttpError::new(ProblemCode::NotFound, "there is no such route on this server: check the address")
}

async fn wrong_method(method: Method) -> HttpError {
    let detail = format!("{method} is not for this route: the Allow header names the methods that are");
    HttpError::new(ProblemCode::InvalidRequest, detail).with_status(axum::http::StatusCode::METHOD_NOT_ALLOWED)
}

/// Names a request in the log and in its answer, so that a person can say which one failed.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Time limit, headers, one log line and one figure for every request but those about ratings.
async fn common(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    const HEADERS: [(HeaderName, HeaderValue); 4] = [
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    ];
    let started = Instant::now();
    let method = request.method().clone();
    // Never the path itself: that of an invitation holds its secret.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unknown", MatchedPath::as_str);
    // Ours and not one that the request brought, which could be anything.
    let id = hex::encode(random::<8>());
    let span = tracing::info_span!("request", request.id = id);
    let answer = async {
        let mut response = match timeout(REQUEST_TIMEOUT, next.run(request)).await {
            Ok(response) => response,
            Err(_) => {
                let detail = "the request took longer than 30 seconds: try again";
                HttpError::new(ProblemCode::Unavailable, detail).into_response()
            }
        };
        response.headers_mut().extend(HEADERS);
        if let Ok(id) = HeaderValue::try_from(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        if ratings::leaves_no_trace(route) {
            return response;
        }
        let (status, took) = (response.status(), started.elapsed());
        metrics.answered(route, method.as_str(), status.as_u16(), took);
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        if status.is_server_error() {
            tracing::warn!(%method, route, status = status.as_u16(), duration_ms, "answered");
        } else {
            tracing::debug!(%method, route, status = status.as_u16(), duration_ms, "answered");
        }
        response
    };
    answer.instrument(span).await
}
