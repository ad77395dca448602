//! Access tokens: EdDSA JWTs of ten minutes, signed with a key that never leaves this server.
//!
//! The algorithm is fixed; `kid` is only compared with the key in memory; a token's other header fields are ignored.
//! Times are checked here against the server's [`Clock`](taiwa_shared::time::Clock), not inside the library.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    crypto::aws_lc,
    decode, decode_header, encode,
    jwk::{Jwk, ThumbprintHash},
};
use serde::{Deserialize, Serialize};
use taiwa_shared::{
    domain::people::Role,
    ids::{DeviceId, OrganisationId, UserId},
    protocol::login::Secret,
    time::Timestamp,
};

use super::Identity;
use crate::{entropy::random, key_file::read_or_make};

/// Life of an access token: what a stolen one is worth, against a renewal per open socket and life.
pub const ACCESS_TOKEN_LIFE: Duration = Duration::from_secs(10 * 60);
/// How far the clocks of several servers may differ.
const LEEWAY: Duration = Duration::from_secs(30);
/// A longer token is not one of ours (they have about 500 bytes).
const MAX_TOKEN_BYTES: usize = 4_096;
const ISSUER: &str = "taiwa-server";
const AUDIENCE: &str = "taiwa";
/// PKCS #8 (RFC 8410) of an Ed25519 private key, up to the 32 bytes of the key.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The file with the signing key is missing and cannot be made, or is not one.
#[derive(Debug, thiserror::Error)]
pub enum TokenKeyError {
    /// The file could not be read or written.
    #[error("token key {}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("token key {}: not an Ed25519 private key in PEM; move the file away and a new one is made", path.display())]
    NotAKey {
        /// Which file.
        path: PathBuf,
    },
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    org: OrganisationId,
    dev: DeviceId,
    role: Role,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// Signs and checks access tokens.
pub struct TokenKey {
    kid: String,
    signing: EncodingKey,
    checking: DecodingKey,
    rules: Validation,
}

impl TokenKey {
    /// Reads the key from `path`, or makes one there that only this user can read.
    ///
    /// # Errors
    /// [`TokenKeyError`] if the file is neither readable nor makeable, or holds something else.
    pub fn open(path: &Path) -> Result<Self, TokenKeyError> {
        // Several servers in one process (tests) share the provider; that it is there already is no error.
        let _ = aws_lc::DEFAULT_PROVIDER.install_default();
        let file = |source| TokenKeyError::File { path: path.to_owned(), source };
        let pem = read_or_make(path, new_key).map_err(file)?.text;
        Self::from_pem(&pem).ok_or_else(|| TokenKeyError::NotAKey { path: path.to_owned() })
    }

    fn from_pem(pem: &str) -> Option<Self> {
        let signing = EncodingKey::from_ed_pem(pem.as_bytes()).ok()?;
        let public = Jwk::from_encoding_key(&signing, Algorithm::EdDSA).ok()?;
        let kid = public.thumbprint(ThumbprintHash::SHA256).ok()?;
        let checking = DecodingKey::from_jwk(&public).ok()?;
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.algorithms = vec![Algorithm::EdDSA];
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        rules.validate_exp = false;
        rules.validate_nbf = false;
        Some(Self { kid, signing, checking, rules })
    }

    /// An access token for somebody, and when it expires.
    pub(super) fn sign(
        &self,
        organisation: OrganisationId,
        user: UserId,
        device: DeviceId,
        role: Role,
        now: Timestamp,
    ) -> (Secret, Timestamp) {
        let expires = now.plus(ACCESS_TOKEN_LIFE);
        let seconds = now.as_millis().div_euclid(1_000);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user,
            org: organisation,
            dev: device,
            role,
            iat: seconds,
            nbf: seconds,
            exp: expires.as_millis().div_euclid(1_000),
        };
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        let token = encode(&header, &claims, &self.signing).expect("the key was read as an Ed25519 key");
        (Secret::new(token), Timestamp::from_millis(claims.exp * 1_000))
    }

    /// Who a token speaks for; none if anything about it is wrong.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Option<Identity> {
        if token.len() > MAX_TOKEN_BYTES || decode_header(token).ok()?.kid.as_deref() != Some(&self.kid) {
            return None;
        }
        let claims = decode::<Claims>(token, &self.checking, &self.rules).ok()?.claims;
        let expires = Timestamp::from_millis(claims.exp.checked_mul(1_000)?);
        let not_before = Timestamp::from_millis(claims.nbf.checked_mul(1_000)?);
        let in_time = now < expires.plus(LEEWAY) && now.plus(LEEWAY) >= not_before;
        in_time.then_some(Identity {
            organisation: claims.org,
            user: claims.sub,
            device: claims.dev,
            role: claims.role,
            expires,
        })
    }
}

/// The text of a file with a new key.
fn new_key() -> String {
    let body = STANDARD.encode([PKCS8_PREFIX.as_slice(), &random::<32>()].concat());
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
}
