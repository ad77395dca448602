//! The sentences of the statistic, its simulation, and what nobody can read back.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{ToSpan, civil::Date};
use proptest::prelude::*;

use super::{Dimension, HalfYear, Rated, Standing, Voice, count};
use crate::domain::{
    catalog::Catalog,
    rating::{Pick, Talked},
};

mod simulation;

/// A Monday.
const MONDAY: Date = Date::constant(2026, 11, 23);

type Rating = Rated<u32, u32>;

fn week(before: i64) -> Date {
    MONDAY.saturating_sub(before.weeks())
}

fn talked(step: u8) -> Talked {
    Talked::try_from(step).unwrap()
}

fn response(place: usize) -> Dimension {
    Dimension::Response { slug: Catalog::built_in().responses[place].slug.clone() }
}

/// A rating about one response; its category is one that nobody counts.
fn rated(manager: u32, rater: u32, weeks_before: i64, step: u8, place: usize) -> Rating {
    let response = Catalog::built_in().responses[place].slug.clone();
    let picks = vec![Pick { category: "x.own".parse().unwrap(), response }];
    Rated { manager, voice: Voice::Joined(rater), week: week(weeks_before), talked: talked(step), picks }
}

/// `raters` people who each rated `times` times in the last weeks, always with this step.
fn team(manager: u32, raters: u32, times: i64, step: u8, place: usize) -> Vec<Rating> {
    (0..raters).flat_map(|rater| (1..=times).map(move |week| rated(manager, rater, week, step, place))).collect()
}

fn first_count(ratings: Vec<Rating>) -> Standing {
    count(ratings, &BTreeMap::new(), MONDAY).remove(&1).unwrap_or_default()
}

#[test]
fn nothing_is_said_below_five_raters_or_below_eight_effective_ratings() {
    for (raters, times, is_enough) in [(4, 20, false), (5, 1, false), (7, 1, false), (8, 1, true), (5, 2, true)] {
        let standing = first_count(team(1, raters, times, 5, 0));
        assert_eq!(standing.has_enough_voices(), is_enough, "{raters} raters, {times} ratings each");
        assert_eq!(standing.strong().is_empty(), !is_enough, "{raters} raters, {times} ratings each");
    }
}

#[test]
fn one_voice_counts_at_most_three() {
    // Five people; one is enthusiastic a hundred times, and four say no.
    let mut ratings = team(1, 5, 3, 1, 0);
    ratings.retain(|rating| rating.voice != Voice::Joined(0));
    ratings.extend((1..=50).flat_map(|week| [rated(1, 0, week, 5, 0), rated(1, 0, week, 5, 0)]));
    let standing = first_count(ratings);
    assert!(standing.strong().is_empty(), "{standing:?}");
    assert_eq!(standing.growing(), Some(&response(0)));
}

#[test]
fn ratings_count_for_365_days_and_only_from_closed_weeks() {
    for (weeks_before, counts) in [(-1, false), (0, false), (1, true), (52, true), (53, false)] {
        let ratings = (0..9).map(|rater| rated(1, rater, weeks_before, 5, 0)).collect();
        assert_eq!(first_count(ratings).has_enough_voices(), counts, "{weeks_before}");
    }
}

#[test]
fn three_strengths_at_most_the_surest_first_and_one_growth_area() {
    let mut ratings = Vec::new();
    for (place, raters) in [(0, 9), (1, 11), (2, 13), (3, 15)] {
        ratings.extend(team(1, raters, 1, 5, place));
    }
    ratings.extend([4, 5].into_iter().flat_map(|place| team(1, 8, 3, 1, place)));
    let standing = first_count(ratings);
    assert_eq!(standing.strong(), [&response(3), &response(2), &response(1)]);
    assert!(standing.growing().is_some());
    assert_eq!(standing.best_of_own(), None, "there are strengths");
}

#[test]
fn a_growth_area_without_a_strength_comes_with_the_best_of_ones_own() {
    let mut ratings = team(1, 10, 3, 1, 0);
    ratings.extend(team(1, 10, 3, 3, 1));
    // Half of what is said about this one is good.
    ratings.extend((0..10).flat_map(|rater| (1..=3).map(move |week| rated(1, rater, week, 3 + (rater % 2) as u8, 2))));
    let standing = first_count(ratings);
    assert!(standing.strong().is_empty());
    assert!(standing.growing().is_some());
    assert_eq!(standing.best_of_own(), Some(&response(2)));
}

#[test]
fn never_topic_times_response_and_a_rating_counts_once_in_each_dimension() {
    let catalog = Catalog::built_in();
    let (listen, think) = (catalog.responses[0].slug.clone(), catalog.responses[1].slug.clone());
    let category: super::CategorySlug = catalog.categories[0].slug.parse().unwrap();
    let of = |response: &super::ResponseSlug| Pick { category: category.clone(), response: response.clone() };
    let undecided = super::ResponseSlug::undecided();
    let picks = [of(&listen), of(&think), of(&undecided)];
    let expected: BTreeSet<Dimension> = [
        Dimension::Response { slug: listen },
        Dimension::Response { slug: think },
        Dimension::Category { slug: category.clone() },
    ]
    .into();
    assert_eq!(super::dimensions_of(&picks), expected);
}

