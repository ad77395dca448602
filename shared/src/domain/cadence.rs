//! When a pair meets: its rhythm, the slots that follow from it, and where a slot goes that falls on a holiday.
//!
//! Pure calendar arithmetic on local dates, the same on both ends. A slot is named by its *nominal* date, from which the
//! meeting's id follows; a holiday changes the day it is held on, never the name.

use jiff::{
    ToSpan,
    civil::{Date, Time, Weekday, date, time},
};
use serde::{Deserialize, Serialize};

use super::{
    catalog::Language,
    holidays,
    meeting::{Meeting, MeetingName, MeetingTime},
};
use crate::{ids::PairId, time::Zone};

/// Which one of the weekday in a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum WeekOfMonth {
    /// From the 1st to the 7th.
    First,
    /// From the 8th to the 14th.
    Second,
    /// From the 15th to the 21st.
    Third,
    /// From the 22nd to the 28th.
    Fourth,
    /// The last seven days.
    Last,
}

/// How often: `"weekly"`, `"biweekly"` or `{"monthly":"second"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Rhythm {
    /// Every week.
    Weekly,
    /// Every second week; what the field experiment recommended.
    Biweekly,
    /// Once a month, in this week.
    Monthly(WeekOfMonth),
}

/// The rhythm of a pair: from the first date on, at a local time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cadence {
    /// How often.
    pub rhythm: Rhythm,
    /// No slot lies before it, and its weekday is the weekday of all; weekly and biweekly it is the first slot.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::time::described::LocalDate))]
    pub first: Date,
    /// Local time of day.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::time::described::LocalTime))]
    pub time: Time,
    /// Zone of date and time.
    pub zone: Zone,
    /// Planned length in minutes, 5 to 180.
    pub length_minutes: u16,
}

impl Default for Cadence {
    /// Every second Monday at 10:00 in Japan for 30 minutes, from Monday 6 April 2026.
    fn default() -> Self {
        Self {
            rhythm: Rhythm::recommended(),
            first: date(2026, 4, 6),
            time: time(10, 0, 0, 0),
            zone: Zone::tokyo(),
            length_minutes: 30,
        }
    }
}

impl WeekOfMonth {
    /// For `Date::nth_weekday_of_month`, which counts from the end with negative numbers.
    const fn nth(self) -> i8 {
        match self {
            Self::First => 1,
            Self::Second => 2,
            Self::Third => 3,
            Self::Fourth => 4,
            Self::Last => -1,
        }
    }
}

impl Rhythm {
    /// Every rhythm, in the order in which a form offers them.
    pub const ALL: [Self; 7] = [
        Self::Weekly,
        Self::Biweekly,
        Self::Monthly(WeekOfMonth::First),
        Self::Monthly(WeekOfMonth::Second),
        Self::Monthly(WeekOfMonth::Third),
        Self::Monthly(WeekOfMonth::Fourth),
        Self::Monthly(WeekOfMonth::Last),
    ];

    /// What a form proposes and nobody is forced to.
    pub const fn recommended() -> Self {
        Self::Biweekly
    }

    /// What a form says beside this rhythm, if anything.
    pub fn advice(self, language: Language) -> Option<&'static str> {
        (self == Self::recommended()).then_some(match language {
            Language::Ja => "おすすめの頻度です。ほかの頻度も選べます。",
            Language::En => "Recommended. You can choose another rhythm.",
        })
    }

    /// How people say it for a weekday: 「隔週 月曜日」, "every second Monday".
    pub fn words(self, weekday: Weekday, language: Language) -> String {
        const JA: [&str; 7] = ["月曜日", "火曜日", "水曜日", "木曜日", "金曜日", "土曜日", "日曜日"];
        const EN: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
        let index = usize::try_from(weekday.to_monday_zero_offset()).expect("a weekday counts from 0 to 6");
        match (language, self) {
            (Language::Ja, Self::Weekly) => format!("毎週 {}", JA[index]),
            (Language::Ja, Self::Biweekly) => format!("隔週 {}", JA[index]),
            (Language::Ja, Self::Monthly(WeekOfMonth::Last)) => format!("毎月 最終{}", JA[index]),
            (Language::Ja, Self::Monthly(week)) => format!("毎月 第{}{}", week.nth(), JA[index]),
            (Language::En, Self::Weekly) => format!("every {}", EN[index]),
            (Language::En, Self::Biweekly) => format!("every second {}", EN[index]),
            (Language::En, Self::Monthly(week)) => {
                let which = match week {
                    WeekOfMonth::First => "first",
                    WeekOfMonth::Second => "second",
                    WeekOfMonth::Third => "third",
                    WeekOfMonth::Fourth => "fourth",
                    WeekOfMonth::Last => "last",
                };
                format!("{which} {} of the month", EN[index])
            }
        }
    }
}

