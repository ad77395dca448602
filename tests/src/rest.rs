//! Plain HTTP requests to a server, to say what no phone would say.
//!
//! Used by tests of bad input and by the demo's checks from the outside. Decides nothing.

use std::{collections::BTreeMap, net::SocketAddr};

use anyhow::{Context, Result};
use reqwest::{
    Client, Method, StatusCode,
    header::{CONTENT_TYPE, DATE},
};
use serde::Serialize;
use serde_json::Value;

/// Names the request in the server's log.
const REQUEST_ID: &str = "x-request-id";

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// Media type, without parameters.
    pub media_type: String,
    /// Headers, without those that differ each time.
    pub headers: BTreeMap<String, String>,
    /// Body as text.
    pub text: String,
    request_id: String,
}

impl Answer {
    /// A header; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// What the server's log calls the request; another for each.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The body as `T`.
    ///
    /// # Errors
    /// If the status is not a success or the body is no `T`.
    pub fn into<T: serde::de::DeserializeOwned>(self) -> Result<T> {
        anyhow::ensure!(self.status.is_success(), "answered {}: {}", self.status, self.text);
        serde_json::from_str(&self.text).with_context(|| format!("read {}", self.text))
    }

    /// `code` of a problem body; empty if it is none.
    pub fn problem_code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// A client of one server.
#[derive(Debug, Clone)]
pub struct Rest {
    client: Client,
    address: SocketAddr,
    bearer: Option<String>,
    origin: Option<String>,
}

impl Rest {
    /// A client that presents no token.
    pub fn new(address: SocketAddr) -> Self {
        crate::tls::install_crypto();
        Self { client: Client::new(), address, bearer: None, origin: None }
    }

    /// The same client with an access token, valid or not.
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { bearer: Some(token.into()), ..self.clone() }
    }

    /// The same client, as if a page of this origin asked.
    pub fn from_page(&self, origin: impl Into<String>) -> Self {
        Self { origin: Some(origin.into()), ..self.clone() }
    }

    /// `GET path`.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(self.client.get(self.url(path))).await
    }

    /// `POST path` with a JSON body.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Result<Answer> {
        self.send(self.client.post(self.url(path)).json(body)).await
    }

    /// `POST path` with any bytes, said to be JSON.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn post_bytes(&self, path: &str, body: impl Into<Vec<u8>>) -> Result<Answer> {
        let request = self.client.post(self.url(path)).header(CONTENT_TYPE, "application/json");
        self.send(request.body(body.into())).await
    }

    /// `POST path` with the bytes of a CSV file.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn post_csv(&self, path: &str, file: impl Into<Vec<u8>>) -> Result<Answer> {
        let request = self.client.post(self.url(path)).header(CONTENT_TYPE, "text/csv");
        self.send(request.body(file.into())).await
    }

    /// `DELETE path`.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn delete(&self, path: &str) -> Result<Answer> {
        self.send(self.client.delete(self.url(path))).await
    }

    /// Any request, with a body of any kind: its media type and bytes.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn request(&self, method: Method, path: &str, body: Option<(&str, Vec<u8>)>) -> Result<Answer> {
        let mut request = self.client.request(method, self.url(path));
        if let Some((media_type, bytes)) = body {
            request = request.header(CONTENT_TYPE, media_type).body(bytes);
        }
        self.send(request).await
    }

    /// Asks to turn `GET path` into a WebSocket; the socket itself is dropped.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn upgrade(&self, path: &str) -> Result<Answer> {
        let request = self.client.get(self.url(path)).header("connection", "upgrade").header("upgrade", "websocket");
        // The key of the example in RFC 6455, 1.3.
        let request = request.header("sec-websocket-version", "13");
        self.send(request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")).await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn send(&self, mut request: reqwest::RequestBuilder) -> Result<Answer> {
        if let Some(token) = &self.bearer {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(origin) = &self.origin {
            request = request.header("origin", origin);
        }
        let response = request.send().await.context("no answer")?;
        let status = response.status();
        let own = response.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
        let request_id = own.unwrap_or_default().to_owned();
        let headers = response.headers().iter().filter(|(name, _)| *name != DATE && name.as_str() != REQUEST_ID);
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()));
        let headers = headers.collect();
        let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().to_owned();
        // After a switch of protocols there is no body, and reading would wait for the socket's end.
        let switched = status == StatusCode::SWITCHING_PROTOCOLS;
        let text = if switched { String::new() } else { response.text().await.context("the answer broke off")? };
        Ok(Answer { status, media_type, headers, text, request_id })
    }
}