#[test]
fn a_word_changes_only_past_the_line_and_only_when_two_people_rated_since() {
    let before = count(team(1, 8, 3, 5, 0), &BTreeMap::new(), MONDAY);
    assert_eq!(before[&1].strong(), [&response(0)]);
    let next = MONDAY.saturating_add(1.week());
    let mut all = team(1, 8, 3, 5, 0);
    // One person alone changes their mind and says no again and again.
    all.extend((0..50).map(|_| rated(1, 0, 0, 1, 0)));
    let by_one = count(all.clone(), &before, next);
    assert_eq!(by_one, before, "one person rated since");
    // Everybody does.
    all.extend((0..8).flat_map(|rater| (0..30).map(move |_| rated(1, rater, 0, 1, 0))));
    let by_all = count(all.clone(), &by_one, next);
    assert!(by_all[&1].strong().is_empty());
    // And the word that was lost does not come back before others have rated.
    assert_eq!(count(all, &by_all, next), by_all);
}

/// A cell of so many ratings, three of each voice, of which so many say yes.
fn of(ratings: u32, yes: u32) -> Vec<Rating> {
    let one = |n: u32| rated(1, n / 3, 1 + i64::from(n % 3), if n < yes { 5 } else { 1 }, 0);
    (0..ratings).map(one).collect()
}

#[test]
fn a_first_word_needs_the_line_and_another_one_the_line_and_a_margin() {
    let next = MONDAY.saturating_add(1.week());
    let later = |ratings, yes| -> Vec<Rating> {
        of(ratings, yes).into_iter().map(|rating| Rated { week: MONDAY, ..rating }).collect()
    };
    // Against the usual share and prior 20 of 27 are at 0.79, 21 at 0.87 and 22 at 0.93.
    assert_eq!(first_count(of(27, 21)).strong(), [&response(0)], "a first word");
    let steady = count(of(27, 20), &BTreeMap::new(), MONDAY);
    assert!(steady[&1].strong().is_empty() && steady[&1].has_enough_voices());
    assert_eq!(count(later(27, 21), &steady, next), steady, "not past the line by the margin");
    assert_eq!(count(later(27, 22), &steady, next)[&1].strong(), [&response(0)]);
    // The other way: 22 of 29 are at 0.84, 21 of 28 at 0.82 less a little.
    let strong = count(of(27, 22), &BTreeMap::new(), MONDAY);
    assert_eq!(count(later(29, 22), &strong, next), strong);
    assert!(count(later(28, 21), &strong, next)[&1].strong().is_empty());
}

#[test]
fn words_end_with_the_gate_and_the_one_who_was_missing_does_not_bring_them_back() {
    let before = count(team(1, 5, 3, 5, 0), &BTreeMap::new(), MONDAY);
    let monday = |weeks: i64| MONDAY.saturating_add(weeks.weeks());
    // Four went on rating; what the fifth said is a year old.
    let four: Vec<Rating> = (0..4).flat_map(|rater| (-50..-40).map(move |week| rated(1, rater, week, 5, 0))).collect();
    let ended = count(four.clone(), &before, monday(53));
    assert!(!ended[&1].has_enough_voices() && ended[&1].strong().is_empty(), "{ended:?}");
    let mut five = four;
    five.push(rated(1, 9, -53, 5, 0));
    let one_came = count(five.clone(), &ended, monday(54));
    assert_eq!(one_came, ended, "one person rated since");
    five.push(rated(1, 3, -53, 5, 0));
    let two_came = count(five, &ended, monday(54));
    assert_eq!(two_came[&1].strong(), [&response(0)]);
    // What is too old to matter is forgotten.
    assert_eq!(count(Vec::<Rating>::new(), &ended, monday(110)), BTreeMap::new());
}

#[test]
fn of_those_who_left_nobody_counts_twice() {
    let halves = HalfYear::seen_from(MONDAY);
    assert_eq!(halves.iter().map(ToString::to_string).collect::<Vec<_>>(), ["2025-2", "2026-1", "2026-2"]);
    // Four who left have a key per half-year: eight keys, which may be four people.
    let gone = |half: HalfYear, rater: u32, weeks: i64| Rating {
        voice: Voice::Apart(half, rater),
        ..rated(1, rater, weeks, 5, 0)
    };
    let mut ratings: Vec<Rating> = Vec::new();
    for weeks in 1..=3 {
        ratings.extend((0..4).map(|rater| gone(halves[2], rater, weeks)));
        ratings.extend((10..14).map(|rater| gone(halves[1], rater, weeks + 30)));
    }
    assert!(!first_count(ratings.clone()).has_enough_voices(), "four people at most");
    ratings.extend((1..=3).map(|weeks| rated(1, 20, weeks, 5, 0)));
    assert!(first_count(ratings.clone()).has_enough_voices(), "and a fifth who is still here");
    ratings.extend((10..14).map(|rater| gone(halves[1], rater, 30)));
    assert_eq!(first_count(ratings.clone()), first_count(ratings), "the same whichever half-year has them");
}

