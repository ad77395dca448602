//! Access tokens signed with a server's own key, as if their people had signed in.
//!
//! The shape of a token is that of the server's `auth::token`, which checks every part of it.

use std::{fmt, path::Path};

use anyhow::{Context, Result};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    crypto::aws_lc,
    jwk::{Jwk, ThumbprintHash},
};
use serde::Serialize;
use taiwa_shared::{
    domain::people::Role,
    ids::{DeviceId, OrganisationId, UserId},
};

use super::now;

/// Tokens live longer than any run.
const TOKEN_SECONDS: i64 = 4 * 60 * 60;

/// What the server signs access tokens with.
pub(super) struct Signing {
    key: EncodingKey,
    header: Header,
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[derive(Serialize)]
struct Claims {
    iss: &'static str,
    aud: &'static str,
    sub: UserId,
    org: OrganisationId,
    dev: DeviceId,
    role: Role,
    iat: i64,
    nbf: i64,
    exp: i64,
}

impl Signing {
    /// Reads the key of a server.
    ///
    /// # Errors
    /// If the file holds none.
    pub(super) fn open(file: &Path) -> Result<Self> {
        // That the provider is there already is no error.
        let _ = aws_lc::DEFAULT_PROVIDER.install_default();
        let key = EncodingKey::from_ed_pem(&std::fs::read(file).context("read the server's key")?)?;
        let kid = Jwk::from_encoding_key(&key, Algorithm::EdDSA)?.thumbprint(ThumbprintHash::SHA256)?;
        Ok(Self { key, header: Header { kid: Some(kid), ..Header::new(Algorithm::EdDSA) } })
    }

    /// An access token.
    ///
    /// # Errors
    /// If it cannot be signed.
    pub(super) fn token(&self, org: OrganisationId, sub: UserId, dev: DeviceId) -> Result<String> {
        let iat = now().as_millis() / 1_000;
        let (iss, aud, role) = ("taiwa-server", "taiwa", Role::Member);
        let claims = Claims { iss, aud, sub, org, dev, role, iat, nbf: iat, exp: iat + TOKEN_SECONDS };
        Ok(jsonwebtoken::encode(&self.header, &claims, &self.key)?)
    }
}
