//! The preparation form and the brief.

use taiwa_shared::domain::brief::{Brief, BriefTopic};

use super::home::{PreparationView, TopicOfferView};
use crate::session::{Prepare, ResponseChoice, ResponseOffer, TopicChoice};

/// An expected response.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ResponseView {
    /// For `set_response`.
    pub slug: String,
    /// What people read.
    pub label: String,
}

/// An expected response that may be set.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ResponseOfferView {
    /// For `set_response`.
    pub slug: String,
    /// What people read.
    pub label: String,
    /// One sentence for the person who chooses; none for 「まだ決めていない」.
    pub help: Option<String>,
}

/// A topic that somebody chose.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TopicView {
    /// For the functions of the form.
    pub slug: String,
    /// What people read.
    pub label: String,
    /// How the manager should respond; several where the member's devices disagree.
    pub responses: Vec<ResponseView>,
    /// The member's own words; several where the devices disagree.
    pub words: Vec<String>,
    /// Never shown in a notification or widget.
    pub sensitive: bool,
}

/// The form.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PrepareView {
    /// The meeting it prepares.
    pub meeting_id: String,
    /// Name of the manager, the only one who gets to see it.
    pub partner_name: String,
    /// When the meeting is.
    pub when_words: String,
    /// Topics to begin with.
    pub offered: Vec<TopicOfferView>,
    /// What is chosen, in order.
    pub chosen: Vec<TopicView>,
    /// Whether the person has to say which three.
    pub over_limit: bool,
    /// How far it is.
    pub state: PreparationView,
}

/// One topic on a brief.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct BriefTopicView {
    /// What to talk about.
    pub topic: String,
    /// How to respond; several where the member's devices disagree.
    pub responses: Vec<String>,
    /// The member's own words.
    pub words: Vec<String>,
    /// What to do for this response, and what to keep in mind.
    pub hints: Vec<String>,
    /// Never repeated outside the brief.
    pub sensitive: bool,
}

/// The brief, ready to show.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct BriefView {
    /// Whose and when.
    pub title: String,
    /// Topics with responses.
    pub topics: Vec<BriefTopicView>,
    /// Said instead of topics when nothing has arrived.
    pub not_arrived: Option<String>,
    /// Open promises, at most three.
    pub promises: Vec<String>,
    /// Tips of other managers, at most three.
    pub tips: Vec<String>,
}

impl From<ResponseChoice> for ResponseView {
    fn from(response: ResponseChoice) -> Self {
        Self { slug: response.slug.into(), label: response.label }
    }
}

impl From<ResponseOffer> for ResponseOfferView {
    fn from(response: ResponseOffer) -> Self {
        Self { slug: response.slug.into(), label: response.label, help: response.help }
    }
}

impl From<TopicChoice> for TopicView {
    fn from(topic: TopicChoice) -> Self {
        Self {
            slug: topic.slug.into(),
            label: topic.label,
            responses: topic.responses.into_iter().map(Into::into).collect(),
            words: topic.words,
            sensitive: topic.sensitive,
        }
    }
}

impl From<Prepare> for PrepareView {
    fn from(form: Prepare) -> Self {
        Self {
            meeting_id: form.meeting.to_string(),
            partner_name: form.partner_name,
            when_words: form.when,
            offered: form.offered.into_iter().map(Into::into).collect(),
            chosen: form.chosen.into_iter().map(Into::into).collect(),
            over_limit: form.over_limit,
            state: form.state.into(),
        }
    }
}

impl From<BriefTopic> for BriefTopicView {
    fn from(topic: BriefTopic) -> Self {
        let BriefTopic { topic, responses, words, hints, sensitive } = topic;
        Self { topic, responses, words, hints, sensitive }
    }
}

impl From<Brief> for BriefView {
    fn from(brief: Brief) -> Self {
        Self {
            title: brief.title,
            topics: brief.topics.into_iter().map(Into::into).collect(),
            not_arrived: brief.not_arrived,
            promises: brief.promises,
            tips: brief.tips,
        }
    }
}
