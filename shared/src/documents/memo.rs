//! The shared memo of a meeting: plain text that both write at the same time; line breaks are paragraphs.
//!
//! Positions are UTF-16 units, as in every client's text field. Text that an input method is still composing does not
//! come here but to [`super::composition`]; comments are in [`super::comments`].

use automerge::{
    ChangeHash, ObjId, ReadDoc,
    transaction::{Transactable, Transaction},
};

use super::{
    error::DocumentError,
    genesis::Container,
    replica::{Replica, TextSplice},
    text,
};
use crate::time::Timestamp;

/// Most letters of a memo: an hour of typing is a tenth of it; beyond, sync and reading both suffer.
pub const MAX_BODY_CHARACTERS: usize = 20_000;

/// Every character is an operation, and peers refuse a change of more than 5,000 (`sync::limits`).
const MAX_CHARACTERS_IN_A_CHANGE: usize = 4_000;

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

/// Writes a splice, at the document's heads or on top of `base`; says which change it became, the last if it took several.
pub(super) fn write(
    memo: &mut Replica,
    body: &ObjId,
    splice: &TextSplice,
    base: Option<&[ChangeHash]>,
    now: Timestamp,
) -> Result<Option<ChangeHash>, DocumentError> {
    let current = match base {
        Some(heads) => memo.doc().text_at(body, heads)?,
        None => memo.doc().text(body)?,
    };
    let mut last = None;
    let mut base = base.map(<[ChangeHash]>::to_vec);
    for piece in pieces(splice, text::slice(&current, splice.at, splice.delete)) {
        let delete = isize::try_from(piece.delete).map_err(|_| DocumentError::NotFound("this range"))?;
        let write = |tx: &mut Transaction<'_>| Ok(tx.splice_text(body, piece.at, delete, &piece.insert)?);
        let ((), change) = memo.edit_on(base.as_deref(), now, write)?;
        if let (Some(heads), Some(change)) = (&mut base, change) {
            *heads = vec![change];
        }
        last = change.or(last);
    }
    Ok(last)
}

/// A splice in pieces that are a change each: itself, unless it is a large paste or deletes a large part.
fn pieces(splice: &TextSplice, deleted: &str) -> Vec<TextSplice> {
    let (deletions, insertions) = (deleted.chars().count(), splice.insert.chars().count());
    if deletions + insertions == 0 {
        return Vec::new();
    }
    if deletions + insertions <= MAX_CHARACTERS_IN_A_CHANGE {
        return vec![splice.clone()];
    }
    let mut pieces = Vec::new();
    for part in parts(deleted) {
        pieces.push(TextSplice { at: splice.at, delete: text::units(&part), insert: String::new() });
    }
    let mut at = splice.at;
    for part in parts(&splice.insert) {
        let units = text::units(&part);
        pieces.push(TextSplice { at, delete: 0, insert: part });
        at += units;
    }
    pieces
}

fn parts(text: &str) -> impl Iterator<Item = String> {
    let mut rest = text.chars().peekable();
    std::iter::from_fn(move || {
        rest.peek()?;
        Some(rest.by_ref().take(MAX_CHARACTERS_IN_A_CHANGE).collect())
    })
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
