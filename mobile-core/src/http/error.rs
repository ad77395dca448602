//! Why a request failed, as far as the phone acts differently.

use std::error::Error;

use taiwa_shared::protocol::problem::{Problem, ProblemCode};

/// A request failed.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The server was not reached, or the answer broke off: it may or may not have done what was asked.
    #[error("the server was not reached")]
    Offline(#[source] Box<dyn Error + Send + Sync>),
    /// The server said why.
    #[error("the server refused: {}", .0.title)]
    Refused(Problem),
    /// Something answered that is not a taiwa server, such as the page of a Wi-Fi network asking to log in.
    #[error("an answer with status {status} is not from a taiwa server")]
    Unexpected {
        /// HTTP status.
        status: u16,
    },
}

impl HttpError {
    /// The server's code, if it was the server that refused.
    pub fn code(&self) -> Option<ProblemCode> {
        match self {
            Self::Refused(problem) => Some(problem.code),
            Self::Offline(_) | Self::Unexpected { .. } => None,
        }
    }

    /// Whether trying again later may help without the person doing anything.
    pub fn is_retryable(&self) -> bool {
        match self.code() {
            Some(code) => matches!(code, ProblemCode::TooManyTries | ProblemCode::Unavailable | ProblemCode::Internal),
            None => true,
        }
    }
}
