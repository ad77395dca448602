//! A topic with its responses and words, as lists and forms show it.

use taiwa_shared::domain::{
    brief::PreparedTopic,
    catalog::{Catalog, Language, ResponseSlug, TopicSlug},
};

/// A response, to show and to set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseChoice {
    /// What documents store.
    pub slug: ResponseSlug,
    /// What people read.
    pub label: String,
}

/// A response that may be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseOffer {
    /// What documents store.
    pub slug: ResponseSlug,
    /// What people read.
    pub label: String,
    /// One sentence for the person who chooses; none for 「まだ決めていない」.
    pub help: Option<String>,
}

impl ResponseOffer {
    /// Every response of the catalog in its order, and 「まだ決めていない」 at the end.
    pub(super) fn all(catalog: &Catalog, language: Language) -> Vec<Self> {
        let known = catalog.responses.iter().map(|response| {
            let wording = response.wording.get(language);
            let (label, help) = (wording.label.clone(), Some(wording.help.clone()));
            Self { slug: response.slug.clone(), label, help }
        });
        let undecided = ResponseSlug::undecided();
        let label = catalog.response_label(&undecided, language).to_owned();
        known.chain([Self { slug: undecided, label, help: None }]).collect()
    }
}

/// A topic that somebody chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicChoice {
    /// What documents store.
    pub slug: TopicSlug,
    /// What people read.
    pub label: String,
    /// How the manager should respond; several where the member's devices disagree, the one shown first in front.
    pub responses: Vec<ResponseChoice>,
    /// The line in the member's own words; several where the devices disagree.
    pub words: Vec<String>,
    /// Never shown in a notification or widget.
    pub sensitive: bool,
}

impl TopicChoice {
    pub(super) fn of(catalog: &Catalog, prepared: &PreparedTopic, language: Language) -> Self {
        let response = &prepared.response;
        let responses = std::iter::once(&response.value).chain(&response.others).map(|slug| ResponseChoice {
            slug: slug.clone(),
            label: catalog.response_label(slug, language).to_owned(),
        });
        let words = prepared.word.iter().flat_map(|word| std::iter::once(&word.value).chain(&word.others));
        Self {
            slug: prepared.topic.clone(),
            label: catalog.topic_label(&prepared.topic, language).to_owned(),
            responses: responses.collect(),
            words: words.filter(|word| !word.is_empty()).cloned().collect(),
            sensitive: catalog.topic(&prepared.topic).is_some_and(|topic| topic.sensitive),
        }
    }
}
