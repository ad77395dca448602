//! One open document, behind one lock: entered by whoever has something to do with it, retired as a whole.
//!
//! The lock is never held across an await, and everything inside it runs under `catch_unwind`: a panic retires this
//! document alone, and the next one who asks for it gets it from the store again. What happens inside is in `state`.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};

use taiwa_shared::ids::{DocumentId, OrganisationId};

use super::{
    connection::Connection,
    state::{State, Unstored},
};

/// A document of an organisation.
pub(super) type DocumentName = (OrganisationId, DocumentId);

/// An open document.
#[derive(Debug)]
pub(super) struct OpenDocument {
    pub(super) organisation: OrganisationId,
    pub(super) id: DocumentId,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
enum Inner {
    Open(Box<State>),
    Retired,
}

/// What is left of a document that was taken out of service.
#[derive(Debug, Default)]
pub(super) struct Remains {
    pub(super) connections: Vec<Arc<Connection>>,
    pub(super) unstored: Unstored,
}

/// Why a document could not be entered.
#[derive(Debug)]
pub(super) enum NotEntered {
    /// It was retired before; ask the registry for it again.
    Retired,
    /// The engine panicked just now and the document is retired.
    Panicked(Remains),
}

impl OpenDocument {
    pub(super) fn new(name: DocumentName, state: State) -> Self {
        Self { organisation: name.0, id: name.1, inner: Mutex::new(Inner::Open(Box::new(state))) }
    }

    /// Runs `act` on the document, alone.
    pub(super) fn enter<R>(&self, act: impl FnOnce(&mut State) -> R) -> Result<R, NotEntered> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner::Open(state) = &mut *inner else {
            return Err(NotEntered::Retired);
        };
        // After a panic the state is not looked at again, except for who was connected.
        catch_unwind(AssertUnwindSafe(|| act(state))).map_err(|_| {
            NotEntered::Panicked(match std::mem::replace(&mut *inner, Inner::Retired) {
                Inner::Open(state) => state.remains(),
                Inner::Retired => Remains::default(),
            })
        })
    }

    /// Takes the document out of service whatever it is doing.
    pub(super) fn retire(&self) -> Remains {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *inner, Inner::Retired) {
            Inner::Open(state) => state.remains(),
            Inner::Retired => Remains::default(),
        }
    }

    /// Takes the document out of service if nobody is connected and nothing waits; returns whether it is.
    pub(super) fn retire_unused(&self) -> bool {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Inner::Open(state) = &*inner
            && !state.is_unused()
        {
            return false;
        }
        *inner = Inner::Retired;
        true
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use taiwa_shared::{
        documents,
        domain::ownership::DocumentKey,
        ids::UserId,
        sync::{chunks::StoredChange, document::DocumentSync},
    };

    use super::*;
    use crate::sync::state::Stored;

    fn opened(digest_stale: bool) -> OpenDocument {
        let key = DocumentKey::FieldNotes { user: UserId::from_bytes([1; 16]) };
        let genesis = StoredChange::read(Bytes::from(documents::genesis(&key, 0).bytes)).unwrap();
        let sync = DocumentSync::open(genesis.clone(), [], []).unwrap();
        let genesis = (genesis.header.hash, genesis.bytes);
        let stored =
            Stored { next_row: 0, rows: 0, log_bytes: 0, change_bytes: 0, digest_stale, genesis, archive: None };
        OpenDocument::new((OrganisationId::from_bytes([2; 16]), key.document_id(0)), State::new(sync, stored))
    }

    #[test]
    fn a_panic_retires_the_document_and_nothing_else() {
        let document = opened(false);
        assert_eq!(document.enter(|state| state.sync.len()).unwrap(), 1);
        let panicked = document.enter(|_| -> () { panic!("an engine that panics") });
        assert!(matches!(panicked, Err(NotEntered::Panicked(_))));
        assert!(matches!(document.enter(|_| ()), Err(NotEntered::Retired)), "a broken state is never looked at again");
    }

    #[test]
    fn a_document_whose_digest_is_stale_is_not_dropped_as_unused() {
        assert!(!opened(true).retire_unused());
        let document = opened(false);
        assert!(document.retire_unused());
        assert!(matches!(document.enter(|_| ()), Err(NotEntered::Retired)));
    }
}
