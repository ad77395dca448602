//! When a pair meets: its rhythm, and the slots that follow from it.
//!
//! Pure calendar arithmetic on nominal local dates. Moving a slot because of a holiday does not change its nominal date.

use jiff::{ToSpan, civil};
use serde::{Deserialize, Serialize};

use super::meeting::{Meeting, MeetingName, MeetingTime};
use crate::{ids::PairId, time::Zone};

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rhythm {
    /// Every week.
    Weekly,
    /// Every second week; what the field experiment recommended.
    Biweekly,
}

/// The rhythm of a pair: from the first date on, at a local time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cadence {
    /// How often.
    pub rhythm: Rhythm,
    /// Date of the first slot; its weekday is the weekday of all.
    pub first: civil::Date,
    /// Local time of day.
    pub time: civil::Time,
    /// Zone of date and time.
    pub zone: Zone,
    /// Planned length in minutes, 5 to 180.
    pub length_minutes: u16,
}

impl Default for Cadence {
    /// Every second Monday at 10:00 in Japan for 30 minutes, from Monday 6 April 2026.
    fn default() -> Self {
        Self {
            rhythm: Rhythm::Biweekly,
            first: civil::date(2026, 4, 6),
            time: civil::time(10, 0, 0, 0),
            zone: Zone::tokyo(),
            length_minutes: 30,
        }
    }
}

impl Cadence {
    /// Days between two slots.
    pub fn interval_days(&self) -> i64 {
        match self.rhythm {
            Rhythm::Weekly => 7,
            Rhythm::Biweekly => 14,
        }
    }

    /// Nominal dates of the slots from `from` to `to`, both included.
    pub fn slots(&self, from: civil::Date, to: civil::Date) -> impl Iterator<Item = civil::Date> + '_ {
        let interval = self.interval_days();
        let start = from.max(self.first);
        let days = self.first.until(start).map_or(0, |span| i64::from(span.get_days()));
        let index = (days + interval - 1) / interval;
        (index..)
            .map_while(move |i| self.first.checked_add((i * interval).days()).ok())
            .take_while(move |date| *date <= to)
    }

    /// The meeting that the slot on the nominal date `slot` of `pair` stands for, as long as nobody has touched it.
    pub fn meeting_in_slot(&self, pair: PairId, slot: civil::Date) -> Meeting {
        let name = MeetingName { id: Meeting::id_of_slot(pair, slot), pair, slot: Some(slot) };
        let (zone, length_minutes) = (self.zone.clone(), self.length_minutes);
        Meeting::planned(name, MeetingTime { starts: slot.to_datetime(self.time), zone, length_minutes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_keep_their_weekday_and_distance() {
        let cadence = Cadence::default();
        let slots: Vec<_> = cadence.slots(civil::date(2026, 4, 7), civil::date(2026, 5, 31)).collect();
        assert_eq!(slots, [civil::date(2026, 4, 20), civil::date(2026, 5, 4), civil::date(2026, 5, 18)]);
        let first: Vec<_> = cadence.slots(civil::date(2020, 1, 1), civil::date(2026, 4, 6)).collect();
        assert_eq!(first, [civil::date(2026, 4, 6)]);
    }
}
