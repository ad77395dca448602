//! The next date, notices, and what search found.

use taiwa_shared::domain::reminders::{Reminder, ReminderKind, ReminderSettings};

use super::{commands::MeetingTimeView, memo::RangeView};
use crate::session::{Proposal, SearchHit, SearchKind};

/// A meeting to agree on.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ProposalView {
    /// Which meeting.
    pub meeting_id: String,
    /// Nominal date of its slot, such as `2026-10-26`.
    pub slot: String,
    /// What `schedule` takes for はい.
    pub time: MeetingTimeView,
    /// When it would start, in milliseconds since 1970.
    pub starts_millis: i64,
    /// The same as people say it.
    pub when_words: String,
    /// 「10月26日(月) 10:00 でよいですか？」
    pub question: String,
    /// Name of the holiday because of which it is later than usual.
    pub because_of_holiday: Option<String>,
}

/// What a notice opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ReminderKindView {
    /// The preparation.
    Prepare,
    /// The manager's brief, or the member's preparation.
    Before,
}

/// A notice to schedule. Its words may stand on a lock screen.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ReminderView {
    /// The same for the same meeting and kind.
    pub reminder_id: String,
    /// When to show it, in milliseconds since 1970.
    pub at_millis: i64,
    /// About which meeting.
    pub meeting_id: String,
    /// What it opens.
    pub kind: ReminderKindView,
    /// First line.
    pub title: String,
    /// Second line.
    pub body: String,
}

/// What a person wants to be reminded of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct ReminderSettingsView {
    /// On the working day before, if nothing was told to the manager yet.
    pub prepare: bool,
    /// Ten minutes before.
    pub before: bool,
    /// Nothing from 20:00 to 8:00.
    pub quiet_hours: bool,
    /// Nothing on weekends and holidays.
    pub days_off: bool,
}

/// What a line was found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum SearchKindView {
    /// The shared memo of a meeting, or a comment on it.
    Memo,
    /// A promise.
    Promise,
    /// 次回までに意識すること.
    Intention,
    /// A point for the next agenda.
    Agenda,
    /// A published preparation.
    Preparation,
    /// 自分用メモ about a pair.
    PrivateNote,
    /// 現場メモ.
    FieldNote,
}

/// A line that was found.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SearchHitView {
    /// What it was found in.
    pub kind: SearchKindView,
    /// Of which pair; none for 現場メモ.
    pub pair_id: Option<String>,
    /// Name of the other person; empty if there is none.
    pub partner_name: String,
    /// At which meeting.
    pub meeting_id: Option<String>,
    /// When the meeting was, or when it was written, as people say it.
    pub when_words: Option<String>,
    /// The line.
    pub line: String,
    /// What to mark in it.
    pub ranges: Vec<RangeView>,
}

impl From<Proposal> for ProposalView {
    fn from(proposal: Proposal) -> Self {
        Self {
            meeting_id: proposal.meeting.to_string(),
            slot: proposal.slot.to_string(),
            time: MeetingTimeView {
                starts_local: proposal.time.starts.to_string(),
                zone: proposal.time.zone.name().to_owned(),
                length_minutes: proposal.time.length_minutes,
            },
            starts_millis: proposal.starts.as_millis(),
            when_words: proposal.when,
            question: proposal.question,
            because_of_holiday: proposal.because_of_holiday,
        }
    }
}

impl From<Reminder> for ReminderView {
    fn from(reminder: Reminder) -> Self {
        Self {
            reminder_id: reminder.id.to_string(),
            at_millis: reminder.at.as_millis(),
            meeting_id: reminder.meeting.to_string(),
            kind: match reminder.kind {
                ReminderKind::Prepare => ReminderKindView::Prepare,
                ReminderKind::Before => ReminderKindView::Before,
            },
            title: reminder.title,
            body: reminder.body,
        }
    }
}

impl From<ReminderSettings> for ReminderSettingsView {
    fn from(settings: ReminderSettings) -> Self {
        let ReminderSettings { prepare, before, quiet_hours, days_off } = settings;
        Self { prepare, before, quiet_hours, days_off }
    }
}

impl From<ReminderSettingsView> for ReminderSettings {
    fn from(settings: ReminderSettingsView) -> Self {
        let ReminderSettingsView { prepare, before, quiet_hours, days_off } = settings;
        Self { prepare, before, quiet_hours, days_off }
    }
}

impl From<SearchHit> for SearchHitView {
    fn from(hit: SearchHit) -> Self {
        let range = |range: std::ops::Range<u32>| RangeView { start_utf16: range.start, end_utf16: range.end };
        Self {
            kind: match hit.kind {
                SearchKind::Memo => SearchKindView::Memo,
                SearchKind::Promise => SearchKindView::Promise,
                SearchKind::Intention => SearchKindView::Intention,
                SearchKind::Agenda => SearchKindView::Agenda,
                SearchKind::Preparation => SearchKindView::Preparation,
                SearchKind::PrivateNote => SearchKindView::PrivateNote,
                SearchKind::FieldNote => SearchKindView::FieldNote,
            },
            pair_id: hit.pair.map(|id| id.to_string()),
            partner_name: hit.partner_name,
            meeting_id: hit.meeting.map(|id| id.to_string()),
            when_words: hit.when,
            line: hit.line,
            ranges: hit.ranges.into_iter().map(range).collect(),
        }
    }
}
