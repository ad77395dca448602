//! ヒント: what managers tell each other, read without a network.
//!
//! Map: this file what is shown and in what order; `overlay` the shelf with what this person has asked for since; `written`
//! writing, withdrawing, 「試してよかった」 and reporting; `pins` tips for the next brief of a member; `shelf` when the shelf is
//! pulled. What somebody reads or looks for stays on this phone, except the question of [`Session::more_tips`].

mod overlay;
mod pins;
pub(super) mod shelf;
mod written;

use std::ops::Range;

use taiwa_shared::{
    domain::{
        brief::{SharedTip, local_time},
        catalog::{CatalogTip, CategorySlug, Language, ResponseSlug, TopicSlug},
        search::{self, MAX_QUERY_CHARS, Query},
        tip::{Fit, TipTopic},
    },
    ids::TipId,
    protocol::{
        login::Secret,
        tips::{FEWEST_HELPED, Offered, Tip, TipScope, TipsPage},
    },
};

pub use pins::PinnedTip;
pub use written::NewTipText;

use super::{Session, SessionError};
use crate::http::HttpError;
use overlay::OnShelf;

/// Where a tip comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TipSource {
    /// 社内
    Company,
    /// 社外
    Outside,
    /// Comes with the app.
    BuiltIn,
}

/// Which tips to show; everything that is set has to fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TipFilter {
    /// For this topic: those for exactly it first, then those for its category.
    pub topic: Option<TopicSlug>,
    /// For topics of this category.
    pub category: Option<CategorySlug>,
    /// For this response; together with a topic, those for the response alone come last.
    pub response: Option<ResponseSlug>,
    /// 社内 or 社外 alone.
    pub scope: Option<TipScope>,
}

/// A tip as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TipItem {
    /// Which; none for one that comes with the app.
    pub id: Option<TipId>,
    /// What it says.
    pub text: String,
    /// What to mark in it for the words that were looked for, in UTF-16 units.
    pub ranges: Vec<Range<u32>>,
    /// What it is for.
    pub topic: TipTopic,
    /// The same as people read it.
    pub topic_label: String,
    /// Which response it is for.
    pub response: ResponseSlug,
    /// The same as people read it.
    pub response_label: String,
    /// Who it says it is from.
    pub byline: Option<String>,
    /// Where it comes from.
    pub source: TipSource,
    /// 「5人が試してよかった」 or 「新着」; none for one that comes with the app.
    pub standing: Option<String>,
    /// Whether this person said that it helped.
    pub helped_me: bool,
    /// Whether this person wrote it.
    pub mine: bool,
    /// How far an own one has come outside: 「社外: 確認待ち」.
    pub offered: Option<&'static str>,
    /// Whether the server does not have it yet.
    pub waiting: bool,
    /// Whether this person has reported it.
    pub reported: bool,
}

/// The list, and whether it can be looked at from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TipList {
    /// In the order to show.
    pub tips: Vec<TipItem>,
    /// Whether there are tips from outside: the switch 「社外」 is hidden otherwise.
    pub outside: bool,
    /// When they were pulled, as people say it; none before the first time.
    pub as_of: Option<String>,
}

/// A page of tips that the server gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoreTips {
    /// In the order to show.
    pub tips: Vec<TipItem>,
    /// For the next page; none at the end.
    pub next: Option<String>,
}

