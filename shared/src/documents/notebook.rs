//! The notebook of a pair: promises, what to keep in mind until next time, points for the next agenda.
//!
//! Entries are maps keyed by id with an order, made whole in one change. Values that both people can set come with
//! everything that stands; marking something done or open again follows the order in which people saw it.

use automerge::ScalarValue;

use super::{
    error::DocumentError,
    fields::{self, check_length, check_line},
    genesis::Container,
    replica::Replica,
};
use crate::{
    domain::brief::Choice,
    ids::{AgendaId, IntentionId, MeetingId, PromiseId, UserId},
    time::Timestamp,
};

/// Most letters of a promise or of a point for the agenda.
pub const MAX_TEXT_CHARACTERS: usize = 500;

/// Most letters of an intention: one line on the home screen.
pub const MAX_LINE_CHARACTERS: usize = 140;

/// Something that one of the two promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// Which.
    pub id: PromiseId,
    /// What.
    pub text: Choice<String>,
    /// Who does it.
    pub who: Choice<UserId>,
    /// Whether it is done; two values if one person ticked it while the other opened it again.
    pub done: Choice<bool>,
    /// The meeting it was promised in.
    pub meeting: Option<MeetingId>,
    /// Place in the list.
    pub order: i64,
    /// When it was written down, by the writer's clock.
    pub created: Timestamp,
    /// Who wrote it down, proven by the history.
    pub written_by: Option<UserId>,
}

/// 次回までに意識すること: one line that somebody keeps in mind until the next meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intention {
    /// Which.
    pub id: IntentionId,
    /// What.
    pub text: Choice<String>,
    /// Who keeps it in mind.
    pub who: UserId,
    /// The meeting it was made in.
    pub meeting: Option<MeetingId>,
    /// Whether it is over.
    pub ended: bool,
    /// Place in the list.
    pub order: i64,
    /// When it was written down, by the writer's clock.
    pub created: Timestamp,
}

/// A point for the next agenda.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgendaItem {
    /// Which.
    pub id: AgendaId,
    /// What.
    pub text: Choice<String>,
    /// Who wants to talk about it.
    pub who: UserId,
    /// Place in the list.
    pub order: i64,
    /// When it was written down, by the writer's clock.
    pub created: Timestamp,
}

/// A new promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPromise<'a> {
    /// A fresh id.
    pub id: PromiseId,
    /// What.
    pub text: &'a str,
    /// Who does it.
    pub who: UserId,
    /// The meeting it is made in.
    pub meeting: Option<MeetingId>,
}

/// All promises in their order, done ones too.
pub fn promises(notebook: &Replica) -> Vec<Promise> {
    let doc = notebook.doc();
    let read = |(id, object)| {
        Some(Promise {
            id,
            text: fields::text(doc, &object, "text")?,
            who: fields::parsed(doc, &object, "who")?,
            done: fields::flag(doc, &object, "done").unwrap_or(Choice::agreed(false)),
            meeting: fields::parsed(doc, &object, "meeting").map(|meeting| meeting.value),
            order: fields::number(doc, &object, "order").unwrap_or(0),
            created: fields::time(doc, &object, "created"),
            written_by: fields::creator(notebook, &object),
        })
    };
    let mut promises: Vec<Promise> =
        fields::entries(notebook, Container::Promises).into_iter().filter_map(read).collect();
    promises.sort_by_key(|promise| (promise.order, promise.created, promise.id));
    promises
}

/// Writes a promise down; a retry with the same id does nothing.
///
/// # Errors
/// [`DocumentError::TooLong`].
pub fn add_promise(notebook: &mut Replica, promise: &NewPromise<'_>, now: Timestamp) -> Result<(), DocumentError> {
    check_length(promise.text, MAX_TEXT_CHARACTERS)?;
    let mut fields = vec![
        ("text", promise.text.into()),
        ("who", promise.who.to_string().into()),
        ("done", ScalarValue::Boolean(false)),
    ];
    fields.extend(promise.meeting.map(|meeting| ("meeting", meeting.to_string().into())));
    fields::add_entry(notebook, Container::Promises, &promise.id.to_string(), now, fields)
}

/// Ticks a promise, or opens it again.
///
/// # Errors
/// [`DocumentError::NotFound`].
pub fn set_promise_done(
    notebook: &mut Replica,
    id: PromiseId,
    done: bool,
    now: Timestamp,
) -> Result<(), DocumentError> {
    fields::set_field(notebook, Container::Promises, &id.to_string(), "done", done, now)
}

/// Changes what was promised.
///
/// # Errors
/// [`DocumentError::NotFound`], [`DocumentError::TooLong`].
pub fn set_promise_text(
    notebook: &mut Replica,
    id: PromiseId,
    text: &str,
    now: Timestamp,
) -> Result<(), DocumentError> {
    check_length(text, MAX_TEXT_CHARACTERS)?;
    fields::set_field(notebook, Container::Promises, &id.to_string(), "text", text, now)
}

