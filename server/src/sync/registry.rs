//! Which documents are open: each is opened once, however many ask for it at the same time.
//!
//! A document whose rows cannot be read is quarantined until the server starts again: it looks unavailable, its rows
//! stay as they are, and everybody else goes on.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use taiwa_shared::domain::ownership::DocumentKey;
use tokio::sync::OnceCell;

use super::{
    document::{DocumentName, OpenDocument},
    open,
};
use crate::store::{Store, StoreError};

/// The open documents.
#[derive(Debug, Default)]
pub(super) struct Registry {
    slots: Mutex<HashMap<DocumentName, Arc<Slot>>>,
}

type Slot = OnceCell<Opened>;

/// Somebody who opens a document and may stop waiting: a slot that nobody fills any more goes with the last of them.
struct Leaving<'a> {
    registry: &'a Registry,
    name: DocumentName,
    slot: &'a Arc<Slot>,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if self.slot.initialized() {
            return;
        }
        let mut slots = self.registry.slots();
        // The list's and ours: clones are made under the lock of the list only.
        let is_last = Arc::strong_count(self.slot) == 2;
        if is_last && slots.get(&self.name).is_some_and(|listed| Arc::ptr_eq(listed, self.slot)) {
            slots.remove(&self.name);
        }
    }
}

/// What came of opening a document.
#[derive(Debug)]
pub(super) enum Opened {
    Open(Arc<OpenDocument>),
    Quarantined,
}

impl Registry {
    /// The open document; none if it is quarantined.
    ///
    /// # Errors
    /// [`StoreError`] if its rows could not be read now.
    /// # Cancellation
    /// Safe: somebody else who waits for the same document goes on with it.
    pub(super) async fn open(
        &self,
        store: &Store,
        name: DocumentName,
        key: &DocumentKey,
        generation: u32,
    ) -> Result<Option<Arc<OpenDocument>>, StoreError> {
        loop {
            let slot = Arc::clone(self.slots().entry(name).or_default());
            let _leaving = Leaving { registry: self, name, slot: &slot };
            let opened = slot.get_or_try_init(|| open::open(store, name, key, generation)).await;
            let is_listed = self.slots().get(&name).is_some_and(|listed| Arc::ptr_eq(listed, &slot));
            match opened {
                // Two of us waited on a slot whose first opening failed, or it was evicted meanwhile.
                Ok(_) if !is_listed => {}
                Ok(Opened::Open(document)) => return Ok(Some(Arc::clone(document))),
                Ok(Opened::Quarantined) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes a retired document off the list.
    pub(super) fn remove(&self, document: &Arc<OpenDocument>) {
        let mut slots = self.slots();
        let name = (document.organisation, document.id);
        if slots.get(&name).is_some_and(|slot| is(slot, document)) {
            slots.remove(&name);
        }
    }

    /// Closes a document that nobody uses; returns whether it was.
    pub(super) fn evict(&self, document: &Arc<OpenDocument>) -> bool {
        // Under the lock of the list, so that nobody opens it a second time while it is being retired.
        let mut slots = self.slots();
        let name = (document.organisation, document.id);
        if !document.retire_unused() {
            return false;
        }
        if slots.get(&name).is_some_and(|slot| is(slot, document)) {
            slots.remove(&name);
        }
        true
    }

    /// Keeps a document from being opened again in this life of the server.
    pub(super) fn quarantine(&self, document: &Arc<OpenDocument>) {
        self.slots().insert((document.organisation, document.id), Arc::new(OnceCell::from(Opened::Quarantined)));
    }

    /// All open documents.
    pub(super) fn documents(&self) -> Vec<Arc<OpenDocument>> {
        let slots = self.slots();
        let open = slots.values().filter_map(|slot| match slot.get() {
            Some(Opened::Open(document)) => Some(Arc::clone(document)),
            Some(Opened::Quarantined) | None => None,
        });
        open.collect()
    }

    /// How many documents are open, and how many are quarantined.
    pub(super) fn count(&self) -> (usize, usize) {
        let slots = self.slots();
        let quarantined = slots.values().filter(|slot| matches!(slot.get(), Some(Opened::Quarantined))).count();
        (slots.len() - quarantined, quarantined)
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<DocumentName, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is(slot: &Slot, document: &Arc<OpenDocument>) -> bool {
    matches!(slot.get(), Some(Opened::Open(listed)) if Arc::ptr_eq(listed, document))
}
