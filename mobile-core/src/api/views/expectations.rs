//! What each member asks for.

use crate::session::{CategoryExpectations, Expectations, ResponseCount};

/// What one member asks for.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ExpectationsView {
    /// Of which pair.
    pub pair_id: String,
    /// The member.
    pub member_id: String,
    /// Their name.
    pub member_name: String,
    /// Preparations that this is counted from.
    pub preparations: u32,
    /// By category of topic, the one that was brought most first; empty if nothing has arrived.
    pub categories: Vec<CategoryExpectationsView>,
}

/// What a member asks for when it is about one category.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CategoryExpectationsView {
    /// Its permanent name, such as `career`.
    pub slug: String,
    /// What people read.
    pub label: String,
    /// Topics of it that the member brought.
    pub topics: u32,
    /// The responses asked for, the most frequent first.
    pub responses: Vec<ResponseCountView>,
}

/// How often a response was asked for, and when last.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ResponseCountView {
    /// Its permanent name, such as `think`.
    pub slug: String,
    /// What people read.
    pub label: String,
    /// How often.
    pub times: u32,
    /// The 1on1 for which it was asked last, in milliseconds since 1970, if this phone knows when that is.
    pub latest_millis: Option<i64>,
    /// The same as people say it.
    pub latest_when: Option<String>,
}

impl From<Expectations> for ExpectationsView {
    fn from(it: Expectations) -> Self {
        Self {
            pair_id: it.pair.to_string(),
            member_id: it.member.to_string(),
            member_name: it.member_name,
            preparations: it.preparations,
            categories: it.categories.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<CategoryExpectations> for CategoryExpectationsView {
    fn from(it: CategoryExpectations) -> Self {
        let responses = it.responses.into_iter().map(Into::into).collect();
        Self { slug: it.slug.into(), label: it.label, topics: it.topics, responses }
    }
}

impl From<ResponseCount> for ResponseCountView {
    fn from(it: ResponseCount) -> Self {
        let latest_millis = it.latest.map(|at| at.as_millis());
        Self { slug: it.slug.into(), label: it.label, times: it.times, latest_millis, latest_when: it.latest_when }
    }
}
