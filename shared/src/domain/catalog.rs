//! Topics, expected responses, hints and the first tips: product data, embedded at build time.
//!
//! Documents hold slugs only; labels live here. A slug this version does not know is kept and shown as
//! 「（新しい項目）」: an older phone must not lose what a newer one chose.

use std::{fmt, str::FromStr, sync::LazyLock};

use serde::{Deserialize, Serialize};

use super::rating::Talked;

/// Most topics a member brings to one 1on1; more would not fit the ten seconds of the brief.
pub const MAX_TOPICS: usize = 3;

/// Most graphemes of the one-line word beside a topic, a promise or an intention.
pub const MAX_WORD_GRAPHEMES: usize = 140;

/// Longest slug in bytes; a company's own are `x.<company>.<name>`.
const MAX_SLUG_BYTES: usize = 64;

/// The text cannot be a slug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a slug has 1 to 64 characters out of a-z, 0-9, '.', '_' and '-'")]
pub struct InvalidSlugError;

fn check_slug(text: &str) -> Result<(), InvalidSlugError> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    if (1..=MAX_SLUG_BYTES).contains(&text.len()) && text.bytes().all(allowed) { Ok(()) } else { Err(InvalidSlugError) }
}

macro_rules! slugs {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text, as documents store it.
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl FromStr for $name {
            type Err = InvalidSlugError;
            fn from_str(text: &str) -> Result<Self, InvalidSlugError> { check_slug(text).map(|()| Self(text.to_owned())) }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidSlugError;
            fn try_from(text: String) -> Result<Self, InvalidSlugError> { check_slug(&text).map(|()| Self(text)) }
        }
        impl From<$name> for String {
            fn from(slug: $name) -> Self { slug.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
    )*};
}

slugs! {
    /// What to talk about, such as `career.future`. Permanent, never reused.
    TopicSlug;
    /// How the manager should respond, such as `think`; or [`ResponseSlug::undecided`].
    ResponseSlug;
    /// A group of topics, such as `career`.
    CategorySlug;
}

impl ResponseSlug {
    /// 「まだ決めていない」: chosen instead of a response; the manager asks in the first minute.
    pub fn undecided() -> Self {
        Self("undecided".to_owned())
    }
    /// Whether this is [`Self::undecided`].
    pub fn is_undecided(&self) -> bool {
        self.0 == "undecided"
    }
}

impl TopicSlug {
    /// The part before the first dot, which is the category of a built-in topic.
    pub fn category(&self) -> &str {
        self.0.split('.').next().unwrap_or(&self.0)
    }
}

/// Language of a person's screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Japanese.
    Ja,
    /// English.
    En,
}

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Bilingual<T> {
    /// Japanese.
    pub ja: T,
    /// English.
    pub en: T,
}

impl<T> Bilingual<T> {
    /// The text in `language`.
    pub const fn get(&self, language: Language) -> &T {
        match language {
            Language::Ja => &self.ja,
            Language::En => &self.en,
        }
    }
}

/// How an item reads in one language.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Wording {
    /// Short label for a chip.
    pub label: String,
    /// One sentence for the person who chooses.
    pub help: String,
    /// Short statements for the manager.
    pub hint: Vec<String>,
}

/// A group of topics.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Category {
    /// Permanent slug.
    pub slug: String,
    /// Label in both languages.
    #[serde(flatten)]
    pub label: Bilingual<String>,
}

/// Something to talk about.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Topic {
    /// Permanent slug.
    pub slug: TopicSlug,
    /// Slug of its category.
    #[serde(rename = "cat")]
    pub category: String,
    /// Never in notifications nor statistics by topic.
    #[serde(default)]
    pub sensitive: bool,
    /// Wording in both languages.
    #[serde(flatten)]
    pub wording: Bilingual<Wording>,
}

/// How the manager should respond.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Response {
    /// Permanent slug.
    pub slug: ResponseSlug,
    /// Wording in both languages.
    #[serde(flatten)]
    pub wording: Bilingual<Wording>,
}

/// A manager's tip for a topic (or `category.*`) and a response.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CatalogTip {
    /// A topic's slug, or `category.*`.
    pub topic: String,
    /// A response's slug, or `undecided`.
    pub response: ResponseSlug,
    /// The tip.
    #[serde(flatten)]
    pub text: Bilingual<String>,
}

/// A hint that replaces the topic's own where topic and response pull in different directions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Combination {
    topic: String,
    response: ResponseSlug,
    #[serde(flatten)]
    hint: Bilingual<String>,
}

/// One of the five steps of 話せた感, and what people read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RatingStep {
    /// Which.
    pub value: Talked,
    /// Label in both languages.
    #[serde(flatten)]
    pub label: Bilingual<String>,
}

