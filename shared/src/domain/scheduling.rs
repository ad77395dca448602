//! What becomes of a meeting or a cadence when somebody acts on it. Pure, and the same on both ends.
//!
//! The server calls it with its records and stores the result; the phone calls it with what it knows, so that its
//! screens show what waits in the outbox. Who may act is not asked here.

use std::time::Duration;

use super::{
    cadence::Cadence,
    command::Action,
    meeting::{BriefSeen, Meeting, MeetingChange, MeetingState, MeetingTime},
};
use crate::{ids::UserId, time::Timestamp};

/// Shortest and longest meeting, in minutes.
pub const LENGTH_MINUTES: std::ops::RangeInclusive<u16> = 5..=180;
/// How far from now a meeting can be: two years, as a slot that is claimed.
pub const TIME_WINDOW: Duration = Duration::from_secs(2 * 366 * 24 * 60 * 60);

/// Why an action changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Somebody else changed it first: the person has to choose.
    #[error("somebody else changed it first")]
    Conflict,
    /// The meeting is over.
    #[error("the meeting is finished")]
    AlreadyFinished,
    /// The time or length cannot be meant.
    #[error("a meeting has 5 to 180 minutes and lies within two years")]
    Implausible,
    /// It is not about a meeting.
    #[error("the action is not about a meeting")]
    NotAboutMeetings,
}

/// The meeting after `action` by `by`; `meeting` is the record, or what the slot says if there is none.
///
/// The same meeting comes back when there was nothing left to do, so that repeating an action is harmless.
///
/// # Errors
/// [`Refusal`]; the meeting stays as it is.
pub fn meeting_after(meeting: &Meeting, action: &Action, by: UserId, now: Timestamp) -> Result<Meeting, Refusal> {
    let over = meeting.state == MeetingState::Finished;
    match action {
        Action::Schedule { time, .. } if *time == meeting.time() && meeting.state == MeetingState::Planned => {
            Ok(meeting.clone())
        }
        Action::Move { time, .. } if *time == meeting.time() && meeting.state == MeetingState::Planned => {
            Ok(meeting.clone())
        }
        Action::Cancel { .. } if meeting.state == MeetingState::Cancelled => Ok(meeting.clone()),
        Action::Schedule { .. } | Action::Move { .. } | Action::Cancel { .. } if over => Err(Refusal::AlreadyFinished),
        Action::Schedule { time, .. } => moved(meeting, 0, time, by, now),
        Action::Move { base, time, .. } => moved(meeting, *base, time, by, now),
        Action::Cancel { base, .. } if *base == meeting.revision => {
            let state = MeetingState::Cancelled;
            Ok(Meeting { state, ..changed(meeting, by, now) })
        }
        Action::Cancel { .. } => Err(Refusal::Conflict),
        Action::Finish { at, .. } => {
            // A phone's clock may be ahead; nothing has finished in the future.
            let at = meeting.finished.map_or(*at, |known| known.min(*at)).min(now);
            Ok(Meeting { state: MeetingState::Finished, finished: Some(at), ..meeting.clone() })
        }
        Action::BriefSeen { at, heads, .. } => {
            let at = (*at).min(now);
            let newer = meeting.brief_seen.is_none_or(|known| known.at < at);
            let brief_seen = if newer { Some(BriefSeen { at, heads: *heads }) } else { meeting.brief_seen };
            Ok(Meeting { brief_seen, ..meeting.clone() })
        }
        Action::SetCadence { .. }
        | Action::Invite { .. }
        | Action::WriteTip { .. }
        | Action::WithdrawTip { .. }
        | Action::TipHelped { .. }
        | Action::ReportTip { .. }
        | Action::Unknown => Err(Refusal::NotAboutMeetings),
    }
}

/// Whether a new cadence can take the place of the one with `revision`.
///
/// # Errors
/// [`Refusal::Conflict`] if it is based on another one, [`Refusal::Implausible`].
pub fn check_cadence(revision: u32, base: u32, cadence: &Cadence, now: Timestamp) -> Result<(), Refusal> {
    let first = cadence.zone.at(cadence.first.to_datetime(cadence.time));
    if base != revision {
        Err(Refusal::Conflict)
    } else if !LENGTH_MINUTES.contains(&cadence.length_minutes) || !is_near(first, now) {
        Err(Refusal::Implausible)
    } else {
        Ok(())
    }
}

fn moved(meeting: &Meeting, base: u32, time: &MeetingTime, by: UserId, now: Timestamp) -> Result<Meeting, Refusal> {
    if base != meeting.revision {
        return Err(Refusal::Conflict);
    }
    let MeetingTime { starts, zone, length_minutes } = time.clone();
    if !LENGTH_MINUTES.contains(&length_minutes) || !is_near(zone.at(starts), now) {
        return Err(Refusal::Implausible);
    }
    Ok(Meeting { starts, zone, length_minutes, state: MeetingState::Planned, ..changed(meeting, by, now) })
}

