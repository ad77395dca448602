//! What a member has asked for so far: how to respond, by category of topic, with how often and when last.
//!
//! Counted on the manager's phone from the preparations that it has anyway, for the manager alone; nothing of it is
//! sent. Where a member's devices disagreed, what every phone shows first counts. Pure.

use std::cmp::Reverse;

use super::{
    brief::PreparedTopic,
    catalog::{Catalog, CategorySlug, ResponseSlug},
};
use crate::time::Timestamp;

/// How often a category was brought, and what was asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The category.
    pub category: CategorySlug,
    /// Topics of it, those without a response too.
    pub topics: u32,
    /// The responses, the most frequent first, of equally frequent ones the one asked for last; never `undecided`.
    pub responses: Vec<Asked>,
}

/// How often a response was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The response.
    pub response: ResponseSlug,
    /// How often.
    pub times: u32,
    /// The 1on1 for which it was asked last; none if it is known of no one when it was.
    pub latest: Option<Timestamp>,
}

/// Counts preparations, each with the time of its 1on1; the category that was brought most comes first, equals in the
/// catalog's order.
pub fn expected<'a>(
    catalog: &Catalog,
    preps: impl IntoIterator<Item = (Option<Timestamp>, &'a [PreparedTopic])>,
) -> Vec<Expected> {
    let mut all: Vec<Expected> = Vec::new();
    for (at, topics) in preps {
        for topic in topics {
            // A slug without a category is a text that no version writes.
            let Some(category) = catalog.category_of(&topic.topic) else { continue };
            let known = all.iter().position(|expected| expected.category == category);
            let place = known.unwrap_or_else(|| {
                all.push(Expected { category, topics: 0, responses: Vec::new() });
                all.len() - 1
            });
            all[place].add(&topic.response.value, at);
        }
    }
    for expected in &mut all {
        expected.responses.sort_by_key(|asked| (Reverse(asked.times), Reverse(asked.latest), asked.response.clone()));
    }
    let order = |slug: &CategorySlug| {
        catalog.categories.iter().position(|category| category.slug == slug.as_str()).unwrap_or(usize::MAX)
    };
    all.sort_by_key(|expected| (Reverse(expected.topics), order(&expected.category), expected.category.clone()));
    all
}

impl Expected {
    fn add(&mut self, response: &ResponseSlug, at: Option<Timestamp>) {
        self.topics += 1;
        if response.is_undecided() {
            return;
        }
        match self.responses.iter_mut().find(|asked| asked.response == *response) {
            Some(asked) => {
                asked.times += 1;
                asked.latest = asked.latest.max(at);
            }
            None => self.responses.push(Asked { response: response.clone(), times: 1, latest: at }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::brief::Choice;

    fn at(day: i64) -> Option<Timestamp> {
        Some(Timestamp::from_millis(day))
    }

    fn topic(topic: &str, response: &str) -> PreparedTopic {
        PreparedTopic { topic: topic.parse().unwrap(), response: Choice::agreed(response.parse().unwrap()), word: None }
    }

    /// `career 3: think 2 @9, advice 1 @7`.
    fn said(expected: &[Expected]) -> Vec<String> {
        let asked = |asked: &Asked| {
            let latest = asked.latest.map_or_else(|| "?".to_owned(), |at| at.as_millis().to_string());
            format!("{} {} @{latest}", asked.response, asked.times)
        };
        let line = |expected: &Expected| {
            let responses: Vec<_> = expected.responses.iter().map(asked).collect();
            format!("{} {}: {}", expected.category, expected.topics, responses.join(", "))
        };
        expected.iter().map(line).collect()
    }

    #[test]
    fn responses_are_counted_by_category_with_the_latest_time() {
        let preps: [(Option<Timestamp>, Vec<PreparedTopic>); 4] = [
            (at(9), vec![topic("career.future", "think"), topic("work.load", "decide")]),
            (at(3), vec![topic("career.skill", "think"), topic("work.trouble", "listen")]),
            (at(7), vec![topic("career.role", "advice"), topic("condition.mood", "undecided")]),
            (None, vec![topic("work.load", "decide")]),
        ];
        let preps = preps.iter().map(|(at, topics)| (*at, &topics[..]));
        let lines = said(&expected(Catalog::built_in(), preps));
        assert_eq!(
            lines,
            ["work 3: decide 2 @9, listen 1 @3", "career 3: think 2 @9, advice 1 @7", "condition 1: "],
            "equals in the order of the catalog; undecided is no expectation"
        );
    }

    #[test]
    fn of_equally_frequent_responses_the_last_one_comes_first_and_a_choice_in_dispute_counts_once() {
        let mut disputed = topic("career.future", "listen");
        disputed.response.others.push("advice".parse().unwrap());
        let topics = [disputed];
        let older = [topic("career.future", "think")];
        let preps = [(at(1), &older[..]), (at(2), &topics[..])];
        assert_eq!(said(&expected(Catalog::built_in(), preps)), ["career 2: listen 1 @2, think 1 @1"]);
    }

    #[test]
    fn what_this_version_does_not_know_is_counted_by_its_own_category() {
        let topics = [topic("x.sample.talk", "x.sample.hear"), topic("newer.topic", "think")];
        let lines = said(&expected(Catalog::built_in(), [(at(1), &topics[..])]));
        assert_eq!(lines, ["newer 1: think 1 @1", "x 1: x.sample.hear 1 @1"]);
    }
}
