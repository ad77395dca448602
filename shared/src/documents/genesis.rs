//! The first change of a document: the same bytes on every device, so that two phones that are both offline create the
//! same document and merge without conflict.
//!
//! Called by phones and by the server, which never takes one from a client. All containers are made here: a container
//! made later by two people would be two containers, and the text in one of them would be hidden.

use automerge::{
    ActorId, Automerge, AutomergeError, ChangeHash, ObjId, ObjType, ROOT, ScalarValue,
    transaction::{CommitOptions, Transactable},
};

use crate::{domain::ownership::DocumentKey, ids::DocumentId};

/// Actor of every genesis; never used for another change, which would block the document for ever.
const GENESIS_ACTOR: &[u8] = b"\0taiwa-genesis-v1";

/// Version of the schemas, in every document as `schema`.
pub(super) const SCHEMA: u64 = 1;

/// Counter of the operation that makes the first container: `schema`, `document` and `kind` come before.
const FIRST_CONTAINER: u64 = 4;

/// The first change of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    /// Which document.
    pub document: DocumentId,
    /// Hash of the change.
    pub hash: ChangeHash,
    /// The change, as one plain change chunk.
    pub bytes: Vec<u8>,
}

/// A container made in the genesis; its place in [`containers`] decides its object id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Topics,
    Responses,
    Words,
    Promises,
    Intentions,
    Agenda,
    Body,
    Comments,
    Notes,
}

impl Container {
    /// Key in the root of the document.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Topics => "topics",
            Self::Responses => "responses",
            Self::Words => "words",
            Self::Promises => "promises",
            Self::Intentions => "intentions",
            Self::Agenda => "agenda",
            Self::Body => "body",
            Self::Comments => "comments",
            Self::Notes => "notes",
        }
    }

    /// The object made by the genesis. Addressed by id, not by key: whatever anybody puts at the key later cannot hide
    /// or replace it.
    pub(super) fn object(self, key: &DocumentKey) -> Option<ObjId> {
        let place = containers(key).iter().position(|container| *container == self)?;
        let counter = FIRST_CONTAINER + u64::try_from(place).ok()?;
        Some(ObjId::Id(counter, ActorId::from(GENESIS_ACTOR), 0))
    }
}

/// The containers of a kind, in the order of their making. Fixed for ever.
pub(super) const fn containers(key: &DocumentKey) -> &'static [Container] {
    match key {
        DocumentKey::Draft { .. } | DocumentKey::Prep { .. } => {
            &[Container::Topics, Container::Responses, Container::Words]
        }
        DocumentKey::Notebook { .. } => &[Container::Promises, Container::Intentions, Container::Agenda],
        DocumentKey::Memo { .. } => &[Container::Body, Container::Comments],
        DocumentKey::Private { .. } | DocumentKey::FieldNotes { .. } => &[Container::Notes],
    }
}

/// The first change of a generation of a document.
pub fn genesis(key: &DocumentKey, generation: u32) -> Genesis {
    let document = key.document_id(generation);
    let change = build(key, document).expect("fixed puts into an empty document succeed");
    Genesis { document, hash: change.hash(), bytes: change.raw_bytes().to_vec() }
}

fn build(key: &DocumentKey, document: DocumentId) -> Result<automerge::Change, AutomergeError> {
    let mut doc = Automerge::new().with_actor(ActorId::from(GENESIS_ACTOR));
    let mut tx = doc.transaction();
    tx.put(ROOT, "schema", ScalarValue::Uint(SCHEMA))?;
    tx.put(ROOT, "document", document.as_bytes().to_vec())?;
    tx.put(ROOT, "kind", key.kind())?;
    for container in containers(key) {
        let kind = if *container == Container::Body { ObjType::Text } else { ObjType::Map };
        tx.put_object(ROOT, container.key(), kind)?;
    }
    let message = format!("taiwa/{}/{SCHEMA}", key.kind());
    tx.commit_with(CommitOptions::default().with_time(0).with_message(message));
    doc.get_changes(&[]).pop().ok_or(AutomergeError::Fail)
}
