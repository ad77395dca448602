//! Japan's national holidays from 2024 to 2040: data, embedded at build time and recomputed from the law by a test.
//!
//! Asked by the cadence, which moves slots away from them, and by reminders, which keep quiet on them. Years after
//! [`published_to`] are projected: the equinoxes are only official once the gazette of the February before names them.

use std::{collections::BTreeMap, sync::LazyLock};

use jiff::civil::{Date, Weekday};
use serde::Deserialize;

use super::catalog::{Bilingual, Language};
use crate::time::Zone;

#[derive(Debug, Deserialize)]
struct Table {
    published_to: i16,
    names: BTreeMap<String, Bilingual<String>>,
    days: BTreeMap<Date, String>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../catalog/holidays.json"))
        .expect("the embedded table is valid, as tested")
});

/// The name of the holiday on a date; none on other days, and in years that the table does not cover.
pub fn holiday(date: Date, language: Language) -> Option<&'static str> {
    let table = &*TABLE;
    let name = table.days.get(&date)?;
    table.names.get(name).map(|names| names.get(language).as_str())
}

/// Whether a date is a holiday.
pub fn is_holiday(date: Date) -> bool {
    TABLE.days.contains_key(&date)
}

/// Whether a date is a Saturday or Sunday.
pub fn is_weekend(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// Whether nobody is expected to work: a weekend, or in Japan a holiday.
pub fn is_day_off(date: Date, zone: &Zone) -> bool {
    is_weekend(date) || (are_kept_in(zone) && is_holiday(date))
}

/// Whether these holidays are kept in a zone.
pub fn are_kept_in(zone: &Zone) -> bool {
    zone.name() == "Asia/Tokyo"
}

/// The last year whose holidays the gazette has published.
pub fn published_to() -> i16 {
    TABLE.published_to
}

#[cfg(test)]
mod tests {
    use jiff::{ToSpan, civil::date};

    use super::*;

    /// Day of the month by the observatory's formula for 1980 to 2099; `constant` in millionths of a day.
    fn equinox(year: i16, constant: i64) -> i8 {
        let years = i64::from(year) - 1980;
        i8::try_from((constant + 242_194 * years) / 1_000_000 - years / 4).unwrap()
    }

    /// Article 2: the national holidays of a year.
    fn named(year: i16) -> BTreeMap<Date, &'static str> {
        let on = |month, day| date(year, month, day);
        let monday = |month, nth| on(month, 1).nth_weekday_of_month(nth, Weekday::Monday).unwrap();
        BTreeMap::from([
            (on(1, 1), "new_year"),
            (monday(1, 2), "coming_of_age"),
            (on(2, 11), "foundation"),
            (on(2, 23), "emperors_birthday"),
            (on(3, equinox(year, 20_843_100)), "vernal_equinox"),
            (on(4, 29), "showa"),
            (on(5, 3), "constitution"),
            (on(5, 4), "greenery"),
            (on(5, 5), "children"),
            (monday(7, 3), "marine"),
            (on(8, 11), "mountain"),
            (monday(9, 3), "respect_for_the_aged"),
            (on(9, equinox(year, 23_248_800)), "autumnal_equinox"),
            (monday(10, 2), "sports"),
            (on(11, 3), "culture"),
            (on(11, 23), "labour_thanksgiving"),
        ])
    }

    /// Article 3: also the next free day after a holiday on a Sunday, and a day between two holidays.
    fn computed(year: i16) -> BTreeMap<Date, &'static str> {
        let named = named(year);
        let mut all = named.clone();
        for sunday in named.keys().filter(|day| day.weekday() == Weekday::Sunday) {
            let free = sunday.series(1.day()).find(|day| !named.contains_key(day)).unwrap();
            all.insert(free, "substitute");
        }
        for first in named.keys() {
            let (day, last) = (first.tomorrow().unwrap(), first.saturating_add(2.days()));
            if named.contains_key(&last) {
                all.entry(day).or_insert("between");
            }
        }
        all
    }

    // Once, in November 2026, all 304 dates were also compared with those of the npm package @holiday-jp/holiday_jp
    // 2.5.1, which takes them from the Cabinet Office's list and projects: every date agrees.
    #[test]
    fn every_date_follows_from_the_law() {
        let computed: BTreeMap<Date, String> =
            (2024..=2040).flat_map(computed).map(|(day, name)| (day, name.to_owned())).collect();
        assert_eq!(TABLE.days, computed);
        assert_eq!(published_to(), 2027, "the gazette of 2 February 2026 named the equinoxes of 2027");
    }

    #[test]
    fn every_holiday_has_a_name_in_both_languages() {
        let used: std::collections::BTreeSet<_> = TABLE.days.values().collect();
        assert_eq!(used, TABLE.names.keys().collect());
        assert!(TABLE.names.values().all(|name| !name.ja.is_empty() && !name.en.is_empty()));
        assert_eq!(holiday(date(2026, 9, 22), Language::Ja), Some("国民の休日"));
        assert_eq!(holiday(date(2027, 3, 22), Language::En), Some("Substitute Holiday"));
        assert_eq!(holiday(date(2026, 9, 24), Language::Ja), None);
    }

    #[test]
    fn days_off_are_weekends_everywhere_and_holidays_in_japan() {
        let seoul: Zone = "Asia/Seoul".parse().unwrap();
        for (day, japan, korea) in [
            (date(2026, 5, 1), false, false),
            (date(2026, 5, 2), true, true),
            (date(2026, 5, 4), true, false),
            (date(2023, 5, 4), false, false),
        ] {
            assert_eq!((is_day_off(day, &Zone::tokyo()), is_day_off(day, &seoul)), (japan, korea), "{day}");
        }
    }
}
