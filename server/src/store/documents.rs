//! Documents: that they exist, whose they are, their head digests and the authors of their actors.
//!
//! The bytes of documents are in `chunks`. Nothing here decides who may read a document.

use sha2::{Digest, Sha256};
use sqlx::{FromRow, types::Json};
use taiwa_shared::{
    domain::{cadence::Cadence, ownership::DocumentKey, people::Pair},
    ids::{DocumentId, MeetingId, OrganisationId, PairId, UserId},
};
use uuid::Uuid;

use super::{
    Store, StoreError, Tx,
    pairs::{Sight, cadence_revision_of, kind_of, state_of},
};

statements! {
    DOCUMENT = "select d.generation, d.kind, d.pair, d.meeting, d.person,
            p.member, p.manager, p.kind as pair_kind, p.cadence, p.cadence_revision, p.closed, s.state as sight
        from document d
        left join pair p on p.organisation = d.organisation and p.id = d.pair
        left join sight s on s.organisation = d.organisation and s.pair = d.pair and s.person = $3
        where d.organisation = $1 and d.id = $2";
    CURRENT = "select id, generation from document where organisation = $1 and root = $2
        order by generation desc limit 1";
    ADD_DOCUMENT = "insert into document (organisation, id, root, generation, kind, pair, meeting, person, rev)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (organisation, id) do nothing";
    COUNT_OF_PAIR = "select count(*) from document where organisation = $1 and pair = $2";
    OPENED = "select opened from claimed where organisation = $1 and person = $2 and day = $3";
    SET_OPENED = "insert into claimed (organisation, person, day, opened) values ($1, $2, $3, $4)
        on conflict (organisation, person) do update set day = excluded.day, opened = excluded.opened";
    ADD_AUTHOR = "insert into author (organisation, document, actor, person, id, rev)
        values ($1, $2, $3, $4, $5, $6) on conflict (organisation, document, actor) do nothing";
    AUTHORS = "select actor, person from author where organisation = $1 and document = $2 order by actor";
}

/// A document record with what is needed to decide on one person's access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRow {
    /// Whose and what for.
    pub key: DocumentKey,
    /// Its generation.
    pub generation: u32,
    /// The pair of the key, if it has one and the pair is known.
    pub pair: Option<Pair>,
    /// What the person sees of that pair, if they ever saw it.
    pub sight: Option<Sight>,
}

#[derive(FromRow)]
pub(super) struct AccessRow {
    generation: i64,
    kind: String,
    pair: Option<Uuid>,
    meeting: Option<Uuid>,
    person: Option<Uuid>,
    member: Option<Uuid>,
    manager: Option<Uuid>,
    pair_kind: Option<String>,
    cadence: Option<Json<Cadence>>,
    cadence_revision: Option<i64>,
    closed: Option<i64>,
    sight: Option<String>,
}

impl TryFrom<AccessRow> for DocumentRow {
    type Error = StoreError;
    fn try_from(row: AccessRow) -> Result<Self, StoreError> {
        let pair = match (row.pair, row.member, row.manager, row.pair_kind, row.cadence) {
            (Some(id), Some(member), Some(manager), Some(kind), Some(Json(cadence))) => Some(Pair {
                id: PairId::from_uuid(id),
                member: UserId::from_uuid(member),
                manager: UserId::from_uuid(manager),
                kind: kind_of(&kind)?,
                cadence,
                cadence_revision: cadence_revision_of(row.cadence_revision.unwrap_or(0))?,
                state: state_of(row.closed),
            }),
            _ => None,
        };
        Ok(Self {
            key: key_of(&row.kind, row.pair, row.meeting, row.person)?,
            generation: generation_of(row.generation)?,
            pair,
            sight: row.sight.map(|word| if word == "granted" { Sight::Granted } else { Sight::Lost }),
        })
    }
}

pub(super) fn generation_of(stored: i64) -> Result<u32, StoreError> {
    u32::try_from(stored).map_err(|_| StoreError::row("document", format!("generation {stored}")))
}

pub(super) fn key_of(
    kind: &str,
    pair: Option<Uuid>,
    meeting: Option<Uuid>,
    person: Option<Uuid>,
) -> Result<DocumentKey, StoreError> {
    let missing = |column: &str| StoreError::row("document", format!("a {kind} without {column}"));
    let pair = || pair.map(PairId::from_uuid).ok_or_else(|| missing("pair"));
    let meeting = || meeting.map(MeetingId::from_uuid).ok_or_else(|| missing("meeting"));
    let user = || person.map(UserId::from_uuid).ok_or_else(|| missing("person"));
    Ok(match kind {
        "draft" => DocumentKey::Draft { pair: pair()?, meeting: meeting()? },
        "prep" => DocumentKey::Prep { pair: pair()?, meeting: meeting()? },
        "notebook" => DocumentKey::Notebook { pair: pair()? },
        "memo" => DocumentKey::Memo { pair: pair()?, meeting: meeting()? },
        "private" => DocumentKey::Private { pair: pair()?, user: user()? },
        "field_notes" => DocumentKey::FieldNotes { user: user()? },
        other => return Err(StoreError::row("document", format!("kind {other:?}"))),
    })
}

fn owner_of(key: &DocumentKey) -> Option<UserId> {
    match key {
        DocumentKey::Private { user, .. } | DocumentKey::FieldNotes { user } => Some(*user),
        DocumentKey::Draft { .. }
        | DocumentKey::Prep { .. }
        | DocumentKey::Notebook { .. }
        | DocumentKey::Memo { .. } => None,
    }
}

