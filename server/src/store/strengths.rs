//! Managers' words, and which count gave them, as stored: under the keys that stand for managers.

use jiff::civil::Date;
use sqlx::types::Json;
use taiwa_shared::{domain::strengths::Standing, ids::OrganisationId, time::Timestamp};
use uuid::Uuid;

use super::{
    Store, StoreError, Tx,
    ratings::{Pseudonym, pseudonym, week_of},
};

statements! {
    UNCOUNTED = "select o.id, c.week from organisation o left join counted c on c.organisation = o.id
        where o.made < $1 and (c.week is null or c.week < $2) order by o.id";
    COUNTED = "select week from counted where organisation = $1";
    SET_COUNTED = "insert into counted (organisation, week) values ($1, $2)
        on conflict (organisation) do update set week = excluded.week where counted.week < excluded.week";
    STANDINGS = "select subject, standing from strength where organisation = $1";
    STANDING = "select standing from strength where organisation = $1 and subject = $2";
    DELETE_STANDINGS = "delete from strength where organisation = $1";
    ADD_STANDING = "insert into strength (organisation, subject, standing) values ($1, $2, $3)";
}

/// An organisation that has not had a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uncounted {
    /// Which.
    pub organisation: OrganisationId,
    /// The Monday of the last count that it had.
    pub last: Option<Date>,
}

impl Store {
    /// Organisations made before `made` that have not had the count of `monday`, in the order of their ids.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed or a row is unreadable.
    pub async fn uncounted(&self, made: Timestamp, monday: Date) -> Result<Vec<Uncounted>, StoreError> {
        let (made, monday) = (made.as_millis(), monday.to_string());
        let rows: Vec<(Uuid, Option<String>)> =
            on!(read self, |c| sqlx::query_as(UNCOUNTED).bind(made).bind(&monday).fetch_all(c).await)?;
        let uncounted = |(id, week): (Uuid, Option<String>)| {
            let last = week.map(|week| week_of(&week)).transpose()?;
            Ok(Uncounted { organisation: OrganisationId::from_uuid(id), last })
        };
        rows.into_iter().map(uncounted).collect()
    }

    /// The Monday of the last count that an organisation had.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed or the row is unreadable.
    pub async fn counted(&self, organisation: OrganisationId) -> Result<Option<Date>, StoreError> {
        let organisation = organisation.as_uuid();
        let week: Option<String> =
            on!(read self, |c| sqlx::query_scalar(COUNTED).bind(organisation).fetch_optional(c).await)?;
        week.map(|week| week_of(&week)).transpose()
    }

    /// What the last count said of everybody.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed or a row is unreadable.
    pub async fn standings(&self, organisation: OrganisationId) -> Result<Vec<(Pseudonym, Standing)>, StoreError> {
        let organisation = organisation.as_uuid();
        let rows: Vec<(Vec<u8>, Json<Standing>)> =
            on!(read self, |c| sqlx::query_as(STANDINGS).bind(organisation).fetch_all(c).await)?;
        rows.into_iter().map(|(subject, Json(standing))| Ok((pseudonym(subject)?, standing))).collect()
    }

    /// What the last count said of one.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed or the row is unreadable.
    pub async fn standing(
        &self,
        organisation: OrganisationId,
        subject: Pseudonym,
    ) -> Result<Option<Standing>, StoreError> {
        let organisation = organisation.as_uuid();
        let standing: Option<Json<Standing>> = on!(read self, |c| sqlx::query_scalar(STANDING)
            .bind(organisation)
            .bind(subject.as_slice())
            .fetch_optional(c)
            .await)?;
        Ok(standing.map(|Json(standing)| standing))
    }
}

impl Tx {
    /// Notes that an organisation has had the count of `monday`; returns false if it had had it already.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn set_counted(&mut self, organisation: OrganisationId, monday: Date) -> Result<bool, StoreError> {
        let (organisation, monday) = (organisation.as_uuid(), monday.to_string());
        let rows = on!(tx self, |c| sqlx::query(SET_COUNTED)
            .bind(organisation)
            .bind(&monday)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }

    /// Puts what a count says of everybody in place of what the one before said.
    ///
    /// # Errors
    /// [`StoreError`] if a statement failed.
    pub async fn replace_standings(
        &mut self,
        organisation: OrganisationId,
        standings: &[(Pseudonym, Standing)],
    ) -> Result<(), StoreError> {
        let organisation = organisation.as_uuid();
        on!(tx self, |c| sqlx::query(DELETE_STANDINGS).bind(organisation).execute(c).await.map(drop))?;
        for (subject, standing) in standings {
            on!(tx self, |c| sqlx::query(ADD_STANDING)
                .bind(organisation)
                .bind(subject.as_slice())
                .bind(Json(standing))
                .execute(c)
                .await
                .map(drop))?;
        }
        Ok(())
    }
}
