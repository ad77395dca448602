//! Meetings that are no record yet: what a slot of a pair stands for, as long as nobody has touched it.
//!
//! A slot is taken whatever the present cadence says, because a phone may have derived it before the cadence changed.

use std::time::Duration;

use taiwa_shared::{
    domain::{
        meeting::{Meeting, MeetingName},
        people::Pair,
    },
    time::Timestamp,
};

/// How far from now the slot of a meeting that becomes a record may lie.
const SLOT_WINDOW: Duration = Duration::from_secs(2 * 366 * 24 * 60 * 60);

/// The meeting of a slot that nobody has touched, if `name` has a slot, the id follows from it, and it is not years away.
pub(super) fn meeting_in_slot(pair: &Pair, name: &MeetingName, now: Timestamp) -> Option<Meeting> {
    let planned = pair.cadence.meeting_in_slot(pair.id, name.slot?);
    let starts = planned.starts_at();
    let in_window = starts > now.minus(SLOT_WINDOW) && starts < now.plus(SLOT_WINDOW);
    (planned.id == name.id && in_window).then_some(planned)
}
