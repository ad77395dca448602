//! The shared memo of a meeting: plain text that both write at the same time; line breaks are paragraphs.
//!
//! Positions are UTF-16 units, as in every client's text field. Text that an input method is still composing does not
//! come here but to [`super::composition`]; comments are in [`super::comments`].

use automerge::{ChangeHash, ObjId, ReadDoc, transaction::Transactable};

use super::{
    error::DocumentError,
    genesis::Container,
    replica::{Replica, TextSplice},
    text,
};
use crate::time::Timestamp;

/// Most letters of a memo: an hour of typing is a tenth of it; beyond, sync and reading both suffer (research/product 3.3).
pub const MAX_BODY_CHARACTERS: usize = 20_000;

/// The text; empty in other kinds of documents.
pub fn text(memo: &Replica) -> String {
    memo.container(Container::Body).and_then(|body| Ok(memo.doc().text(&body)?)).unwrap_or_default()
}

/// The text as it was at the heads of a [`super::Version`].
///
/// # Errors
/// [`DocumentError::NotFound`] if the heads are not in this document.
pub fn text_at(memo: &Replica, heads: &[ChangeHash]) -> Result<String, DocumentError> {
    let body = memo.container(Container::Body)?;
    if heads.is_empty() || !heads.iter().all(|hash| memo.knows(hash)) {
        return Err(DocumentError::NotFound("this version"));
    }
    Ok(memo.doc().text_at(&body, heads)?)
}

/// Replaces `delete` units at `at` by `insert`, fitted to whole letters. Says what it really did.
///
/// # Errors
/// [`DocumentError::TooLong`] if the memo would grow beyond [`MAX_BODY_CHARACTERS`]; nothing is changed then.
pub fn splice_utf16(
    memo: &mut Replica,
    at: usize,
    delete: usize,
    insert: &str,
    now: Timestamp,
) -> Result<TextSplice, DocumentError> {
    let body = memo.container(Container::Body)?;
    let current = memo.doc().text(&body)?;
    let splice = text::fit(&current, at, delete, insert);
    check_room(&current, text::slice(&current, splice.at, splice.delete), &splice.insert)?;
    write(memo, &body, &splice, None, now)?;
    Ok(splice)
}

/// Makes the text what a field shows after a paste, an autocorrection or dictation, touching only what differs.
///
/// `caret` is where the field's caret stands. For text that was composed while others wrote, see [`super::composition`].
///
/// # Errors
/// As [`splice_utf16`].
pub fn replace_text(
    memo: &mut Replica,
    field: &str,
    caret: usize,
    now: Timestamp,
) -> Result<Option<TextSplice>, DocumentError> {
    let body = memo.container(Container::Body)?;
    let current = memo.doc().text(&body)?;
    let Some(splice) = text::difference(&current, field, caret) else { return Ok(None) };
    check_room(&current, text::slice(&current, splice.at, splice.delete), &splice.insert)?;
    write(memo, &body, &splice, None, now)?;
    Ok(Some(splice))
}

/// Writes a splice, at the document's heads or on top of `base`; says which change it became.
pub(super) fn write(
    memo: &mut Replica,
    body: &ObjId,
    splice: &TextSplice,
    base: Option<&[ChangeHash]>,
    now: Timestamp,
) -> Result<Option<ChangeHash>, DocumentError> {
    if splice.delete == 0 && splice.insert.is_empty() {
        return Ok(None);
    }
    let delete = isize::try_from(splice.delete).map_err(|_| DocumentError::NotFound("this range"))?;
    let ((), change) = memo.edit_on(base, now, |tx| Ok(tx.splice_text(body, splice.at, delete, &splice.insert)?))?;
    Ok(change)
}

/// Refuses what makes a full memo longer; making it shorter always works.
pub(super) fn check_room(current: &str, deleted: &str, inserted: &str) -> Result<(), DocumentError> {
    let grows_to = |length: fn(&str) -> usize| (length(current) + length(inserted)).saturating_sub(length(deleted));
    // There are at least as many units as letters, and units are quickly counted.
    if inserted.len() <= deleted.len() || grows_to(text::units) <= MAX_BODY_CHARACTERS {
        return Ok(());
    }
    let length = grows_to(text::letters);
    if length <= MAX_BODY_CHARACTERS {
        Ok(())
    } else {
        Err(DocumentError::TooLong { limit: MAX_BODY_CHARACTERS, length })
    }
}
