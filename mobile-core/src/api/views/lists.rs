//! Promises, intentions, agenda, private notes, and cards of what could not be sent.

use taiwa_shared::ids::PairId;

use crate::session::{AgendaLine, IntentionItem, NoteItem, NotesOf, PromiseItem};

/// A promise.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PromiseView {
    /// Which.
    pub promise_id: String,
    /// Of which pair.
    pub pair_id: String,
    /// Name of the other person.
    pub partner_name: String,
    /// What; several where both changed it at the same time.
    pub texts: Vec<String>,
    /// Who does it; several as above.
    pub who_ids: Vec<String>,
    /// Whether the reader does it.
    pub mine: bool,
    /// Whether it is done.
    pub done: bool,
    /// Whether one ticked it while the other opened it again.
    pub done_disagrees: bool,
    /// The meeting it was made in.
    pub meeting_id: Option<String>,
    /// When it was written down, in milliseconds since 1970.
    pub created_millis: i64,
}

/// 次回までに意識すること.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct IntentionView {
    /// Which.
    pub intention_id: String,
    /// Of which pair.
    pub pair_id: String,
    /// Name of the other person.
    pub partner_name: String,
    /// What; several where two devices changed it at the same time.
    pub texts: Vec<String>,
    /// Whether it is the reader's.
    pub mine: bool,
    /// Whether it is over.
    pub ended: bool,
    /// The meeting it was made in.
    pub meeting_id: Option<String>,
    /// When it was written down, in milliseconds since 1970.
    pub created_millis: i64,
}

/// A point for the next agenda.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct AgendaView {
    /// Which.
    pub agenda_id: String,
    /// What; several where both changed it at the same time.
    pub texts: Vec<String>,
    /// Who wants to talk about it.
    pub who_id: String,
    /// Whether it is the reader's.
    pub mine: bool,
    /// When it was written down, in milliseconds since 1970.
    pub created_millis: i64,
}

/// Which private notes.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum NotesView {
    /// About a pair.
    Pair {
        /// Which.
        pair_id: String,
    },
    /// 現場メモ, of no pair.
    Field,
}

/// A private note.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NoteView {
    /// Which.
    pub note_id: String,
    /// What it says; several where two devices changed it at the same time.
    pub texts: Vec<String>,
    /// The meeting it was written at.
    pub meeting_id: Option<String>,
    /// When it was written, in milliseconds since 1970.
    pub created_millis: i64,
    /// 次の1on1で話す.
    pub next: bool,
}

/// A card 「送れなかった入力」.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RefusedEditView {
    /// Which.
    pub card_id: String,
    /// What kind of document it was written in: `memo`, `prep`, `notebook` and so on.
    pub kind: String,
    /// The pair of the document.
    pub pair_id: Option<String>,
    /// The meeting of the document.
    pub meeting_id: Option<String>,
    /// The text; empty if only something without text was set.
    pub text: String,
    /// When this phone learned of it, in milliseconds since 1970.
    pub at_millis: i64,
}

impl From<PromiseItem> for PromiseView {
    fn from(promise: PromiseItem) -> Self {
        Self {
            promise_id: promise.id.to_string(),
            pair_id: promise.pair.to_string(),
            partner_name: promise.partner_name,
            texts: promise.texts,
            who_ids: promise.who.iter().map(ToString::to_string).collect(),
            mine: promise.mine,
            done: promise.done,
            done_disagrees: promise.done_disagrees,
            meeting_id: promise.meeting.map(|id| id.to_string()),
            created_millis: promise.created.as_millis(),
        }
    }
}

impl From<IntentionItem> for IntentionView {
    fn from(intention: IntentionItem) -> Self {
        Self {
            intention_id: intention.id.to_string(),
            pair_id: intention.pair.to_string(),
            partner_name: intention.partner_name,
            texts: intention.texts,
            mine: intention.mine,
            ended: intention.ended,
            meeting_id: intention.meeting.map(|id| id.to_string()),
            created_millis: intention.created.as_millis(),
        }
    }
}

impl From<AgendaLine> for AgendaView {
    fn from(line: AgendaLine) -> Self {
        Self {
            agenda_id: line.id.to_string(),
            texts: line.texts,
            who_id: line.who.to_string(),
            mine: line.mine,
            created_millis: line.created.as_millis(),
        }
    }
}

impl From<NoteItem> for NoteView {
    fn from(note: NoteItem) -> Self {
        Self {
            note_id: note.id.to_string(),
            texts: note.texts,
            meeting_id: note.meeting.map(|id| id.to_string()),
            created_millis: note.created.as_millis(),
            next: note.next,
        }
    }
}

impl TryFrom<NotesView> for NotesOf {
    type Error = crate::api::ApiError;
    fn try_from(of: NotesView) -> Result<Self, Self::Error> {
        Ok(match of {
            NotesView::Pair { pair_id } => Self::Pair(crate::api::error::parsed::<PairId>("the pair", &pair_id)?),
            NotesView::Field => Self::Field,
        })
    }
}
