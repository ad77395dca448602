//! Pairs, and who may see them (sight). Deciding who may is the business of `records`.

use sqlx::{FromRow, types::Json};
use taiwa_shared::{
    domain::{
        cadence::Cadence,
        people::{Pair, PairKind, PairState},
    },
    ids::{OrganisationId, PairId, UserId},
    time::Timestamp,
};
use uuid::Uuid;

use super::{Store, StoreError, Tx};

statements! {
    PAIR = "select id, member, manager, kind, cadence, cadence_revision, closed from pair
        where organisation = $1 and id = $2";
    OPEN_PAIRS = "select id, member, manager, kind, cadence, cadence_revision, closed from pair
        where organisation = $1 and closed is null order by id";
    OPEN_PAIRS_OF = "select id, member, manager, kind, cadence, cadence_revision, closed from pair
        where organisation = $1 and (member = $2 or manager = $2) and closed is null order by id";
    ADD_PAIR = "insert into pair (organisation, id, member, manager, kind, cadence, cadence_revision, closed, rev)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    SET_CADENCE = "update pair set cadence = $3, cadence_revision = $4, rev = $5
        where organisation = $1 and id = $2 and closed is null";
    CLOSE_PAIR = "update pair set closed = $3, rev = $4 where organisation = $1 and id = $2 and closed is null";
    SET_SIGHT = "insert into sight (organisation, person, pair, state, rev) values ($1, $2, $3, $4, $5)
        on conflict (organisation, person, pair) do update set state = excluded.state, rev = excluded.rev";
    SEES = "select count(*) from sight
        where organisation = $1 and person = $2 and pair = $3 and state = 'granted'";
    SIGHT_TO_LOSE = "select s.organisation, s.person, s.pair from sight s
        join pair p on p.organisation = s.organisation and p.id = s.pair and p.manager = s.person
        where p.closed is not null and p.closed <= $1 and s.state = 'granted'
        order by s.organisation, s.pair, s.person limit 1000";
}

/// Whether somebody sees a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// The pair and what is below it is delivered.
    Granted,
    /// The person is told to drop it.
    Lost,
}

impl Sight {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Lost => "lost",
        }
    }
}

#[derive(FromRow)]
pub(super) struct PairRow {
    pub(super) id: Uuid,
    pub(super) member: Uuid,
    pub(super) manager: Uuid,
    pub(super) kind: String,
    pub(super) cadence: Json<Cadence>,
    pub(super) cadence_revision: i64,
    pub(super) closed: Option<i64>,
}

impl TryFrom<PairRow> for Pair {
    type Error = StoreError;
    fn try_from(row: PairRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: PairId::from_uuid(row.id),
            member: UserId::from_uuid(row.member),
            manager: UserId::from_uuid(row.manager),
            kind: kind_of(&row.kind)?,
            cadence: row.cadence.0,
            cadence_revision: cadence_revision_of(row.cadence_revision)?,
            state: state_of(row.closed),
        })
    }
}

pub(super) fn state_of(closed: Option<i64>) -> PairState {
    closed.map_or(PairState::Open, |at| PairState::Closed { at: Timestamp::from_millis(at) })
}

pub(super) fn cadence_revision_of(stored: i64) -> Result<u32, StoreError> {
    u32::try_from(stored).map_err(|_| StoreError::row("pair", format!("cadence revision {stored}")))
}

pub(super) fn kind_of(word: &str) -> Result<PairKind, StoreError> {
    match word {
        "line" => Ok(PairKind::Line),
        "mentor" => Ok(PairKind::Mentor),
        "skip" => Ok(PairKind::Skip),
        other => Err(StoreError::row("pair", format!("kind {other:?}"))),
    }
}

fn word_of(kind: PairKind) -> &'static str {
    match kind {
        PairKind::Line => "line",
        PairKind::Mentor => "mentor",
        PairKind::Skip => "skip",
    }
}

impl Store {
    /// One pair.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed or the row is unreadable.
    pub async fn pair(&self, organisation: OrganisationId, pair: PairId) -> Result<Option<Pair>, StoreError> {
        let (organisation, id) = (organisation.as_uuid(), pair.as_uuid());
        let row: Option<PairRow> =
            on!(read self, |c| sqlx::query_as(PAIR).bind(organisation).bind(id).fetch_optional(c).await)?;
        row.map(Pair::try_from).transpose()
    }

    /// All pairs of an organisation that still meet.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed or a row is unreadable.
    pub async fn open_pairs(&self, organisation: OrganisationId) -> Result<Vec<Pair>, StoreError> {
        let organisation = organisation.as_uuid();
        let rows: Vec<PairRow> = on!(read self, |c| sqlx::query_as(OPEN_PAIRS).bind(organisation).fetch_all(c).await)?;
        rows.into_iter().map(Pair::try_from).collect()
    }

