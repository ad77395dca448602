//! The sync socket: who may open one. What happens on it is the hub's.
//!
//! Native clients send `Authorization: Bearer`; browsers cannot, and bring a one-use ticket in the query and an
//! `Origin` that must be allowed.

use axum::{
    Json,
    extract::{
        Query, State,
        rejection::QueryRejection,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, header},
    response::Response,
};
use serde::Deserialize;
use taiwa_shared::protocol::{login::TicketResponse, problem::ProblemCode};

use super::{
    App,
    extract::{SignedIn, bearer, principal_of},
    openapi::{OfParameters, OfServer, OfToken},
    problem::HttpError,
};
use crate::auth::AuthError;

#[derive(Deserialize)]
pub(super) struct SocketQuery {
    ticket: Option<String>,
}

/// Gives a ticket for the sync socket.
///
/// For browsers, which cannot send `Authorization` with a WebSocket. It works once, within 30 seconds.
#[utoipa::path(
    post, path = "/v1/sync/ticket", tag = "sync", operation_id = "issue_ticket", security(("bearer" = [])),
    responses((status = 200, description = "A ticket.", body = TicketResponse), OfToken, OfServer),
)]
pub(super) async fn ticket(State(app): State<App>, person: SignedIn) -> Result<Json<TicketResponse>, HttpError> {
    Ok(Json(app.auth.issue_ticket(&person.0).await?))
}

/// Opens the sync socket.
///
/// A WebSocket (RFC 6455) that speaks the automerge-repo network protocol, version `1`: CBOR maps in binary messages of
/// at most 1 MiB. Send `join` within 10 seconds. Stock automerge-repo clients work; only the adapter that brings the
/// token is yours. Native clients send `Authorization: Bearer`; browsers bring a ticket in the query, and their
/// `Origin` must be the server's own or a configured one.
///
/// A peer whose `peerMetadata` has `taiwa: true` gets `taiwa-news` frames when records that concern the person changed
/// (pull then), and sends `taiwa-renew` with a fresh access token before the old one expires. Nobody else ever gets one.
///
/// An unknown and a forbidden document answer alike, with `doc-unavailable`. Access is checked for every message.
///
/// Close codes: `1000` goodbye; `1001` no answer to pings; `1011` a fault of the server: reconnect; `1012` the server
/// restarts: reconnect; `1013` what was sent could not be stored: reconnect and send it again; `4400` what was sent is
/// no valid frame or change; `4401` the token expired: refresh it and reconnect; `4403` the sign-in was ended; `4409`
/// the peer connected again, or has too much open: reconnect; `4413` the document is full; `4429` more than one person
/// may send in a day: keep it and try again later.
#[utoipa::path(
    get, path = "/v1/sync", tag = "sync", operation_id = "open_socket", security(("bearer" = []), ("ticket" = [])),
    responses(
        (status = 101, description = "The connection is a WebSocket now."), OfParameters, OfToken, OfServer,
    ),
)]
pub(super) async fn open(
    State(app): State<App>,
    headers: HeaderMap,
    query: Result<Query<SocketQuery>, QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, HttpError> {
    let ticket = query.ok().and_then(|Query(query)| query.ticket);
    let identity = match (bearer(&headers), ticket) {
        (Some(token), _) => app.auth.identity(token).await?,
        (None, Some(ticket)) => {
            if !is_origin_allowed(&headers, &app.config.allowed_origins) {
                return Err(AuthError::TokenInvalid.into());
            }
            app.auth.burn_ticket(&ticket).await?
        }
        (None, None) => return Err(AuthError::TokenInvalid.into()),
    };
    let upgrade = upgrade.map_err(|_| {
        HttpError::new(ProblemCode::InvalidRequest, "this route takes a WebSocket: send the upgrade headers")
    })?;
    let principal = principal_of(identity);
    Ok(app.hub.accept(upgrade, principal))
}

/// A page of another site must not use a ticket. Browsers always name the page's origin and no page can keep them from
/// it; whoever names none is no browser, such as a stock JavaScript client under Node, and could name any.
fn is_origin_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else { return true };
    let own = text(header::HOST).is_some_and(|host| {
        let of_origin = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        of_origin.is_some_and(|origin| origin.eq_ignore_ascii_case(host))
    });
    own || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_servers_own_pages_and_configured_ones_use_tickets() {
        let allowed = ["https://app.example.jp".to_owned()];
        for (origin, expected) in [
            (None, true),
            (Some("https://taiwa.example.jp"), true),
            (Some("HTTPS://TAIWA.example.jp"), false),
            (Some("https://app.example.jp"), true),
            (Some("https://taiwa.example.jp.evil.example"), false),
            (Some("https://evil.example"), false),
            (Some("null"), false),
            (Some("taiwa.example.jp"), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "taiwa.example.jp".parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(is_origin_allowed(&headers, &allowed), expected, "{origin:?}");
        }
    }
}
