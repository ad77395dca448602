//! `/v1/ratings`: a member's own ratings while they can still be changed.
//!
//! `PUT /v1/ratings/{meeting}` takes a [`Rating`](crate::domain::rating::Rating) and may be repeated; `GET /v1/ratings` gives the caller their own of
//! the open week, so that another phone of theirs can go on. Neither is a command: no log, no counter and no news tells
//! that one was given.

use serde::{Deserialize, Serialize};

use crate::{
    domain::rating::{AsAsked, Talked},
    ids::MeetingId,
    time::Timestamp,
};

/// The caller's own ratings that can still be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OwnRatings {
    /// In no particular order.
    pub ratings: Vec<OwnRating>,
    /// When the week closes and they can no longer be changed: Sunday 24:00.
    pub editable_until: Timestamp,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OwnRating {
    /// Which 1on1.
    pub meeting: MeetingId,
    /// How it went.
    pub talked: Talked,
    /// Whether the manager responded as asked, if that was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_asked: Option<AsAsked>,
}
