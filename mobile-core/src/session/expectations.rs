//! What members expect of this manager: the responses that their preparations asked for, by category of topics.
//!
//! From the preparations that were told to this manager and are on this phone; nobody else is asked.

use std::{cmp::Reverse, collections::HashMap};

use taiwa_shared::{
    domain::{
        brief::local_time,
        catalog::{CategorySlug, ResponseSlug},
        meeting::MeetingState,
        ownership::DocumentKey,
        people::Side,
    },
    ids::{PairId, UserId},
    time::Timestamp,
};

use super::{ResponseChoice, Session, SessionError};

/// What a member expects of this manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// The pair.
    pub pair: PairId,
    /// The member.
    pub member: UserId,
    /// Their name.
    pub member_name: String,
    /// By category of topics, what was asked for last first; empty if nothing was told yet.
    pub categories: Vec<ExpectedCategory>,
}

/// What a member expects when a category of topics is talked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedCategory {
    /// Which.
    pub category: CategorySlug,
    /// What people read.
    pub label: String,
    /// The responses that were asked for, the most frequent first.
    pub responses: Vec<ExpectedResponse>,
    /// The response that was asked for last.
    pub latest: ResponseChoice,
    /// For the 1on1 of this day: 「今日 10:00」.
    pub latest_when: String,
}

/// How often a response was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedResponse {
    /// Which.
    pub response: ResponseChoice,
    /// How often.
    pub times: u32,
}

/// How often, and when last.
type Counts = HashMap<ResponseSlug, (u32, Timestamp)>;

impl Session {
    /// What the members of this person's open pairs asked for so far, in the order of their names.
    ///
    /// # Errors
    /// [`SessionError`] if the store cannot be read.
    pub async fn expectations(&self) -> Result<Vec<Expectation>, SessionError> {
        let roster = self.core.roster();
        let me = self.me();
        let managed = roster
            .pairs_of(me)
            .into_iter()
            .filter(|pair| pair.side_of(me) == Some(Side::Manager) && roster.open_pair_of(pair.id, me).is_some());
        let managed: Vec<_> = managed.collect();
        let documents = self.core.store.documents().await?;
        let is_told = |key: &DocumentKey| {
            matches!(key, DocumentKey::Prep { .. }) && managed.iter().any(|pair| key.pair() == Some(pair.id))
        };
        let preps: Vec<DocumentKey> = documents.iter().map(|document| document.key).filter(is_told).collect();
        self.renew_summaries(preps.iter().copied()).await?;
        let expectation = |pair: &&taiwa_shared::domain::people::Pair| Expectation {
            pair: pair.id,
            member: pair.member,
            member_name: roster.name(pair.member),
            categories: self.expected(preps.iter().filter(|key| key.pair() == Some(pair.id))),
        };
        Ok(managed.iter().map(expectation).collect())
    }

    fn expected<'a>(&self, preps: impl Iterator<Item = &'a DocumentKey>) -> Vec<ExpectedCategory> {
        let (roster, now) = (self.core.roster(), self.core.now());
        let mut categories: HashMap<CategorySlug, Counts> = HashMap::new();
        for key in preps {
            let Some(meeting) = key.meeting().and_then(|meeting| roster.meeting(meeting, now)) else { continue };
            // What was prepared for it was carried to the next one.
            if meeting.state == MeetingState::Cancelled {
                continue;
            }
            let topics = self.summary(key).map(|summary| summary.topics()).unwrap_or_default();
            // Undecided is no expectation.
            for topic in topics.into_iter().filter(|topic| !topic.response.value.is_undecided()) {
                let Some(category) = self.core.catalog().category_of(&topic.topic) else { continue };
                let counts = categories.entry(category).or_default();
                let (times, latest) = counts.entry(topic.response.value).or_default();
                *times += 1;
                *latest = meeting.starts_at().max(*latest);
            }
        }
        let mut expected: Vec<_> = categories.into_iter().filter_map(|(slug, it)| self.category(slug, it)).collect();
        expected.sort_by(|(a, one), (b, other)| b.cmp(a).then_with(|| one.category.cmp(&other.category)));
        expected.into_iter().map(|(_, category)| category).collect()
    }

    fn category(&self, category: CategorySlug, counts: Counts) -> Option<(Timestamp, ExpectedCategory)> {
        let choice = |slug: &ResponseSlug| {
            let label = self.core.catalog().response_label(slug, self.core.language).to_owned();
            ResponseChoice { slug: slug.clone(), label }
        };
        let (slug, (_, at)) = counts.iter().max_by_key(|(slug, (times, at))| (*at, *times, Reverse(*slug)))?;
        let (latest, at) = (choice(slug), *at);
        let mut responses: Vec<_> = counts.iter().collect();
        responses.sort_by_key(|(slug, (times, at))| (Reverse((*times, *at)), *slug));
        let responses =
            responses.into_iter().map(|(slug, (times, _))| ExpectedResponse { response: choice(slug), times: *times });
        let label = self.core.catalog().category_label(category.as_str(), self.core.language).to_owned();
        let latest_when = local_time(at, self.core.now(), &self.core.zone, self.core.language);
        Some((at, ExpectedCategory { category, label, responses: responses.collect(), latest, latest_when }))
    }
}
