//! What synchronising needs from whoever is signed in: a token, and the records that come before documents.
//!
//! Implemented by the session over REST. Synchronising itself knows nothing about passwords, refresh tokens or HTTP.

use std::future::Future;

use taiwa_shared::{protocol::login::Secret, time::Timestamp};

/// A token for the sync socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// The bearer token.
    pub token: Secret,
    /// When it stops working, by this phone's clock.
    pub expires: Timestamp,
}

/// Which token will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// One that is still good for a few minutes.
    Cached,
    /// A new one: the server refused the last, or it is about to expire.
    Renewed,
}

/// Why there is no token, or why records could not be exchanged.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The sign-in is over; only the person can change that.
    #[error("the sign-in is over")]
    SignInAgain,
    /// The server no longer understands this version.
    #[error("the server no longer understands this version of the app")]
    UpdateApp,
    /// It may work later.
    #[error("the server could not be asked")]
    TryLater(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The signed-in person's side of synchronising.
pub trait Credentials: Send + Sync + 'static {
    /// A token for the socket.
    ///
    /// # Errors
    /// See [`CredentialsError`].
    ///
    /// # Cancellation
    /// May be dropped at any await; a refresh in flight must not lose its reply.
    fn access_token(&self, freshness: Freshness) -> impl Future<Output = Result<AccessToken, CredentialsError>> + Send;

    /// Pulls records, sends the outbox and claims documents, in this order; called after each connect before any
    /// document is synchronised, when the server says that there is news, and when it does not know a document.
    ///
    /// # Errors
    /// See [`CredentialsError`]; the connection is then given up and tried again later.
    ///
    /// # Cancellation
    /// May be dropped at any await when the connection is lost.
    fn before_sync(&self) -> impl Future<Output = Result<(), CredentialsError>> + Send;
}
