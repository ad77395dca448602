//! What a signed-in person may do with a document at this moment.
//!
//! Asked by the hub when a document is opened and whenever records change. Unknown and forbidden give the same answer.

use taiwa_shared::{
    domain::{
        ownership::{Access, DocumentKey},
        people::Role,
    },
    ids::{DeviceId, DocumentId, OrganisationId, UserId},
    time::Timestamp,
};

use crate::store::{Store, StoreError, documents::DocumentRow, pairs::Sight};

/// A signed-in person on one device, proven by a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal {
    /// The organisation; every query starts with it.
    pub organisation: OrganisationId,
    /// The person.
    pub user: UserId,
    /// The sign-in.
    pub device: DeviceId,
    /// What they may do besides holding 1on1s.
    pub role: Role,
    /// When the proof expires.
    pub expires: Timestamp,
}

/// A document that somebody may at least read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentGrant {
    /// Whose and what for.
    pub key: DocumentKey,
    /// Its generation.
    pub generation: u32,
    /// What the person may do; never [`Access::None`].
    pub access: Access,
}

/// What `principal` may do with `document`; none if it is unknown or forbidden.
///
/// # Errors
/// [`StoreError`] if the records could not be read: then nothing is granted.
pub async fn document_grant(
    store: &Store,
    principal: &Principal,
    document: DocumentId,
    now: Timestamp,
) -> Result<Option<DocumentGrant>, StoreError> {
    let row = store.document(principal.organisation, document, principal.user).await?;
    Ok(row.and_then(|row| {
        let access = access_to(&row, principal.user, now);
        (access != Access::None).then_some(DocumentGrant { key: row.key, generation: row.generation, access })
    }))
}

/// The rule of `shared::domain::ownership`, and no sight of the pair means no access, except to one's own notes.
pub(crate) fn access_to(row: &DocumentRow, user: UserId, now: Timestamp) -> Access {
    let access = row.key.access(user, row.pair.as_ref(), now);
    match row.key {
        DocumentKey::Private { .. } | DocumentKey::FieldNotes { .. } => access,
        _ if row.sight == Some(Sight::Granted) => access,
        _ => Access::None,
    }
}
