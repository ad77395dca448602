//! Who brought changes that are not their own: possible for 30 days after a restore, and kept so that it can be seen.

use taiwa_shared::{
    ids::{DocumentId, OrganisationId, UserId},
    time::Timestamp,
};
use uuid::Uuid;

use super::{Store, StoreError, Tx};

/// The migration that made the table: an older backup has none.
const SINCE: i64 = 22;

statements! {
    ADD = "insert into relayed (organisation, document, actor, author, brought_by, at) values ($1, $2, $3, $4, $5, $6)
        on conflict (organisation, document, actor, brought_by) do nothing";
    ALL_RELAYED = "select organisation, document, author, brought_by, count(*), min(at) from relayed
        group by organisation, document, author, brought_by order by organisation, document, brought_by";
}

/// That somebody brought changes of somebody else to a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayedRow {
    /// Whose.
    pub organisation: OrganisationId,
    /// Which document.
    pub document: DocumentId,
    /// The person whom the changes name; none if they name nobody.
    pub author: Option<UserId>,
    /// Who brought them.
    pub brought_by: UserId,
    /// How many actors (starts of an app) made them.
    pub actors: i64,
    /// When the first of them came.
    pub at: Timestamp,
}

type Columns = (Uuid, Uuid, Option<Uuid>, Uuid, i64, i64);

impl Store {
    /// Everything that was brought by somebody else than its author.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn relayed(&self) -> Result<Vec<RelayedRow>, StoreError> {
        if self.migrated_to().await?.is_none_or(|version| version < SINCE) {
            return Ok(Vec::new());
        }
        let rows: Vec<Columns> = on!(read self, |c| sqlx::query_as(ALL_RELAYED).fetch_all(c).await)?;
        let read = |(organisation, document, author, brought_by, actors, at): Columns| RelayedRow {
            organisation: OrganisationId::from_uuid(organisation),
            document: DocumentId::from_uuid(document),
            author: author.map(UserId::from_uuid),
            brought_by: UserId::from_uuid(brought_by),
            actors,
            at: Timestamp::from_millis(at),
        };
        Ok(rows.into_iter().map(read).collect())
    }
}

impl Tx {
    /// Notes who brought an actor's changes; the first time counts.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn note_relayed(
        &mut self,
        organisation: OrganisationId,
        document: DocumentId,
        actor: &[u8],
        author: Option<UserId>,
        brought_by: UserId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (organisation, document) = (organisation.as_uuid(), document.as_uuid());
        on!(tx self, |c| sqlx::query(ADD)
            .bind(organisation)
            .bind(document)
            .bind(actor)
            .bind(author.map(|author| author.as_uuid()))
            .bind(brought_by.as_uuid())
            .bind(now.as_millis())
            .execute(c)
            .await
            .map(drop))?;
        Ok(())
    }
}
