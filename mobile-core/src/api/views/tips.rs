//! Tips of managers.

use taiwa_shared::{
    domain::{
        tip::Byline,
        tip_warning::{Warning, WarningKind},
    },
    protocol::tips::TipScope,
};

use super::memo::RangeView;
use crate::{
    api::{ApiError, error::parsed},
    session::{MoreTips, NewTipText, PinnedTip, TipFilter, TipItem, TipList, TipSource},
};

/// 社内 or 社外.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum TipScopeView {
    /// 社内
    Company,
    /// 社外
    Outside,
}

/// Where a tip comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum TipSourceView {
    /// 社内
    Company,
    /// 社外
    Outside,
    /// Comes with the app.
    BuiltIn,
}

/// Which tips to show; everything that is set has to fit.
#[derive(Debug, Clone, PartialEq, Eq, Default, uniffi::Record)]
pub struct TipFilterView {
    /// A topic's slug.
    #[uniffi(default = None)]
    pub topic: Option<String>,
    /// A category's slug.
    #[uniffi(default = None)]
    pub category: Option<String>,
    /// A response's slug.
    #[uniffi(default = None)]
    pub response: Option<String>,
    /// 社内 or 社外 alone.
    #[uniffi(default = None)]
    pub scope: Option<TipScopeView>,
}

/// A tip as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TipView {
    /// For what can be done with it; none for one that comes with the app.
    pub tip_id: Option<String>,
    /// What it says.
    pub text: String,
    /// What to mark in it.
    pub ranges: Vec<RangeView>,
    /// What it is for: a topic's slug, or `category.*`.
    pub topic: String,
    /// The same as people read it.
    pub topic_label: String,
    /// Which response it is for.
    pub response: String,
    /// The same as people read it.
    pub response_label: String,
    /// Who it says it is from.
    pub byline: Option<String>,
    /// Where it comes from.
    pub source: TipSourceView,
    /// 「5人が試してよかった」 or 「新着」.
    pub standing: Option<String>,
    /// Whether this person said that it helped.
    pub helped_me: bool,
    /// Whether this person wrote it.
    pub mine: bool,
    /// How far an own one has come outside.
    pub offered: Option<String>,
    /// Whether the server does not have it yet.
    pub waiting: bool,
    /// Whether this person has reported it.
    pub reported: bool,
}

/// The tips on this phone.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TipListView {
    /// In the order to show.
    pub tips: Vec<TipView>,
    /// Whether to show the switch 「社外」.
    pub outside: bool,
    /// When they were pulled; none before the first time.
    pub as_of_words: Option<String>,
}

/// A page of tips that the server gave.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct MoreTipsView {
    /// In the order to show.
    pub tips: Vec<TipView>,
    /// For the next page; none at the end.
    pub next: Option<String>,
}

/// Who a tip says it is from.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum BylineView {
    /// Nobody.
    Nobody,
    /// A line in the author's words.
    Line {
        /// Such as 「営業・マネジャー歴3年」.
        line: String,
    },
    /// The author's name.
    Name,
}

/// A tip as somebody writes it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NewTipView {
    /// One paragraph of at most 140 letters.
    pub text: String,
    /// A topic's slug, or `category.*`.
    pub topic: String,
    /// A response's slug, or `undecided`.
    pub response: String,
    /// Who it says it is from.
    pub byline: BylineView,
    /// Whether it may be offered to other companies.
    pub outside: bool,
}

/// What a warning is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum TipWarningKindView {
    /// A person.
    Person,
    /// A company.
    Company,
    /// An amount or share.
    Amount,
    /// A phone number.
    Phone,
    /// An e-mail address.
    Email,
}

/// A place in a text that the author should look at.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TipWarningView {
    /// What it may be.
    pub kind: TipWarningKindView,
    /// Where.
    pub range: RangeView,
}

/// A pinned tip.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PinnedTipView {
    /// For whose brief.
    pub pair_id: String,
    /// Name of the member.
    pub member_name: String,
    /// At which 1on1.
    pub meeting_id: Option<String>,
    /// Which tip; none for one that comes with the app.
    pub tip_id: Option<String>,
    /// What it says.
    pub text: String,
    /// Whether that 1on1 is over: offer 「試してよかった」.
    pub tried: bool,
}

