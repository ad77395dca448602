//! Pages of tips, the most useful first, and the shelf that a phone keeps.
//!
//! A page goes through stages: what fits topic and response, then the topic's category, then the response alone, each in
//! their order. The cursor names the stage and the rank of its last tip, and belongs to what was asked: as ranks do not change by
//! themselves, a tip that nobody touched is neither left out nor given twice.

use std::{collections::HashSet, fmt, str::FromStr};

use sha2::{Digest, Sha256};
use taiwa_shared::{
    domain::{
        catalog::{Catalog, CategorySlug, ResponseSlug, TopicSlug},
        search::Query,
    },
    ids::TipId,
    protocol::tips::{FEWEST_HELPED, Offered, Tip, TipScope, TipShelf, TipsPage},
    time::Timestamp,
};

use super::{day_of, grams};
use crate::{
    records::access::Principal,
    store::{
        Store, StoreError,
        tip_search::Sought,
        tips::{Among, Labels, OUTSIDE, Rank, Reader, SeenRow},
    },
};

/// Tips on a page if nobody says how many, and at most.
pub const TIPS_PER_PAGE: usize = 20;
/// As many as a phone shows without turning a page twice.
pub const MAX_TIPS_PER_PAGE: usize = 50;
/// Tips on the shelf that are simply the most useful.
const TOP: i64 = 50;
/// Tips on the shelf from outside.
const TOP_OUTSIDE: i64 = 20;
/// Tips on the shelf for each category and response.
const BEST: i64 = 2;
/// Own tips on the shelf.
const OWN: i64 = 200;

/// Tips that could not be given.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The caller is nobody's manager.
    #[error("tips are for managers")]
    Absent,
    /// The cursor is not one of this question.
    #[error("`cursor` is not that of a page of the same question: leave it out to begin at the start")]
    Cursor,
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Where.
    pub scope: TipScope,
    /// Best for this topic.
    pub topic: Option<TopicSlug>,
    /// Of this category.
    pub category: Option<CategorySlug>,
    /// For this response.
    pub response: Option<ResponseSlug>,
    /// With these words; then the filters leave out what does not fit exactly.
    pub query: Option<Query>,
}

/// Where a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    stage: usize,
    after: Rank,
    of: u32,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}-{:08x}", self.stage, self.after.0.cast_unsigned(), self.of)
    }
}

impl FromStr for Cursor {
    type Err = FeedError;
    fn from_str(text: &str) -> Result<Self, FeedError> {
        let parts: Vec<&str> = text.split('-').collect();
        let [stage, after, of] = parts[..] else { return Err(FeedError::Cursor) };
        Ok(Self {
            stage: usize::from_str_radix(stage, 16).map_err(|_| FeedError::Cursor)?,
            after: Rank(u64::from_str_radix(after, 16).map_err(|_| FeedError::Cursor)?.cast_signed()),
            of: u32::from_str_radix(of, 16).map_err(|_| FeedError::Cursor)?,
        })
    }
}

impl Wanted {
    /// Names the question, so that a cursor of another one is noticed.
    fn name(&self) -> u32 {
        let digest = Sha256::digest(format!("{self:?}").as_bytes());
        u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
    }

    fn words(&self) -> &[String] {
        self.query.as_ref().map_or(&[], Query::words)
    }

    /// What comes first, then, and last.
    fn stages(&self) -> Vec<Among<'_>> {
        let topic = self.topic.as_ref().map(TopicSlug::as_str);
        let category =
            self.topic.as_ref().map(TopicSlug::category).or(self.category.as_ref().map(CategorySlug::as_str));
        match (self.response.as_ref().map(ResponseSlug::as_str), topic, category) {
            (None, None, None) => vec![Among::All],
            (None, Some(topic), Some(category)) => vec![Among::Topic(topic), Among::Category(category, topic)],
            (None, _, Some(category)) => vec![Among::Category(category, "")],
            (Some(response), Some(topic), Some(category)) => vec![
                Among::ResponseTopic(response, topic),
                Among::ResponseCategory(response, category, topic),
                Among::Response(response, category),
            ],
            (Some(response), _, Some(category)) => {
                vec![Among::ResponseCategory(response, category, ""), Among::Response(response, category)]
            }
            (Some(response), _, None) => vec![Among::Response(response, "")],
            (None, Some(topic), None) => vec![Among::Topic(topic)],
        }
    }
}

