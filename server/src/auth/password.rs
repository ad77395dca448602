//! Passwords: argon2id on the blocking pool, as many at once as there are processors.
//!
//! The same work is done for people who do not exist, so that the time of an answer tells nothing.

use std::{num::NonZero, sync::Arc, thread, time::Duration};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier},
};
use taiwa_shared::protocol::login::Secret;
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};
use unicode_normalization::UnicodeNormalization;

use super::AuthError;

/// Shorter passwords are refused; ten characters beside a lock after five tries (NIST SP 800-63B asks for eight).
const MIN_CHARS: usize = 10;
/// Longer passwords are refused: nobody types them, and each byte costs hashing.
const MAX_BYTES: usize = 1_024;
/// OWASP's minimum for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Who waits longer than this for a processor is told to come back.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);
/// Passwords of ten characters and more that stand in every list of leaked ones.
const COMMON: &str = include_str!("common_passwords.txt");

/// Hashes and checks passwords.
pub(super) struct Passwords {
    permits: Arc<Semaphore>,
    /// Hash of a password that nobody has, for the work done for unknown people.
    decoy: String,
}

impl Passwords {
    pub(super) fn new() -> Self {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let decoy = hash_now("decoy password of nobody").expect("the parameters are constants and valid");
        Self { permits: Arc::new(Semaphore::new(processors)), decoy }
    }

    /// The hash to store for a new password.
    pub(super) async fn hash(&self, password: &Secret) -> Result<String, AuthError> {
        let password = normalised(password);
        self.on_blocking_pool(move || hash_now(&password)).await?.ok_or(AuthError::Busy)
    }

    /// Whether the password is the one with this hash; without a hash it takes as long and is not.
    pub(super) async fn verify(&self, password: &Secret, hash: Option<String>) -> Result<bool, AuthError> {
        let password = normalised(password);
        if password.len() > MAX_BYTES {
            return Ok(false);
        }
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.clone());
        let matches =
            self.on_blocking_pool(move || hasher().verify_password(password.as_bytes(), hash.as_str()).is_ok()).await?;
        Ok(matches && known)
    }

    async fn on_blocking_pool<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AuthError> {
        let permit = timeout(QUEUE_TIMEOUT, Arc::clone(&self.permits).acquire_owned())
            .await
            .map_err(|_| AuthError::Busy)?
            .expect("the semaphore is never closed");
        let done = spawn_blocking(move || {
            // Moved in, so that a request that gives up does not let another one start before the work is over.
            let _permit = permit;
            work()
        });
        done.await.map_err(|_| AuthError::Busy)
    }
}

/// Whether a new password may be used.
pub(super) fn check_strength(password: &Secret) -> Result<(), AuthError> {
    let password = normalised(password);
    if password.chars().count() < MIN_CHARS {
        return Err(AuthError::PasswordTooWeak("use at least 10 characters"));
    }
    if password.len() > MAX_BYTES {
        return Err(AuthError::PasswordTooWeak("use at most 1,024 bytes"));
    }
    let mut characters: Vec<char> = password.chars().collect();
    characters.sort_unstable();
    characters.dedup();
    if characters.len() < 4 {
        return Err(AuthError::PasswordTooWeak("use more than three different characters"));
    }
    let lower = password.to_lowercase();
    if COMMON.lines().any(|common| common == lower) {
        return Err(AuthError::PasswordTooWeak("this password is among the first that attackers try: choose another"));
    }
    Ok(())
}

/// NFKC, so that a password typed with another keyboard is the same.
fn normalised(password: &Secret) -> String {
    password.expose().nfkc().collect()
}

fn hasher() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are constants and valid");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash_now(password: &str) -> Option<String> {
    hasher().hash_password(password.as_bytes()).ok().map(|hash| hash.to_string())
}
