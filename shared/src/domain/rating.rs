//! 話せた感: what a member says about a 1on1, five steps, and whether the manager responded as asked.
//!
//! Only the member's own phones and the weekly count see one (product wording: the catalog's `rating.json`). A rating
//! names the picks of its prep by category and response, so that the count never needs a document.

use serde::{Deserialize, Serialize};

use super::catalog::{CategorySlug, MAX_TOPICS, ResponseSlug};

/// Lowest of the five steps that counts as a success: 「話せた」.
const SUCCESS: u8 = 4;

/// One of the five steps, 1 (話せなかった) to 5 (しっかり話せた).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = u8, minimum = 1, maximum = 5))]
pub struct Talked(u8);

/// The number is not one of the five steps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a rating is 1, 2, 3, 4 or 5")]
pub struct NotAStepError;

impl Talked {
    /// The step, 1 to 5.
    pub const fn step(self) -> u8 {
        self.0
    }
    /// Whether the member could talk about what they wanted.
    pub const fn is_success(self) -> bool {
        self.0 >= SUCCESS
    }
}

impl TryFrom<u8> for Talked {
    type Error = NotAStepError;
    fn try_from(step: u8) -> Result<Self, NotAStepError> {
        if (1..=5).contains(&step) { Ok(Self(step)) } else { Err(NotAStepError) }
    }
}

impl From<Talked> for u8 {
    fn from(talked: Talked) -> Self {
        talked.0
    }
}

/// 「お願いした関わり方でしたか？」
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AsAsked {
    /// はい
    Yes,
    /// だいたい
    Roughly,
    /// ちがった
    No,
}

/// What was on the table: the category of a topic and the response that was asked for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Pick {
    /// The topic's category.
    #[cfg_attr(feature = "openapi", schema(value_type = String, examples("career")))]
    pub category: CategorySlug,
    /// The response; `undecided` counts for the category alone.
    #[cfg_attr(feature = "openapi", schema(value_type = String, examples("think")))]
    pub response: ResponseSlug,
}

/// Most picks of one rating: as many as a prep has topics.
pub const MAX_PICKS: usize = MAX_TOPICS;

/// What a member says about one 1on1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rating {
    /// 「今日の1on1、話したいことを話せましたか？」
    pub talked: Talked,
    /// 「お願いした関わり方でしたか？」, if it was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_asked: Option<AsAsked>,
    /// What the prep had asked for, at most [`MAX_PICKS`], none without a prep.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(max_items = 3))]
    pub picks: Vec<Pick>,
}
