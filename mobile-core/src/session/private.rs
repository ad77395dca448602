//! 自分用メモ and 現場メモ: notes that only their writer's own devices ever have.

use taiwa_shared::{
    documents::private,
    domain::ownership::DocumentKey,
    ids::{MeetingId, NoteId, PairId},
    time::Timestamp,
};

use super::{Session, SessionError, desk::Target, notebook::random, summary::Content};

/// Which notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotesOf {
    /// About a pair.
    Pair(PairId),
    /// 現場メモ, of no pair.
    Field,
}

/// A private note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteItem {
    /// Which.
    pub id: NoteId,
    /// What it says; several where two devices changed it at the same time.
    pub texts: Vec<String>,
    /// The meeting it was written at.
    pub meeting: Option<MeetingId>,
    /// When it was written.
    pub created: Timestamp,
    /// 次の1on1で話す.
    pub next: bool,
}

impl Session {
    /// The notes about a pair, or the field notes.
    ///
    /// # Errors
    /// [`SessionError`] if the store cannot be read.
    pub async fn notes(&self, of: NotesOf) -> Result<Vec<NoteItem>, SessionError> {
        let key = self.notes_key(of);
        self.renew_summaries([key]).await?;
        let Some(summary) = self.summary(&key) else { return Ok(Vec::new()) };
        let Content::Notes(lines) = &summary.content else { return Ok(Vec::new()) };
        let item = |line: &super::summary::NoteLine| NoteItem {
            id: line.id,
            texts: line.text.all().to_vec(),
            meeting: line.meeting,
            created: line.created,
            next: line.next,
        };
        Ok(lines.iter().map(item).collect())
    }

    /// Writes a note.
    ///
    /// # Errors
    /// [`SessionError::TooLong`], [`SessionError::StorageFull`].
    pub async fn add_note(
        &self,
        of: NotesOf,
        text: String,
        meeting: Option<MeetingId>,
    ) -> Result<NoteId, SessionError> {
        let (now, id) = (self.core.now(), NoteId::new(self.core.now(), random()));
        let target = Target::of_pair(self.notes_key(of));
        self.desk.edit(target, move |replica| private::add(replica, id, &text, meeting, now)).await?;
        Ok(id)
    }

    /// Changes what a note says.
    ///
    /// # Errors
    /// [`SessionError::NotFound`], [`SessionError::TooLong`].
    pub async fn set_note_text(&self, of: NotesOf, id: NoteId, text: String) -> Result<(), SessionError> {
        let now = self.core.now();
        let target = Target::of_pair(self.notes_key(of));
        self.desk.edit(target, move |replica| private::set_text(replica, id, &text, now)).await
    }

    /// 次の1on1で話す: marks a note, or takes the mark away.
    ///
    /// # Errors
    /// [`SessionError::NotFound`].
    pub async fn set_note_next(&self, of: NotesOf, id: NoteId, next: bool) -> Result<(), SessionError> {
        let now = self.core.now();
        let target = Target::of_pair(self.notes_key(of));
        self.desk.edit(target, move |replica| private::set_next(replica, id, next, now)).await
    }

    /// Takes a note away.
    ///
    /// # Errors
    /// [`SessionError::NotFound`].
    pub async fn delete_note(&self, of: NotesOf, id: NoteId) -> Result<(), SessionError> {
        let now = self.core.now();
        let target = Target::of_pair(self.notes_key(of));
        self.desk.edit(target, move |replica| private::set_deleted(replica, id, true, now)).await
    }

    fn notes_key(&self, of: NotesOf) -> DocumentKey {
        match of {
            NotesOf::Pair(pair) => DocumentKey::Private { pair, user: self.me() },
            NotesOf::Field => DocumentKey::FieldNotes { user: self.me() },
        }
    }
}