#[test]
fn a_small_company_is_measured_against_the_usual_share() {
    // Everybody here is rated alike, half and half: with nine managers that is below the usual 65 %, with ten it is what
    // is usual here.
    let of = |managers: u32| -> Vec<Rating> {
        let half = |manager, rater: u32, week: i64| rated(manager, rater, week, if week % 2 == 0 { 5 } else { 1 }, 0);
        let of_one = move |manager| (0..20).flat_map(move |rater| (1..=4).map(move |week| half(manager, rater, week)));
        (1..=managers).flat_map(of_one).collect()
    };
    let nine = first_count(of(9));
    assert_eq!(
        (nine.growing(), nine.rough()),
        (Some(&response(0)), vec![&response(0)]),
        "and it is said that it is rough"
    );
    assert_eq!(first_count(of(10)).growing(), None);
    // Ten managers have a share of their own, and what is said is no rough guide any more.
    let ten = first_count([of(10), team(1, 20, 20, 5, 0)].concat());
    assert_eq!((ten.strong(), ten.rough()), (vec![&response(0)], vec![]));
    // Fewer than a hundred ratings, of however many managers.
    let few: Vec<Rating> = (1..=10).flat_map(|manager| team(manager, 3, 1, 1, 0)).chain(team(1, 20, 2, 5, 0)).collect();
    assert_eq!(first_count(few).rough(), [&response(0)]);
}

/// Two or three managers, nine raters each, a year of weeks and two responses, as coins fall.
fn histories() -> impl Strategy<Value = Vec<Rating>> {
    let one = (1..=3_u32, 0..9_u32, 0..40_i64, 0..8_u8, 0..2_usize);
    proptest::collection::vec(one, 150..400).prop_map(|all| {
        let rating = |(manager, rater, week, luck, place): (u32, u32, i64, u8, usize)| {
            // Managers differ, so that there are words to change.
            let good = if manager == 1 { 7 } else { 8 - 3 * (manager as u8 - 1) };
            rated(manager, rater, week, if luck < good { 5 } else { 1 }, place)
        };
        all.into_iter().map(rating).collect()
    })
}

/// Every word of a dimension that a manager can see.
fn seen(standing: Option<&Standing>) -> BTreeMap<Dimension, String> {
    let Some(standing) = standing else { return BTreeMap::new() };
    let said = |word: &str, about: &Dimension| {
        let rough = if standing.rough().contains(&about) { ", rough" } else { "" };
        (about.clone(), format!("{word}{rough}"))
    };
    let strong = standing.strong().into_iter().map(|about| said("strong", about));
    let growing = standing.growing().into_iter().map(|about| said("growing", about));
    strong.chain(growing).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever one of one's ratings had said instead, no word of a cell differs unless two people rated in that cell
    /// since its last change.
    #[test]
    fn one_rating_cannot_be_read_back(history in histories(), places in proptest::collection::vec(0..1_000_usize, 12)) {
        let mut before: BTreeMap<u32, Standing> = BTreeMap::new();
        // When each visible cell last changed, as somebody who only reads the words every Monday knows it.
        let mut changed: BTreeMap<(u32, Dimension), Date> = BTreeMap::new();
        for weeks in (0..40).rev().step_by(2) {
            let monday = week(weeks);
            let now = count(history.clone(), &before, monday);
            for place in &places {
                let mut other = history.clone();
                let at = place % other.len();
                other[at].talked = talked(if other[at].talked.is_success() { 1 } else { 5 });
                let otherwise = count(other, &before, monday);
                for manager in 1..=3 {
                    let (now, otherwise) = (now.get(&manager), otherwise.get(&manager));
                    prop_assert_eq!(
                        now.is_some_and(Standing::has_enough_voices),
                        otherwise.is_some_and(Standing::has_enough_voices)
                    );
                    let (now, otherwise) = (seen(now), seen(otherwise));
                    for dimension in [response(0), response(1)] {
                        if now.get(&dimension) == otherwise.get(&dimension) {
                            continue;
                        }
                        let since = changed.get(&(manager, dimension.clone())).copied().unwrap_or(Date::MIN);
                        let raters: BTreeSet<&Voice<u32>> = history
                            .iter()
                            .filter(|one| one.manager == manager && (since..monday).contains(&one.week))
                            .filter(|one| super::dimensions_of(&one.picks).contains(&dimension))
                            .map(|one| &one.voice)
                            .collect();
                        prop_assert!(raters.len() >= 2, "{dimension:?} of {manager} at {monday}: {raters:?} since {since}");
                    }
                }
            }
            for manager in 1..=3 {
                let (then, now) = (seen(before.get(&manager)), seen(now.get(&manager)));
                for dimension in [response(0), response(1)] {
                    if then.get(&dimension) != now.get(&dimension) {
                        changed.insert((manager, dimension), monday);
                    }
                }
            }
            before = now;
        }
    }
}
