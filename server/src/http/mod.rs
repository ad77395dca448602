//! The HTTP surface, on one screen: routes, and what holds for all of them.
//!
//! Map: `problem` errors; `extract` bodies, tokens and addresses; `limits` tries per address; `listen` connections; `login`, `records`,
//! `socket`, `pages` the handlers. Decides nothing: a handler reads, asks `auth` or `records`, and answers. Neither
//! query strings nor bodies are logged.

mod extract;
mod limits;
mod listen;
mod login;
mod pages;
mod problem;
mod records;
mod socket;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderName, HeaderValue, Method, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use taiwa_shared::{protocol::problem::ProblemCode, time::Clock};
use tokio::time::{Instant, timeout};

use crate::{auth::Auth, bus::Bus, config::Config, store::Store, sync::Hub};
pub(crate) use extract::principal_of;
use limits::AddressLimit;
pub(crate) use listen::serve;
use problem::HttpError;

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
}

impl App {
    pub(crate) fn new(
        config: Arc<Config>,
        store: Store,
        bus: Bus,
        clock: Arc<dyn Clock>,
        auth: Auth,
        hub: Hub,
    ) -> Self {
        let login_limit = Arc::new(AddressLimit::per_minute(config.login_tries_per_minute, Arc::clone(&clock)));
        Self { config, store, bus, clock, auth, hub, login_limit }
    }
}

/// All routes.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/healthz", get(pages::health))
        .route("/invite/{token}", get(pages::invitation))
        .route("/v1/login/invitation", post(login::with_invitation))
        .route("/v1/login/password", post(login::with_password))
        .route("/v1/login/refresh", post(login::refresh))
        .route("/v1/login/sign-out", post(login::sign_out))
        .route("/v1/records", get(records::pull))
        .route("/v1/documents", post(records::claim))
        .route("/v1/sync", get(socket::open))
        .route("/v1/sync/ticket", post(socket::ticket))
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn(common))
        .with_state(app)
}

async fn unknown_route() -> HttpError {
    HttpError::new(ProblemCode::NotFound, "there is no such route on this server: check the address")
}

async fn wrong_method(method: Method) -> HttpError {
    let detail = format!("{method} is not for this route: the Allow header names the methods that are");
    HttpError::new(ProblemCode::InvalidRequest, detail).with_status(axum::http::StatusCode::METHOD_NOT_ALLOWED)
}

/// Time limit, headers and one log line for every request.
async fn common(request: Request, next: Next) -> Response {
    const HEADERS: [(HeaderName, HeaderValue); 4] = [
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    ];
    let started = Instant::now();
    let method = request.method().clone();
    let route = route_name(request.uri().path());
    let mut response = match timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = "the request took longer than 30 seconds: try again";
            HttpError::new(ProblemCode::Unavailable, detail).into_response()
        }
    };
    response.headers_mut().extend(HEADERS);
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(%method, route, status = response.status().as_u16(), duration_ms, "answered");
    response
}

/// What is logged of a path; never the path itself, that of an invitation holds its secret.
fn route_name(path: &str) -> &'static str {
    const ROUTES: [&str; 9] = [
        "/healthz",
        "/v1/login/invitation",
        "/v1/login/password",
        "/v1/login/refresh",
        "/v1/login/sign-out",
        "/v1/records",
        "/v1/documents",
        "/v1/sync",
        "/v1/sync/ticket",
    ];
    let known = ROUTES.into_iter().find(|route| *route == path);
    known.unwrap_or(if path.starts_with("/invite/") { "/invite/{token}" } else { "unknown" })
}
