//! A memo on screen: the text field's edits in, what arrived out. Every offset is in UTF-16 units.
//!
//! The field is the app's: it changes only in the app's own event loop, by `remote` and `adopt`, and never while a
//! composition is under way.

use std::sync::Arc;

use super::{
    ApiError, CaretObserver, FieldView, MemoObserver, MemoView, Subscription, VersionView,
    error::parsed,
    observe::{call, observed, subscribed},
    runtime::ask,
};
use crate::session;

/// A memo on screen; live until released.
#[derive(uniffi::Object)]
pub struct Memo {
    session: session::Session,
    inner: Arc<session::Memo>,
}

impl Memo {
    pub(super) fn new(session: session::Session, memo: session::Memo) -> Arc<Self> {
        Arc::new(Self { session, inner: Arc::new(memo) })
    }
}

#[uniffi::export]
impl Memo {
    /// The memo with its paragraphs and comments, as new as this phone has it.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] after the session ended.
    pub async fn read(&self) -> Result<MemoView, ApiError> {
        ask!(self.read()).map(Into::into)
    }

    /// The memo, now and after each change of either person.
    pub fn observe(&self, observer: Arc<dyn MemoObserver>) -> Arc<Subscription> {
        let memo = self.inner.clone();
        let watch = self.session.observe(move |_| {
            let memo = memo.clone();
            async move { memo.read().await }
        });
        observed(watch, move |memo| observer.on_memo(memo))
    }

    /// The other person's caret as it moves; one observer at a time.
    pub fn observe_carets(&self, observer: Arc<dyn CaretObserver>) -> Arc<Subscription> {
        let memo = self.inner.clone();
        let deliver = Arc::new(move |caret| observer.on_caret(caret));
        subscribed(async move {
            while let Some(caret) = memo.next_caret().await {
                call(&deliver, caret.into()).await;
            }
        })
    }

    /// What the field shows, as far as this memo was told.
    pub fn shown(&self) -> String {
        self.inner.shown()
    }

    /// The field's `delete_utf16` units at `at_utf16` became `insert`.
    ///
    /// # Errors
    /// [`ApiError::TooLong`], [`ApiError::NoAccess`], [`ApiError::StorageFull`]; the field should show `shown` again.
    pub async fn splice(&self, at_utf16: u32, delete_utf16: u32, insert: String) -> Result<(), ApiError> {
        ask!(self.splice(at_utf16 as usize, delete_utf16 as usize, insert))
    }

    /// The field shows `text` now, after a paste or dictation.
    ///
    /// # Errors
    /// As `splice`.
    pub async fn replace(&self, text: String, caret_utf16: u32) -> Result<(), ApiError> {
        ask!(self.replace(text, caret_utf16 as usize))
    }

    /// A composition ended and the field shows `text`; the answer is what to show with what arrived meanwhile.
    ///
    /// # Errors
    /// As `splice`.
    pub async fn commit_composition(&self, text: String, caret_utf16: u32) -> Result<Option<FieldView>, ApiError> {
        Ok(ask!(self.commit_composition(text, caret_utf16 as usize))?.map(Into::into))
    }

    /// What the field is to show now that something arrived; none if it shows everything.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] after the session ended.
    pub async fn remote(&self, caret_utf16: u32) -> Result<Option<FieldView>, ApiError> {
        Ok(ask!(self.remote(caret_utf16 as usize))?.map(Into::into))
    }

    /// The field shows now what `remote` gave. False if the person has typed since: keep the field and ask again.
    pub fn adopt(&self, revision: u64) -> bool {
        self.inner.adopt(revision)
    }

    /// Shows the own caret to the other person; nothing of it is kept.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] after the session ended.
    pub async fn show_caret(&self, position_utf16: u32, typing: bool) -> Result<(), ApiError> {
        ask!(self.show_caret(position_utf16 as usize, typing))
    }

    /// The versions, oldest first.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] after the session ended.
    pub async fn versions(&self) -> Result<Vec<VersionView>, ApiError> {
        Ok(ask!(self.versions())?.into_iter().map(Into::into).collect())
    }

    /// The text as a version left it.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`] if there is no such version.
    pub async fn text_of_version(&self, index: u32) -> Result<String, ApiError> {
        ask!(self.text_of_version(index as usize))
    }

    /// Comments on a passage; the answer is the comment's id.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`], [`ApiError::TooLong`].
    pub async fn add_comment(&self, start_utf16: u32, end_utf16: u32, text: String) -> Result<String, ApiError> {
        ask!(self.add_comment(start_utf16 as usize, end_utf16 as usize, text)).map(|id| id.to_string())
    }

    /// Settles a comment.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`] if it is gone.
    pub async fn resolve_comment(&self, comment_id: String) -> Result<(), ApiError> {
        let comment = parsed("the comment", &comment_id)?;
        ask!(self.resolve_comment(comment))
    }

    /// Takes a comment away.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`] if it is gone.
    pub async fn delete_comment(&self, comment_id: String) -> Result<(), ApiError> {
        let comment = parsed("the comment", &comment_id)?;
        ask!(self.delete_comment(comment))
    }
}
