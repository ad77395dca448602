//! The rating of a 1on1, and what a manager's phone says about what is expected.

use taiwa_shared::domain::rating::AsAsked;

use super::prepare::ResponseView;
use crate::session::{
    AsAskedChoice, Expectation, ExpectedCategory, ExpectedResponse, RatingDue, RatingForm, RatingStanding, TalkedChoice,
};

/// The answer to 「お願いした関わり方でしたか？」.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum AsAskedView {
    /// はい
    Yes,
    /// だいたい
    Roughly,
    /// ちがった
    No,
}

/// How far a rating has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum RatingStandingView {
    /// Nothing was said.
    NotGiven,
    /// On this phone, and on its way.
    Waiting,
    /// The server has it.
    Sent,
    /// The server did not take it and will not.
    NotTaken,
}

/// One of the five steps.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TalkedView {
    /// For `rate`, 1 to 5.
    pub step: u8,
    /// What people read.
    pub label: String,
}

/// One answer to the second question.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct AsAskedOfferView {
    /// For `rate`.
    pub answer: AsAskedView,
    /// What people read.
    pub label: String,
}

/// The screen of one 1on1's rating.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RatingView {
    /// Which 1on1.
    pub meeting_id: String,
    /// Name of the manager, who does not see it.
    pub partner_name: String,
    /// When the 1on1 was.
    pub when_words: String,
    /// The first question.
    pub question: String,
    /// The five steps, from the lowest.
    pub steps: Vec<TalkedView>,
    /// The second question, which may be left out.
    pub second_question: String,
    /// Its answers.
    pub answers: Vec<AsAskedOfferView>,
    /// Who sees what of it; stands under both.
    pub assurance: String,
    /// What was said, 1 to 5.
    pub step: Option<u8>,
    /// What was said to the second question.
    pub answer: Option<AsAskedView>,
    /// How far it has come.
    pub standing: RatingStandingView,
    /// The same as people say it.
    pub standing_words: Option<String>,
    /// Whether it can be given or changed.
    pub can_change: bool,
}

/// A 1on1 about which home asks.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RatingDueView {
    /// Which.
    pub meeting_id: String,
    /// Of which pair.
    pub pair_id: String,
    /// Name of the manager.
    pub partner_name: String,
    /// When it was.
    pub when_words: String,
}

/// What a member expects of this manager.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ExpectationView {
    /// The pair.
    pub pair_id: String,
    /// The member.
    pub member_id: String,
    /// Their name.
    pub member_name: String,
    /// By category of topics, what was asked for last first.
    pub categories: Vec<ExpectedCategoryView>,
}

/// What a member expects when a category of topics is talked about.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ExpectedCategoryView {
    /// For filters.
    pub slug: String,
    /// What people read.
    pub label: String,
    /// The responses that were asked for, the most frequent first.
    pub responses: Vec<ExpectedResponseView>,
    /// The response that was asked for last.
    pub latest: ResponseView,
    /// When.
    pub latest_words: String,
}

/// How often a response was asked for.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ExpectedResponseView {
    /// Which.
    pub response: ResponseView,
    /// How often.
    pub times: u32,
}

impl From<AsAsked> for AsAskedView {
    fn from(answer: AsAsked) -> Self {
        match answer {
            AsAsked::Yes => Self::Yes,
            AsAsked::Roughly => Self::Roughly,
            AsAsked::No => Self::No,
        }
    }
}

impl From<AsAskedView> for AsAsked {
    fn from(answer: AsAskedView) -> Self {
        match answer {
            AsAskedView::Yes => Self::Yes,
            AsAskedView::Roughly => Self::Roughly,
            AsAskedView::No => Self::No,
        }
    }
}

impl From<RatingStanding> for RatingStandingView {
    fn from(standing: RatingStanding) -> Self {
        match standing {
            RatingStanding::NotGiven => Self::NotGiven,
            RatingStanding::Waiting => Self::Waiting,
            RatingStanding::Sent => Self::Sent,
            RatingStanding::NotTaken => Self::NotTaken,
        }
    }
}

impl From<TalkedChoice> for TalkedView {
    fn from(choice: TalkedChoice) -> Self {
        Self { step: choice.talked.step(), label: choice.label }
    }
}

impl From<AsAskedChoice> for AsAskedOfferView {
    fn from(choice: AsAskedChoice) -> Self {
        Self { answer: choice.as_asked.into(), label: choice.label.to_owned() }
    }
}

impl From<RatingForm> for RatingView {
    fn from(form: RatingForm) -> Self {
        Self {
            meeting_id: form.meeting.to_string(),
            partner_name: form.partner_name,
            when_words: form.when,
            question: form.question.to_owned(),
            steps: form.steps.into_iter().map(Into::into).collect(),
            second_question: form.second_question.to_owned(),
            answers: form.answers.into_iter().map(Into::into).collect(),
            assurance: form.assurance,
            step: form.talked.map(Into::into),
            answer: form.as_asked.map(Into::into),
            standing: form.standing.into(),
            standing_words: form.standing_words,
            can_change: form.can_change,
        }
    }
}

impl From<RatingDue> for RatingDueView {
    fn from(due: RatingDue) -> Self {
        Self {
            meeting_id: due.meeting.to_string(),
            pair_id: due.pair.to_string(),
            partner_name: due.partner_name,
            when_words: due.when,
        }
    }
}

impl From<Expectation> for ExpectationView {
    fn from(expectation: Expectation) -> Self {
        Self {
            pair_id: expectation.pair.to_string(),
            member_id: expectation.member.to_string(),
            member_name: expectation.member_name,
            categories: expectation.categories.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<ExpectedCategory> for ExpectedCategoryView {
    fn from(category: ExpectedCategory) -> Self {
        Self {
            slug: category.category.into(),
            label: category.label,
            responses: category.responses.into_iter().map(Into::into).collect(),
            latest: category.latest.into(),
            latest_words: category.latest_when,
        }
    }
}

impl From<ExpectedResponse> for ExpectedResponseView {
    fn from(expected: ExpectedResponse) -> Self {
        Self { response: expected.response.into(), times: expected.times }
    }
}
