//! The three maps that a draft and a prep have in common: topics, responses, words.
//!
//! Scalars keyed by topic: two devices that both chose offline join their topics, and where they disagree about one
//! topic both values stand until the next write. Topics of another version's catalog are kept and shown by their slug.

use automerge::{ReadDoc, transaction::Transactable};

use super::{
    error::DocumentError,
    fields::{self, check_line},
    genesis::Container,
    replica::Replica,
};
use crate::{
    domain::{
        brief::{Choice, PreparedTopic},
        catalog::{MAX_TOPICS, MAX_WORD_GRAPHEMES, ResponseSlug, TopicSlug},
    },
    time::Timestamp,
};

/// What somebody wants to talk about, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preparation {
    /// All chosen topics in their order; more than three only when devices chose apart from each other.
    pub topics: Vec<PreparedTopic>,
    /// Whether there are more than are shown, so that the person has to say which three.
    pub over_limit: bool,
}

impl Preparation {
    /// The topics to show: the first three.
    pub fn shown(&self) -> &[PreparedTopic] {
        self.topics.get(..MAX_TOPICS).unwrap_or(&self.topics)
    }
}

/// Reads the preparation; empty in other kinds of documents.
pub(super) fn read(replica: &Replica) -> Preparation {
    let containers =
        [Container::Topics, Container::Responses, Container::Words].map(|container| replica.container(container));
    let [Ok(topics), Ok(responses), Ok(words)] = containers else { return Preparation::default() };
    let doc = replica.doc();
    let mut chosen: Vec<(i64, PreparedTopic)> = Vec::new();
    for key in fields::keys(doc, &topics) {
        let (Some(order), Ok(topic)) = (fields::number(doc, &topics, &key), key.parse::<TopicSlug>()) else { continue };
        let response = fields::parsed(doc, &responses, &key);
        let response = response.unwrap_or_else(|| Choice::agreed(ResponseSlug::undecided()));
        let word = fields::text(doc, &words, &key).filter(|word| !word.value.is_empty() || !word.others.is_empty());
        chosen.push((order, PreparedTopic { topic, response, word }));
    }
    chosen.sort_by(|(a, first), (b, second)| a.cmp(b).then_with(|| first.topic.cmp(&second.topic)));
    let topics: Vec<PreparedTopic> = chosen.into_iter().map(|(_, topic)| topic).collect();
    let over_limit = topics.len() > MAX_TOPICS;
    Preparation { topics, over_limit }
}

/// Chooses a topic, after those chosen already.
pub(super) fn choose(replica: &mut Replica, topic: &TopicSlug, now: Timestamp) -> Result<(), DocumentError> {
    put_topic(replica, topic, None, now)
}

/// Takes a topic back. Its response and word stay, in case it is chosen again.
pub(super) fn unchoose(replica: &mut Replica, topic: &TopicSlug, now: Timestamp) -> Result<(), DocumentError> {
    let topics = replica.container(Container::Topics)?;
    if replica.doc().get(&topics, topic.as_str())?.is_none() {
        return Ok(());
    }
    replica.edit(now, |tx| Ok(tx.delete(&topics, topic.as_str())?))
}

/// Sets the response of a topic and puts the topic again, so that it outlives another device's taking it back.
pub(super) fn set_response(
    replica: &mut Replica,
    topic: &TopicSlug,
    response: &ResponseSlug,
    now: Timestamp,
) -> Result<(), DocumentError> {
    let responses = replica.container(Container::Responses)?;
    put_topic(replica, topic, Some((responses, response.as_str())), now)
}

/// Sets the one line of a topic.
pub(super) fn set_word(
    replica: &mut Replica,
    topic: &TopicSlug,
    word: &str,
    now: Timestamp,
) -> Result<(), DocumentError> {
    check_line(word, MAX_WORD_GRAPHEMES)?;
    let words = replica.container(Container::Words)?;
    put_topic(replica, topic, Some((words, word)), now)
}

/// Puts the topic (a new operation even if it is there already) and one value beside it, in one change.
fn put_topic(
    replica: &mut Replica,
    topic: &TopicSlug,
    beside: Option<(automerge::ObjId, &str)>,
    now: Timestamp,
) -> Result<(), DocumentError> {
    let topics = replica.container(Container::Topics)?;
    let doc = replica.doc();
    let standing = fields::number(doc, &topics, topic.as_str());
    let chosen = read(replica).topics.len();
    if standing.is_none() && chosen >= MAX_TOPICS {
        return Err(DocumentError::TooLong { limit: MAX_TOPICS, length: chosen + 1 });
    }
    if standing.is_some() && beside.is_none() {
        return Ok(());
    }
    let unchanged = beside.as_ref().is_some_and(|(map, value)| {
        fields::text(doc, map, topic.as_str()).is_some_and(|now| now.value == *value && now.others.is_empty())
    });
    if standing.is_some() && unchanged {
        return Ok(());
    }
    let last = fields::keys(doc, &topics).iter().filter_map(|key| fields::number(doc, &topics, key)).max();
    let order = standing.unwrap_or_else(|| last.map_or(0, |last| last.saturating_add(1)));
    replica.edit(now, |tx| {
        if standing.is_some() {
            // Putting an equal value makes no operation: the topic would not outlive a concurrent taking back.
            tx.delete(&topics, topic.as_str())?;
        }
        tx.put(&topics, topic.as_str(), order)?;
        if let Some((map, value)) = beside {
            tx.put(&map, topic.as_str(), value)?;
        }
        Ok(())
    })
}