    /// Former managers' sights of pairs that were closed at `closed_before` or earlier, at most 1,000, organisations
    /// together.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn sights_to_lose(
        &self,
        closed_before: Timestamp,
    ) -> Result<Vec<(OrganisationId, UserId, PairId)>, StoreError> {
        let before = closed_before.as_millis();
        let rows: Vec<(Uuid, Uuid, Uuid)> =
            on!(read self, |c| sqlx::query_as(SIGHT_TO_LOSE).bind(before).fetch_all(c).await)?;
        Ok(rows
            .into_iter()
            .map(|(o, u, p)| (OrganisationId::from_uuid(o), UserId::from_uuid(u), PairId::from_uuid(p)))
            .collect())
    }
}

impl Tx {
    /// One pair, as this transaction sees it.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed or the row is unreadable.
    pub async fn pair(&mut self, organisation: OrganisationId, pair: PairId) -> Result<Option<Pair>, StoreError> {
        let (organisation, id) = (organisation.as_uuid(), pair.as_uuid());
        let row: Option<PairRow> =
            on!(tx self, |c| sqlx::query_as(PAIR).bind(organisation).bind(id).fetch_optional(c).await)?;
        row.map(Pair::try_from).transpose()
    }

    /// All pairs of an organisation that still meet, as this transaction sees them.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed or a row is unreadable.
    pub async fn open_pairs(&mut self, organisation: OrganisationId) -> Result<Vec<Pair>, StoreError> {
        let organisation = organisation.as_uuid();
        let rows: Vec<PairRow> = on!(tx self, |c| sqlx::query_as(OPEN_PAIRS).bind(organisation).fetch_all(c).await)?;
        rows.into_iter().map(Pair::try_from).collect()
    }

    /// The pairs of a person that still meet.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed or a row is unreadable.
    pub async fn open_pairs_of(
        &mut self,
        organisation: OrganisationId,
        person: UserId,
    ) -> Result<Vec<Pair>, StoreError> {
        let (organisation, person) = (organisation.as_uuid(), person.as_uuid());
        let rows: Vec<PairRow> =
            on!(tx self, |c| sqlx::query_as(OPEN_PAIRS_OF).bind(organisation).bind(person).fetch_all(c).await)?;
        rows.into_iter().map(Pair::try_from).collect()
    }

    /// Adds a pair. Sight of it is set separately.
    ///
    /// # Errors
    /// [`StoreError`]; a unique violation if the member has an open pair of kind `line` already.
    pub async fn add_pair(&mut self, organisation: OrganisationId, pair: &Pair, rev: i64) -> Result<(), StoreError> {
        let closed = match pair.state {
            PairState::Open => None,
            PairState::Closed { at } => Some(at.as_millis()),
        };
        let (organisation, kind, cadence) = (organisation.as_uuid(), word_of(pair.kind), Json(&pair.cadence));
        let (id, member, manager) = (pair.id.as_uuid(), pair.member.as_uuid(), pair.manager.as_uuid());
        on!(tx self, |c| sqlx::query(ADD_PAIR)
            .bind(organisation)
            .bind(id)
            .bind(member)
            .bind(manager)
            .bind(kind)
            .bind(cadence)
            .bind(i64::from(pair.cadence_revision))
            .bind(closed)
            .bind(rev)
            .execute(c)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Gives an open pair the cadence and the cadence's revision that `pair` holds; returns whether it was open.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn set_cadence(
        &mut self,
        organisation: OrganisationId,
        pair: &Pair,
        rev: i64,
    ) -> Result<bool, StoreError> {
        let rows = on!(tx self, |c| sqlx::query(SET_CADENCE)
            .bind(organisation.as_uuid())
            .bind(pair.id.as_uuid())
            .bind(Json(&pair.cadence))
            .bind(i64::from(pair.cadence_revision))
            .bind(rev)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }

    /// Closes an open pair; returns whether it was open.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn close_pair(
        &mut self,
        organisation: OrganisationId,
        pair: PairId,
        at: Timestamp,
        rev: i64,
    ) -> Result<bool, StoreError> {
        let (organisation, id, at) = (organisation.as_uuid(), pair.as_uuid(), at.as_millis());
        let rows = on!(tx self, |c| sqlx::query(CLOSE_PAIR)
            .bind(organisation)
            .bind(id)
            .bind(at)
            .bind(rev)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }

    /// Whether a person sees a pair.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn sees(
        &mut self,
        organisation: OrganisationId,
        person: UserId,
        pair: PairId,
    ) -> Result<bool, StoreError> {
        let (organisation, person, pair) = (organisation.as_uuid(), person.as_uuid(), pair.as_uuid());
        let granted: i64 = on!(tx self, |c| sqlx::query_scalar(SEES)
            .bind(organisation)
            .bind(person)
            .bind(pair)
            .fetch_one(c)
            .await)?;
        Ok(granted > 0)
    }

    /// Sets what a person sees of a pair.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn set_sight(
        &mut self,
        organisation: OrganisationId,
        person: UserId,
        pair: PairId,
        sight: Sight,
        rev: i64,
    ) -> Result<(), StoreError> {
        let (organisation, person, pair) = (organisation.as_uuid(), person.as_uuid(), pair.as_uuid());
        on!(tx self, |c| sqlx::query(SET_SIGHT)
            .bind(organisation)
            .bind(person)
            .bind(pair)
            .bind(sight.word())
            .bind(rev)
            .execute(c)
            .await
            .map(drop))?;
        Ok(())
    }
}
