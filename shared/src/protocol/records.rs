//! The records pull (`GET /v1/records?since=`) and document claims (`POST /v1/documents`).
//!
//! The cursor is gap-free within a store epoch. Absence never deletes: only [`RecordEntry::PairLost`] does.

use jiff::civil;
use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        meeting::Meeting,
        ownership::{Access, DocumentKey},
        people::{Pair, Person},
    },
    ids::{DocumentId, HeadsDigest, PairId, StoreEpoch, UserId},
};

/// A page of changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordsPage {
    /// Epoch of the store; another one than before means: pull from the start, purge nothing.
    pub epoch: StoreEpoch,
    /// Give this back as `since` next time. Opaque.
    pub cursor: String,
    /// Whether there is more to pull now.
    pub more: bool,
    /// What changed, in order.
    pub entries: Vec<RecordEntry>,
}

/// One change of what a person may see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RecordEntry {
    /// A person, new or changed.
    Person(Person),
    /// A pair, new or changed.
    Pair(Pair),
    /// A meeting, new or changed.
    Meeting(Meeting),
    /// A document, new or changed.
    Document(DocumentRecord),
    /// An actor of a document belongs to this user though its changes do not say so.
    Author(AuthorRecord),
    /// The person may no longer see this pair nor anything below it: drop it.
    PairLost {
        /// Which pair.
        pair: PairId,
    },
    /// An entry of a newer server: keep the cursor, ignore the entry.
    #[serde(other)]
    Unknown,
}

/// That a document exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DocumentRecord {
    /// Its id.
    pub id: DocumentId,
    /// Whose and what for.
    pub key: DocumentKey,
    /// Its generation.
    pub generation: u32,
    /// What the receiver may do with it.
    pub access: Access,
    /// Digest of the heads the server had when the document last fell quiet; none if nobody has written yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<HeadsDigest>,
}

/// Who an actor of a document is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuthorRecord {
    /// The document.
    pub document: DocumentId,
    /// The actor, in hexadecimal.
    pub actor: String,
    /// The person.
    pub user: UserId,
}

/// `POST /v1/documents`: makes the server know of documents (and meetings) whose ids the phone derived by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClaimRequest {
    /// At most 200.
    pub claims: Vec<DocumentClaim>,
}

/// One document that the phone holds and the server may not know of. Repeating a claim changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DocumentClaim {
    /// Whose and what for; the id follows from it.
    pub key: DocumentKey,
    /// Nominal date of the meeting's slot, if the document is of a meeting in the cadence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::time::described::LocalDate>))]
    pub slot: Option<civil::Date>,
}

/// Answer to a [`ClaimRequest`]: one outcome per claim, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClaimResponse {
    /// What became of each claim.
    pub outcomes: Vec<ClaimOutcome>,
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ClaimOutcome {
    /// The server knows the document; sync may begin.
    Known {
        /// The id of its current generation.
        document: DocumentId,
        /// Its current generation.
        generation: u32,
    },
    /// Unknown, forbidden or not derivable from the claim; the three look the same.
    Refused,
}
