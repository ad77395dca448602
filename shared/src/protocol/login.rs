//! Getting tokens, renewing them, and tickets for the sync socket of a browser.
//!
//! Secrets print as `[redacted]`, so that a body can be logged by mistake without harm.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    ids::{DeviceId, OrganisationId, UserId},
    time::Timestamp,
};

/// A value that never appears in logs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String, format = Password))]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }
    /// The secret itself, for the one place that sends or checks it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// `POST /v1/login/invitation`: first sign-in with a one-use invitation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InvitationRequest {
    /// Token from the invitation link.
    pub invitation: Secret,
    /// The password the person chose.
    pub password: Secret,
    /// How the person will recognise this device in a list.
    pub device_name: String,
}

/// `POST /v1/login/password`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PasswordRequest {
    /// Short name of the organisation; may be left out where a server has only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
    /// E-mail; compared after NFKC and lower-casing.
    pub email: String,
    /// The password.
    pub password: Secret,
    /// How the person will recognise this device in a list.
    pub device_name: String,
}

/// `POST /v1/login/refresh`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RefreshRequest {
    /// The refresh token received last.
    pub refresh_token: Secret,
}

/// A pair of tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Tokens {
    /// For `Authorization: Bearer`; ten minutes.
    pub access_token: Secret,
    /// When the access token expires, by the server's clock.
    pub access_expires: Timestamp,
    /// The server's time when it answered, so that a phone with a wrong clock can tell.
    pub server_time: Timestamp,
    /// Replaces the refresh token that was used.
    pub refresh_token: Secret,
}

/// Answer to a sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoginResponse {
    /// Who signed in.
    pub user: UserId,
    /// The organisation.
    pub organisation: OrganisationId,
    /// Short name of the organisation, for the next sign-in with a password.
    pub organisation_slug: String,
    /// Name of the organisation.
    pub organisation_name: String,
    /// This sign-in.
    pub device: DeviceId,
    /// The tokens.
    pub tokens: Tokens,
}

/// Answer to `POST /v1/sync/ticket`: opens one sync socket within 30 seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TicketResponse {
    /// For the query of `/v1/sync?ticket=`.
    pub ticket: Secret,
    /// When it stops working.
    pub expires: Timestamp,
}
