use std::collections::HashSet;

use jiff::civil::{DateTime, date};
use proptest::prelude::*;
use rrule::RRuleSet;

use super::*;

const PAIR: PairId = PairId::from_bytes([7; 16]);

fn meets(rhythm: Rhythm, first: Date, zone: &str) -> Cadence {
    Cadence { rhythm, first, zone: zone.parse().unwrap(), ..Cadence::default() }
}

fn slots(cadence: &Cadence, from: Date, to: Date) -> Vec<Date> {
    cadence.slots(from, to).collect()
}

#[test]
fn slots_keep_their_weekday_and_distance() {
    let cadence = Cadence::default();
    let found = slots(&cadence, date(2026, 4, 7), date(2026, 5, 31));
    assert_eq!(found, [date(2026, 4, 20), date(2026, 5, 4), date(2026, 5, 18)]);
    assert_eq!(slots(&cadence, date(2020, 1, 1), date(2026, 4, 6)), [date(2026, 4, 6)]);
}

#[test]
fn a_slot_on_a_holiday_is_held_on_the_next_working_day_under_its_own_name() {
    let cadence = Cadence::default();
    for (slot, held) in [
        (date(2026, 5, 4), date(2026, 5, 7)),   // three holidays follow each other
        (date(2026, 9, 21), date(2026, 9, 24)), // a day between two holidays is one
        (date(2026, 10, 12), date(2026, 10, 13)),
        (date(2026, 10, 26), date(2026, 10, 26)),
    ] {
        let meeting = cadence.meeting_in_slot(PAIR, slot);
        assert_eq!((meeting.starts.date(), meeting.slot), (held, Some(slot)));
        assert_eq!(meeting.id, Meeting::id_of_slot(PAIR, slot));
        assert_eq!(cadence.held_on(slot), Some(held));
    }
    // A Friday before a weekend; a Sunday's pair works on days off; other countries have other holidays.
    let friday = meets(Rhythm::Weekly, date(2033, 4, 1), "Asia/Tokyo");
    assert_eq!(friday.held_on(date(2033, 4, 29)), Some(date(2033, 5, 2)));
    let sunday = meets(Rhythm::Weekly, date(2026, 4, 5), "Asia/Tokyo");
    assert_eq!(sunday.held_on(date(2026, 5, 3)), Some(date(2026, 5, 3)));
    let paris = meets(Rhythm::Biweekly, date(2026, 4, 6), "Europe/Paris");
    assert_eq!(paris.held_on(date(2026, 5, 4)), Some(date(2026, 5, 4)));
}

#[test]
fn a_slot_that_holidays_push_to_the_next_one_is_skipped() {
    // As the ten days in a row of 2019 were.
    let (first, last) = (date(2026, 4, 25), date(2026, 5, 4));
    let off = |day: Date| holidays::is_weekend(day) || (first..=last).contains(&day);
    let weekly = Cadence { rhythm: Rhythm::Weekly, ..Cadence::default() };
    assert_eq!(weekly.held_unless(date(2026, 4, 27), off), None, "5 May is after the next slot");
    assert_eq!(weekly.held_unless(date(2026, 5, 4), off), Some(date(2026, 5, 5)));
    let biweekly = Cadence { first: date(2026, 4, 13), ..Cadence::default() };
    assert_eq!(biweekly.held_unless(date(2026, 4, 27), off), Some(date(2026, 5, 5)));
}

#[test]
fn no_slot_is_skipped_by_the_holidays_there_are() {
    for rhythm in Rhythm::ALL {
        for day in 1..=7 {
            let cadence = meets(rhythm, date(2024, 1, day), "Asia/Tokyo");
            let nominal: Vec<_> = cadence.nominal_from(cadence.first).take_while(|slot| slot.year() <= 2040).collect();
            assert_eq!(slots(&cadence, cadence.first, date(2040, 12, 31)), nominal);
        }
    }
}

