//! What changes tips: written, withdrawn, found helpful, reported, passed on to other companies.
//!
//! Runs in the transaction of a command or of a reviewer's decision; who may is decided there.

use sqlx::FromRow;
use taiwa_shared::{
    ids::{OrganisationId, TipId, UserId},
    time::Timestamp,
};
use uuid::Uuid;

use super::{
    StoreError, Tx,
    tips::{Labels, OUTSIDE, Rank, ReviewRow, Score},
};

statements! {
    MANAGES = "select count(*) from pair where organisation = $1 and manager = $2 and closed is null";
    FOREMOST = "select min(rank) from tip where rank between $1 and $2";
    IS_TAKEN = "select count(*) from tip where rank = $1";
    ADD = "insert into tip (organisation, id, rank, author, signs, byline, text, folded, topic, category, response,
            made, helped, offered, outside, reports)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13, null, 0)
        on conflict (organisation, id) do nothing";
    STANDING = "select rank, author, outside from tip where organisation = $1 and id = $2";
    REMOVE = "delete from tip where organisation = $1 and id = $2";
    REMOVE_HELPED = "delete from tip_helped where organisation = $1 and tip = $2";
    REMOVE_REPORTED = "delete from tip_reported where organisation = $1 and tip = $2";
    /// Of a copy outside, which people of every company read; no tip of a company has its id.
    REMOVE_HELPED_OUTSIDE = "delete from tip_helped where tip = $1";
    REMOVE_REPORTED_OUTSIDE = "delete from tip_reported where tip = $1";
    ADD_HELPED = "insert into tip_helped (organisation, tip, person) values ($1, $2, $3)
        on conflict (tip, organisation, person) do nothing";
    TAKE_HELPED_BACK = "delete from tip_helped where organisation = $1 and tip = $2 and person = $3";
    /// Holds the row: people of two companies can find a copy outside helpful at once.
    COUNT_HELPED = "update tip set helped = helped + $3 where organisation = $1 and id = $2
        returning rank, helped, made, folded, topic, category, response";
    SET_RANK = "update tip set rank = $3 where organisation = $1 and id = $2";
    ADD_REPORTED = "insert into tip_reported (organisation, tip, person) values ($1, $2, $3)
        on conflict (tip, organisation, person) do nothing";
    COUNT_REPORT = "update tip set reports = reports + 1 where organisation = $1 and id = $2";
    CLEAR_REPORTS = "update tip set reports = 0 where organisation = $1 and id = $2";
    SOURCE_OF = "select organisation, id from tip where outside = $1";
    SET_OFFERED = "update tip set offered = $3, outside = $4 where organisation = $1 and id = $2";
    EXCHANGES = "select outside_tips from organisation where id = $1";
    SET_EXCHANGES = "update organisation set outside_tips = $2 where id = $1";
    OFFERED_BY = "select id from tip where organisation = $1 and offered in ('waiting', 'yes')";
    WHERE_IS = "select organisation from tip where id = $1";
    ONE_TO_REVIEW = "select id, text, topic, response, offered, reports from tip
        where organisation = $1 and id = $2";
}

/// What a new row holds; how often it helped is 0.
#[derive(Debug, Clone)]
pub struct NewRow<'a> {
    /// Names it.
    pub id: TipId,
    /// Who wrote it; none outside.
    pub author: Option<UserId>,
    /// `none`, `line` or `name`.
    pub signs: &'a str,
    /// The line.
    pub byline: Option<&'a str>,
    /// The text as people read it, and as the search compares it.
    pub text: &'a str,
    /// Folded by `search::fold`.
    pub folded: &'a str,
    /// What it is for.
    pub labels: Labels<'a>,
    /// When it was taken.
    pub made: Timestamp,
    /// What decides about its rank.
    pub score: Score,
    /// `no` or `waiting`.
    pub offered: &'a str,
    /// For the search index.
    pub grams: &'a [String],
}

/// What a command needs to know of a tip.
#[derive(Debug, Clone, FromRow)]
pub struct StandingRow {
    pub(crate) rank: Rank,
    pub(crate) author: Option<Uuid>,
    pub(crate) outside: Option<Uuid>,
}

/// A tip that helped one more, or one less.
#[derive(Debug, Clone, FromRow)]
pub struct HelpedRow {
    pub(crate) rank: Rank,
    pub(crate) helped: i64,
    pub(crate) made: i64,
    pub(crate) folded: String,
    pub(crate) topic: String,
    pub(crate) category: String,
    pub(crate) response: String,
}

