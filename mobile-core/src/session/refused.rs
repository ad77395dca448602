//! 送れなかった入力: cards that wait until the person copies or dismisses them.

use taiwa_shared::documents::private::MAX_NOTE_CHARACTERS;

use super::{NotesOf, Session, SessionError};
use crate::store::{RefusedEdit, RefusedEditId};

impl Session {
    /// The cards, oldest first.
    ///
    /// # Errors
    /// [`SessionError`] if the store cannot be read.
    pub async fn refused_edits(&self) -> Result<Vec<RefusedEdit>, SessionError> {
        Ok(self.core.store.refused_edits().await?)
    }

    /// Copies a card to the private notes of its pair, or to the field notes if the pair is gone; then removes it.
    ///
    /// # Errors
    /// [`SessionError::NotFound`]; [`SessionError::StorageFull`], and the card stays.
    pub async fn copy_to_private_note(&self, id: RefusedEditId) -> Result<(), SessionError> {
        let cards = self.core.store.refused_edits().await?;
        let card = cards.into_iter().find(|card| card.id == id).ok_or(SessionError::NotFound)?;
        let pair = card.key.pair().filter(|pair| self.core.roster().pair(*pair).is_some());
        let of = pair.map_or(NotesOf::Field, NotesOf::Pair);
        // A kill between the two leaves a note and the card: twice is better than not at all.
        for part in parts(&card.text) {
            self.add_note(of, part, card.key.meeting()).await?;
        }
        self.dismiss(id).await
    }

    /// Removes a card.
    ///
    /// # Errors
    /// [`SessionError`] if the store cannot be written.
    pub async fn dismiss(&self, id: RefusedEditId) -> Result<(), SessionError> {
        self.core.store.remove_card(id).await?;
        self.core.changes.happened();
        Ok(())
    }
}

/// The text in pieces that fit a note each; characters are no more than letters, so every piece fits.
fn parts(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(MAX_NOTE_CHARACTERS).map(|part| part.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_copied_whole() {
        let text = "あ".repeat(MAX_NOTE_CHARACTERS * 2 + 1);
        let parts = parts(&text);
        assert_eq!(parts.len(), 3);
        assert_eq!(parts.concat(), text);
    }
}
