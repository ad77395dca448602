//! Random secrets (invitations, refresh tokens, tickets) and the hash under which they are stored.
//!
//! SHA-256 without salt is enough: a secret has 256 random bits, nobody can guess one from its hash.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use taiwa_shared::protocol::login::Secret;

use crate::{entropy::random, store::login::SecretHash};

/// A new secret of 256 bits, in 43 characters that need no escaping in a URL, and its hash.
pub(super) fn new_secret() -> (Secret, SecretHash) {
    let text = URL_SAFE_NO_PAD.encode(random::<32>());
    let hash = hash_of(&text);
    (Secret::new(text), hash)
}

/// The hash under which a secret is stored.
pub(super) fn hash_of(secret: &str) -> SecretHash {
    Sha256::digest(secret.as_bytes()).into()
}
