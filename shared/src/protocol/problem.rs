//! Errors as `application/problem+json` (RFC 9457), with a stable code that programs may branch on.

use serde::{Deserialize, Serialize};

/// Media type of [`Problem`].
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request failed, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// The body or a parameter is not what the route takes.
    InvalidRequest,
    /// The access token is missing, expired or wrong: refresh it.
    TokenInvalid,
    /// The refresh token is over, or its family was revoked: sign in again.
    SignInAgain,
    /// E-mail and password do not match, or the invitation is used or expired.
    CredentialsRefused,
    /// The password is too short or too common.
    PasswordTooWeak,
    /// There are several organisations on this server: name one.
    OrganisationNeeded,
    /// Too many tries: wait `retry_after_seconds`.
    TooManyTries,
    /// Not there, or not for you; the two look the same.
    NotFound,
    /// The week of the rating was counted, or its 1on1 is over for more than two weeks: it can no longer be given or changed.
    RatingClosed,
    /// The body is larger than the route takes.
    TooLarge,
    /// The phone speaks a version that this server no longer understands.
    UpdateApp,
    /// The server cannot do it now: try again later.
    Unavailable,
    /// A fault of the server.
    Internal,
    /// A code of a newer server.
    #[serde(other)]
    Unknown,
}

/// Body of an error response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// Stable code.
    pub code: ProblemCode,
    /// One line on what kind of problem this is.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What was wrong with this request, and what to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Seconds to wait before trying again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u32>,
}