impl Session {
    /// The tips on this phone that fit, and of `words` hold all: without a network, and with what this person has asked for
    /// since the last one.
    ///
    /// # Errors
    /// [`SessionError::NoAccess`] if this person manages nobody, [`SessionError::TooLong`] above 500 characters of words.
    pub async fn tips(&self, filter: &TipFilter, words: &str) -> Result<TipList, SessionError> {
        let query = self.parsed(words)?;
        if !self.core.roster().is_manager(self.me()) {
            return Err(SessionError::NoAccess);
        }
        let shelf = self.core.store.shelf().await?;
        let say = |at| local_time(at, self.core.now(), &self.core.zone, self.core.language);
        let as_of = shelf.as_ref().map(|shelf| say(shelf.at));
        let on_shelf = self.on_shelf(shelf).await?;
        let outside = on_shelf.outside;
        let of_people = on_shelf.tips.iter().map(|tip| self.item(tip, &on_shelf));
        let built_in = self.core.catalog().tips.iter().filter_map(|tip| self.built_in(tip));
        let mut fitting: Vec<(u8, TipItem)> = of_people
            .chain(built_in)
            .filter(|item| filter.scope.is_none_or(|scope| item.source == scope.into()))
            .filter_map(|item| Some((stage(filter, &item.topic, &item.response)?, matching(item, &query)?)))
            .collect();
        fitting.sort_by_key(|(stage, _)| *stage);
        Ok(TipList { tips: fitting.into_iter().map(|(_, item)| item).collect(), outside, as_of })
    }

    /// The server's tips that fit, a page at a time; for 「もっと見る」. Needs a network, and nothing of it is kept.
    ///
    /// # Errors
    /// [`SessionError::Offline`], [`SessionError::NoAccess`] if this person manages nobody, [`SessionError::TooLong`].
    pub async fn more_tips(
        &self,
        filter: &TipFilter,
        words: &str,
        cursor: Option<&str>,
    ) -> Result<MoreTips, SessionError> {
        let query = self.parsed(words)?;
        let asked = query_of(filter, words, cursor);
        let page = self.tokens.with_token(|token| self.tips_page(token, &asked)).await??;
        let on_shelf = self.on_shelf(None).await?;
        let marked = |tip: &Tip| {
            let mut item = self.item(tip, &on_shelf);
            item.ranges = ranges(&query, &item.text);
            item
        };
        Ok(MoreTips { tips: page.tips.iter().map(marked).collect(), next: page.next })
    }

    /// The tips of people on this phone, for a brief: 社内 before 社外.
    pub(super) async fn shared_tips(&self) -> Result<Vec<SharedTip>, SessionError> {
        let shelf = self.core.store.shelf().await?;
        let mut on_shelf = self.on_shelf(shelf).await?;
        on_shelf.tips.sort_by_key(|tip| tip.scope == TipScope::Outside);
        let shown = on_shelf.tips.into_iter().filter(|tip| !on_shelf.reported.contains(&tip.id));
        Ok(shown.map(|tip| SharedTip { topic: tip.topic, response: tip.response, text: tip.text }).collect())
    }

    fn parsed(&self, words: &str) -> Result<Query, SessionError> {
        let too_long = |_| SessionError::TooLong { limit: MAX_QUERY_CHARS, length: words.chars().count() };
        Query::parse(words).map_err(too_long)
    }

    async fn tips_page(&self, token: Secret, query: &[(&str, String)]) -> Result<TipsPage, HttpError> {
        self.http.tips(&token, query).await
    }

    fn item(&self, tip: &Tip, on_shelf: &OnShelf) -> TipItem {
        let language = self.core.language;
        TipItem {
            id: Some(tip.id),
            text: tip.text.clone(),
            ranges: Vec::new(),
            topic_label: self.topic_label(&tip.topic),
            topic: tip.topic.clone(),
            response_label: self.core.catalog().response_label(&tip.response, language).to_owned(),
            response: tip.response.clone(),
            byline: tip.byline.clone(),
            source: tip.scope.into(),
            standing: Some(standing(tip.helped, language)),
            helped_me: tip.helped_me,
            mine: tip.mine.is_some(),
            offered: tip.mine.and_then(|offered| offered_words(offered, language)),
            waiting: on_shelf.waiting.contains(&tip.id),
            reported: on_shelf.reported.contains(&tip.id),
        }
    }

