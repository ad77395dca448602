//! What can go wrong for the person, as far as the app does something different.

use taiwa_shared::{documents::DocumentError, protocol::problem::ProblemCode};

use super::VaultError;
use crate::{
    http::{AddressError, HttpError, TlsError},
    store::StoreError,
};

/// Something asked of the session could not be done. What was written before is safe.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The sign-in is over; everything stays on the phone.
    #[error("the sign-in is over")]
    SignInAgain,
    /// The server was not reached.
    #[error("the server was not reached")]
    Offline,
    /// E-mail and password do not match, or the invitation is used or expired.
    #[error("the credentials were refused")]
    CredentialsRefused,
    /// The password is too short or too common.
    #[error("the password is too weak")]
    PasswordTooWeak,
    /// The server hosts several organisations: name one.
    #[error("the organisation is needed")]
    OrganisationNeeded,
    /// Wait before trying again.
    #[error("too many tries")]
    TooManyTries {
        /// How long, if the server said.
        retry_after_seconds: Option<u32>,
    },
    /// The server no longer understands this version.
    #[error("the app is too old for the server")]
    UpdateApp,
    /// Unknown to this phone, or not for this person.
    #[error("no access")]
    NoAccess,
    /// The item is not there any more: read again.
    #[error("not found")]
    NotFound,
    /// More text than fits.
    #[error("the text is too long")]
    TooLong {
        /// Most that fits, in letters as people count them.
        limit: usize,
        /// What it would have become.
        length: usize,
    },
    /// A line break where one line is wanted.
    #[error("one line is wanted")]
    NotOneLine,
    /// A date, length, name or address that cannot be meant.
    #[error("{0} cannot be meant")]
    Implausible(&'static str),
    /// The meeting is over: its time cannot be changed any more.
    #[error("the meeting is over")]
    MeetingOver,
    /// The rating of this 1on1 can no longer be given or changed.
    #[error("the rating is closed")]
    RatingClosed,
    /// The device has no space left.
    #[error("no space left on the device")]
    StorageFull,
    /// The vault's key does not open the store; nothing was changed.
    #[error("the key does not open the store")]
    WrongKey,
    /// The store is damaged; it is kept.
    #[error("the store is damaged: {detail}")]
    StoreDamaged {
        /// What was found.
        detail: String,
    },
    /// The session was stopped.
    #[error("the session has ended")]
    Ended,
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The server's address cannot be used.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The company's certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Anything else.
    #[error("something unexpected happened")]
    Unexpected(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::WrongKey => Self::WrongKey,
            StoreError::Damaged { detail, .. } => Self::StoreDamaged { detail },
            StoreError::StorageFull => Self::StorageFull,
            StoreError::NewerVersion => Self::UpdateApp,
            StoreError::UnknownDocument(_) => Self::NoAccess,
            StoreError::Failed(_) => Self::Unexpected(Box::new(error)),
        }
    }
}

impl From<HttpError> for SessionError {
    fn from(error: HttpError) -> Self {
        let HttpError::Refused(problem) = &error else {
            // A Wi-Fi page that asks to log in answers, but the server was not reached.
            return Self::Offline;
        };
        match problem.code {
            ProblemCode::SignInAgain => Self::SignInAgain,
            // Also the token that was made for it just before, as when a clock jumped: later another one is tried. Whether the
            // sign-in is over, only the request for a token tells.
            ProblemCode::TokenInvalid => Self::Offline,
            ProblemCode::CredentialsRefused => Self::CredentialsRefused,
            ProblemCode::PasswordTooWeak => Self::PasswordTooWeak,
            ProblemCode::OrganisationNeeded => Self::OrganisationNeeded,
            ProblemCode::TooManyTries => Self::TooManyTries { retry_after_seconds: problem.retry_after_seconds },
            ProblemCode::NotFound => Self::NoAccess,
            ProblemCode::RatingClosed => Self::RatingClosed,
            ProblemCode::UpdateApp => Self::UpdateApp,
            ProblemCode::Unavailable => Self::Offline,
            ProblemCode::InvalidRequest | ProblemCode::TooLarge | ProblemCode::Internal | ProblemCode::Unknown => {
                Self::Unexpected(Box::new(error))
            }
        }
    }
}

impl From<DocumentError> for SessionError {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::TooLong { limit, length } => Self::TooLong { limit, length },
            DocumentError::NotOneLine => Self::NotOneLine,
            DocumentError::NotFound(_) => Self::NotFound,
            DocumentError::Refused(_)
            | DocumentError::Incomplete { .. }
            | DocumentError::WrongKind { .. }
            | DocumentError::Automerge(_)
            | DocumentError::Panicked => Self::Unexpected(Box::new(error)),
        }
    }
}
