//! Ratings, as stored: under keys that `records::ratings` makes, and without a time of day.
//!
//! Knows neither who is behind a key nor what a rating means. A row of an open week can be written again; no statement
//! here moves a counter, so that nobody hears of one.

use jiff::civil::Date;
use sqlx::{FromRow, types::Json};
use taiwa_shared::{
    domain::rating::{AsAsked, Pick, Rating, Talked},
    ids::{MeetingId, OrganisationId, UserId},
    time::Timestamp,
};
use uuid::Uuid;

use super::{Db, Store, StoreError, Tx, in_time};

statements! {
    /// What was counted is left as it is.
    PUT = "insert into rating (organisation, ticket, rater, subject, week, picks, value, as_asked)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (organisation, ticket)
        do update set picks = excluded.picks, value = excluded.value, as_asked = excluded.as_asked
        where rating.week >= excluded.week";
    BY_TICKET = "select ticket, rater, subject, week, picks, value, as_asked from rating
        where organisation = $1 and ticket = $2";
    OF_WEEKS = "select ticket, rater, subject, week, picks, value, as_asked from rating
        where organisation = $1 and week >= $2 and week < $3 order by ticket";
    DELETE_WEEKS = "delete from rating where organisation = $1 and week >= $2 and week < $3";
    HAS_ANY = "select count(*) from (select 1 from rating limit 1) as one";
    FINISHED = "select m.id from pair p
        join sight s on s.organisation = p.organisation and s.pair = p.id and s.person = p.member
        join meeting m on m.organisation = p.organisation and m.pair = p.id
        where p.organisation = $1 and p.member = $2 and p.kind = 'line' and s.state = 'granted'
            and m.state = 'finished' and m.finished >= $3";
    LINES = "select p.manager, p.member, m.active as member_is_active from pair p
        join person m on m.organisation = p.organisation and m.id = p.member
        where p.organisation = $1 and p.kind = 'line'";
}

/// Takes what was deleted out of PostgreSQL's file, in which it still lies in the order in which it came.
const VACUUM: &str = "vacuum rating";

/// A key that stands for a person or for a person and a 1on1.
pub type Pseudonym = [u8; 32];

/// A rating as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatingRow {
    /// The person and the 1on1.
    pub ticket: Pseudonym,
    /// Who rated, as a rater of this manager in this half-year.
    pub rater: Pseudonym,
    /// Who was rated.
    pub subject: Pseudonym,
    /// The Monday of the week in which it arrived.
    pub week: Date,
    /// What was said.
    pub rating: Rating,
}

#[derive(FromRow)]
struct Row {
    ticket: Vec<u8>,
    rater: Vec<u8>,
    subject: Vec<u8>,
    week: String,
    picks: Json<Vec<Pick>>,
    value: i64,
    as_asked: Option<String>,
}

impl TryFrom<Row> for RatingRow {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        let talked = u8::try_from(row.value).ok().and_then(|step| Talked::try_from(step).ok());
        let as_asked = row.as_asked.map(|word| as_asked_of(&word)).transpose()?;
        Ok(Self {
            ticket: pseudonym(row.ticket)?,
            rater: pseudonym(row.rater)?,
            subject: pseudonym(row.subject)?,
            week: week_of(&row.week)?,
            rating: Rating {
                talked: talked.ok_or_else(|| StoreError::row("rating", "value"))?,
                as_asked,
                picks: row.picks.0,
            },
        })
    }
}

pub(super) fn pseudonym(bytes: Vec<u8>) -> Result<Pseudonym, StoreError> {
    bytes.try_into().map_err(|_| StoreError::row("rating", "a key"))
}

pub(super) fn week_of(text: &str) -> Result<Date, StoreError> {
    text.parse().map_err(|_| StoreError::row("rating", "week"))
}

fn as_asked_of(word: &str) -> Result<AsAsked, StoreError> {
    match word {
        "yes" => Ok(AsAsked::Yes),
        "roughly" => Ok(AsAsked::Roughly),
        "no" => Ok(AsAsked::No),
        _ => Err(StoreError::row("rating", "as_asked")),
    }
}

fn as_asked_word(as_asked: AsAsked) -> &'static str {
    match as_asked {
        AsAsked::Yes => "yes",
        AsAsked::Roughly => "roughly",
        AsAsked::No => "no",
    }
}

/// A line of reporting that is or was: a pair of kind `line`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Who is rated in it.
    pub manager: UserId,
    /// Who rates in it.
    pub member: UserId,
    /// Whether the member is still there.
    pub member_is_active: bool,
}