fn changed(meeting: &Meeting, by: UserId, now: Timestamp) -> Meeting {
    let change = Some(MeetingChange { by, at: now, from: meeting.starts });
    Meeting { revision: meeting.revision.saturating_add(1), change, ..meeting.clone() }
}

fn is_near(at: Timestamp, now: Timestamp) -> bool {
    at > now.minus(TIME_WINDOW) && at < now.plus(TIME_WINDOW)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::{
        ids::{HeadsDigest, PairId},
        time::Zone,
    };

    const BY: UserId = UserId::from_bytes([1; 16]);

    fn at(hour: i8) -> MeetingTime {
        MeetingTime { starts: date(2026, 4, 20).at(hour, 0, 0, 0), zone: Zone::tokyo(), length_minutes: 30 }
    }

    fn now() -> Timestamp {
        Zone::tokyo().at(date(2026, 4, 17).at(9, 0, 0, 0))
    }

    fn meeting() -> Meeting {
        Cadence::default().meeting_in_slot(PairId::from_bytes([2; 16]), date(2026, 4, 20))
    }

    fn move_to(meeting: &Meeting, base: u32, hour: i8) -> Result<Meeting, Refusal> {
        meeting_after(meeting, &Action::Move { meeting: meeting.name(), base, time: at(hour) }, BY, now())
    }

    #[test]
    fn of_two_moves_from_the_same_state_the_second_is_a_conflict() {
        let first = move_to(&meeting(), 0, 11).unwrap();
        assert_eq!((first.starts, first.revision), (at(11).starts, 1));
        assert_eq!(first.change, Some(MeetingChange { by: BY, at: now(), from: at(10).starts }));
        assert_eq!(move_to(&first, 0, 15), Err(Refusal::Conflict));
        // Both meant the same: there is nothing to choose.
        assert_eq!(move_to(&first, 0, 11), Ok(first.clone()));
        assert_eq!(move_to(&first, 1, 15).unwrap().starts, at(15).starts);
    }

    #[test]
    fn a_cancelled_meeting_can_be_put_back_and_a_finished_one_cannot_be_moved() {
        let cancelled =
            meeting_after(&meeting(), &Action::Cancel { meeting: meeting().name(), base: 0 }, BY, now()).unwrap();
        assert_eq!(cancelled.state, MeetingState::Cancelled);
        assert_eq!(move_to(&cancelled, 1, 10).unwrap().state, MeetingState::Planned);
        let finished =
            meeting_after(&cancelled, &Action::Finish { meeting: meeting().name(), at: now() }, BY, now()).unwrap();
        assert_eq!(move_to(&finished, 1, 11), Err(Refusal::AlreadyFinished));
    }

    #[test]
    fn two_ends_are_one_with_the_earlier_time() {
        let end = |meeting: &Meeting, at| {
            meeting_after(meeting, &Action::Finish { meeting: meeting.name(), at }, BY, now()).unwrap()
        };
        let (early, late) = (now().minus(Duration::from_secs(60)), now());
        let one = end(&end(&meeting(), early), late);
        assert_eq!(one, end(&end(&meeting(), late), early));
        assert_eq!(one.finished, Some(early));
        // A clock that is an hour ahead does not end a meeting in the future.
        assert_eq!(end(&meeting(), now().plus(Duration::from_secs(3_600))).finished, Some(now()));
    }

    #[test]
    fn the_newest_look_at_the_brief_counts() {
        let seen = |meeting: &Meeting, at, heads| {
            let heads = HeadsDigest::from_bytes([heads; 16]);
            meeting_after(meeting, &Action::BriefSeen { meeting: meeting.name(), at, heads }, BY, now()).unwrap()
        };
        let newer = seen(&meeting(), now(), 2);
        assert_eq!(seen(&newer, now().minus(Duration::from_secs(5)), 1), newer);
        assert_eq!(newer.revision, 0);
    }

    #[test]
    fn times_that_cannot_be_meant_are_refused() {
        let time = |length_minutes, year| MeetingTime {
            starts: date(year, 4, 20).at(10, 0, 0, 0),
            zone: Zone::tokyo(),
            length_minutes,
        };
        for time in [time(4, 2026), time(181, 2026), time(30, 1999), time(30, 2999)] {
            let action = Action::Move { meeting: meeting().name(), base: 0, time };
            assert_eq!(meeting_after(&meeting(), &action, BY, now()), Err(Refusal::Implausible));
        }
        let cadence = Cadence { length_minutes: 0, ..Cadence::default() };
        assert_eq!(check_cadence(3, 3, &cadence, now()), Err(Refusal::Implausible));
        assert_eq!(check_cadence(3, 2, &Cadence::default(), now()), Err(Refusal::Conflict));
        assert_eq!(check_cadence(3, 3, &Cadence::default(), now()), Ok(()));
    }
}
