//! Errors as the app sees them: each one names what it can do. One exhaustive match, no text to parse.

use crate::session::SessionError;

/// Something could not be done. What was written before is safe on the phone.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum ApiError {
    /// The sign-in is over: show the sign-in. Everything stays on the phone.
    #[error("the sign-in is over")]
    SignInAgain,
    /// The server was not reached: try again when there is a network.
    #[error("the server was not reached")]
    Offline,
    /// Unknown to this phone, gone, or not for this person: go back.
    #[error("no access")]
    NoAccess,
    /// Too old for the server or for the stored data: offer the update.
    #[error("the app is too old")]
    UpdateApp,
    /// The device is full: ask the person to make room. Nothing was written.
    #[error("no space left on the device")]
    StorageFull,
    /// E-mail and password do not match, or the invitation is used or expired.
    #[error("the credentials were refused")]
    CredentialsRefused,
    /// Ask for a better password.
    #[error("the password is too weak")]
    PasswordTooWeak,
    /// Ask for the organisation.
    #[error("the organisation is needed")]
    OrganisationNeeded,
    /// Let the person wait.
    #[error("too many tries")]
    TooManyTries {
        /// How long, if the server said.
        retry_after_seconds: Option<u32>,
    },
    /// Show how much fits.
    #[error("the text is too long")]
    TooLong {
        /// Most that fits, in letters as people count them.
        limit: u32,
        /// What it would have become.
        length: u32,
    },
    /// Ask for one line.
    #[error("one line is wanted")]
    NotOneLine,
    /// The meeting is over: offer to change the next one.
    #[error("the meeting is over")]
    MeetingOver,
    /// The rating can no longer be given or changed: show `rating` again, which says what was counted.
    #[error("the rating is closed")]
    RatingClosed,
    /// The key store does not give the key now: try again after the device was unlocked.
    #[error("the key is not available: {reason}")]
    KeyUnavailable {
        /// In words, for a report.
        reason: String,
    },
    /// The key store gives another key than the one the data was sealed with, as on a phone restored from a backup: offer
    /// to sign in again, with `open_signed_out` and `sign_in`. The old data is set aside then.
    #[error("the key does not open the store")]
    OtherKey,
    /// The data is damaged: call `recover`, which saves what can be read, and take the session again.
    #[error("the store is damaged")]
    StoreDamaged,
    /// An argument is not what the function takes: a fault of the app, or a date, length, name or address that cannot be
    /// meant, which the person can correct.
    #[error("{what} is not valid")]
    InvalidArgument {
        /// Which argument.
        what: String,
    },
    /// Report it.
    #[error("unexpected: {details}")]
    Unexpected {
        /// In words, without contents.
        details: String,
    },
}

impl From<SessionError> for ApiError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::SignInAgain => Self::SignInAgain,
            SessionError::Offline => Self::Offline,
            SessionError::CredentialsRefused => Self::CredentialsRefused,
            SessionError::PasswordTooWeak => Self::PasswordTooWeak,
            SessionError::OrganisationNeeded => Self::OrganisationNeeded,
            SessionError::TooManyTries { retry_after_seconds } => Self::TooManyTries { retry_after_seconds },
            SessionError::UpdateApp => Self::UpdateApp,
            SessionError::NoAccess | SessionError::NotFound => Self::NoAccess,
            SessionError::TooLong { limit, length } => Self::TooLong { limit: units(limit), length: units(length) },
            SessionError::NotOneLine => Self::NotOneLine,
            SessionError::Implausible(what) => Self::InvalidArgument { what: what.to_owned() },
            SessionError::MeetingOver => Self::MeetingOver,
            SessionError::RatingClosed => Self::RatingClosed,
            SessionError::StorageFull => Self::StorageFull,
            SessionError::WrongKey => Self::OtherKey,
            SessionError::StoreDamaged { .. } => Self::StoreDamaged,
            SessionError::Vault(error) => Self::KeyUnavailable { reason: error.reason },
            SessionError::Address(_) => Self::InvalidArgument { what: "the server address".to_owned() },
            SessionError::Tls(_) => Self::InvalidArgument { what: "the certificates".to_owned() },
            SessionError::Ended | SessionError::Unexpected(_) => Self::Unexpected { details: in_words(&error) },
        }
    }
}

/// An error with its causes; none of them carries contents.
fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(": ");
        words.push_str(&error.to_string());
        cause = error.source();
    }
    words
}

/// An id or slug that the app gave as text.
pub(super) fn parsed<T: std::str::FromStr>(what: &str, text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|_| ApiError::InvalidArgument { what: what.to_owned() })
}

/// A length or offset for the other side, where texts have at most some thousand units.
pub(super) fn units(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
