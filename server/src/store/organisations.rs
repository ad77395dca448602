//! Organisations and their counters: the one source of order in the records.
//!
//! Every record carries as `rev` the value that its organisation's counter had in the transaction that wrote it. The
//! counter's row stays locked until the commit, so a higher value never becomes visible before a lower one.

use sqlx::FromRow;
use taiwa_shared::{ids::OrganisationId, time::Timestamp};
use uuid::Uuid;

use super::{Store, StoreError, Tx};

statements! {
    BUMP = "update organisation set counter = counter + 1 where id = $1 returning counter";
    INVITES = "select invites from organisation where id = $1";
    SET_INVITES = "update organisation set invites = $2 where id = $1";
    COUNTER = "select counter from organisation where id = $1";
    COUNTERS = "select id, counter from organisation order by id";
    BY_SLUG = "select id, slug, name from organisation where slug = $1";
    BY_ID = "select id, slug, name from organisation where id = $1";
    FIRST_TWO = "select id, slug, name from organisation order by id limit 2";
    ADD = "insert into organisation (id, slug, name, counter, made) values ($1, $2, $3, 0, $4) on conflict (slug) do nothing";
}

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organisation {
    /// Which one.
    pub id: OrganisationId,
    /// Short name, typed at sign-in where a server has several.
    pub slug: String,
    /// Full name.
    pub name: String,
}

#[derive(FromRow)]
struct OrganisationRow {
    id: Uuid,
    slug: String,
    name: String,
}

impl From<OrganisationRow> for Organisation {
    fn from(row: OrganisationRow) -> Self {
        Self { id: OrganisationId::from_uuid(row.id), slug: row.slug, name: row.name }
    }
}

impl Tx {
    /// Takes the next value of the organisation's counter and holds its row until the end of the transaction.
    ///
    /// A transaction that touches several organisations takes their counters in ascending order of id, otherwise two
    /// of them can wait for each other.
    ///
    /// # Errors
    /// [`StoreError`] if there is no such organisation or the statement failed.
    pub async fn next_rev(&mut self, organisation: OrganisationId) -> Result<i64, StoreError> {
        let id = organisation.as_uuid();
        Ok(on!(tx self, |c| sqlx::query_scalar(BUMP).bind(id).fetch_one(c).await)?)
    }

    /// Whether people of the organisation may be invited from phones.
    ///
    /// # Errors
    /// [`StoreError`] if there is no such organisation or the statement failed.
    pub async fn allows_invites(&mut self, organisation: OrganisationId) -> Result<bool, StoreError> {
        let id = organisation.as_uuid();
        Ok(on!(tx self, |c| sqlx::query_scalar(INVITES).bind(id).fetch_one(c).await)?)
    }

    /// Sets whether people of the organisation may be invited from phones; it is off in a new one.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn allow_invites(&mut self, organisation: OrganisationId, allowed: bool) -> Result<(), StoreError> {
        let id = organisation.as_uuid();
        on!(tx self, |c| sqlx::query(SET_INVITES).bind(id).bind(allowed).execute(c).await.map(drop))?;
        Ok(())
    }

    /// The organisation with this slug, as this transaction sees it.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn organisation_by_slug(&mut self, slug: &str) -> Result<Option<Organisation>, StoreError> {
        let row: Option<OrganisationRow> =
            on!(tx self, |c| sqlx::query_as(BY_SLUG).bind(slug).fetch_optional(c).await)?;
        Ok(row.map(Organisation::from))
    }

    /// Makes an organisation unless its slug is taken, and returns the one with this slug.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn ensure_organisation(
        &mut self,
        organisation: &Organisation,
        now: Timestamp,
    ) -> Result<Organisation, StoreError> {
        let Organisation { id, slug, name } = organisation;
        let (id, now) = (id.as_uuid(), now.as_millis());
        on!(tx self, |c| sqlx::query(ADD).bind(id).bind(slug).bind(name).bind(now).execute(c).await.map(drop))?;
        let row: OrganisationRow = on!(tx self, |c| sqlx::query_as(BY_SLUG).bind(slug).fetch_one(c).await)?;
        Ok(row.into())
    }
}

impl Store {
    /// The present value of an organisation's counter.
    ///
    /// # Errors
    /// [`StoreError`] if there is no such organisation or the statement failed.
    pub async fn counter(&self, organisation: OrganisationId) -> Result<i64, StoreError> {
        let id = organisation.as_uuid();
        Ok(on!(read self, |c| sqlx::query_scalar(COUNTER).bind(id).fetch_one(c).await)?)
    }

    /// All organisations with their counters.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn counters(&self) -> Result<Vec<(OrganisationId, i64)>, StoreError> {
        let rows: Vec<(Uuid, i64)> = on!(read self, |c| sqlx::query_as(COUNTERS).fetch_all(c).await)?;
        Ok(rows.into_iter().map(|(id, counter)| (OrganisationId::from_uuid(id), counter)).collect())
    }

    /// The organisation with this slug.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn organisation_by_slug(&self, slug: &str) -> Result<Option<Organisation>, StoreError> {
        let row: Option<OrganisationRow> =
            on!(read self, |c| sqlx::query_as(BY_SLUG).bind(slug).fetch_optional(c).await)?;
        Ok(row.map(Organisation::from))
    }

    /// The organisation with this id.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn organisation(&self, id: OrganisationId) -> Result<Option<Organisation>, StoreError> {
        let id = id.as_uuid();
        let row: Option<OrganisationRow> = on!(read self, |c| sqlx::query_as(BY_ID).bind(id).fetch_optional(c).await)?;
        Ok(row.map(Organisation::from))
    }

    /// The first organisations, at most two: one means that nobody needs to name it.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn first_organisations(&self) -> Result<Vec<Organisation>, StoreError> {
        let rows: Vec<OrganisationRow> = on!(read self, |c| sqlx::query_as(FIRST_TWO).fetch_all(c).await)?;
        Ok(rows.into_iter().map(Organisation::from).collect())
    }
}
