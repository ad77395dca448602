//! The next date to propose when a 1on1 is over: 「10月26日(月) 10:00 でよいですか？」
//!
//! Pure; asked by the phone with what it knows. はい is the command `schedule` for the meeting proposed.

use jiff::{ToSpan, civil::Date};

use super::{
    brief::local_time,
    catalog::Language,
    holidays,
    meeting::{Meeting, MeetingState},
    people::{Pair, PairState},
};
use crate::time::{Timestamp, Zone};

/// How far ahead to look for a free slot: three months of a monthly cadence.
const AHEAD_DAYS: i64 = 100;

/// A meeting to agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The meeting as its slot says.
    pub meeting: Meeting,
    /// Nominal date of the slot.
    pub slot: Date,
    /// The holiday because of which it is held later than usual.
    pub because_of_holiday: Option<Date>,
}

/// The next slot of a pair that nobody has touched; none if the two have agreed on a meeting at or before it, and none
/// for a pair that no longer meets. `touched` are the pair's meetings that are records.
pub fn next_proposal<'a>(
    pair: &Pair,
    touched: impl IntoIterator<Item = &'a Meeting>,
    now: Timestamp,
) -> Option<Proposal> {
    if pair.state != PairState::Open {
        return None;
    }
    let touched: Vec<_> = touched.into_iter().filter(|meeting| meeting.pair == pair.id).collect();
    let is_to_come = |meeting: &Meeting| meeting.state == MeetingState::Planned && meeting.starts_at() > now;
    let agreed = touched.iter().filter(|meeting| is_to_come(meeting)).map(|meeting| meeting.starts_at()).min();
    let today = now.in_zone(&pair.cadence.zone).date();
    let (from, to) = (today.saturating_sub(7.days()), today.saturating_add(AHEAD_DAYS.days()));
    let mut free = pair.cadence.slots(from, to).filter_map(|slot| {
        let meeting = pair.cadence.meeting_in_slot(pair.id, slot);
        let is_free = meeting.starts_at() > now && touched.iter().all(|known| known.id != meeting.id);
        is_free.then_some((slot, meeting))
    });
    let (slot, meeting) = free.next()?;
    if agreed.is_some_and(|agreed| agreed <= meeting.starts_at()) {
        return None;
    }
    let because_of_holiday = (meeting.starts.date() != slot).then_some(slot);
    Some(Proposal { meeting, slot, because_of_holiday })
}

impl Proposal {
    /// The day and time as people say it.
    pub fn when(&self, now: Timestamp, zone: &Zone, language: Language) -> String {
        local_time(self.meeting.starts_at(), now, zone, language)
    }

    /// 「10月26日(月) 10:00 でよいですか？」
    pub fn question(&self, now: Timestamp, zone: &Zone, language: Language) -> String {
        let when = self.when(now, zone, language);
        match language {
            Language::Ja => format!("{when} でよいですか？"),
            Language::En => format!("Shall we meet {when}?"),
        }
    }

    /// The name of the holiday because of which it is later than usual.
    pub fn holiday(&self, language: Language) -> Option<&'static str> {
        holidays::holiday(self.because_of_holiday?, language)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::{
        domain::{cadence::Cadence, people::PairKind},
        ids::{PairId, UserId},
    };

    fn pair() -> Pair {
        Pair {
            id: PairId::from_bytes([1; 16]),
            member: UserId::from_bytes([2; 16]),
            manager: UserId::from_bytes([3; 16]),
            kind: PairKind::Line,
            cadence: Cadence { first: date(2026, 9, 28), ..Cadence::default() },
            cadence_revision: 0,
            state: PairState::Open,
        }
    }

    fn in_slot(month: i8, day: i8, state: MeetingState) -> Meeting {
        let slot = date(2026, month, day);
        Meeting { state, ..pair().cadence.meeting_in_slot(pair().id, slot) }
    }

    fn proposed(touched: &[Meeting]) -> Option<Date> {
        let now = Zone::tokyo().at(date(2026, 9, 28).at(10, 30, 0, 0));
        next_proposal(&pair(), touched, now).map(|proposal| proposal.slot)
    }

    #[test]
    fn the_next_slot_is_proposed_and_the_holiday_named_that_moves_it() {
        let now = Zone::tokyo().at(date(2026, 9, 28).at(10, 30, 0, 0));
        let proposal = next_proposal(&pair(), &[in_slot(9, 28, MeetingState::Finished)], now).unwrap();
        let zone = Zone::tokyo();
        assert_eq!((proposal.slot, proposal.meeting.starts.date()), (date(2026, 10, 12), date(2026, 10, 13)));
        assert_eq!(proposal.question(now, &zone, Language::Ja), "10月13日(火) 10:00 でよいですか？");
        assert_eq!(proposal.question(now, &zone, Language::En), "Shall we meet Tue 13 Oct, 10:00?");
        assert_eq!(proposal.holiday(Language::Ja), Some("スポーツの日"));
        let later = Zone::tokyo().at(date(2026, 10, 13).at(10, 0, 0, 0));
        let next = next_proposal(&pair(), &[], later).unwrap();
        assert_eq!((next.slot, next.holiday(Language::En)), (date(2026, 10, 26), None));
    }

    #[test]
    fn what_is_agreed_is_not_asked_again() {
        use MeetingState::{Cancelled, Finished, Planned};
        assert_eq!(proposed(&[in_slot(10, 12, Planned)]), None);
        assert_eq!(proposed(&[in_slot(10, 12, Cancelled)]), Some(date(2026, 10, 26)));
        assert_eq!(proposed(&[in_slot(10, 12, Finished)]), Some(date(2026, 10, 26)), "it was held earlier");
        assert_eq!(proposed(&[in_slot(10, 26, Planned)]), Some(date(2026, 10, 12)), "one further on leaves a gap");
        let moved = Meeting { starts: date(2026, 10, 7).at(9, 0, 0, 0), revision: 1, ..in_slot(10, 12, Planned) };
        assert_eq!(proposed(std::slice::from_ref(&moved)), None);
        let by_hand = Meeting { id: crate::ids::MeetingId::from_bytes([9; 16]), slot: None, ..moved.clone() };
        assert_eq!(proposed(&[by_hand]), None);
        let of_others = Meeting { pair: PairId::from_bytes([8; 16]), ..moved };
        assert_eq!(proposed(&[of_others]), Some(date(2026, 10, 12)));
    }

    #[test]
    fn a_closed_pair_is_asked_nothing() {
        let at = Timestamp::default();
        let closed = Pair { state: PairState::Closed { at }, ..pair() };
        assert_eq!(next_proposal(&closed, &[], Zone::tokyo().at(date(2026, 9, 28).at(10, 30, 0, 0))), None);
    }
}