impl Store {
    /// A document with what is needed to decide on `person`'s access; none if the organisation has no such document.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed or the row is unreadable.
    pub async fn document(
        &self,
        organisation: OrganisationId,
        document: DocumentId,
        person: UserId,
    ) -> Result<Option<DocumentRow>, StoreError> {
        let (organisation, id, person) = (organisation.as_uuid(), document.as_uuid(), person.as_uuid());
        let row: Option<AccessRow> = on!(read self, |c| sqlx::query_as(DOCUMENT)
            .bind(organisation)
            .bind(id)
            .bind(person)
            .fetch_optional(c)
            .await)?;
        row.map(DocumentRow::try_from).transpose()
    }

    /// Actors of a document whose author stands in a record and not in the changes themselves.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn authors(
        &self,
        organisation: OrganisationId,
        document: DocumentId,
    ) -> Result<Vec<(Vec<u8>, UserId)>, StoreError> {
        let (organisation, id) = (organisation.as_uuid(), document.as_uuid());
        let rows: Vec<(Vec<u8>, Uuid)> =
            on!(read self, |c| sqlx::query_as(AUTHORS).bind(organisation).bind(id).fetch_all(c).await)?;
        Ok(rows.into_iter().map(|(actor, person)| (actor, UserId::from_uuid(person))).collect())
    }
}

impl Tx {
    /// Records who an actor is whose changes do not say so. `rev` comes from [`Tx::next_rev`] in this transaction.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn bind_author(
        &mut self,
        organisation: OrganisationId,
        document: DocumentId,
        actor: &[u8],
        person: UserId,
        rev: i64,
    ) -> Result<(), StoreError> {
        let mut name = [0; 16];
        name.copy_from_slice(&Sha256::new().chain_update(document.as_bytes()).chain_update(actor).finalize()[..16]);
        let (organisation, document, person) = (organisation.as_uuid(), document.as_uuid(), person.as_uuid());
        on!(tx self, |c| sqlx::query(ADD_AUTHOR)
            .bind(organisation)
            .bind(document)
            .bind(actor)
            .bind(person)
            .bind(Uuid::from_bytes(name))
            .bind(rev)
            .execute(c)
            .await
            .map(drop))?;
        Ok(())
    }

    /// The id and number of the current generation of a key's document, if it is known.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn current_document(
        &mut self,
        organisation: OrganisationId,
        key: &DocumentKey,
    ) -> Result<Option<(DocumentId, u32)>, StoreError> {
        let (organisation, root) = (organisation.as_uuid(), key.document_id(0).as_uuid());
        let row: Option<(Uuid, i64)> =
            on!(tx self, |c| sqlx::query_as(CURRENT).bind(organisation).bind(root).fetch_optional(c).await)?;
        row.map(|(id, generation)| Ok((DocumentId::from_uuid(id), generation_of(generation)?))).transpose()
    }

    /// Adds a document; one that is there already stays as it is.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn add_document(
        &mut self,
        organisation: OrganisationId,
        key: &DocumentKey,
        generation: u32,
        rev: i64,
    ) -> Result<DocumentId, StoreError> {
        let (organisation, id) = (organisation.as_uuid(), key.document_id(generation));
        on!(tx self, |c| sqlx::query(ADD_DOCUMENT)
            .bind(organisation)
            .bind(id.as_uuid())
            .bind(key.document_id(0).as_uuid())
            .bind(i64::from(generation))
            .bind(key.kind())
            .bind(key.pair().map(|pair| pair.as_uuid()))
            .bind(key.meeting().map(|meeting| meeting.as_uuid()))
            .bind(owner_of(key).map(|user| user.as_uuid()))
            .bind(rev)
            .execute(c)
            .await
            .map(drop))?;
        Ok(id)
    }

    /// How many documents somebody has opened on a day.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn opened_by(
        &mut self,
        organisation: OrganisationId,
        person: UserId,
        day: i64,
    ) -> Result<i64, StoreError> {
        let (organisation, person) = (organisation.as_uuid(), person.as_uuid());
        let opened: Option<i64> = on!(tx self, |c| sqlx::query_scalar(OPENED)
            .bind(organisation)
            .bind(person)
            .bind(day)
            .fetch_optional(c)
            .await)?;
        Ok(opened.unwrap_or(0))
    }

    /// Notes how many documents somebody has opened on a day; other days are forgotten.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn set_opened_by(
        &mut self,
        organisation: OrganisationId,
        person: UserId,
        day: i64,
        opened: i64,
    ) -> Result<(), StoreError> {
        let (organisation, person) = (organisation.as_uuid(), person.as_uuid());
        on!(tx self, |c| sqlx::query(SET_OPENED)
            .bind(organisation)
            .bind(person)
            .bind(day)
            .bind(opened)
            .execute(c)
            .await
            .map(drop))?;
        Ok(())
    }

    /// How many documents a pair has, of all kinds and generations.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn count_documents(&mut self, organisation: OrganisationId, pair: PairId) -> Result<i64, StoreError> {
        let (organisation, pair) = (organisation.as_uuid(), pair.as_uuid());
        Ok(on!(tx self, |c| sqlx::query_scalar(COUNT_OF_PAIR).bind(organisation).bind(pair).fetch_one(c).await)?)
    }
}