impl Store {
    /// Whether there is any rating.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn has_ratings(&self) -> Result<bool, StoreError> {
        let rows: i64 = on!(read self, |c| sqlx::query_scalar(HAS_ANY).fetch_one(c).await)?;
        Ok(rows > 0)
    }

    /// The rating under a ticket.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed or the row is unreadable.
    pub async fn rating(
        &self,
        organisation: OrganisationId,
        ticket: Pseudonym,
    ) -> Result<Option<RatingRow>, StoreError> {
        let organisation = organisation.as_uuid();
        let row: Option<Row> = on!(read self, |c| sqlx::query_as(BY_TICKET)
            .bind(organisation)
            .bind(ticket.as_slice())
            .fetch_optional(c)
            .await)?;
        row.map(RatingRow::try_from).transpose()
    }

    /// The 1on1s of the pairs that somebody sees as the member of a line, finished at `since` or later.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn finished_meetings_of(
        &self,
        organisation: OrganisationId,
        member: UserId,
        since: Timestamp,
    ) -> Result<Vec<MeetingId>, StoreError> {
        let (organisation, member, since) = (organisation.as_uuid(), member.as_uuid(), since.as_millis());
        let ids: Vec<Uuid> = on!(read self, |c| sqlx::query_scalar(FINISHED)
            .bind(organisation)
            .bind(member)
            .bind(since)
            .fetch_all(c)
            .await)?;
        Ok(ids.into_iter().map(MeetingId::from_uuid).collect())
    }

    /// The ratings of the weeks from `first` until before `end`.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed or a row is unreadable.
    pub async fn ratings_of_weeks(
        &self,
        organisation: OrganisationId,
        first: Date,
        end: Date,
    ) -> Result<Vec<RatingRow>, StoreError> {
        let (organisation, first, end) = (organisation.as_uuid(), first.to_string(), end.to_string());
        let rows: Vec<Row> = on!(read self, |c| sqlx::query_as(OF_WEEKS)
            .bind(organisation)
            .bind(&first)
            .bind(&end)
            .fetch_all(c)
            .await)?;
        rows.into_iter().map(RatingRow::try_from).collect()
    }

    /// Everybody's lines, present and past.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn lines(&self, organisation: OrganisationId) -> Result<Vec<Line>, StoreError> {
        let organisation = organisation.as_uuid();
        let rows: Vec<(Uuid, Uuid, bool)> =
            on!(read self, |c| sqlx::query_as(LINES).bind(organisation).fetch_all(c).await)?;
        let line = |(manager, member, member_is_active)| Line {
            manager: UserId::from_uuid(manager),
            member: UserId::from_uuid(member),
            member_is_active,
        };
        Ok(rows.into_iter().map(line).collect())
    }

    /// Takes what was deleted of ratings out of the database's file, where the engine leaves it for a while.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn sweep_ratings(&self) -> Result<(), StoreError> {
        if let Db::Postgres(pool) = self.db() {
            in_time(sqlx::query(VACUUM).execute(pool)).await?;
        }
        Ok(())
    }
}

impl Tx {
    /// Keeps a rating, in place of the one under the same ticket if that is of the same week; returns whether it did.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn put_rating(&mut self, organisation: OrganisationId, row: &RatingRow) -> Result<bool, StoreError> {
        let (organisation, week) = (organisation.as_uuid(), row.week.to_string());
        let rows = on!(tx self, |c| sqlx::query(PUT)
            .bind(organisation)
            .bind(row.ticket.as_slice())
            .bind(row.rater.as_slice())
            .bind(row.subject.as_slice())
            .bind(&week)
            .bind(Json(&row.rating.picks))
            .bind(i64::from(row.rating.talked.step()))
            .bind(row.rating.as_asked.map(as_asked_word))
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }

    /// Writes the ratings of the weeks from `first` until before `end` anew, in the order of their tickets: the order in
    /// which they came, and which transaction brought them, is gone.
    ///
    /// # Errors
    /// [`StoreError`] if a statement failed or a row is unreadable.
    pub async fn close_weeks(
        &mut self,
        organisation: OrganisationId,
        first: Date,
        end: Date,
    ) -> Result<(), StoreError> {
        let (from, until) = (first.to_string(), end.to_string());
        let rows: Vec<Row> = on!(tx self, |c| sqlx::query_as(OF_WEEKS)
            .bind(organisation.as_uuid())
            .bind(&from)
            .bind(&until)
            .fetch_all(c)
            .await)?;
        self.forget_ratings(organisation, first, end).await?;
        for row in rows {
            self.put_rating(organisation, &row.try_into()?).await?;
        }
        Ok(())
    }

    /// Deletes the ratings of the weeks from `first` until before `end`.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn forget_ratings(
        &mut self,
        organisation: OrganisationId,
        first: Date,
        end: Date,
    ) -> Result<(), StoreError> {
        let (organisation, first, end) = (organisation.as_uuid(), first.to_string(), end.to_string());
        on!(tx self, |c| sqlx::query(DELETE_WEEKS)
            .bind(organisation)
            .bind(&first)
            .bind(&end)
            .execute(c)
            .await
            .map(drop))?;
        Ok(())
    }
}
