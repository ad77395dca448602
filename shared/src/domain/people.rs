//! People and pairs, as the server's records say.
//!
//! Decides nothing: who may read what stands in [`super::ownership`].

use serde::{Deserialize, Serialize};

use super::cadence::Cadence;
use crate::{
    ids::{PairId, SiteId, UserId},
    time::Timestamp,
};

/// What a person may do besides holding 1on1s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// An employee; may also be somebody's manager.
    Member,
    /// Sees whether 1on1s happen, never what is said.
    Hr,
    /// Keeps the list of people; sees as little of what is said as anybody else.
    Admin,
}

/// A person, as the people around them see one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Person {
    /// Who this is.
    pub id: UserId,
    /// Name as written by the organisation, family name first in Japanese.
    pub name: String,
    /// Where they work.
    pub site: Option<SiteId>,
    /// Name of that workplace, so that a phone needs no second record.
    pub site_name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// False after the person left; their documents follow the rules of the pair.
    pub active: bool,
}

/// What a pair is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PairKind {
    /// A member and their line manager.
    Line,
    /// A member and a mentor outside the line (斜め).
    Mentor,
    /// A member and their manager's manager.
    Skip,
}

/// Whether a pair still meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PairState {
    /// Both read and write.
    Open,
    /// Nobody writes; the member reads on, the former manager until 30 days after `at`.
    Closed {
        /// When the pair was closed.
        at: Timestamp,
    },
}

/// A member and the manager they hold 1on1s with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Pair {
    /// Which pair.
    pub id: PairId,
    /// The member: prepares.
    pub member: UserId,
    /// The manager: reads the brief.
    pub manager: UserId,
    /// What the pair is for.
    pub kind: PairKind,
    /// When they meet.
    pub cadence: Cadence,
    /// How often the cadence was changed.
    #[serde(default)]
    pub cadence_revision: u32,
    /// Whether they still meet.
    pub state: PairState,
}

/// Which side of a pair somebody is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Prepares.
    Member,
    /// Reads the brief.
    Manager,
}

impl Pair {
    /// The side `user` is on, if any.
    pub fn side_of(&self, user: UserId) -> Option<Side> {
        if user == self.member {
            Some(Side::Member)
        } else if user == self.manager {
            Some(Side::Manager)
        } else {
            None
        }
    }

    /// The person on the other side of `user`.
    pub fn partner_of(&self, user: UserId) -> Option<UserId> {
        self.side_of(user).map(|side| match side {
            Side::Member => self.manager,
            Side::Manager => self.member,
        })
    }
}
