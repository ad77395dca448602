//! The requests. One function per route; bodies are those of `shared::protocol`.

use std::{sync::Arc, time::Duration};

use reqwest::{Method, RequestBuilder, Response, Url, header};
use serde::de::DeserializeOwned;
use taiwa_shared::{
    domain::rating::Rating,
    ids::{DeviceId, MeetingId},
    protocol::{
        commands::{CommandsRequest, CommandsResponse},
        devices::DevicesResponse,
        login::{InvitationRequest, LoginResponse, PasswordRequest, RefreshRequest, Secret, TicketResponse, Tokens},
        problem::{MEDIA_TYPE, Problem},
        ratings::OwnRatings,
        records::{ClaimRequest, ClaimResponse, RecordsPage},
        strengths::Strengths,
        tips::{TipShelf, TipsPage},
    },
};

use super::{HttpError, ServerUrl};

/// Time for TCP and TLS: four round trips of a bad mobile network at 2 s each.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
/// Time for a whole request; a page of records is at most about 200 kB, which is 20 s at 10 kB/s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// 8 MiB: far above the largest page of records; more is not an answer of this server.
const MAX_ANSWER_BYTES: usize = 8 << 20;

/// Speaks to one server.
#[derive(Debug, Clone)]
pub struct HttpClient {
    http: reqwest::Client,
    server: ServerUrl,
}

impl HttpClient {
    /// A client for `server`, trusting what `tls` trusts. Opens no connection yet.
    ///
    /// # Errors
    /// [`HttpError::Offline`] if the client cannot be built on this device.
    pub fn new(server: ServerUrl, tls: Arc<rustls::ClientConfig>) -> Result<Self, HttpError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(Arc::unwrap_or_clone(tls))
            .user_agent(concat!("taiwa/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            // A token goes to the server that gave it and nowhere else.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|e| HttpError::Offline(Box::new(e)))?;
        Ok(Self { http, server })
    }

    /// The server this client speaks to.
    pub fn server(&self) -> &ServerUrl {
        &self.server
    }

    /// First sign-in with an invitation.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub async fn sign_in_with_invitation(&self, request: &InvitationRequest) -> Result<LoginResponse, HttpError> {
        answer(self.request(Method::POST, "/v1/login/invitation", None).json(request)).await
    }