/// The next tips that answer a question.
///
/// # Errors
/// [`FeedError`].
pub async fn page(
    store: &Store,
    principal: &Principal,
    wanted: &Wanted,
    cursor: Option<&str>,
    limit: usize,
) -> Result<TipsPage, FeedError> {
    let exchanges = admit(store, principal).await?;
    let of = wanted.name();
    let start = Cursor { stage: 0, after: Rank::START, of };
    let cursor = cursor.map_or(Ok(start), str::parse)?;
    if cursor.of != of {
        return Err(FeedError::Cursor);
    }
    if wanted.scope == TipScope::Outside && !exchanges {
        return Ok(TipsPage { tips: Vec::new(), next: None });
    }
    // No tip holds a control character, and PostgreSQL takes no text with a zero.
    if wanted.words().iter().any(|word| word.contains(char::is_control)) {
        return Ok(TipsPage { tips: Vec::new(), next: None });
    }
    let reader = reader(principal, wanted.scope);
    if !wanted.words().is_empty() {
        return search(store, reader, wanted, cursor, limit).await;
    }
    let (mut tips, mut cursor) = (Vec::new(), cursor);
    let stages = wanted.stages();
    while let Some(among) = stages.get(cursor.stage) {
        let room = limit - tips.len();
        let rows = store.tips(reader, *among, cursor.after, room as i64).await?;
        let is_over = rows.len() < room;
        cursor = match rows.last() {
            Some(last) if !is_over => Cursor { after: last.rank, ..cursor },
            _ => Cursor { stage: cursor.stage + 1, after: Rank::START, of },
        };
        tips.extend(rows.into_iter().filter_map(|row| tip_of(row, reader, wanted.scope)));
        if !is_over {
            return Ok(TipsPage { tips, next: Some(cursor.to_string()) });
        }
    }
    Ok(TipsPage { tips, next: None })
}

async fn search(
    store: &Store,
    reader: Reader,
    wanted: &Wanted,
    cursor: Cursor,
    limit: usize,
) -> Result<TipsPage, FeedError> {
    let words = wanted.words();
    let labels = Labels {
        topic: wanted.topic.as_ref().map_or("", TopicSlug::as_str),
        category: wanted.category.as_ref().map_or("", CategorySlug::as_str),
        response: wanted.response.as_ref().map_or("", ResponseSlug::as_str),
    };
    let sought = Sought { grams: &grams::of_words(reader.place, words, labels), words, labels };
    let found = store.find_tips(reader, sought, cursor.after, limit).await?;
    let rows = found.rows.into_iter().filter(|row| words.iter().all(|word| row.folded.contains(word.as_str())));
    let tips = rows.filter_map(|row| tip_of(row, reader, wanted.scope)).collect();
    Ok(TipsPage { tips, next: found.next.map(|after| Cursor { after, ..cursor }.to_string()) })
}

/// What a manager's phone keeps.
///
/// # Errors
/// [`FeedError`].
pub async fn shelf(store: &Store, principal: &Principal) -> Result<TipShelf, FeedError> {
    let outside = admit(store, principal).await?;
    let here = reader(principal, TipScope::Company);
    let mut rows = store.tips(here, Among::All, Rank::START, TOP).await?;
    let catalog = Catalog::built_in();
    for response in &catalog.responses {
        for category in &catalog.categories {
            let among = Among::ResponseCategory(response.slug.as_str(), &category.slug, "");
            rows.extend(store.tips(here, among, Rank::START, BEST).await?);
        }
    }
    let mut seen: HashSet<Rank> = HashSet::new();
    rows.retain(|row| seen.insert(row.rank));
    rows.sort_by_key(|row| row.rank);
    let mut tips: Vec<Tip> = rows.into_iter().filter_map(|row| tip_of(row, here, TipScope::Company)).collect();
    if outside {
        let there = reader(principal, TipScope::Outside);
        let rows = store.tips(there, Among::All, Rank::START, TOP_OUTSIDE).await?;
        tips.extend(rows.into_iter().filter_map(|row| tip_of(row, there, TipScope::Outside)));
    }
    let own = store.own_tips(here, OWN).await?;
    let own = own.into_iter().filter_map(|row| tip_of(row, here, TipScope::Company)).collect();
    Ok(TipShelf { tips, own, outside })
}

/// Whether the company exchanges tips with others; managers only.
///
/// # Errors
/// [`FeedError`].
pub async fn admit(store: &Store, principal: &Principal) -> Result<bool, FeedError> {
    let mut reading = store.begin_reading().await?;
    if !reading.manages(principal.organisation, principal.user).await? {
        return Err(FeedError::Absent);
    }
    Ok(reading.exchanges_tips(principal.organisation).await?)
}

fn reader(principal: &Principal, scope: TipScope) -> Reader {
    let Principal { organisation, user: person, .. } = *principal;
    let place = if scope == TipScope::Outside { OUTSIDE } else { organisation };
    Reader { place, organisation, person }
}

/// None if the row is of a newer server and cannot be told.
fn tip_of(row: SeenRow, reader: Reader, scope: TipScope) -> Option<Tip> {
    let is_mine = row.author == Some(reader.person.as_uuid());
    // Whoever has left is no author any more.
    let is_signed = row.active == Some(true);
    let byline = match row.signs.as_str() {
        "line" => row.byline,
        "name" => row.name,
        _ => None,
    };
    Some(Tip {
        id: TipId::from_uuid(row.id),
        text: row.text,
        topic: row.topic.try_into().ok()?,
        response: row.response.try_into().ok()?,
        byline: byline.filter(|_| is_signed),
        scope,
        written: day_of(Timestamp::from_millis(row.made)),
        helped: u32::try_from(row.helped).ok().filter(|helped| *helped >= FEWEST_HELPED),
        helped_me: row.helped_me.is_some(),
        mine: is_mine.then(|| offered(&row.offered)),
    })
}

fn offered(word: &str) -> Offered {
    match word {
        "waiting" => Offered::Waiting,
        "yes" => Offered::Yes,
        "declined" => Offered::Declined,
        _ => Offered::No,
    }
}
