//! What becomes of a meeting or a cadence when a command asks for it. Pure; the records are arguments.
//!
//! The rules that the phone shares stand in `shared::domain::scheduling`; here is what only the server knows: who may,
//! whether the pair still meets, and whether the meeting can be.

use taiwa_shared::{
    domain::{
        cadence::Cadence,
        command::Action,
        meeting::{Meeting, MeetingName, MeetingTime},
        people::{Pair, PairState, Side},
        scheduling::{LENGTH_MINUTES, Refusal, TIME_WINDOW, check_cadence, meeting_after},
    },
    ids::UserId,
    protocol::commands::{Current, RejectionReason},
    time::Timestamp,
};

use super::{super::slots::meeting_in_slot, Change, Verdict};

/// Decides on a command about the meeting `name` of a pair that the sender sees; `record` is what is stored under its id.
pub(super) fn meeting(
    pair: &Pair,
    side: Side,
    record: Option<Meeting>,
    name: &MeetingName,
    action: &Action,
    by: UserId,
    now: Timestamp,
) -> Verdict {
    if matches!(action, Action::BriefSeen { .. }) && side == Side::Member {
        return Verdict::not_found();
    }
    let is_record = record.is_some();
    let before = match record {
        Some(record) if record.pair == pair.id => record,
        Some(_) => return Verdict::not_found(),
        None => match meeting_in_slot(pair, name, now).or_else(|| made_by_hand(name, action)) {
            Some(new) => new,
            None => return Verdict::not_found(),
        },
    };
    if pair.state != PairState::Open {
        return Verdict::rejected(RejectionReason::PairClosed, is_record.then_some(Current::Meeting(before)));
    }
    if !is_plausible(action, now) {
        return Verdict::rejected(RejectionReason::Implausible, Some(Current::Meeting(before)));
    }
    match meeting_after(&before, action, by, now) {
        Ok(after) if is_record && after == before => Verdict::done(),
        Ok(after) => Verdict::applied(Change::Meeting(after)),
        Err(refusal) => refused(refusal, Current::Meeting(before)),
    }
}

/// Decides on a new cadence of a pair that the sender sees.
pub(super) fn cadence(pair: &Pair, base: u32, cadence: &Cadence, now: Timestamp) -> Verdict {
    let revision = pair.cadence_revision;
    let current = Current::Cadence { cadence: pair.cadence.clone(), revision };
    if pair.state != PairState::Open {
        return Verdict::rejected(RejectionReason::PairClosed, Some(current));
    }
    if *cadence == pair.cadence {
        // Both meant the same: there is nothing to choose.
        return Verdict::done();
    }
    match check_cadence(revision, base, cadence, now) {
        Ok(()) => {
            let cadence_revision = revision.saturating_add(1);
            Verdict::applied(Change::Cadence(Pair { cadence: cadence.clone(), cadence_revision, ..pair.clone() }))
        }
        Err(refusal) => refused(refusal, current),
    }
}

fn refused(refusal: Refusal, current: Current) -> Verdict {
    let reason = match refusal {
        Refusal::Conflict => return Verdict::conflict(current),
        Refusal::AlreadyFinished => RejectionReason::AlreadyFinished,
        Refusal::Implausible => RejectionReason::Implausible,
        Refusal::NotAboutMeetings => RejectionReason::NotUnderstood,
    };
    Verdict::rejected(reason, Some(current))
}

/// A meeting outside the cadence begins by being scheduled. Its id is made on a phone; those of slots are derived, so
/// that nobody can put another meeting in the place of a slot's.
fn made_by_hand(name: &MeetingName, action: &Action) -> Option<Meeting> {
    match action {
        Action::Schedule { time, .. } if name.slot.is_none() && name.id.as_uuid().get_version_num() == 7 => {
            Some(Meeting::planned(*name, time.clone()))
        }
        _ => None,
    }
}

/// What `meeting_after` does not ask of what it need not change, and of times that a phone's clock gives.
fn is_plausible(action: &Action, now: Timestamp) -> bool {
    let is_near = |at: Timestamp| at > now.minus(TIME_WINDOW) && at < now.plus(TIME_WINDOW);
    match action {
        Action::Schedule { time: MeetingTime { starts, zone, length_minutes }, .. } => {
            LENGTH_MINUTES.contains(length_minutes) && is_near(zone.at(*starts))
        }
        Action::Finish { at, .. } | Action::BriefSeen { at, .. } => is_near(*at),
        _ => true,
    }
}
