//! The rating key: what stands for people beside their ratings is made with it, and nothing leads back without it.
//!
//! A file outside of the database and of its backups. Whoever has both the key and the database can tell who said what
//! (docs/adr/0007); whoever has one of them cannot.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use taiwa_shared::{
    domain::strengths::HalfYear,
    ids::{MeetingId, OrganisationId, UserId},
};

use crate::{
    entropy::random,
    key_file::{KeyFile, read_or_make},
    store::ratings::Pseudonym,
};

/// Bytes of the key: as many as of the hash.
const KEY_BYTES: usize = 32;

/// The file with the rating key is missing and cannot be made, or is not one.
#[derive(Debug, thiserror::Error)]
pub enum RatingKeyError {
    /// The file could not be read or written.
    #[error("rating key {}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("rating key {}: not 64 hexadecimal digits; put the right file there, or move it away and a new one is made", path.display())]
    NotAKey {
        /// Which file.
        path: PathBuf,
    },
}

/// The key.
#[derive(Clone)]
pub struct RatingKey {
    bytes: [u8; KEY_BYTES],
    is_new: bool,
}

impl fmt::Debug for RatingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RatingKey([redacted])")
    }
}

impl RatingKey {
    /// Reads the key from `path`, or makes one there that only this user can read.
    ///
    /// # Errors
    /// [`RatingKeyError`] if the file is neither readable nor makeable, or holds something else.
    pub fn open(path: &Path) -> Result<Self, RatingKeyError> {
        let new_key = || format!("{}\n", hex::encode(random::<KEY_BYTES>()));
        let file = read_or_make(path, new_key);
        let KeyFile { text, is_new } = file.map_err(|source| RatingKeyError::File { path: path.to_owned(), source })?;
        let mut bytes = [0; KEY_BYTES];
        hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| RatingKeyError::NotAKey { path: path.to_owned() })?;
        Ok(Self { bytes, is_new })
    }

    /// Whether there was none before.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// What stands for somebody's rating of a 1on1.
    pub fn ticket(&self, organisation: OrganisationId, user: UserId, meeting: MeetingId) -> Pseudonym {
        self.stand_in("ticket", &[organisation.as_bytes(), user.as_bytes(), meeting.as_bytes()])
    }

    /// What stands for somebody as a rater of a manager within a half-year.
    pub fn rater(&self, organisation: OrganisationId, user: UserId, manager: UserId, half: HalfYear) -> Pseudonym {
        let half = half.to_string();
        self.stand_in("rater", &[organisation.as_bytes(), user.as_bytes(), manager.as_bytes(), half.as_bytes()])
    }

    /// What stands for somebody who is rated.
    pub fn subject(&self, organisation: OrganisationId, manager: UserId) -> Pseudonym {
        self.stand_in("subject", &[organisation.as_bytes(), manager.as_bytes()])
    }

    /// HMAC-SHA256 of a word and parts; all but the last part of a word have a fixed length, so that no two differ only
    /// in where a part ends.
    fn stand_in(&self, word: &str, parts: &[&[u8]]) -> Pseudonym {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.bytes).expect("HMAC takes keys of any length");
        mac.update(word.as_bytes());
        mac.update(b"|");
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}
