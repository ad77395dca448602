//! When a week begins and closes, and when it is counted: in Japan's time, in which all organisations work.

use jiff::{
    ToSpan,
    civil::{Date, Weekday},
};
use taiwa_shared::{
    domain::strengths::HalfYear,
    time::{Timestamp, Zone},
};

/// On Monday at this hour the week before is counted: nobody looks at words in the night, and a phone that was set
/// wrong by an hour or two has long been heard.
const COUNT_HOUR: i8 = 6;

/// The Monday of the week of a moment.
pub fn monday_of(now: Timestamp) -> Date {
    let today = now.in_zone(&Zone::tokyo()).date();
    today.saturating_sub(i64::from(today.weekday().since(Weekday::Monday)).days())
}

/// The Monday after this one.
pub fn after(monday: Date) -> Date {
    monday.saturating_add(1.week())
}

/// When the week of this Monday begins, and the one before closes.
pub fn begin(monday: Date) -> Timestamp {
    Zone::tokyo().at(monday.at(0, 0, 0, 0))
}

/// When the weeks before this Monday are counted.
pub fn count_of(monday: Date) -> Timestamp {
    Zone::tokyo().at(monday.at(COUNT_HOUR, 0, 0, 0))
}

/// The last Monday whose count is due.
pub fn last_due(now: Timestamp) -> Date {
    let monday = monday_of(now);
    if count_of(monday) <= now { monday } else { monday.saturating_sub(1.week()) }
}

/// The half-year for which raters of this week keep one key.
pub fn half_year_of(week: Date) -> HalfYear {
    HalfYear::of(week)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_closes_on_sunday_at_24_and_is_counted_on_monday_at_6() {
        let tokyo = |text: &str| Zone::tokyo().at(text.parse().unwrap());
        for (now, week, due) in [
            ("2026-11-22T23:59:59", "2026-11-16", "2026-11-16"),
            ("2026-11-23T00:00:00", "2026-11-23", "2026-11-16"),
            ("2026-11-23T05:59:59", "2026-11-23", "2026-11-16"),
            ("2026-11-23T06:00:00", "2026-11-23", "2026-11-23"),
            ("2026-11-29T12:00:00", "2026-11-23", "2026-11-23"),
        ] {
            assert_eq!(monday_of(tokyo(now)).to_string(), week, "{now}");
            assert_eq!(last_due(tokyo(now)).to_string(), due, "{now}");
        }
        assert_eq!(begin(after(monday_of(tokyo("2026-11-22T12:00:00")))), tokyo("2026-11-23T00:00:00"));
    }
}
