//! Private notes, and the cards of what could not be sent.

use super::{
    ApiError, NoteView, NotesView, RefusedEditView, Session,
    error::parsed,
    runtime::ask,
    session::{all, meeting_if_any},
};
use crate::session::NotesOf;

#[uniffi::export]
impl Session {
    /// Private notes.
    ///
    /// # Errors
    /// [`ApiError::InvalidArgument`].
    pub async fn notes(&self, of: NotesView) -> Result<Vec<NoteView>, ApiError> {
        let of = NotesOf::try_from(of)?;
        ask!(self.notes(of)).map(all)
    }

    /// Writes a note; the answer is its id.
    ///
    /// # Errors
    /// [`ApiError::TooLong`], [`ApiError::StorageFull`].
    pub async fn add_note(&self, of: NotesView, text: String, meeting_id: Option<String>) -> Result<String, ApiError> {
        let (of, meeting) = (NotesOf::try_from(of)?, meeting_if_any(meeting_id.as_deref())?);
        ask!(self.add_note(of, text, meeting)).map(|id| id.to_string())
    }

    /// Changes what a note says.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`], [`ApiError::TooLong`].
    pub async fn set_note_text(&self, of: NotesView, note_id: String, text: String) -> Result<(), ApiError> {
        let (of, note) = (NotesOf::try_from(of)?, parsed("the note", &note_id)?);
        ask!(self.set_note_text(of, note, text))
    }

    /// 次の1on1で話す: marks a note, or takes the mark away.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`].
    pub async fn set_note_next(&self, of: NotesView, note_id: String, next: bool) -> Result<(), ApiError> {
        let (of, note) = (NotesOf::try_from(of)?, parsed("the note", &note_id)?);
        ask!(self.set_note_next(of, note, next))
    }

    /// Takes a note away.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`].
    pub async fn delete_note(&self, of: NotesView, note_id: String) -> Result<(), ApiError> {
        let (of, note) = (NotesOf::try_from(of)?, parsed("the note", &note_id)?);
        ask!(self.delete_note(of, note))
    }

    /// Cards 「送れなかった入力」, oldest first.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] if the store cannot be read.
    pub async fn refused_edits(&self) -> Result<Vec<RefusedEditView>, ApiError> {
        let cards = ask!(self.refused_edits())?;
        let card = cards.into_iter().map(|card| RefusedEditView {
            card_id: card.id.to_string(),
            kind: card.key.kind().to_owned(),
            pair_id: card.key.pair().map(|id| id.to_string()),
            meeting_id: card.key.meeting().map(|id| id.to_string()),
            text: card.text,
            at_millis: card.at.as_millis(),
        });
        Ok(card.collect())
    }

    /// Copies a card to the private notes and removes it.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`] if it is gone, [`ApiError::StorageFull`], and the card stays.
    pub async fn copy_to_private_note(&self, card_id: String) -> Result<(), ApiError> {
        let card = parsed("the card", &card_id)?;
        ask!(self.copy_to_private_note(card))
    }

    /// Removes a card.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] if the store cannot be written.
    pub async fn dismiss(&self, card_id: String) -> Result<(), ApiError> {
        let card = parsed("the card", &card_id)?;
        ask!(self.dismiss(card))
    }
}