impl Tx {
    /// Whether somebody is the manager of a pair that meets.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn manages(&mut self, organisation: OrganisationId, person: UserId) -> Result<bool, StoreError> {
        let (organisation, person) = (organisation.as_uuid(), person.as_uuid());
        let pairs: i64 =
            on!(tx self, |c| sqlx::query_scalar(MANAGES).bind(organisation).bind(person).fetch_one(c).await)?;
        Ok(pairs > 0)
    }

    /// Adds a tip; one that is there already stays as it is.
    ///
    /// # Errors
    /// [`StoreError`] if a statement failed.
    pub async fn add_tip(&mut self, place: OrganisationId, row: &NewRow<'_>) -> Result<(), StoreError> {
        let free = self.free_rank(row.score).await?;
        let added = on!(tx self, |c| sqlx::query(ADD)
            .bind(place.as_uuid())
            .bind(row.id.as_uuid())
            .bind(free)
            .bind(row.author.map(|author| author.as_uuid()))
            .bind(row.signs)
            .bind(row.byline)
            .bind(row.text)
            .bind(row.folded)
            .bind(row.labels.topic)
            .bind(row.labels.category)
            .bind(row.labels.response)
            .bind(row.made.as_millis())
            .bind(row.offered)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        if added > 0 { self.index_tip(place, free, row.grams).await } else { Ok(()) }
    }

    /// The rank of a tip that gets this score now: before the others of the same score.
    async fn free_rank(&mut self, score: Score) -> Result<Rank, StoreError> {
        let (first, last) = score.ranks();
        let foremost: Option<i64> =
            on!(tx self, |c| sqlx::query_scalar(FOREMOST).bind(first).bind(last).fetch_one(c).await)?;
        let mut rank = foremost.map_or(last, |foremost| foremost - 1);
        // As many of one score as nobody writes: then between those of the next.
        while rank < first {
            let taken: i64 = on!(tx self, |c| sqlx::query_scalar(IS_TAKEN).bind(rank).fetch_one(c).await)?;
            if taken == 0 {
                break;
            }
            rank -= 1;
        }
        Ok(Rank(rank))
    }

    /// What a command needs to know of a tip; none if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn tip(&mut self, place: OrganisationId, tip: TipId) -> Result<Option<StandingRow>, StoreError> {
        let (place, tip) = (place.as_uuid(), tip.as_uuid());
        Ok(on!(tx self, |c| sqlx::query_as(STANDING).bind(place).bind(tip).fetch_optional(c).await)?)
    }

    /// Removes a tip and what was said of it.
    ///
    /// # Errors
    /// [`StoreError`] if a statement failed.
    pub async fn remove_tip(&mut self, place: OrganisationId, tip: TipId) -> Result<(), StoreError> {
        let Some(standing) = self.tip(place, tip).await? else { return Ok(()) };
        self.unindex_tip(place, standing.rank).await?;
        let (place, tip) = (place.as_uuid(), tip.as_uuid());
        if place == OUTSIDE.as_uuid() {
            for sql in [REMOVE_HELPED_OUTSIDE, REMOVE_REPORTED_OUTSIDE] {
                on!(tx self, |c| sqlx::query(sql).bind(tip).execute(c).await.map(drop))?;
            }
        }
        for sql in [REMOVE_HELPED, REMOVE_REPORTED, REMOVE] {
            on!(tx self, |c| sqlx::query(sql).bind(place).bind(tip).execute(c).await.map(drop))?;
        }
        Ok(())
    }

    /// Notes that a tip helped somebody, or that it did not; whether that is new.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn note_helped(
        &mut self,
        organisation: OrganisationId,
        tip: TipId,
        person: UserId,
        helped: bool,
    ) -> Result<bool, StoreError> {
        self.say_of(if helped { ADD_HELPED } else { TAKE_HELPED_BACK }, organisation, tip, person).await
    }

    /// Notes that somebody reported a tip; whether that is new.
    ///
    /// # Errors
    /// [`StoreError`] if a statement failed.
    pub async fn note_reported(
        &mut self,
        place: OrganisationId,
        organisation: OrganisationId,
        tip: TipId,
        person: UserId,
    ) -> Result<bool, StoreError> {
        let is_new = self.say_of(ADD_REPORTED, organisation, tip, person).await?;
        if is_new {
            self.on_tip(COUNT_REPORT, place, tip).await?;
        }
        Ok(is_new)
    }

    /// Forgets that a tip was reported: a reviewer found nothing wrong with it.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn clear_reports(&mut self, place: OrganisationId, tip: TipId) -> Result<(), StoreError> {
        self.on_tip(CLEAR_REPORTS, place, tip).await
    }

    async fn say_of(
        &mut self,
        sql: &'static str,
        organisation: OrganisationId,
        tip: TipId,
        person: UserId,
    ) -> Result<bool, StoreError> {
        let (organisation, tip, person) = (organisation.as_uuid(), tip.as_uuid(), person.as_uuid());
        let changed = on!(tx self, |c| sqlx::query(sql)
            .bind(organisation)
            .bind(tip)
            .bind(person)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(changed > 0)
    }

    async fn on_tip(&mut self, sql: &'static str, place: OrganisationId, tip: TipId) -> Result<(), StoreError> {
        let (place, tip) = (place.as_uuid(), tip.as_uuid());
        on!(tx self, |c| sqlx::query(sql).bind(place).bind(tip).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Adds to how many a tip has helped, and holds it until the end of the transaction. None if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn count_helped(
        &mut self,
        place: OrganisationId,
        tip: TipId,
        more: i64,
    ) -> Result<Option<HelpedRow>, StoreError> {
        let (place, tip) = (place.as_uuid(), tip.as_uuid());
        Ok(on!(tx self, |c| sqlx::query_as(COUNT_HELPED)
            .bind(place)
            .bind(tip)
            .bind(more)
            .fetch_optional(c)
            .await)?)
    }

    /// Moves a tip to the rank that its new score gives it; `grams` are its tokens.
    ///
    /// # Errors
    /// [`StoreError`] if a statement failed.
    pub async fn move_tip(
        &mut self,
        organisation: OrganisationId,
        tip: TipId,
        from: Rank,
        score: Score,
        grams: &[String],
    ) -> Result<(), StoreError> {
        let to = self.free_rank(score).await?;
        let (place, id) = (organisation.as_uuid(), tip.as_uuid());
        on!(tx self, |c| sqlx::query(SET_RANK).bind(place).bind(id).bind(to).execute(c).await.map(drop))?;
        self.unindex_tip(organisation, from).await?;
        self.index_tip(organisation, to, grams).await
    }

    /// Writes how far a tip has come outside, and the id of its copy there.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn set_offered(
        &mut self,
        place: OrganisationId,
        tip: TipId,
        offered: &str,
        outside: Option<TipId>,
    ) -> Result<(), StoreError> {
        on!(tx self, |c| sqlx::query(SET_OFFERED)
            .bind(place.as_uuid())
            .bind(tip.as_uuid())
            .bind(offered)
            .bind(outside.map(|id| id.as_uuid()))
            .execute(c)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Whether a company exchanges tips with others.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn exchanges_tips(&mut self, organisation: OrganisationId) -> Result<bool, StoreError> {
        let organisation = organisation.as_uuid();
        let exchanges: Option<bool> =
            on!(tx self, |c| sqlx::query_scalar(EXCHANGES).bind(organisation).fetch_optional(c).await)?;
        Ok(exchanges.unwrap_or(false))
    }

    /// Decides whether a company exchanges tips with others.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn let_exchange_tips(&mut self, organisation: OrganisationId, yes: bool) -> Result<(), StoreError> {
        let organisation = organisation.as_uuid();
        on!(tx self, |c| sqlx::query(SET_EXCHANGES).bind(organisation).bind(yes).execute(c).await.map(drop))?;
        Ok(())
    }

    /// A company's tips that have a copy outside, or wait for a reviewer.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn offered_tips(&mut self, organisation: OrganisationId) -> Result<Vec<TipId>, StoreError> {
        let organisation = organisation.as_uuid();
        let ids: Vec<Uuid> = on!(tx self, |c| sqlx::query_scalar(OFFERED_BY).bind(organisation).fetch_all(c).await)?;
        Ok(ids.into_iter().map(TipId::from_uuid).collect())
    }

    /// Where the tips of this id stand: ids are made on phones, so there may be several.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn places_of_tip(&mut self, tip: TipId) -> Result<Vec<OrganisationId>, StoreError> {
        let tip = tip.as_uuid();
        let places: Vec<Uuid> = on!(tx self, |c| sqlx::query_scalar(WHERE_IS).bind(tip).fetch_all(c).await)?;
        Ok(places.into_iter().map(OrganisationId::from_uuid).collect())
    }

    /// The tip that a copy outside was made of.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn source_of_tip(&mut self, copy: TipId) -> Result<Option<(OrganisationId, TipId)>, StoreError> {
        let copy = copy.as_uuid();
        let source: Option<(Uuid, Uuid)> =
            on!(tx self, |c| sqlx::query_as(SOURCE_OF).bind(copy).fetch_optional(c).await)?;
        Ok(source.map(|(organisation, id)| (OrganisationId::from_uuid(organisation), TipId::from_uuid(id))))
    }

    /// A tip as a reviewer sees it; none if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn tip_to_review(&mut self, place: OrganisationId, tip: TipId) -> Result<Option<ReviewRow>, StoreError> {
        let (place, tip) = (place.as_uuid(), tip.as_uuid());
        Ok(on!(tx self, |c| sqlx::query_as(ONE_TO_REVIEW).bind(place).bind(tip).fetch_optional(c).await)?)
    }
}
