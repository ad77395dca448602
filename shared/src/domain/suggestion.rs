//! Which six topics the member is offered first.
//!
//! Computed on the phone from the member's own preparations and sent nowhere: the last topic not yet talked about, the
//! two used most, then one each from categories not used for six weeks, so that work progress does not crowd out the rest.

use std::{collections::HashMap, time::Duration};

use super::catalog::{Catalog, TopicSlug};
use crate::time::Timestamp;

/// How many topics are offered before 「すべて見る」.
pub const OFFERED_TOPICS: usize = 6;

/// A category counts as neglected after six weeks: three meetings of a pair that meets every second week.
const NEGLECTED_AFTER: Duration = Duration::from_secs(6 * 7 * 24 * 60 * 60);

/// A topic this member chose before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastChoice {
    /// What was chosen.
    pub topic: TopicSlug,
    /// When the meeting was.
    pub at: Timestamp,
    /// Whether the meeting took place.
    pub talked_about: bool,
}

/// The topics to offer first, best first; always [`OFFERED_TOPICS`] different ones.
pub fn suggested_topics(catalog: &Catalog, history: &[PastChoice], now: Timestamp) -> Vec<TopicSlug> {
    let known = |choice: &&PastChoice| catalog.topic(&choice.topic).is_some();
    let mut offered: Vec<TopicSlug> = Vec::with_capacity(OFFERED_TOPICS);
    let mut offer = |topic: &TopicSlug| {
        if offered.len() < OFFERED_TOPICS && !offered.contains(topic) {
            offered.push(topic.clone());
        }
    };

    let unfinished = history.iter().filter(known).filter(|choice| !choice.talked_about).max_by_key(|choice| choice.at);
    let unfinished = unfinished.map(|choice| &choice.topic);
    if let Some(topic) = unfinished {
        offer(topic);
    }

    let mut uses: HashMap<&TopicSlug, (usize, Timestamp)> = HashMap::new();
    for choice in history.iter().filter(known) {
        let entry = uses.entry(&choice.topic).or_default();
        *entry = (entry.0 + 1, entry.1.max(choice.at));
    }
    let mut by_use: Vec<_> = uses.into_iter().collect();
    by_use.sort_by(|(a, used_a), (b, used_b)| used_b.cmp(used_a).then_with(|| a.cmp(b)));
    by_use.iter().filter(|(topic, _)| Some(*topic) != unfinished).take(2).for_each(|(topic, _)| offer(topic));

    let last_used = |category: &str| history.iter().filter(|c| c.topic.category() == category).map(|c| c.at).max();
    let first_of = |category: &str| catalog.topics.iter().find(|topic| topic.category == category && !topic.sensitive);
    for category in &catalog.categories {
        let neglected = last_used(&category.slug).is_none_or(|at| now.since(at) >= NEGLECTED_AFTER);
        if let Some(topic) = first_of(&category.slug).filter(|_| neglected) {
            offer(&topic.slug);
        }
    }
    catalog.topics.iter().filter(|topic| !topic.sensitive).for_each(|topic| offer(&topic.slug));
    offered
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    fn check(history: &[(&str, i64, bool)], expected: [&str; 6]) {
        let history: Vec<_> = history
            .iter()
            .map(|(topic, day, talked_about)| PastChoice {
                topic: topic.parse().unwrap(),
                at: Timestamp::from_millis(day * DAY),
                talked_about: *talked_about,
            })
            .collect();
        let offered = suggested_topics(Catalog::built_in(), &history, Timestamp::from_millis(100 * DAY));
        assert_eq!(offered.iter().map(TopicSlug::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_new_member_is_offered_one_topic_of_each_of_six_categories() {
        let first_of_each =
            ["work.progress", "customer.deal", "career.future", "relations.team", "condition.mood", "life.workstyle"];
        check(&[], first_of_each);
    }

    #[test]
    fn the_unfinished_topic_comes_first_then_habits_then_neglected_categories() {
        check(
            &[
                ("work.load", 60, true),
                ("work.load", 74, true),
                ("customer.deal", 90, true),
                ("career.role", 95, false),
            ],
            ["career.role", "work.load", "customer.deal", "relations.team", "condition.mood", "life.workstyle"],
        );
    }

    #[test]
    fn a_topic_of_a_newer_version_is_not_offered() {
        let offered = suggested_topics(
            Catalog::built_in(),
            &[PastChoice { topic: "x.new".parse().unwrap(), at: Timestamp::default(), talked_about: false }],
            Timestamp::from_millis(DAY),
        );
        assert!(!offered.iter().any(|topic| topic.as_str() == "x.new"));
        assert_eq!(offered.len(), OFFERED_TOPICS);
    }
}
