//! When a new pair meets, until the two move it: every second week, at a time that suits both calendars.
//!
//! Deterministic: the same pairs in the same organisation on the same day get the same times.

use std::collections::{HashMap, HashSet};

use jiff::civil::{Date, Weekday, date, time};
use sha2::{Digest, Sha256};
use taiwa_shared::{
    domain::{
        cadence::{Cadence, Rhythm},
        people::Pair,
    },
    ids::UserId,
    time::{Timestamp, Zone},
};

/// Length of a 1on1, and the grid on which new ones are placed.
const SLOT_MINUTES: u16 = 30;
/// 9:00 to 17:00 on the grid.
const FIRST_HOUR: i8 = 9;
const SLOTS_PER_DAY: usize = 16;
/// Half hours of a day, to compare with cadences that people have moved anywhere.
const HALF_HOURS: i64 = 48;
/// Two weeks: after that a biweekly calendar repeats.
const CYCLE_DAYS: i64 = 14;
const WEEK_DAYS: i64 = 7;

/// The half hours of a fortnight that people's open pairs take.
pub(in crate::records) struct Calendar {
    taken: HashMap<UserId, HashSet<i64>>,
    candidates: Vec<Cadence>,
}

impl Calendar {
    pub(in crate::records) fn new<'a>(open: impl Iterator<Item = &'a Pair>, now: Timestamp) -> Self {
        let mut calendar = Self { taken: HashMap::new(), candidates: candidates(now) };
        for pair in open {
            calendar.take(pair.member, pair.manager, &pair.cadence);
        }
        calendar
    }

    /// Takes a free time of both; with none left, one that only the seed decides.
    pub(in crate::records) fn place(&mut self, member: UserId, manager: UserId, seed: &str) -> Cadence {
        let digest = Sha256::digest(seed.as_bytes());
        let start = usize::from(u16::from_be_bytes([digest[0], digest[1]])) % self.candidates.len();
        let in_turn = || self.candidates[start..].iter().chain(&self.candidates[..start]);
        let free = in_turn().find(|cadence| self.is_free(member, cadence) && self.is_free(manager, cadence));
        let cadence = free.or_else(|| in_turn().next()).expect("a fortnight has working days").clone();
        self.take(member, manager, &cadence);
        cadence
    }

    fn is_free(&self, person: UserId, cadence: &Cadence) -> bool {
        self.taken.get(&person).is_none_or(|taken| half_hours(cadence).all(|slot| !taken.contains(&slot)))
    }

    fn take(&mut self, member: UserId, manager: UserId, cadence: &Cadence) {
        for person in [member, manager] {
            self.taken.entry(person).or_default().extend(half_hours(cadence));
        }
    }
}

/// Every time on the grid in the ten working days from today on.
fn candidates(now: Timestamp) -> Vec<Cadence> {
    let zone = Zone::tokyo();
    let today = now.in_zone(&zone).date();
    let days = today.series(jiff::ToSpan::days(1)).take(CYCLE_DAYS as usize);
    let working = days.filter(|day| !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday));
    working
        .flat_map(|first| {
            let zone = zone.clone();
            (0..SLOTS_PER_DAY).map(move |slot| {
                let (hours, half) = ((slot / 2) as i8, (slot % 2) as i8);
                Cadence {
                    rhythm: Rhythm::recommended(),
                    first,
                    time: time(FIRST_HOUR + hours, half * 30, 0, 0),
                    zone: zone.clone(),
                    length_minutes: SLOT_MINUTES,
                }
            })
        })
        .collect()
}

/// The half hours of the fortnight that a cadence takes, counted from a fixed Monday. A monthly one comes now in one week
/// of the fortnight and now in the other, so it takes both.
fn half_hours(cadence: &Cadence) -> impl Iterator<Item = i64> {
    const MONDAY: Date = date(2001, 1, 1);
    let days = MONDAY.until(cadence.first).map_or(0, |span| i64::from(span.get_days()));
    let start = i64::from(cadence.time.hour()) * 2 + i64::from(cadence.time.minute()) / 30;
    let minutes = i64::from(cadence.time.minute()) % 30 + i64::from(cadence.length_minutes);
    let length = (minutes + 29) / 30;
    let interval = match cadence.rhythm {
        Rhythm::Weekly | Rhythm::Monthly(_) => WEEK_DAYS,
        Rhythm::Biweekly => CYCLE_DAYS,
    };
    let repeats = CYCLE_DAYS / interval;
    (0..repeats).flat_map(move |repeat| {
        let day = (days + repeat * interval).rem_euclid(CYCLE_DAYS);
        (start..start + length).map(move |half_hour| (day * HALF_HOURS + half_hour).rem_euclid(CYCLE_DAYS * HALF_HOURS))
    })
}
