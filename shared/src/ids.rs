//! Identifiers: one newtype per thing, so that a pair cannot be passed where a person is meant.
//!
//! All are UUIDs. Ids made by one device are version 7 (time and randomness are arguments); ids that two offline
//! devices must make alike are version 5 of a name (see `domain::ownership`). Never used as a secret.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::time::Timestamp;

/// The text was not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} id must be a UUID such as 0190a5c0-7d3e-7c4b-9f00-3a6c1c2f0e11")]
pub struct ParseIdError {
    kind: &'static str,
}

/// Version-7 UUID from a time and ten random bytes.
fn uuid_v7(now: Timestamp, random: [u8; 10]) -> Uuid {
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(
            feature = "openapi",
            derive(utoipa::ToSchema),
            schema(value_type = String, format = "uuid", examples("0190a5c0-7d3e-7c4b-9f00-3a6c1c2f0e11"))
        )]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that is known to name this kind of thing.
            pub const fn from_uuid(uuid: Uuid) -> Self { Self(uuid) }
            /// The id with these sixteen bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self { Self(Uuid::from_bytes(bytes)) }
            /// A new version-7 id from the time of its making and ten random bytes.
            pub fn new(now: Timestamp, random: [u8; 10]) -> Self { Self(uuid_v7(now, random)) }
            /// The UUID itself, for storage.
            pub const fn as_uuid(&self) -> Uuid { self.0 }
            /// The sixteen bytes, for hashing and document contents.
            pub const fn as_bytes(&self) -> &[u8; 16] { self.0.as_bytes() }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                Uuid::parse_str(text).map(Self).map_err(|_| ParseIdError { kind: $kind })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.hyphenated().fmt(f) }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }
    )*};
}

ids! {
    /// An organisation (a company); everything on a server belongs to exactly one.
    OrganisationId = "organisation";
    /// A person who can sign in.
    UserId = "user";
    /// A workplace of the organisation.
    SiteId = "site";
    /// A member and the manager they hold 1on1s with.
    PairId = "pair";
    /// One 1on1 of a pair.
    MeetingId = "meeting";
    /// An Automerge document.
    DocumentId = "document";
    /// One sign-in of one person on one device; a family of refresh tokens.
    DeviceId = "device";
    /// The life of a database: new when it is made or restored.
    StoreEpoch = "store epoch";
    /// A command of one device.
    CommandId = "command";
    /// A promise in a notebook.
    PromiseId = "promise";
    /// An intention (次回までに意識すること) in a notebook.
    IntentionId = "intention";
    /// A point for the next agenda in a notebook.
    AgendaId = "agenda item";
    /// A comment in a memo.
    CommentId = "comment";
    /// A private note.
    NoteId = "note";
    /// A manager's tip.
    TipId = "tip";
    /// A notice that a phone shows by itself.
    ReminderId = "reminder";
}

/// A document id as automerge-repo writes it on the wire: Base58 with a four-byte check.
impl DocumentId {
    /// The form used by automerge-repo's network protocol.
    pub fn to_base58check(&self) -> String {
        bs58::encode(self.as_bytes()).with_check().into_string()
    }

    /// Reads the form used by automerge-repo's network protocol.
    ///
    /// # Errors
    /// [`ParseIdError`] if the check does not match or the length is not sixteen bytes.
    pub fn from_base58check(text: &str) -> Result<Self, ParseIdError> {
        let error = ParseIdError { kind: "document" };
        // 16 bytes and a 4-byte check are at most 28 characters; longer text is refused before it is decoded.
        if text.len() > 28 {
            return Err(error);
        }
        let bytes = bs58::decode(text).with_check(None).into_vec().map_err(|_| error.clone())?;
        bytes.try_into().map(Self::from_bytes).map_err(|_| error)
    }
}

/// Names a set of heads: equal digests mean equal heads. The first 16 bytes of SHA-256 over the sorted hashes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(value_type = String, pattern = "^[0-9a-f]{32}$", examples("8f434346648f6b96df89dda901c5176b"))
)]
pub struct HeadsDigest([u8; 16]);

impl HeadsDigest {
    /// The digest with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
    /// The digest of heads given in any order.
    pub fn of(heads: impl IntoIterator<Item = [u8; 32]>) -> Self {
        let mut sorted: Vec<_> = heads.into_iter().collect();
        sorted.sort_unstable();
        let full: [u8; 32] = Sha256::digest(sorted.concat()).into();
        let mut short = [0; 16];
        short.copy_from_slice(&full[..16]);
        Self(short)
    }
    /// The bytes, for storage.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl TryFrom<String> for HeadsDigest {
    type Error = ParseIdError;
    fn try_from(text: String) -> Result<Self, ParseIdError> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ParseIdError { kind: "heads digest" })?;
        Ok(Self(bytes))
    }
}

impl From<HeadsDigest> for String {
    fn from(digest: HeadsDigest) -> Self {
        hex::encode(digest.0)
    }
}

impl fmt::Debug for HeadsDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeadsDigest({})", hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_text_and_wire_forms() {
        let id = DocumentId::new(Timestamp::from_millis(1_760_000_000_000), [7; 10]);
        assert_eq!(id.to_string().parse::<DocumentId>(), Ok(id));
        assert_eq!(DocumentId::from_base58check(&id.to_base58check()), Ok(id));
    }

    #[test]
    fn text_that_is_no_id_is_refused() {
        assert!("not-an-id".parse::<UserId>().is_err());
        assert!(DocumentId::from_base58check("").is_err());
        assert!(DocumentId::from_base58check(&"1".repeat(1_000_000)).is_err());
    }
}
