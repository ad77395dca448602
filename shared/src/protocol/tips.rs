//! `GET /v1/tips` and `GET /v1/tips/shelf`: what managers read. Writing, withdrawing, trying and reporting are commands.

use serde::{Deserialize, Serialize};

use crate::{
    domain::{catalog::ResponseSlug, tip::TipTopic},
    ids::TipId,
    time::Timestamp,
};

/// Fewest distinct managers for whom a tip worked before the number is said; below it a tip is 「新着」.
pub const FEWEST_HELPED: u32 = 3;

/// Where a tip comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TipScope {
    /// 社内
    Company,
    /// 社外: of no company and no person.
    Outside,
}

/// How far a tip of the caller's own has come outside the company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Offered {
    /// Not meant for others, or the company does not take part.
    No,
    /// Waits for a reviewer.
    Waiting,
    /// Other companies read it.
    Yes,
    /// A reviewer did not pass it.
    Declined,
    /// A state of a newer server.
    #[serde(other)]
    Unknown,
}

/// A tip as a manager reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Tip {
    /// Names it.
    pub id: TipId,
    /// At most 140 characters.
    pub text: String,
    /// What it is for.
    #[cfg_attr(feature = "openapi", schema(value_type = String, examples("career.future", "career.*")))]
    pub topic: TipTopic,
    /// Which response it is for.
    #[cfg_attr(feature = "openapi", schema(value_type = String, examples("think")))]
    pub response: ResponseSlug,
    /// Who it says it is from; none if its author chose so, has left, or is of another company.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byline: Option<String>,
    /// Where it comes from.
    pub scope: TipScope,
    /// When the server took it, to the day.
    pub written: Timestamp,
    /// Managers for whom it worked; none below [`FEWEST_HELPED`]: 「新着」.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helped: Option<u32>,
    /// Whether the caller is among them.
    pub helped_me: bool,
    /// For the caller's own: how far it has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mine: Option<Offered>,
}

/// A page of tips, the most useful first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TipsPage {
    /// In order.
    pub tips: Vec<Tip>,
    /// Pass it as `cursor` for the next page; none at the end. A page may be short and still have a next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What a manager's phone keeps to read without a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TipShelf {
    /// The most useful ones, and for each category and response the best two.
    pub tips: Vec<Tip>,
    /// The caller's own that are not withdrawn.
    pub own: Vec<Tip>,
    /// Whether the company takes part in exchanging tips with others.
    pub outside: bool,
}
