//! Which notices a phone shows by itself, and when: prepare on the working day before, and ten minutes before the start.
//!
//! Pure, from what the phone holds, so that notices come without a network. At most two per meeting and person, none for
//! what is done. Notices stand on lock screens: no topic and no word of anybody is in them.

use std::time::Duration;

use jiff::{
    ToSpan,
    civil::{Date, DateTime, Time, time},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    brief::local_time,
    catalog::Language,
    holidays,
    meeting::{Meeting, MeetingState},
    people::Side,
};
use crate::{
    ids::{MeetingId, ReminderId},
    time::{Timestamp, Zone},
};

/// UUIDv5 namespace of reminder ids; made once at random, never changed.
const REMINDER_NAMESPACE: Uuid = Uuid::from_u128(0x5b1c_0f5e_92d7_4c0a_8e4b_7d20_3f9a_c6e1);

/// When the working day before ends for most people.
const PREPARE_AT: Time = time(17, 0, 0, 0);
/// Enough to read the brief and walk to the room.
const BEFORE: Duration = Duration::from_secs(10 * 60);
/// Quiet hours are from 20:00 to 8:00, in the zone of the phone.
const MORNING: Time = time(8, 0, 0, 0);
const NIGHT: Time = time(20, 0, 0, 0);
/// The last minute before the quiet hours.
const EVENING: Time = time(19, 59, 0, 0);
const LAST_MINUTE: Time = time(23, 59, 0, 0);
/// Quiet hours move a notice by twelve hours at most. One that days off move further is no notice that a meeting begins.
const MAX_MOVED: Duration = Duration::from_secs(12 * 60 * 60);
/// The longest row of days off that is looked through, longer than any in the calendar.
const MAX_DAYS_OFF: i64 = 30;

/// What a person wants to be reminded of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReminderSettings {
    /// On the working day before, if nothing was told to the manager yet.
    pub prepare: bool,
    /// Ten minutes before.
    pub before: bool,
    /// Nothing from 20:00 to 8:00.
    pub quiet_hours: bool,
    /// Nothing on weekends and holidays.
    pub days_off: bool,
}

impl Default for ReminderSettings {
    fn default() -> Self {
        Self { prepare: true, before: true, quiet_hours: true, days_off: true }
    }
}

/// A meeting that somebody may have to be reminded of.
#[derive(Debug, Clone, Copy)]
pub struct RemindedMeeting<'a> {
    /// The meeting.
    pub meeting: &'a Meeting,
    /// The side of the reader.
    pub side: Side,
    /// Name of the other person.
    pub partner_name: &'a str,
    /// Whether the reader, a member, has told the manager what to talk about.
    pub is_published: bool,
}

/// What a phone knows when it plans its notices.
#[derive(Debug, Clone, Copy)]
pub struct ReminderInput<'a> {
    /// The meetings to come.
    pub meetings: &'a [RemindedMeeting<'a>],
    /// What the reader wants.
    pub settings: ReminderSettings,
    /// Zone of the reader.
    pub zone: &'a Zone,
    /// Notices after this moment.
    pub now: Timestamp,
    /// Notices up to this moment.
    pub until: Timestamp,
    /// Language of the reader.
    pub language: Language,
}

/// What a notice is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReminderKind {
    /// 準備: opens the preparation.
    Prepare,
    /// The meeting begins: opens the manager's brief, or the member's preparation.
    Before,
}

/// A notice to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reminder {
    /// The same for the same meeting and kind, so that a moved notice takes the place of the old one.
    pub id: ReminderId,
    /// When.
    pub at: Timestamp,
    /// About which meeting.
    pub meeting: MeetingId,
    /// What for.
    pub kind: ReminderKind,
    /// First line.
    pub title: String,
    /// Second line.
    pub body: String,
}

/// The notices from `now` to `until`, soonest first.
pub fn reminders(input: &ReminderInput<'_>) -> Vec<Reminder> {
    let mut planned: Vec<Reminder> = input
        .meetings
        .iter()
        .filter(|it| it.meeting.state == MeetingState::Planned && it.meeting.finished.is_none())
        .flat_map(|it| [prepare(input, it), before(input, it)])
        .flatten()
        .filter(|reminder| reminder.at > input.now && reminder.at <= input.until)
        .collect();
    planned.sort_by_key(|reminder| (reminder.at, reminder.meeting, reminder.kind));
    planned
}

fn prepare(input: &ReminderInput<'_>, it: &RemindedMeeting<'_>) -> Option<Reminder> {
    if !input.settings.prepare || it.side != Side::Member || it.is_published {
        return None;
    }
    let day = it.meeting.starts_at().in_zone(input.zone).date().yesterday().ok()?;
    let wanted = day.to_datetime(PREPARE_AT);
    let at = allowed(input, it.meeting, wanted)?;
    // The last minute of an earlier day is no better than its afternoon.
    let at = if at.date() == day { at } else { at.date().to_datetime(PREPARE_AT) };
    reminder(input, it, ReminderKind::Prepare, input.zone.at(at))
}