    /// Sign-in with e-mail and password.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub async fn sign_in_with_password(&self, request: &PasswordRequest) -> Result<LoginResponse, HttpError> {
        answer(self.request(Method::POST, "/v1/login/password", None).json(request)).await
    }

    /// Trades a refresh token for new tokens.
    ///
    /// # Errors
    /// See [`HttpError`]; after [`HttpError::Offline`] the old token may be tried again.
    pub async fn refresh(&self, refresh_token: &Secret) -> Result<Tokens, HttpError> {
        let request = RefreshRequest { refresh_token: refresh_token.clone() };
        answer(self.request(Method::POST, "/v1/login/refresh", None).json(&request)).await
    }

    /// Ends this sign-in on the server.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub async fn sign_out(&self, access_token: &Secret) -> Result<(), HttpError> {
        read(self.request(Method::POST, "/v1/login/sign-out", Some(access_token))).await.map(drop)
    }

    /// Records that changed since `cursor`, or all of them.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub async fn records(&self, access_token: &Secret, cursor: Option<&str>) -> Result<RecordsPage, HttpError> {
        let mut url = self.server.route("/v1/records");
        if let Some(cursor) = cursor {
            url.query_pairs_mut().append_pair("since", cursor);
        }
        answer(self.request_url(Method::GET, url, Some(access_token))).await
    }

    /// Makes documents known to the server.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub async fn claim(&self, access_token: &Secret, request: &ClaimRequest) -> Result<ClaimResponse, HttpError> {
        answer(self.request(Method::POST, "/v1/documents", Some(access_token)).json(request)).await
    }

    /// Sends commands of the outbox.
    ///
    /// # Errors
    /// See [`HttpError`]; after [`HttpError::Offline`] they may be sent again, with the same ids.
    pub async fn commands(
        &self,
        access_token: &Secret,
        request: &CommandsRequest,
    ) -> Result<CommandsResponse, HttpError> {
        answer(self.request(Method::POST, "/v1/commands", Some(access_token)).json(request)).await
    }

    /// Rates a 1on1 as its member.
    ///
    /// # Errors
    /// See [`HttpError`]; after [`HttpError::Offline`] it may be sent again.
    pub async fn put_rating(
        &self,
        access_token: &Secret,
        meeting: MeetingId,
        rating: &Rating,
    ) -> Result<(), HttpError> {
        let path = format!("/v1/ratings/{meeting}");
        read(self.request(Method::PUT, &path, Some(access_token)).json(rating)).await.map(drop)
    }

    /// The person's own ratings that can still be changed.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub async fn ratings(&self, access_token: &Secret) -> Result<OwnRatings, HttpError> {
        answer(self.request(Method::GET, "/v1/ratings", Some(access_token))).await
    }

    /// What the person is good at as a manager, in words.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub async fn strengths(&self, access_token: &Secret) -> Result<Strengths, HttpError> {
        answer(self.request(Method::GET, "/v1/strengths", Some(access_token))).await
    }

    /// The tips that a manager's phone keeps.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub async fn tip_shelf(&self, access_token: &Secret) -> Result<TipShelf, HttpError> {
        answer(self.request(Method::GET, "/v1/tips/shelf", Some(access_token))).await
    }

    /// A page of tips; `query` names topic, category, response, scope, words and cursor as the route does.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub async fn tips(&self, access_token: &Secret, query: &[(&str, String)]) -> Result<TipsPage, HttpError> {
        let mut url = self.server.route("/v1/tips");
        url.query_pairs_mut().extend_pairs(query);
        answer(self.request_url(Method::GET, url, Some(access_token))).await
    }

    /// The sign-ins of this person.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub async fn devices(&self, access_token: &Secret) -> Result<DevicesResponse, HttpError> {
        answer(self.request(Method::GET, "/v1/devices", Some(access_token))).await
    }

    /// Ends one of the sign-ins of this person.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub async fn revoke_device(&self, access_token: &Secret, device: DeviceId) -> Result<(), HttpError> {
        read(self.request(Method::DELETE, &format!("/v1/devices/{device}"), Some(access_token))).await.map(drop)
    }

    /// A ticket that opens one sync socket, for hosts that cannot set headers on a socket.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub async fn ticket(&self, access_token: &Secret) -> Result<TicketResponse, HttpError> {
        answer(self.request(Method::POST, "/v1/sync/ticket", Some(access_token))).await
    }

    fn request(&self, method: Method, path: &str, access_token: Option<&Secret>) -> RequestBuilder {
        self.request_url(method, self.server.route(path), access_token)
    }

    fn request_url(&self, method: Method, url: Url, access_token: Option<&Secret>) -> RequestBuilder {
        let request = self.http.request(method, url);
        match access_token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
    }
}

async fn answer<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, HttpError> {
    let (status, body) = read(request).await?;
    serde_json::from_slice(&body).map_err(|_| HttpError::Unexpected { status })
}

/// Sends, and gives the body of a success or the problem of a refusal.
async fn read(request: RequestBuilder) -> Result<(u16, Vec<u8>), HttpError> {
    let response = request.send().await.map_err(|e| HttpError::Offline(Box::new(e)))?;
    let status = response.status();
    let is_problem = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(MEDIA_TYPE.as_bytes()));
    let body = limited_body(response).await?;
    if status.is_success() {
        return Ok((status.as_u16(), body));
    }
    let problem = is_problem.then(|| serde_json::from_slice::<Problem>(&body).ok()).flatten();
    Err(problem.map_or(HttpError::Unexpected { status: status.as_u16() }, HttpError::Refused))
}

async fn limited_body(mut response: Response) -> Result<Vec<u8>, HttpError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| HttpError::Offline(Box::new(e)))? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(HttpError::Unexpected { status: response.status().as_u16() });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