impl From<TipScope> for TipScopeView {
    fn from(scope: TipScope) -> Self {
        match scope {
            TipScope::Company => Self::Company,
            TipScope::Outside => Self::Outside,
        }
    }
}

impl TryFrom<TipFilterView> for TipFilter {
    type Error = ApiError;
    fn try_from(filter: TipFilterView) -> Result<Self, ApiError> {
        let TipFilterView { topic, category, response, scope } = filter;
        let scope = scope.map(|scope| match scope {
            TipScopeView::Company => TipScope::Company,
            TipScopeView::Outside => TipScope::Outside,
        });
        Ok(Self {
            topic: topic.map(|it| parsed("the topic", &it)).transpose()?,
            category: category.map(|it| parsed("the category", &it)).transpose()?,
            response: response.map(|it| parsed("the response", &it)).transpose()?,
            scope,
        })
    }
}

impl From<TipFilter> for TipFilterView {
    fn from(filter: TipFilter) -> Self {
        Self {
            topic: filter.topic.map(Into::into),
            category: filter.category.map(Into::into),
            response: filter.response.map(Into::into),
            scope: filter.scope.map(Into::into),
        }
    }
}

impl From<TipItem> for TipView {
    fn from(tip: TipItem) -> Self {
        Self {
            tip_id: tip.id.map(|id| id.to_string()),
            text: tip.text,
            ranges: tip.ranges.into_iter().map(range).collect(),
            topic: tip.topic.into(),
            topic_label: tip.topic_label,
            response: tip.response.into(),
            response_label: tip.response_label,
            byline: tip.byline,
            source: match tip.source {
                TipSource::Company => TipSourceView::Company,
                TipSource::Outside => TipSourceView::Outside,
                TipSource::BuiltIn => TipSourceView::BuiltIn,
            },
            standing: tip.standing,
            helped_me: tip.helped_me,
            mine: tip.mine,
            offered: tip.offered.map(str::to_owned),
            waiting: tip.waiting,
            reported: tip.reported,
        }
    }
}

fn range(range: std::ops::Range<u32>) -> RangeView {
    RangeView { start_utf16: range.start, end_utf16: range.end }
}

impl From<TipList> for TipListView {
    fn from(list: TipList) -> Self {
        Self { tips: list.tips.into_iter().map(Into::into).collect(), outside: list.outside, as_of_words: list.as_of }
    }
}

impl From<MoreTips> for MoreTipsView {
    fn from(more: MoreTips) -> Self {
        Self { tips: more.tips.into_iter().map(Into::into).collect(), next: more.next }
    }
}

impl TryFrom<NewTipView> for NewTipText {
    type Error = ApiError;
    fn try_from(tip: NewTipView) -> Result<Self, ApiError> {
        Ok(Self {
            text: tip.text,
            topic: parsed("the topic", &tip.topic)?,
            response: parsed("the response", &tip.response)?,
            byline: match tip.byline {
                BylineView::Nobody => Byline::None,
                BylineView::Line { line } => Byline::Line(line),
                BylineView::Name => Byline::Name,
            },
            outside: tip.outside,
        })
    }
}

impl From<Warning> for TipWarningView {
    fn from(warning: Warning) -> Self {
        let kind = match warning.kind {
            WarningKind::Person => TipWarningKindView::Person,
            WarningKind::Company => TipWarningKindView::Company,
            WarningKind::Amount => TipWarningKindView::Amount,
            WarningKind::Phone => TipWarningKindView::Phone,
            WarningKind::Email => TipWarningKindView::Email,
        };
        Self { kind, range: range(warning.range) }
    }
}

impl From<PinnedTip> for PinnedTipView {
    fn from(pin: PinnedTip) -> Self {
        Self {
            pair_id: pin.pair.to_string(),
            member_name: pin.member_name,
            meeting_id: pin.meeting.map(|id| id.to_string()),
            tip_id: pin.tip.map(|id| id.to_string()),
            text: pin.text,
            tried: pin.tried,
        }
    }
}
