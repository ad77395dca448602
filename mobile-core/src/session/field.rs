//! Typing into a memo: the host's text field and the document stay two things until the host takes what arrived.
//!
//! What the field says is written on top of what the field showed, and merges with what arrived meanwhile, so that neither
//! a keystroke nor the end of a composition deletes what the other person wrote. The field never
//! changes under the person's hands: the host asks for [`Memo::remote`] when nothing is being composed, shows it, and
//! says so with [`Memo::adopt`] in the same turn of its event loop.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use taiwa_shared::documents::{
    DocumentError, Replica,
    composition::{self, Composition},
};

use super::{Memo, SessionError};

/// What a memo's text field is to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The text.
    pub text: String,
    /// Where the caret belongs.
    pub caret_utf16: usize,
    /// For [`Memo::adopt`].
    pub revision: u64,
}

/// What the host's field shows.
pub(super) struct Field {
    shown: Mutex<Composition>,
    /// What was offered to the host, with the revision it was made for.
    offered: Mutex<Option<(u64, Composition)>>,
    /// Counts what the host did to the field.
    revision: AtomicU64,
}

impl Field {
    pub(super) fn new(shown: Composition) -> Self {
        Self { shown: Mutex::new(shown), offered: Mutex::new(None), revision: AtomicU64::new(0) }
    }

    fn shown(&self) -> Composition {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, shown: Composition) {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = shown;
    }
}

impl Memo {
    /// What the field shows, as far as this memo was told.
    pub fn shown(&self) -> String {
        self.field.shown().text().to_owned()
    }

    /// The field's `delete_utf16` units at `at_utf16` became `insert`. When this returns it is on the disk.
    ///
    /// # Errors
    /// [`SessionError::TooLong`], [`SessionError::NoAccess`], [`SessionError::StorageFull`]; [`SessionError::NotFound`]
    /// if the range is outside the text. Nothing is written then, and the field should show [`Self::shown`] again.
    ///
    /// # Cancellation
    /// The edit is made all the same.
    pub async fn splice(&self, at_utf16: usize, delete_utf16: usize, insert: String) -> Result<(), SessionError> {
        let caret = at_utf16.saturating_add(insert.encode_utf16().count());
        self.write(caret, move |shown| spliced(shown, at_utf16, delete_utf16, &insert)).await
    }

    /// The field shows `text` now, after a paste or dictation. Only what differs is written.
    ///
    /// # Errors
    /// As [`Self::splice`].
    ///
    /// # Cancellation
    /// The edit is made all the same.
    pub async fn replace(&self, text: String, caret_utf16: usize) -> Result<(), SessionError> {
        self.write(caret_utf16, move |_| Ok(text)).await
    }

    /// A composition ended and the field shows `text`; the answer is what it is to show with what arrived meanwhile.
    ///
    /// # Errors
    /// As [`Self::splice`].
    ///
    /// # Cancellation
    /// The edit is made all the same.
    pub async fn commit_composition(&self, text: String, caret_utf16: usize) -> Result<Option<Shown>, SessionError> {
        self.replace(text, caret_utf16).await?;
        self.remote(caret_utf16).await
    }

    /// What the field is to show now that something arrived; none if it shows everything. Changes nothing by itself.
    ///
    /// # Errors
    /// [`SessionError::Ended`].
    pub async fn remote(&self, caret_utf16: usize) -> Result<Option<Shown>, SessionError> {
        let revision = self.field.revision.load(Ordering::Acquire);
        let field = self.field.clone();
        let look = move |replica: &mut Replica| {
            let shown = field.shown();
            if replica.heads() == shown.heads() {
                return Ok(None);
            }
            // Writes nothing, since the field shows what it showed; moves the caret with the text.
            let moved = composition::commit(replica, &shown, shown.text(), caret_utf16, Default::default())?;
            Ok(Some((shown, moved.caret, composition::begin(replica))))
        };
        let Some((shown, caret_utf16, now)) = self.session.desk.look(self.target.key, look).await? else {
            return Ok(None);
        };
        let text = now.text().to_owned();
        let is_same = text == shown.text();
        *self.field.offered.lock().unwrap_or_else(PoisonError::into_inner) = Some((revision, now));
        if is_same && self.adopt(revision) { Ok(None) } else { Ok(Some(Shown { text, caret_utf16, revision })) }
    }

    /// The field shows now what [`Self::remote`] gave. False if the person has typed since: then the field must keep what
    /// it shows, and the host asks again.
    pub fn adopt(&self, revision: u64) -> bool {
        let offered = self.field.offered.lock().unwrap_or_else(PoisonError::into_inner).take();
        match offered {
            Some((made_for, shown)) if made_for == revision && self.next_revision_after(revision) => {
                self.field.set(shown);
                true
            }
            _ => false,
        }
    }

    fn next_revision_after(&self, revision: u64) -> bool {
        let revisions = &self.field.revision;
        revisions.compare_exchange(revision, revision + 1, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    async fn write(
        &self,
        caret_utf16: usize,
        change: impl FnOnce(&str) -> Result<String, DocumentError> + Send + 'static,
    ) -> Result<(), SessionError> {
        self.field.revision.fetch_add(1, Ordering::AcqRel);
        let (before, after) = (self.field.clone(), self.field.clone());
        let now = self.session.core.now();
        let commit = move |replica: &mut Replica| {
            let shown = before.shown();
            let text = change(shown.text())?;
            composition::commit(replica, &shown, &text, caret_utf16, now)
        };
        // What the field shows moves on only after its change is on the disk.
        self.session.desk.edit_then(self.target, commit, move |committed| after.set(committed.field)).await
    }
}

/// The text after a splice. A range that cuts a character in half leaves a replacement character, as text fields do.
fn spliced(text: &str, at: usize, delete: usize, insert: &str) -> Result<String, DocumentError> {
    let mut units: Vec<u16> = text.encode_utf16().collect();
    let end = at.checked_add(delete).filter(|end| *end <= units.len());
    units.splice(at..end.ok_or(DocumentError::NotFound("this range"))?, insert.encode_utf16());
    Ok(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_utf16_units() {
        assert_eq!(spliced("𠮷野家", 2, 1, "村").unwrap(), "𠮷村家");
        assert_eq!(spliced("", 0, 0, "あ").unwrap(), "あ");
        assert!(spliced("あ", 0, 2, "").is_err());
        assert!(spliced("あ", usize::MAX, 2, "").is_err());
    }
}