/// All product data.
#[derive(Debug)]
pub struct Catalog {
    /// Groups of topics, in the order of the screen.
    pub categories: Vec<Category>,
    /// Topics, in the order of the screen.
    pub topics: Vec<Topic>,
    /// Responses, in the order of the screen.
    pub responses: Vec<Response>,
    /// Tips to begin with.
    pub tips: Vec<CatalogTip>,
    /// The steps of 話せた感, from the lowest.
    pub rating: Vec<RatingStep>,
    combinations: Vec<Combination>,
}

static BUILT_IN: LazyLock<Catalog> = LazyLock::new(|| Catalog {
    categories: parse(include_str!("../../../catalog/categories.json")),
    topics: parse(include_str!("../../../catalog/topics.json")),
    responses: parse(include_str!("../../../catalog/responses.json")),
    tips: parse(include_str!("../../../catalog/tips.json")),
    rating: parse(include_str!("../../../catalog/rating.json")),
    combinations: parse(include_str!("../../../catalog/combinations.json")),
});

fn parse<T: serde::de::DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).expect("the embedded catalog is checked by a test")
}

/// Whether `pattern` (a slug, or `category.*`) covers `topic`.
fn covers(pattern: &str, topic: &TopicSlug) -> bool {
    pattern.strip_suffix(".*").map_or_else(|| pattern == topic.as_str(), |category| category == topic.category())
}

impl Catalog {
    /// The catalog that is built in.
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// A topic by its slug; none if it is of a newer version or a company's own.
    pub fn topic(&self, slug: &TopicSlug) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.slug == *slug)
    }

    /// A response by its slug; none for `undecided` and for those of a newer version.
    pub fn response(&self, slug: &ResponseSlug) -> Option<&Response> {
        self.responses.iter().find(|response| response.slug == *slug)
    }

    /// Label of a topic, also of one that this version does not know.
    pub fn topic_label(&self, slug: &TopicSlug, language: Language) -> &str {
        self.topic(slug).map_or_else(|| unknown_label(language), |topic| &topic.wording.get(language).label)
    }

    /// Label of a response, of `undecided`, and of one that this version does not know.
    pub fn response_label(&self, slug: &ResponseSlug, language: Language) -> &str {
        if slug.is_undecided() {
            return match language {
                Language::Ja => "まだ決めていない",
                Language::En => "Not decided yet",
            };
        }
        self.response(slug).map_or_else(|| unknown_label(language), |response| &response.wording.get(language).label)
    }

    /// Label of a category, also of one that this version does not know.
    pub fn category_label(&self, slug: &str, language: Language) -> &str {
        let known = self.categories.iter().find(|category| category.slug == slug);
        known.map_or_else(|| unknown_label(language), |category| category.label.get(language))
    }

    /// The category of a topic; of one that this version does not know, the part before the first dot.
    pub fn category_of(&self, slug: &TopicSlug) -> Option<CategorySlug> {
        let known = self.topic(slug).map(|topic| topic.category.as_str());
        known.unwrap_or_else(|| slug.category()).parse().ok()
    }

    /// What the manager does for this response, at most three statements.
    pub fn response_hint(&self, slug: &ResponseSlug, language: Language) -> Vec<&str> {
        if slug.is_undecided() {
            return vec![match language {
                Language::Ja => "最初の1分で「今日はどう関わるとよい？」と聞く。",
                Language::En => "Ask in the first minute: how would you like me to respond?",
            }];
        }
        self.response(slug)
            .map(|response| response.wording.get(language).hint.iter().map(String::as_str).collect())
            .unwrap_or_default()
    }

    /// What the manager keeps in mind for this topic; a combination's own hint comes instead of the topic's.
    pub fn topic_hint(&self, topic: &TopicSlug, response: &ResponseSlug, language: Language) -> Vec<&str> {
        let special = self.combinations.iter().find(|c| c.response == *response && covers(&c.topic, topic));
        if let Some(combination) = special {
            return vec![combination.hint.get(language)];
        }
        self.topic(topic)
            .map(|topic| topic.wording.get(language).hint.iter().map(String::as_str).collect())
            .unwrap_or_default()
    }

    /// Tips for this topic and response, the exact topic before its category, at most `limit`.
    pub fn tips_for(&self, topic: &TopicSlug, response: &ResponseSlug, limit: usize) -> Vec<&CatalogTip> {
        let mut fitting: Vec<_> =
            self.tips.iter().filter(|tip| tip.response == *response && covers(&tip.topic, topic)).collect();
        fitting.sort_by_key(|tip| tip.topic.ends_with(".*"));
        fitting.truncate(limit);
        fitting
    }
}

const fn unknown_label(language: Language) -> &'static str {
    match language {
        Language::Ja => "（新しい項目）",
        Language::En => "(new item)",
    }
}

#[cfg(test)]
mod tests;
