//! A manager's tip for other managers: one thing that worked, for a topic and a response.
//!
//! What it may be is checked here, on the phone before it is sent and on the server again.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use super::catalog::{CategorySlug, InvalidSlugError, ResponseSlug, TopicSlug};
use crate::ids::TipId;

/// Most graphemes of a tip.
pub const MAX_TIP_GRAPHEMES: usize = 140;
/// Most graphemes of the line that says who wrote it, such as 「営業・マネジャー歴3年」.
pub const MAX_AUTHOR_GRAPHEMES: usize = 40;
/// Most bytes of either: a grapheme can be long.
const MAX_BYTES: usize = 4_096;

/// What a tip is for: one topic, or all topics of a category.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TipTopic {
    /// One topic.
    Topic(TopicSlug),
    /// `career.*`: all topics of a category.
    Category(CategorySlug),
}

impl TipTopic {
    /// The category, of a topic too.
    pub fn category(&self) -> &str {
        match self {
            Self::Topic(topic) => topic.category(),
            Self::Category(category) => category.as_str(),
        }
    }
}

impl TipTopic {
    /// How well it fits a topic; none if it is for another one.
    pub fn fit(&self, topic: &TopicSlug) -> Option<Fit> {
        match self {
            Self::Topic(mine) if mine == topic => Some(Fit::Exact),
            Self::Category(mine) if mine.as_str() == topic.category() => Some(Fit::Category),
            Self::Topic(_) | Self::Category(_) => None,
        }
    }
}

/// How well a tip fits a topic; the better one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// It is for that topic.
    Exact,
    /// It is for all topics of its category.
    Category,
}

impl FromStr for TipTopic {
    type Err = InvalidSlugError;
    fn from_str(text: &str) -> Result<Self, InvalidSlugError> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for TipTopic {
    type Error = InvalidSlugError;
    fn try_from(text: String) -> Result<Self, InvalidSlugError> {
        match text.strip_suffix(".*") {
            Some(category) => Ok(Self::Category(category.parse()?)),
            None => Ok(Self::Topic(text.try_into()?)),
        }
    }
}

impl From<TipTopic> for String {
    fn from(topic: TipTopic) -> Self {
        topic.to_string()
    }
}

impl fmt::Display for TipTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(topic) => topic.fmt(f),
            Self::Category(category) => write!(f, "{category}.*"),
        }
    }
}

/// Who a tip says it is from; the author chooses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", content = "line", rename_all = "snake_case")]
pub enum Byline {
    /// Nobody.
    None,
    /// A line in the author's words, such as 「営業・マネジャー歴3年」.
    Line(String),
    /// The author's name, within the company alone.
    Name,
}

impl Byline {
    /// The author's own words, if they chose some.
    pub fn line(&self) -> Option<&str> {
        match self {
            Self::Line(line) => Some(line),
            Self::None | Self::Name => None,
        }
    }
}

/// A tip as its author writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewTip {
    /// Made on the author's phone, version 7.
    pub id: TipId,
    /// At most [`MAX_TIP_GRAPHEMES`].
    pub text: String,
    /// What it is for.
    #[cfg_attr(feature = "openapi", schema(value_type = String, examples("career.future", "career.*")))]
    pub topic: TipTopic,
    /// Which response it is for, or `undecided`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, examples("think")))]
    pub response: ResponseSlug,
    /// Who it says it is from.
    pub byline: Byline,
    /// Whether it may be offered to other companies, once a reviewer has passed it and if the company takes part.
    pub outside: bool,
}

/// Why a tip cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TipFault {
    /// No text.
    #[error("a tip needs a text")]
    Empty,
    /// Too long.
    #[error("a tip has at most 140 characters")]
    TooLong,
    /// The line about the author is too long.
    #[error("the line about the author has at most 40 characters")]
    LineTooLong,
    /// Control characters or line breaks.
    #[error("a tip is one paragraph without control characters")]
    NotOneParagraph,
}

impl NewTip {
    /// The same without spaces around the text and the line; a line of nothing else is none.
    #[must_use]
    pub fn tidied(self) -> Self {
        let byline = match self.byline {
            Byline::Line(line) if line.trim().is_empty() => Byline::None,
            Byline::Line(line) => Byline::Line(line.trim().to_owned()),
            byline => byline,
        };
        Self { text: self.text.trim().to_owned(), byline, ..self }
    }

    /// Whether it may be taken.
    ///
    /// # Errors
    /// [`TipFault`]: what to change.
    pub fn check(&self) -> Result<(), TipFault> {
        if self.text.trim().is_empty() {
            return Err(TipFault::Empty);
        }
        if !fits(&self.text, MAX_TIP_GRAPHEMES) {
            return Err(TipFault::TooLong);
        }
        let line = self.byline.line().unwrap_or_default();
        if !fits(line, MAX_AUTHOR_GRAPHEMES) {
            return Err(TipFault::LineTooLong);
        }
        if self.text.chars().chain(line.chars()).any(char::is_control) {
            return Err(TipFault::NotOneParagraph);
        }
        Ok(())
    }
}

/// How many letters a text has, as people count them.
pub fn letters(text: &str) -> usize {
    text.graphemes(true).count()
}

fn fits(text: &str, graphemes: usize) -> bool {
    text.len() <= MAX_BYTES && text.graphemes(true).take(graphemes + 1).count() <= graphemes
}
