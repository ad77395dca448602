//! 話せた感: what a member says about a 1on1, five steps, and whether the manager responded as asked.
//!
//! Only the member's own phones and the weekly count see one (product wording: the catalog's `rating.json`). A rating
//! names the picks of its prep by category and response, so that the count never needs a document.

use std::time::Duration;

use jiff::civil::{Time, time};
use serde::{Deserialize, Serialize};

use super::catalog::{CategorySlug, MAX_TOPICS, ResponseSlug};
use crate::time::{Timestamp, Zone};

/// Lowest of the five steps that counts as a success: 「話せた」.
const SUCCESS: u8 = 4;

/// One of the five steps, 1 (話せなかった) to 5 (しっかり話せた).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = u8, minimum = 1, maximum = 5))]
pub struct Talked(u8);

/// The number is not one of the five steps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a rating is 1, 2, 3, 4 or 5")]
pub struct NotAStepError;

impl Talked {
    /// The step, 1 to 5.
    pub const fn step(self) -> u8 {
        self.0
    }
    /// Whether the member could talk about what they wanted.
    pub const fn is_success(self) -> bool {
        self.0 >= SUCCESS
    }
}

impl TryFrom<u8> for Talked {
    type Error = NotAStepError;
    fn try_from(step: u8) -> Result<Self, NotAStepError> {
        if (1..=5).contains(&step) { Ok(Self(step)) } else { Err(NotAStepError) }
    }
}

impl From<Talked> for u8 {
    fn from(talked: Talked) -> Self {
        talked.0
    }
}

/// 「お願いした関わり方でしたか？」
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AsAsked {
    /// はい
    Yes,
    /// だいたい
    Roughly,
    /// ちがった
    No,
}

/// What was on the table: the category of a topic and the response that was asked for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Pick {
    /// The topic's category.
    #[cfg_attr(feature = "openapi", schema(value_type = String, examples("career")))]
    pub category: CategorySlug,
    /// The response; `undecided` counts for the category alone.
    #[cfg_attr(feature = "openapi", schema(value_type = String, examples("think")))]
    pub response: ResponseSlug,
}

/// Most picks of one rating: as many as a prep has topics.
pub const MAX_PICKS: usize = MAX_TOPICS;

/// What a member says about one 1on1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rating {
    /// 「今日の1on1、話したいことを話せましたか？」
    pub talked: Talked,
    /// 「お願いした関わり方でしたか？」, if it was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_asked: Option<AsAsked>,
    /// What the prep had asked for, at most [`MAX_PICKS`], none without a prep.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(max_items = 3))]
    pub picks: Vec<Pick>,
}

/// How long after a 1on1 a rating can be given for the first time: two weeks.
pub const RATED_WITHIN: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// When a question that was put away comes once more.
const ONCE_MORE_AT: Time = time(8, 0, 0, 0);

/// How often somebody was asked about one 1on1 and put the question away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PutAway {
    /// Not yet.
    #[default]
    Never,
    /// Once, at this time: it comes once more on the next morning.
    Once(Timestamp),
    /// Twice, or for good: it never comes again.
    Twice,
}

impl PutAway {
    /// After putting it away at `now`.
    #[must_use]
    pub const fn again(self, now: Timestamp) -> Self {
        match self {
            Self::Never => Self::Once(now),
            Self::Once(_) | Self::Twice => Self::Twice,
        }
    }
}

/// Whether the question about a 1on1 that was `finished` and not rated is on the screen: from 終わる on; once put away,
/// again from eight o'clock of the next day in the zone of the phone; put away again, never; and not when it is too late.
pub fn is_asked(finished: Timestamp, put_away: PutAway, now: Timestamp, zone: &Zone) -> bool {
    let is_in_time = now.since(finished) <= RATED_WITHIN;
    let is_wanted = match put_away {
        PutAway::Never => true,
        PutAway::Once(at) => {
            let next = at.in_zone(zone).date().tomorrow();
            next.is_ok_and(|day| now >= zone.at(day.to_datetime(ONCE_MORE_AT)))
        }
        PutAway::Twice => false,
    };
    is_in_time && is_wanted
}

/// Sunday 24:00 of the week of `at` in `zone`: until then a rating that arrived at `at` can be changed.
pub fn week_ends(at: Timestamp, zone: &Zone) -> Timestamp {
    let day = at.in_zone(zone).date();
    let days_left = 7 - i64::from(day.weekday().to_monday_zero_offset());
    let monday = day.saturating_add(jiff::Span::new().days(days_left));
    zone.at(monday.at(0, 0, 0, 0))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn at(day: i8, hour: i8, minute: i8) -> Timestamp {
        Zone::tokyo().at(date(2026, 4, day).at(hour, minute, 0, 0))
    }

    #[test]
    fn the_question_comes_after_the_end_once_more_next_morning_and_then_never() {
        let finished = at(20, 10, 30);
        let asked = |put_away, now| is_asked(finished, put_away, now, &Zone::tokyo());
        assert!(asked(PutAway::Never, finished));
        let once = PutAway::Never.again(at(20, 10, 31));
        for (now, expected) in [(at(20, 10, 32), false), (at(20, 23, 59), false), (at(21, 7, 59), false)] {
            assert_eq!(asked(once, now), expected, "{now:?}");
        }
        assert!(asked(once, at(21, 8, 0)) && asked(once, at(22, 12, 0)), "until it is put away again");
        let twice = once.again(at(21, 8, 1));
        assert!(
            !asked(twice, at(21, 8, 2)) && !asked(twice, at(22, 8, 0)) && !asked(twice.again(finished), at(30, 8, 0))
        );
        assert!(!asked(PutAway::Never, finished.plus(RATED_WITHIN + Duration::from_secs(1))));
    }

    #[test]
    fn a_week_ends_with_its_sunday() {
        let monday = at(27, 0, 0);
        for (now, ends) in [(at(20, 0, 0), monday), (at(22, 12, 0), monday), (at(26, 23, 59), monday)] {
            assert_eq!(week_ends(now, &Zone::tokyo()), ends);
        }
        assert!(week_ends(monday, &Zone::tokyo()) > monday);
    }
}
