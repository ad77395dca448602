//! A manager's own words.

use taiwa_shared::domain::strengths::Dimension;

use super::tips::TipFilterView;
use crate::{
    api::{ApiError, error::parsed},
    session::{GuessedStrength, StrengthItem, StrengthsCard},
};

/// A way of responding, or a category of topics.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum DimensionView {
    /// A response.
    Response {
        /// Which.
        slug: String,
    },
    /// A category.
    Category {
        /// Which.
        slug: String,
    },
}

/// A strength, to show.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct StrengthView {
    /// For `guess_strengths`.
    pub dimension: DimensionView,
    /// What people read.
    pub label: String,
    /// 「目安」, where the company is too small to be measured against itself.
    pub note: Option<String>,
}

/// What somebody takes for a strength of theirs.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct GuessedStrengthView {
    /// Which.
    pub strength: StrengthView,
    /// Whether the words say the same.
    pub confirmed: bool,
}

/// The card of a manager's own words.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct StrengthsView {
    /// 得意.
    pub strong: Vec<StrengthView>,
    /// The same in a sentence.
    pub strong_words: Option<String>,
    /// To write a tip on it.
    pub invitation: Option<String>,
    /// 伸びしろ.
    pub growing: Option<StrengthView>,
    /// For `tips`, to show those for it.
    pub growing_filter: Option<TipFilterView>,
    /// What goes best among the own 1on1s.
    pub best_of_own: Option<String>,
    /// Said as long as there are no words.
    pub empty: Option<String>,
    /// What this person takes their strengths to be.
    pub guesses: Vec<GuessedStrengthView>,
    /// What may be guessed.
    pub choices: Vec<StrengthView>,
}

impl From<Dimension> for DimensionView {
    fn from(dimension: Dimension) -> Self {
        match dimension {
            Dimension::Response { slug } => Self::Response { slug: slug.into() },
            Dimension::Category { slug } => Self::Category { slug: slug.into() },
        }
    }
}

impl TryFrom<DimensionView> for Dimension {
    type Error = ApiError;
    fn try_from(dimension: DimensionView) -> Result<Self, ApiError> {
        Ok(match dimension {
            DimensionView::Response { slug } => Self::Response { slug: parsed("the response", &slug)? },
            DimensionView::Category { slug } => Self::Category { slug: parsed("the category", &slug)? },
        })
    }
}

impl From<StrengthItem> for StrengthView {
    fn from(item: StrengthItem) -> Self {
        Self { dimension: item.dimension.into(), label: item.label, note: item.note.map(str::to_owned) }
    }
}

impl From<GuessedStrength> for GuessedStrengthView {
    fn from(guess: GuessedStrength) -> Self {
        Self { strength: guess.item.into(), confirmed: guess.confirmed }
    }
}

impl From<StrengthsCard> for StrengthsView {
    fn from(card: StrengthsCard) -> Self {
        Self {
            strong: card.strong.into_iter().map(Into::into).collect(),
            strong_words: card.strong_words,
            invitation: card.invitation.map(str::to_owned),
            growing: card.growing.map(Into::into),
            growing_filter: card.growing_filter.map(Into::into),
            best_of_own: card.best_of_own,
            empty: card.empty.map(str::to_owned),
            guesses: card.guesses.into_iter().map(Into::into).collect(),
            choices: card.choices.into_iter().map(Into::into).collect(),
        }
    }
}
