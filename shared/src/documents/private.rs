//! Private notes: about a pair, or 現場メモ of no pair. Only their writer's own devices ever have them.
//!
//! Both kinds of document have the same content; which one a note is in decides where it belongs.

use automerge::ScalarValue;

use super::{
    error::DocumentError,
    fields::{self, check_length},
    genesis::Container,
    replica::Replica,
};
use crate::{
    domain::brief::Choice,
    ids::{MeetingId, NoteId},
    time::Timestamp,
};

/// Most letters of a private note.
pub const MAX_NOTE_CHARACTERS: usize = 2_000;

/// A private note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Which.
    pub id: NoteId,
    /// What it says; several values if two devices changed it apart from each other.
    pub text: Choice<String>,
    /// The meeting it was written at, if any.
    pub meeting: Option<MeetingId>,
    /// When it was written, by the device's clock.
    pub created: Timestamp,
    /// Place in the list.
    pub order: i64,
    /// 次の1on1で話す.
    pub next: bool,
}

/// All notes in their order, without the deleted ones.
pub fn notes(private: &Replica) -> Vec<Note> {
    let doc = private.doc();
    let read = |(id, object)| {
        Some(Note {
            id,
            text: fields::text(doc, &object, "text")?,
            meeting: fields::parsed(doc, &object, "meeting").map(|meeting| meeting.value),
            created: fields::time(doc, &object, "created"),
            order: fields::number(doc, &object, "order").unwrap_or(0),
            next: fields::flag(doc, &object, "next").is_some_and(|next| next.value),
        })
    };
    let mut notes: Vec<Note> = fields::entries(private, Container::Notes).into_iter().filter_map(read).collect();
    notes.sort_by_key(|note| (note.order, note.created, note.id));
    notes
}

/// Writes a note; a retry with the same id does nothing.
///
/// # Errors
/// [`DocumentError::TooLong`].
pub fn add(
    private: &mut Replica,
    id: NoteId,
    text: &str,
    meeting: Option<MeetingId>,
    now: Timestamp,
) -> Result<(), DocumentError> {
    check_length(text, MAX_NOTE_CHARACTERS)?;
    let mut fields = vec![("text", text.into()), ("next", ScalarValue::Boolean(false))];
    fields.extend(meeting.map(|meeting| ("meeting", meeting.to_string().into())));
    fields::add_entry(private, Container::Notes, &id.to_string(), now, fields)
}

/// Changes what a note says.
///
/// # Errors
/// [`DocumentError::NotFound`], [`DocumentError::TooLong`].
pub fn set_text(private: &mut Replica, id: NoteId, text: &str, now: Timestamp) -> Result<(), DocumentError> {
    check_length(text, MAX_NOTE_CHARACTERS)?;
    fields::set_field(private, Container::Notes, &id.to_string(), "text", text, now)
}

/// Marks a note to talk about at the next 1on1, or not.
///
/// # Errors
/// [`DocumentError::NotFound`].
pub fn set_next(private: &mut Replica, id: NoteId, next: bool, now: Timestamp) -> Result<(), DocumentError> {
    fields::set_field(private, Container::Notes, &id.to_string(), "next", next, now)
}

/// Takes a note away, or brings it back; it stays in the history until that is erased.
///
/// # Errors
/// [`DocumentError::NotFound`].
pub fn set_deleted(private: &mut Replica, id: NoteId, deleted: bool, now: Timestamp) -> Result<(), DocumentError> {
    fields::set_field(private, Container::Notes, &id.to_string(), "deleted", deleted, now)
}
