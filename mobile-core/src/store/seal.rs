//! Sealing: nothing that a person wrote or is called stands readable in the file.
//!
//! XChaCha20-Poly1305 with a random nonce per value; the associated data names table and row, so that a value moved
//! to another row does not open. The key comes from the host's vault and is wiped from memory on drop.

use std::fmt;

use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

/// First byte of every sealed value, so that another cipher can follow one day.
const SEALED_V1: u8 = 1;
const NONCE_BYTES: usize = 24;

/// The 32-byte key from the host's vault.
#[derive(Clone)]
pub struct VaultKey(Zeroizing<[u8; 32]>);

impl VaultKey {
    /// Wraps the vault's key.
    pub fn new(key: [u8; 32]) -> Self {
        Self(Zeroizing::new(key))
    }
    /// The key itself, for the vault.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for VaultKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A value did not open: wrong key, another row's value, or damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open")]
pub(super) struct NotOpenedError;

/// Where a sealed value stands: table and identity of the row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a>(pub(super) &'static str, pub(super) &'a [u8]);

impl Place<'_> {
    fn associated_data(&self) -> Vec<u8> {
        // A table's name holds no zero byte, so two places never give the same bytes.
        [self.0.as_bytes(), &[0], self.1].concat()
    }
}

pub(super) struct Sealer(XChaCha20Poly1305);

impl Sealer {
    pub(super) fn new(key: &VaultKey) -> Self {
        Self(XChaCha20Poly1305::new(Key::from_slice(&key.0[..])))
    }

    pub(super) fn seal(&self, place: Place<'_>, plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).expect("the operating system gives random bytes");
        let aad = place.associated_data();
        let payload = Payload { msg: plain, aad: &aad };
        let cipher = self.0.encrypt(XNonce::from_slice(&nonce), payload).expect("a value is shorter than 256 GiB");
        [&[SEALED_V1], &nonce[..], &cipher].concat()
    }

    pub(super) fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, NotOpenedError> {
        let rest = sealed.strip_prefix(&[SEALED_V1]).ok_or(NotOpenedError)?;
        let (nonce, cipher) = rest.split_at_checked(NONCE_BYTES).ok_or(NotOpenedError)?;
        let aad = place.associated_data();
        let payload = Payload { msg: cipher, aad: &aad };
        self.0.decrypt(XNonce::from_slice(nonce), payload).map_err(|_| NotOpenedError)
    }

    pub(super) fn seal_json(&self, place: Place<'_>, value: &impl Serialize) -> Vec<u8> {
        let plain = Zeroizing::new(serde_json::to_vec(value).expect("stored types have string keys only"));
        self.seal(place, &plain)
    }

    pub(super) fn open_json<T: DeserializeOwned>(&self, place: Place<'_>, sealed: &[u8]) -> Result<T, NotOpenedError> {
        let plain = Zeroizing::new(self.open(place, sealed)?);
        serde_json::from_slice(&plain).map_err(|_| NotOpenedError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_only_in_its_own_place_and_with_its_own_key() {
        let sealer = Sealer::new(&VaultKey::new([1; 32]));
        let sealed = sealer.seal(Place("chunk", b"a"), "内緒".as_bytes());
        assert_eq!(sealer.open(Place("chunk", b"a"), &sealed), Ok("内緒".as_bytes().to_vec()));
        assert_eq!(sealer.open(Place("chunk", b"b"), &sealed), Err(NotOpenedError));
        assert_eq!(sealer.open(Place("record", b"a"), &sealed), Err(NotOpenedError));
        assert_eq!(Sealer::new(&VaultKey::new([2; 32])).open(Place("chunk", b"a"), &sealed), Err(NotOpenedError));
        for length in 0..sealed.len() {
            assert_eq!(sealer.open(Place("chunk", b"a"), &sealed[..length]), Err(NotOpenedError), "cut to {length}");
        }
    }
}
