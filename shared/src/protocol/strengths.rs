//! `GET /v1/strengths`: what the caller is good at as a manager, in words.
//!
//! Renewed once a week. No number, no count and no date of a rating is in it, and nobody but the manager gets it.

use serde::{Deserialize, Serialize};

use crate::{domain::strengths::Dimension, time::Timestamp};

/// A manager's words, as of the last Monday 06:00.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Strengths {
    /// 得意: at most three, the surest first.
    pub strong: Vec<Dimension>,
    /// 伸びしろ: at most one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growing: Option<Dimension>,
    /// 「あなたの1on1の中では…が一番話せています」: beside a growth area of somebody without a strength.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_of_own: Option<Dimension>,
    /// 目安: which of these are measured against a usual share, because the company has too few managers or ratings there to
    /// have one of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rough: Vec<Dimension>,
    /// Whether at least one dimension has enough voices; without any: 「まだ十分な声がありません（5人以上で表示）」.
    pub enough_voices: bool,
    /// The week's count that gave these words; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Timestamp>,
}