impl Cadence {
    /// The rhythm as people say it: 「隔週 月曜日」, "every second Monday".
    pub fn words(&self, language: Language) -> String {
        self.rhythm.words(self.first.weekday(), language)
    }

    /// Nominal dates of the slots from `from` to `to`, both included; a skipped slot is none of them.
    pub fn slots(&self, from: Date, to: Date) -> impl Iterator<Item = Date> + '_ {
        let held = |slot: &Date| self.held_on(*slot).is_some();
        self.nominal_from(from).take_while(move |slot| *slot <= to).filter(held)
    }

    /// The day on which the slot with the nominal date `slot` is held; none if holidays push it to where the next slot
    /// is, so that it is skipped.
    pub fn held_on(&self, slot: Date) -> Option<Date> {
        self.held_unless(slot, |day| holidays::is_day_off(day, &self.zone))
    }

    /// The meeting that the slot on the nominal date `slot` of `pair` stands for, as long as nobody has touched it. Any
    /// date will do: somebody may act on a slot of an earlier cadence.
    pub fn meeting_in_slot(&self, pair: PairId, slot: Date) -> Meeting {
        let name = MeetingName { id: Meeting::id_of_slot(pair, slot), pair, slot: Some(slot) };
        let day = self.moved(slot, |day| holidays::is_day_off(day, &self.zone));
        let starts = day.to_datetime(self.time);
        Meeting::planned(name, MeetingTime { starts, zone: self.zone.clone(), length_minutes: self.length_minutes })
    }

    fn held_unless(&self, slot: Date, is_day_off: impl Fn(Date) -> bool) -> Option<Date> {
        let day = self.moved(slot, is_day_off);
        let next = slot.tomorrow().ok().and_then(|after| self.nominal_from(after).next());
        next.is_none_or(|next| day < next).then_some(day)
    }

    /// A slot on a holiday goes to the next day that is neither holiday nor weekend. Who meets on weekends works on days
    /// off: their slots stay.
    fn moved(&self, slot: Date, is_day_off: impl Fn(Date) -> bool) -> Date {
        let stays = holidays::is_weekend(slot);
        slot.series(1.day()).find(|day| stays || !is_day_off(*day)).unwrap_or(slot)
    }

    /// Nominal dates on or after `from`, before holidays.
    fn nominal_from(&self, from: Date) -> Box<dyn Iterator<Item = Date> + '_> {
        let start = from.max(self.first);
        match self.rhythm {
            Rhythm::Weekly => Box::new(self.every(7, start)),
            Rhythm::Biweekly => Box::new(self.every(14, start)),
            Rhythm::Monthly(week) => Box::new(self.monthly(week, start)),
        }
    }

    fn every(&self, interval: i64, start: Date) -> impl Iterator<Item = Date> + '_ {
        let days = self.first.until(start).map_or(0, |span| i64::from(span.get_days()));
        let index = (days + interval - 1) / interval;
        (index..).map_while(move |i| self.first.checked_add((i * interval).days()).ok())
    }

    fn monthly(&self, week: WeekOfMonth, start: Date) -> impl Iterator<Item = Date> + '_ {
        let weekday = self.first.weekday();
        let months = (0_i64..).map_while(move |months| start.first_of_month().checked_add(months.months()).ok());
        months
            .map_while(move |month| month.nth_weekday_of_month(week.nth(), weekday).ok())
            .skip_while(move |slot| *slot < start)
    }
}

#[cfg(test)]
mod tests;
