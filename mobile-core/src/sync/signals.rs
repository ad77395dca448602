//! What the [`Link`](super::link::Link) hears and what it answers; the words between the pure machine and the task.

use std::time::Duration;

use taiwa_shared::time::Timestamp;

use super::credentials::{AccessToken, CredentialsError, Freshness};

/// The time: since the task began (never jumps) and by the phone's clock (goes on while the phone sleeps).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Now {
    pub(super) elapsed: Duration,
    pub(super) wall: Timestamp,
}

/// What happened.
#[derive(Debug)]
pub(super) enum Event {
    /// Time passed, or the task began.
    Tick,
    /// The host says that the network is back or another one.
    NetworkAvailable,
    /// Somebody looks.
    Foreground,
    /// Nobody looks.
    Background,
    /// Exchange records and stay connected at least until then (elapsed).
    RunUntil(Duration),
    /// The socket is open, with this token; or it could not be opened.
    Attempted(Result<AccessToken, AttemptFailure>),
    /// The server answered `join`.
    Joined,
    /// Records were exchanged, or could not be.
    Prepared(Result<(), CredentialsError>),
    /// A new token for the open connection.
    Renewed(Result<AccessToken, CredentialsError>),
    /// Anything at all arrived.
    Arrived,
    /// The server has news, or a document turned out to be unknown to it.
    News,
    /// Whether any document is still being exchanged or waits for its turn.
    Documents(Exchange),
    /// The connection is over.
    Closed(Closing),
    /// The last bounded run got its answer.
    RunOver,
}

/// Whether there is anything left to exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exchange {
    Busy,
    Settled,
}

/// Why the socket could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttemptFailure {
    /// No network, no server, or no valid certificate.
    Unreachable,
    /// The server refused the token.
    Unauthorized,
    /// The sign-in is over.
    SignInAgain,
    /// The server no longer understands this version.
    UpdateApp,
}

/// Why the connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// It broke, or the server went away or restarts.
    Lost,
    /// The token ended (4401).
    TokenExpired,
    /// The sign-in was revoked, or may not synchronise (4403): only a new token tells which.
    Forbidden,
    /// The server refused something that was sent.
    Rejected,
    /// What was sent is more than its document may have.
    Full,
    /// The server takes no more from this person for now.
    Later,
    /// No protocol version in common.
    UpdateApp,
    /// The phone's own store failed.
    StorageFailed,
}

/// What the task must do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Get a token and open the socket.
    Attempt(Freshness),
    /// Say `join`.
    Join,
    /// Exchange records; documents may follow.
    Prepare,
    /// Fetch a new token.
    FetchToken,
    /// Send it.
    Renew(AccessToken),
    /// Send a ping.
    Ping,
    /// Records were exchanged: plan which documents to exchange.
    Plan,
    /// Close or drop the socket and everything that belongs to it.
    Disconnect,
}
