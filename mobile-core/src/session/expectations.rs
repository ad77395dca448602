//! What each member asks for, by topic: for the manager alone, from the preparations that are on this phone anyway.
//!
//! Nothing is kept and nothing is sent: it is counted when the screen asks. A member's phone has no such list.

use std::collections::HashMap;

use taiwa_shared::{
    domain::{
        brief::{PreparedTopic, local_time},
        catalog::{CategorySlug, ResponseSlug},
        expectations::{Asked, Expected, expected},
        meeting::MeetingState,
        ownership::DocumentKey,
        people::{Pair, PairState},
    },
    ids::{PairId, UserId},
    time::Timestamp,
};

use super::{Session, SessionError, roster::Roster};

/// When a 1on1 is, if that is known, and what was told for it.
type Told = (Option<Timestamp>, Vec<PreparedTopic>);

/// What one member asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectations {
    /// Of which pair.
    pub pair: PairId,
    /// The member.
    pub member: UserId,
    /// Their name.
    pub member_name: String,
    /// Preparations that this is counted from.
    pub preparations: u32,
    /// By category of topic, the one that was brought most first; empty if nothing has arrived.
    pub categories: Vec<CategoryExpectations>,
}

/// What a member asks for when it is about one category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryExpectations {
    /// The category.
    pub slug: CategorySlug,
    /// What people read.
    pub label: String,
    /// Topics of it that the member brought.
    pub topics: u32,
    /// The responses asked for, the most frequent first.
    pub responses: Vec<ResponseCount>,
}

/// How often a response was asked for, and when last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseCount {
    /// The response.
    pub slug: ResponseSlug,
    /// What people read.
    pub label: String,
    /// How often.
    pub times: u32,
    /// The 1on1 for which it was asked last, if this phone knows when that is.
    pub latest: Option<Timestamp>,
    /// The same as people say it.
    pub latest_when: Option<String>,
}

impl Session {
    /// What each member of this manager has asked for so far, in the order of their names; empty for whoever manages
    /// nobody. Preparations of cancelled 1on1s do not count: they are carried over to the next one.
    ///
    /// # Errors
    /// [`SessionError`] if the store cannot be read.
    pub async fn expectations(&self) -> Result<Vec<Expectations>, SessionError> {
        let (roster, me, now) = (self.core.roster(), self.me(), self.core.now());
        let pairs: Vec<&Pair> = roster.pairs_of(me);
        let mut told: HashMap<PairId, Vec<Told>> =
            pairs.iter().filter(|pair| is_managed(pair, me)).map(|pair| (pair.id, Vec::new())).collect();
        if told.is_empty() {
            return Ok(Vec::new());
        }
        let documents = self.core.store.documents().await?;
        let is_counted = |key: &DocumentKey| {
            matches!(key, DocumentKey::Prep { .. }) && key.pair().is_some_and(|pair| told.contains_key(&pair))
        };
        let preps: Vec<DocumentKey> = documents.iter().map(|document| document.key).filter(is_counted).collect();
        self.renew_summaries(preps.iter().copied()).await?;
        for key in preps {
            if let Some((pair, prep)) = self.told(&key, &roster, now) {
                told.entry(pair).or_default().push(prep);
            }
        }
        let counted = |pair: &&Pair| Some(self.counted(pair, &told.remove(&pair.id)?, &roster, now));
        Ok(pairs.iter().filter_map(counted).collect())
    }

    /// What was told in one preparation, if there is something and its 1on1 was not cancelled.
    fn told(&self, key: &DocumentKey, roster: &Roster, now: Timestamp) -> Option<(PairId, Told)> {
        let meeting = roster.meeting(key.meeting()?, now);
        if meeting.as_ref().is_some_and(|meeting| meeting.state == MeetingState::Cancelled) {
            return None;
        }
        let topics = self.summary(key)?.topics();
        let at = meeting.map(|meeting| meeting.starts_at());
        (!topics.is_empty()).then_some((key.pair()?, (at, topics)))
    }

    fn counted(&self, pair: &Pair, told: &[Told], roster: &Roster, now: Timestamp) -> Expectations {
        let preps = told.iter().map(|(at, topics)| (*at, &topics[..]));
        let categories = expected(self.core.catalog(), preps);
        Expectations {
            pair: pair.id,
            member: pair.member,
            member_name: roster.name(pair.member),
            preparations: u32::try_from(told.len()).unwrap_or(u32::MAX),
            categories: categories.into_iter().map(|expected| self.category(expected, now)).collect(),
        }
    }

    fn category(&self, expected: Expected, now: Timestamp) -> CategoryExpectations {
        let label = self.core.catalog().category_label(expected.category.as_str(), self.core.language).to_owned();
        let response = |Asked { response, times, latest }| ResponseCount {
            label: self.core.catalog().response_label(&response, self.core.language).to_owned(),
            slug: response,
            times,
            latest,
            latest_when: latest.map(|at| local_time(at, now, &self.core.zone, self.core.language)),
        };
        let responses = expected.responses.into_iter().map(response).collect();
        CategoryExpectations { slug: expected.category, label, topics: expected.topics, responses }
    }
}

fn is_managed(pair: &Pair, me: UserId) -> bool {
    pair.manager == me && pair.state == PairState::Open
}
