//! Comments on passages of a memo, anchored by cursors: they move with the text and survive its deletion with a quote.
//!
//! Who wrote a comment is read from the history, never from a field: a field can be forged.

use automerge::{Cursor, MoveCursor, ReadDoc, ScalarValue};

use super::{
    caret,
    error::DocumentError,
    fields::{self, check_length},
    genesis::Container,
    memo,
    replica::{Replica, guarded},
    text,
};
use crate::{
    domain::brief::Choice,
    ids::{CommentId, UserId},
    time::Timestamp,
};

/// Most letters of a comment.
pub const MAX_COMMENT_CHARACTERS: usize = 500;

/// Most letters kept of the passage: enough to recognise it.
const MAX_QUOTE_CHARACTERS: usize = 80;

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Which.
    pub id: CommentId,
    /// The passage now, as start and end in UTF-16 units; none if it was deleted or has not arrived.
    pub range: Option<(usize, usize)>,
    /// The passage as it was.
    pub quote: String,
    /// What it says.
    pub body: Choice<String>,
    /// Who made it, proven by the history.
    pub author: Option<UserId>,
    /// Who wrote [`Self::body`] as it stands; somebody else than the author only if they changed it.
    pub body_by: Option<UserId>,
    /// Whether it is settled.
    pub resolved: bool,
    /// When it was made, by the maker's clock.
    pub created: Timestamp,
}

/// All comments, by their place in the text; those without a place last.
pub fn read(memo: &Replica) -> Vec<Comment> {
    let doc = memo.doc();
    let whole = memo::text(memo);
    let mut comments: Vec<Comment> = fields::entries::<CommentId>(memo, Container::Comments)
        .into_iter()
        .filter_map(|(id, object)| {
            Some(Comment {
                id,
                range: range(
                    memo,
                    &whole,
                    &fields::bytes(doc, &object, "start")?,
                    &fields::bytes(doc, &object, "end")?,
                ),
                quote: fields::text(doc, &object, "quote").map(|quote| quote.value).unwrap_or_default(),
                body: fields::text(doc, &object, "body")?,
                author: fields::creator(memo, &object),
                body_by: fields::writer_of_text(memo, &object, "body"),
                resolved: fields::flag(doc, &object, "resolved").is_some_and(|resolved| resolved.value),
                created: fields::time(doc, &object, "created"),
            })
        })
        .collect();
    comments.sort_by_key(|comment| (comment.range.is_none(), comment.range, comment.created, comment.id));
    comments
}

/// Comments on the passage from `start` to `end` (UTF-16 units, not empty).
///
/// # Errors
/// [`DocumentError::NotFound`] if there is no such passage, [`DocumentError::TooLong`].
pub fn add(
    memo: &mut Replica,
    id: CommentId,
    (start, end): (usize, usize),
    body: &str,
    now: Timestamp,
) -> Result<(), DocumentError> {
    check_length(body, MAX_COMMENT_CHARACTERS)?;
    let object = memo.container(Container::Body)?;
    let whole = memo::text(memo);
    if start >= end || end > text::units(&whole) {
        return Err(DocumentError::NotFound("this passage"));
    }
    let quote = text::first_letters(text::slice(&whole, start, end - start), MAX_QUOTE_CHARACTERS);
    let first = memo.doc().get_cursor_moving(&object, start, None, MoveCursor::After)?;
    let last = memo.doc().get_cursor_moving(&object, end - 1, None, MoveCursor::Before)?;
    let fields = vec![
        ("start", ScalarValue::Bytes(first.to_bytes())),
        ("end", ScalarValue::Bytes(last.to_bytes())),
        ("quote", quote.into()),
        ("body", body.into()),
        ("resolved", false.into()),
    ];
    fields::add_entry(memo, Container::Comments, &id.to_string(), now, fields)
}

/// Changes what a comment says.
///
/// # Errors
/// [`DocumentError::NotFound`], [`DocumentError::TooLong`].
pub fn set_body(memo: &mut Replica, id: CommentId, body: &str, now: Timestamp) -> Result<(), DocumentError> {
    check_length(body, MAX_COMMENT_CHARACTERS)?;
    fields::set_field(memo, Container::Comments, &id.to_string(), "body", body, now)
}

/// Settles a comment, or opens it again.
///
/// # Errors
/// [`DocumentError::NotFound`].
pub fn set_resolved(memo: &mut Replica, id: CommentId, resolved: bool, now: Timestamp) -> Result<(), DocumentError> {
    fields::set_field(memo, Container::Comments, &id.to_string(), "resolved", resolved, now)
}

/// Takes a comment away; it stays in the history.
///
/// # Errors
/// [`DocumentError::NotFound`].
pub fn delete(memo: &mut Replica, id: CommentId, now: Timestamp) -> Result<(), DocumentError> {
    fields::set_field(memo, Container::Comments, &id.to_string(), "deleted", true, now)
}

fn range(memo: &Replica, whole: &str, start: &[u8], end: &[u8]) -> Option<(usize, usize)> {
    let body = memo.container(Container::Body).ok()?;
    let doc = memo.doc();
    let place = |bytes: &[u8]| {
        let cursor = guarded(|| Cursor::try_from(bytes)).ok()?.ok()?;
        let at = guarded(|| doc.get_cursor_position(&body, &cursor, None)).ok()?.ok()?;
        Some((at, caret::stands_at(doc, &body, &cursor, at)))
    };
    let ((start, _), (last, last_stands)) = (place(start)?, place(end)?);
    // A deleted last character slides to the one before; if there is none the passage is gone.
    let end = if last_stands || last > 0 { last + text::width_at(whole, last) } else { 0 };
    (start < end).then_some((start, end))
}
