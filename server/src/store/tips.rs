//! Tips, as stored, and the feeds of them: each is an index read in the order of the ranks.
//!
//! What a tip may be and how it is scored stands in `tips`; the search and what changes tips are beside this file. Tips
//! that are offered to other companies have the nil id as their organisation: [`OUTSIDE`].

use sqlx::FromRow;
use taiwa_shared::ids::{OrganisationId, UserId};
use uuid::Uuid;

use super::{Store, StoreError};

/// Where tips stand that belong to no company.
pub const OUTSIDE: OrganisationId = OrganisationId::from_uuid(Uuid::nil());

/// A tip as a manager reads it: `$1` where it stands, `$2` and `$3` the reader.
macro_rules! seen {
    ($($rest:expr),*) => {
        concat!(
            "select t.id, t.rank, t.author, t.signs, t.byline, t.text, t.folded, t.topic, t.response, t.made, t.helped,
                t.offered, p.name, p.active, h.person as helped_me
            from ", $($rest),*
        )
    };
}
/// Who reads, and who wrote.
macro_rules! joins {
    () => {
        " left join person p on p.organisation = t.organisation and p.id = t.author
        left join tip_helped h on h.tip = t.id and h.organisation = $2 and h.person = $3 "
    };
}
/// Not the copy outside of a tip of the reader's own company, who reads the tip itself.
macro_rules! from_others {
    () => {
        " (t.author is not null
            or not exists (select 1 from tip source where source.outside = t.id and source.organisation = $2)) "
    };
}
macro_rules! feed {
    ($filter:literal) => {
        seen!(
            "tip t",
            joins!(),
            "where t.organisation = $1 ",
            $filter,
            " and ",
            from_others!(),
            " and t.rank > $4 order by t.rank limit $5"
        )
    };
}
pub(super) use from_others;
pub(super) use joins;
pub(super) use seen;

statements! {
    FEED = feed!("");
    FEED_TOPIC = feed!("and t.topic = $6");
    FEED_CATEGORY = feed!("and t.category = $6 and t.topic <> $7");
    FEED_RESPONSE = feed!("and t.response = $6 and t.category <> $7");
    FEED_RESPONSE_TOPIC = feed!("and t.response = $6 and t.topic = $7");
    FEED_RESPONSE_CATEGORY = feed!("and t.response = $6 and t.category = $7 and t.topic <> $8");
    OWN = seen!("tip t", joins!(), "where t.organisation = $1 and t.author = $3 order by t.made desc, t.id limit $4");
    TO_REVIEW = "select id, text, topic, response, offered, reports from tip
        where offered = 'waiting' or reports > 0 order by made, id limit $1";
}

/// A tip as a manager reads it.
#[derive(Debug, Clone, FromRow)]
pub struct SeenRow {
    pub(crate) id: Uuid,
    pub(crate) rank: Rank,
    pub(crate) author: Option<Uuid>,
    pub(crate) signs: String,
    pub(crate) byline: Option<String>,
    pub(crate) text: String,
    pub(crate) folded: String,
    pub(crate) topic: String,
    pub(crate) response: String,
    pub(crate) made: i64,
    pub(crate) helped: i64,
    pub(crate) offered: String,
    pub(crate) name: Option<String>,
    pub(crate) active: Option<bool>,
    pub(crate) helped_me: Option<Uuid>,
}

/// A tip that a reviewer looks at.
#[derive(Debug, Clone, FromRow)]
pub struct ReviewRow {
    pub(crate) id: Uuid,
    pub(crate) text: String,
    pub(crate) topic: String,
    pub(crate) response: String,
    pub(crate) offered: String,
    pub(crate) reports: i64,
}

/// Who reads, and where.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    /// The company's tips, or [`OUTSIDE`].
    pub place: OrganisationId,
    /// The reader's own organisation.
    pub organisation: OrganisationId,
    /// The reader.
    pub person: UserId,
}

/// Where a tip stands in the order of all tips, the lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct Rank(pub(crate) i64);

impl Rank {
    /// Before the first.
    pub const START: Self = Self(i64::MIN);
}

/// What a tip is worth, in milliseconds since 1970: when it was made and whom it helped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score(pub i64);

impl Score {
    /// Tips that get the same second before ranks run out: nobody writes as many.
    const PER_SECOND: i64 = 1 << 12;

    /// The first and the last rank of tips with this score, to the second. Ranks that are near to each other are short in
    /// the search index, which holds differences.
    pub(super) fn ranks(self) -> (i64, i64) {
        let last = -self.0.div_euclid(1_000) * Self::PER_SECOND;
        (last - Self::PER_SECOND + 1, last)
    }
}

/// What a tip is for, as stored; what a search asks for, where an empty one asks for nothing.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a> {
    /// A topic, or `category.*`.
    pub topic: &'a str,
    /// The category of either.
    pub category: &'a str,
    /// The response.
    pub response: &'a str,
}

/// Which tips, in their order.
#[derive(Debug, Clone, Copy)]
pub enum Among<'a> {
    /// All of them.
    All,
    /// Of exactly this topic.
    Topic(&'a str),
    /// Of a category, except for a topic.
    Category(&'a str, &'a str),
    /// For a response, except of a category.
    Response(&'a str, &'a str),
    /// For a response, of exactly this topic.
    ResponseTopic(&'a str, &'a str),
    /// For a response, of a category, except for a topic.
    ResponseCategory(&'a str, &'a str, &'a str),
}

impl Store {
    /// The next tips of a feed, after the one of a rank.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn tips(
        &self,
        reader: Reader,
        among: Among<'_>,
        after: Rank,
        limit: i64,
    ) -> Result<Vec<SeenRow>, StoreError> {
        let (sql, filters): (_, &[&str]) = match &among {
            Among::All => (FEED, &[]),
            Among::Topic(topic) => (FEED_TOPIC, &[topic]),
            Among::Category(category, but) => (FEED_CATEGORY, &[category, but]),
            Among::Response(response, but) => (FEED_RESPONSE, &[response, but]),
            Among::ResponseTopic(response, topic) => (FEED_RESPONSE_TOPIC, &[response, topic]),
            Among::ResponseCategory(response, category, but) => (FEED_RESPONSE_CATEGORY, &[response, category, but]),
        };
        let rows = on!(read self, |c| {
            let query = sqlx::query_as(sql)
                .bind(reader.place.as_uuid())
                .bind(reader.organisation.as_uuid())
                .bind(reader.person.as_uuid())
                .bind(after)
                .bind(limit);
            filters.iter().fold(query, |query, filter| query.bind(*filter)).fetch_all(c).await
        })?;
        Ok(rows)
    }

    /// A person's own tips, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn own_tips(&self, reader: Reader, limit: i64) -> Result<Vec<SeenRow>, StoreError> {
        let (place, organisation) = (reader.place.as_uuid(), reader.organisation.as_uuid());
        Ok(on!(read self, |c| sqlx::query_as(OWN)
            .bind(place)
            .bind(organisation)
            .bind(reader.person.as_uuid())
            .bind(limit)
            .fetch_all(c)
            .await)?)
    }

    /// Tips that wait for a reviewer or were reported, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn tips_to_review(&self, limit: i64) -> Result<Vec<ReviewRow>, StoreError> {
        Ok(on!(read self, |c| sqlx::query_as(TO_REVIEW).bind(limit).fetch_all(c).await)?)
    }
}