#[test]
fn a_rhythm_in_json_and_in_words() {
    let cases = [
        (Rhythm::Weekly, r#""weekly""#, "毎週 木曜日", "every Thursday"),
        (Rhythm::Biweekly, r#""biweekly""#, "隔週 木曜日", "every second Thursday"),
        (
            Rhythm::Monthly(WeekOfMonth::Second),
            r#"{"monthly":"second"}"#,
            "毎月 第2木曜日",
            "second Thursday of the month",
        ),
        (Rhythm::Monthly(WeekOfMonth::Last), r#"{"monthly":"last"}"#, "毎月 最終木曜日", "last Thursday of the month"),
    ];
    for (rhythm, json, ja, en) in cases {
        assert_eq!(serde_json::to_string(&rhythm).unwrap(), json);
        assert_eq!(serde_json::from_str::<Rhythm>(json).unwrap(), rhythm);
        assert_eq!(rhythm.words(Weekday::Thursday, Language::Ja), ja);
        assert_eq!(rhythm.words(Weekday::Thursday, Language::En), en);
    }
    for language in [Language::Ja, Language::En] {
        let words: HashSet<_> = Rhythm::ALL.iter().map(|rhythm| rhythm.words(Weekday::Monday, language)).collect();
        assert_eq!(words.len(), Rhythm::ALL.len());
        let advised: Vec<_> = Rhythm::ALL.into_iter().filter(|rhythm| rhythm.advice(language).is_some()).collect();
        assert_eq!(advised, [Rhythm::recommended()]);
    }
}

/// The same rhythm for the oracle.
fn rule(cadence: &Cadence) -> String {
    const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
    let day = DAYS[usize::try_from(cadence.first.weekday().to_monday_zero_offset()).unwrap()];
    match cadence.rhythm {
        Rhythm::Weekly => format!("FREQ=WEEKLY;BYDAY={day}"),
        Rhythm::Biweekly => format!("FREQ=WEEKLY;INTERVAL=2;BYDAY={day}"),
        Rhythm::Monthly(week) => format!("FREQ=MONTHLY;BYDAY={:+}{day}", week.nth()),
    }
}

fn by_oracle(cadence: &Cadence, from: Date, to: Date) -> Vec<Date> {
    let text = format!("DTSTART:{}T000000Z\nRRULE:{}", cadence.first.strftime("%Y%m%d"), rule(cadence));
    let set: RRuleSet = text.parse().unwrap();
    set.into_iter()
        .map(|at| at.date_naive().to_string().parse().unwrap())
        .skip_while(|slot: &Date| *slot < from)
        .take_while(|slot| *slot <= to)
        .collect()
}

fn rhythms() -> impl Strategy<Value = Rhythm> {
    prop::sample::select(&Rhythm::ALL[..])
}

fn dates() -> impl Strategy<Value = Date> {
    (0_i64..20 * 365).prop_map(|days| date(2022, 1, 1).saturating_add(days.days()))
}

proptest! {
    #[test]
    fn slots_are_those_of_another_calendar(rhythm in rhythms(), first in dates(), ahead in -400_i64..400, days in 0_i64..400) {
        let cadence = meets(rhythm, first, "Europe/Paris");
        let from = first.saturating_add(ahead.days());
        let to = from.saturating_add(days.days());
        prop_assert_eq!(slots(&cadence, from, to), by_oracle(&cadence, from, to));
    }

    #[test]
    fn slots_of_working_days_are_held_on_working_days_in_order(rhythm in rhythms(), first in dates()) {
        prop_assume!(!holidays::is_weekend(first));
        let cadence = meets(rhythm, first, "Asia/Tokyo");
        let mut before = None;
        for slot in slots(&cadence, first, first.saturating_add(800.days())) {
            let meeting = cadence.meeting_in_slot(PAIR, slot);
            let held = meeting.starts.date();
            prop_assert!(!holidays::is_day_off(held, &cadence.zone), "{held}");
            prop_assert!(held >= slot && before < Some(held), "{slot} {held}");
            prop_assert_eq!(meeting.starts.time(), cadence.time);
            before = Some(held);
        }
    }
}

#[derive(Deserialize)]
struct Vector {
    cadence: Cadence,
    from: Date,
    to: Date,
    /// Nominal date and the local start of the meeting in it.
    slots: Vec<(Date, DateTime)>,
}

/// For other implementations of the calendar; vectors are added and never changed.
#[test]
fn the_vectors_of_slots_hold() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("../../../tests/vectors/slots.json")).unwrap();
    for Vector { cadence, from, to, slots } in vectors {
        let found: Vec<_> =
            cadence.slots(from, to).map(|slot| (slot, cadence.meeting_in_slot(PAIR, slot).starts)).collect();
        assert_eq!(found, slots, "{cadence:?}");
    }
}