fn before(input: &ReminderInput<'_>, it: &RemindedMeeting<'_>) -> Option<Reminder> {
    if !input.settings.before {
        return None;
    }
    let wanted = it.meeting.starts_at().minus(BEFORE);
    let local = wanted.in_zone(input.zone);
    let moved = allowed(input, it.meeting, local)?;
    let at = if moved == local { wanted } else { input.zone.at(moved) };
    (wanted.since(at) <= MAX_MOVED).then(|| reminder(input, it, ReminderKind::Before, at))?
}

/// The wanted moment, or the last one before it that is neither in the quiet hours nor on a day off.
fn allowed(input: &ReminderInput<'_>, meeting: &Meeting, wanted: DateTime) -> Option<DateTime> {
    let settings = input.settings;
    let mut at = wanted;
    if settings.quiet_hours && at.time() >= NIGHT {
        at = at.date().to_datetime(EVENING);
    } else if settings.quiet_hours && at.time() < MORNING {
        at = at.date().yesterday().ok()?.to_datetime(EVENING);
    }
    if !settings.days_off || !is_day_off(input, meeting, at.date()) {
        return Some(at);
    }
    let mut earlier = (1..=MAX_DAYS_OFF).map_while(|days| at.date().checked_sub(days.days()).ok());
    let day = earlier.find(|day| !is_day_off(input, meeting, *day))?;
    Some(day.to_datetime(if settings.quiet_hours { EVENING } else { LAST_MINUTE }))
}

/// The day of the meeting itself is none: the two agreed to meet on it. Nor are weekends when they meet on one.
fn is_day_off(input: &ReminderInput<'_>, meeting: &Meeting, day: Date) -> bool {
    let meets_on = meeting.starts_at().in_zone(input.zone).date();
    let weekend = holidays::is_weekend(day) && !holidays::is_weekend(meets_on);
    let holiday = holidays::are_kept_in(input.zone) && holidays::is_holiday(day);
    day != meets_on && (weekend || holiday)
}

fn reminder(
    input: &ReminderInput<'_>,
    it: &RemindedMeeting<'_>,
    kind: ReminderKind,
    at: Timestamp,
) -> Option<Reminder> {
    let starts = it.meeting.starts_at();
    if at >= starts {
        return None;
    }
    let (title, body) = words(input, it, kind, at);
    let name = match kind {
        ReminderKind::Prepare => "prepare",
        ReminderKind::Before => "before",
    };
    let id = Uuid::new_v5(&REMINDER_NAMESPACE, format!("{}/{name}", it.meeting.id).as_bytes());
    Some(Reminder { id: ReminderId::from_uuid(id), at, meeting: it.meeting.id, kind, title, body })
}

fn words(input: &ReminderInput<'_>, it: &RemindedMeeting<'_>, kind: ReminderKind, at: Timestamp) -> (String, String) {
    let (zone, language, name) = (input.zone, input.language, it.partner_name);
    let starts = it.meeting.starts_at();
    let local = starts.in_zone(zone);
    let clock = format!("{}:{:02}", local.hour(), local.minute());
    let is_same_day = at.in_zone(zone).date() == local.date();
    let when = if is_same_day { clock } else { local_time(starts, at, zone, language) };
    let (title, body) = match (language, kind, it.side) {
        (Language::Ja, ReminderKind::Prepare, _) => {
            (format!("{name}さんとの1on1の準備"), format!("{when} からです。話したいことを選びませんか？"))
        }
        (Language::En, ReminderKind::Prepare, _) => {
            (format!("Prepare your 1on1 with {name}"), format!("It starts {when}. What would you like to talk about?"))
        }
        (Language::Ja, ReminderKind::Before, Side::Manager) => {
            (format!("{when} {name}さんとの1on1"), "始まる前にブリーフを確認しませんか？".to_owned())
        }
        (Language::En, ReminderKind::Before, Side::Manager) => {
            (format!("{when} 1on1 with {name}"), "Would you like to read the brief first?".to_owned())
        }
        (Language::Ja, ReminderKind::Before, Side::Member) => {
            (format!("{when} {name}さんとの1on1"), "始まる前に準備を見直せます。".to_owned())
        }
        (Language::En, ReminderKind::Before, Side::Member) => {
            (format!("{when} 1on1 with {name}"), "You can look over your preparation first.".to_owned())
        }
    };
    (title, body)
}

#[cfg(test)]
mod tests;