/// Changes who does it.
///
/// # Errors
/// [`DocumentError::NotFound`].
pub fn set_promise_who(
    notebook: &mut Replica,
    id: PromiseId,
    who: UserId,
    now: Timestamp,
) -> Result<(), DocumentError> {
    fields::set_field(notebook, Container::Promises, &id.to_string(), "who", who.to_string(), now)
}

/// Takes a promise away; it stays in the history.
///
/// # Errors
/// [`DocumentError::NotFound`].
pub fn delete_promise(notebook: &mut Replica, id: PromiseId, now: Timestamp) -> Result<(), DocumentError> {
    fields::set_field(notebook, Container::Promises, &id.to_string(), "deleted", true, now)
}

/// All intentions in their order, ended ones too.
pub fn intentions(notebook: &Replica) -> Vec<Intention> {
    let doc = notebook.doc();
    let read = |(id, object)| {
        Some(Intention {
            id,
            text: fields::text(doc, &object, "text")?,
            who: fields::parsed(doc, &object, "who")?.value,
            meeting: fields::parsed(doc, &object, "meeting").map(|meeting| meeting.value),
            ended: fields::is_set(doc, &object, "ended"),
            order: fields::number(doc, &object, "order").unwrap_or(0),
            created: fields::time(doc, &object, "created"),
        })
    };
    let mut intentions: Vec<Intention> =
        fields::entries(notebook, Container::Intentions).into_iter().filter_map(read).collect();
    intentions.sort_by_key(|intention| (intention.order, intention.created, intention.id));
    intentions
}

/// Writes down what `who` keeps in mind, in one line.
///
/// # Errors
/// [`DocumentError::TooLong`], [`DocumentError::NotOneLine`].
pub fn add_intention(
    notebook: &mut Replica,
    id: IntentionId,
    who: UserId,
    text: &str,
    meeting: Option<MeetingId>,
    now: Timestamp,
) -> Result<(), DocumentError> {
    check_line(text, MAX_LINE_CHARACTERS)?;
    let mut fields = vec![("text", text.into()), ("who", who.to_string().into())];
    fields.extend(meeting.map(|meeting| ("meeting", ScalarValue::from(meeting.to_string()))));
    fields::add_entry(notebook, Container::Intentions, &id.to_string(), now, fields)
}

/// Changes an intention.
///
/// # Errors
/// [`DocumentError::NotFound`], [`DocumentError::TooLong`], [`DocumentError::NotOneLine`].
pub fn set_intention_text(
    notebook: &mut Replica,
    id: IntentionId,
    text: &str,
    now: Timestamp,
) -> Result<(), DocumentError> {
    check_line(text, MAX_LINE_CHARACTERS)?;
    fields::set_field(notebook, Container::Intentions, &id.to_string(), "text", text, now)
}

/// Ends an intention.
///
/// # Errors
/// [`DocumentError::NotFound`].
pub fn end_intention(notebook: &mut Replica, id: IntentionId, now: Timestamp) -> Result<(), DocumentError> {
    fields::set_field(notebook, Container::Intentions, &id.to_string(), "ended", true, now)
}

/// The points for the next agenda in their order.
pub fn agenda(notebook: &Replica) -> Vec<AgendaItem> {
    let doc = notebook.doc();
    let read = |(id, object)| {
        Some(AgendaItem {
            id,
            text: fields::text(doc, &object, "text")?,
            who: fields::parsed(doc, &object, "who")?.value,
            order: fields::number(doc, &object, "order").unwrap_or(0),
            created: fields::time(doc, &object, "created"),
        })
    };
    let mut agenda: Vec<AgendaItem> =
        fields::entries(notebook, Container::Agenda).into_iter().filter_map(read).collect();
    agenda.sort_by_key(|item| (item.order, item.created, item.id));
    agenda
}

/// Puts a point on the next agenda.
///
/// # Errors
/// [`DocumentError::TooLong`].
pub fn add_agenda(
    notebook: &mut Replica,
    id: AgendaId,
    who: UserId,
    text: &str,
    now: Timestamp,
) -> Result<(), DocumentError> {
    check_length(text, MAX_TEXT_CHARACTERS)?;
    let fields = vec![("text", text.into()), ("who", who.to_string().into())];
    fields::add_entry(notebook, Container::Agenda, &id.to_string(), now, fields)
}

/// Changes a point of the agenda.
///
/// # Errors
/// [`DocumentError::NotFound`], [`DocumentError::TooLong`].
pub fn set_agenda_text(notebook: &mut Replica, id: AgendaId, text: &str, now: Timestamp) -> Result<(), DocumentError> {
    check_length(text, MAX_TEXT_CHARACTERS)?;
    fields::set_field(notebook, Container::Agenda, &id.to_string(), "text", text, now)
}

/// Takes a point off the agenda; it stays in the history.
///
/// # Errors
/// [`DocumentError::NotFound`].
pub fn delete_agenda(notebook: &mut Replica, id: AgendaId, now: Timestamp) -> Result<(), DocumentError> {
    fields::set_field(notebook, Container::Agenda, &id.to_string(), "deleted", true, now)
}
