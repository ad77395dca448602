//! What handlers take from a request: a JSON body, a name in the path, the signed-in person, the caller's address.

use std::net::{IpAddr, Ipv4Addr};

use axum::{
    body::Bytes,
    extract::{ConnectInfo, FromRequest, FromRequestParts, Path, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use serde::de::DeserializeOwned;
use taiwa_shared::protocol::problem::ProblemCode;

use super::{App, listen::Peer, problem::HttpError};
use crate::{
    auth::{AuthError, Identity},
    records::access::Principal,
};

const FORWARDED_FOR: &str = "x-forwarded-for";

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = HttpError;

    async fn from_request(request: Request, app: &App) -> Result<Self, HttpError> {
        let bytes = Bytes::from_request(request, app).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                HttpError::new(ProblemCode::TooLarge, "a body has at most 1 MiB: send it in parts")
            } else {
                HttpError::new(ProblemCode::InvalidRequest, "the body broke off: send it again")
            }
        })?;
        serde_json::from_slice(&bytes).map(Body).map_err(|error| {
            HttpError::new(ProblemCode::InvalidRequest, format!("the body is not the JSON of this route: {error}"))
        })
    }
}

/// What a path names: the one segment of it that is not fixed.
pub(super) struct Named(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpError> {
        // What is no text is the name of nothing.
        let absent = |_| HttpError::new(ProblemCode::NotFound, "the path is not UTF-8 and names nothing: check it");
        Path::from_request_parts(parts, state).await.map(|Path(name)| Self(name)).map_err(absent)
    }
}

/// The person whom a valid `Authorization: Bearer` speaks for.
pub(super) struct SignedIn(pub(super) Identity);

impl SignedIn {
    pub(super) fn principal(&self) -> Principal {
        principal_of(self.0)
    }
}

/// The same facts in the words of `records`.
pub(crate) fn principal_of(identity: Identity) -> Principal {
    let Identity { organisation, user, device, role, expires } = identity;
    Principal { organisation, user, device, role, expires }
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, HttpError> {
        let token = bearer(&parts.headers).ok_or(AuthError::TokenInvalid)?;
        Ok(Self(app.auth.identity(token).await?))
    }
}

/// The token of `Authorization: Bearer`, if there is one.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// The address that a request comes from, as far as the trusted proxies say.
pub(super) struct Caller {
    pub(super) address: IpAddr,
    /// Whether it came from this machine without a proxy in between.
    pub(super) is_local: bool,
}

impl FromRequestParts<App> for Caller {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, HttpError> {
        let peer = parts.extensions.get::<ConnectInfo<Peer>>().map(|info| info.0.0.ip());
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let is_local = peer.is_loopback() && !parts.headers.contains_key(FORWARDED_FOR);
        let address = forwarded(&parts.headers, app.config.trusted_proxies).unwrap_or(peer);
        Ok(Self { address, is_local })
    }
}

/// Each proxy appends the address that it saw, so the last `proxies` entries are to be trusted and no others.
fn forwarded(headers: &HeaderMap, proxies: u8) -> Option<IpAddr> {
    let lines = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let entries: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    let trusted = entries.len().checked_sub(usize::from(proxies))?;
    entries.get(trusted)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_trusted_proxies_appended_counts() {
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_FOR, "6.6.6.6, 10.0.0.1".parse().unwrap());
        headers.append(FORWARDED_FOR, "10.0.0.2".parse().unwrap());
        for (proxies, expected) in [(0, None), (1, Some("10.0.0.2")), (2, Some("10.0.0.1")), (4, None)] {
            assert_eq!(forwarded(&headers, proxies), expected.map(|text| text.parse().unwrap()), "{proxies}");
        }
        assert_eq!(forwarded(&HeaderMap::new(), 1), None);
    }
}