    fn built_in(&self, tip: &CatalogTip) -> Option<TipItem> {
        let topic: TipTopic = tip.topic.parse().ok()?;
        Some(TipItem {
            id: None,
            text: tip.text.get(self.core.language).clone(),
            ranges: Vec::new(),
            topic_label: self.topic_label(&topic),
            topic,
            response_label: self.core.catalog().response_label(&tip.response, self.core.language).to_owned(),
            response: tip.response.clone(),
            byline: None,
            source: TipSource::BuiltIn,
            standing: None,
            helped_me: false,
            mine: false,
            offered: None,
            waiting: false,
            reported: false,
        })
    }

    fn topic_label(&self, topic: &TipTopic) -> String {
        let (catalog, language) = (self.core.catalog(), self.core.language);
        let label = match topic {
            TipTopic::Topic(topic) => catalog.topic_label(topic, language),
            TipTopic::Category(category) => catalog.category_label(category.as_str(), language),
        };
        label.to_owned()
    }
}

impl From<TipScope> for TipSource {
    fn from(scope: TipScope) -> Self {
        match scope {
            TipScope::Company => Self::Company,
            TipScope::Outside => Self::Outside,
        }
    }
}

/// How well a tip fits, the best first; none if it does not.
fn stage(filter: &TipFilter, topic: &TipTopic, response: &ResponseSlug) -> Option<u8> {
    if filter.category.as_ref().is_some_and(|category| category.as_str() != topic.category()) {
        return None;
    }
    let fit = filter.topic.as_ref().map(|wanted| topic.fit(wanted));
    let is_response = filter.response.as_ref().is_none_or(|wanted| wanted == response);
    match fit {
        _ if !is_response => None,
        None | Some(Some(Fit::Exact)) => Some(0),
        Some(Some(Fit::Category)) => Some(1),
        Some(None) => filter.response.is_some().then_some(2),
    }
}

/// The tip with its marks, if it holds all words.
fn matching(mut item: TipItem, query: &Query) -> Option<TipItem> {
    item.ranges = ranges(query, &item.text);
    (query.is_empty() || !item.ranges.is_empty()).then_some(item)
}

fn ranges(query: &Query, text: &str) -> Vec<Range<u32>> {
    search::find(query, &[text]).into_iter().next().map(|found| found.ranges).unwrap_or_default()
}

/// The question as the route takes it.
fn query_of(filter: &TipFilter, words: &str, cursor: Option<&str>) -> Vec<(&'static str, String)> {
    let TipFilter { topic, category, response, scope } = filter;
    let scope = scope.map(|scope| match scope {
        TipScope::Company => "company",
        TipScope::Outside => "outside",
    });
    let words = words.trim();
    let asked = [
        ("topic", topic.as_ref().map(ToString::to_string)),
        ("category", category.as_ref().map(ToString::to_string)),
        ("response", response.as_ref().map(ToString::to_string)),
        ("scope", scope.map(str::to_owned)),
        ("q", (!words.is_empty()).then(|| words.to_owned())),
        ("cursor", cursor.map(str::to_owned)),
    ];
    asked.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn standing(helped: Option<u32>, language: Language) -> String {
    match (helped.filter(|helped| *helped >= FEWEST_HELPED), language) {
        (Some(helped), Language::Ja) => format!("{helped}人が試してよかった"),
        (Some(helped), Language::En) => format!("helped {helped} managers"),
        (None, Language::Ja) => "新着".to_owned(),
        (None, Language::En) => "new".to_owned(),
    }
}

const fn offered_words(offered: Offered, language: Language) -> Option<&'static str> {
    match (offered, language) {
        (Offered::No | Offered::Unknown, _) => None,
        (Offered::Waiting, Language::Ja) => Some("社外: 確認待ち"),
        (Offered::Waiting, Language::En) => Some("outside: waits for review"),
        (Offered::Yes, Language::Ja) => Some("社外にも公開"),
        (Offered::Yes, Language::En) => Some("read outside, too"),
        (Offered::Declined, Language::Ja) => Some("社外には公開されません"),
        (Offered::Declined, Language::En) => Some("not shown outside"),
    }
}
