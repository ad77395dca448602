//! The bytes of documents: numbered rows per document, and which documents' digests are older than their rows.
//!
//! Called by the hub alone. Rows are appended and folded, never edited; what is in a body beyond its first byte is
//! the business of `shared::sync::chunks`. Knows nothing about who may read a document.

use std::sync::LazyLock;

use sqlx::FromRow;
use taiwa_shared::{
    domain::ownership::DocumentKey,
    ids::{DocumentId, HeadsDigest, OrganisationId},
};
use uuid::Uuid;

use super::{
    Store, StoreError, Tx, TxInner,
    documents::{generation_of, key_of},
};

statements! {
    ROWS = "select n, body from chunk where organisation = $1 and document = $2 order by n";
    REMOVE_UP_TO = "delete from chunk where organisation = $1 and document = $2 and n >= $3 and n <= $4";
    MARK_STALE = "insert into stale_digest (organisation, document) values ($1, $2)
        on conflict (organisation, document) do nothing";
    CLEAR_STALE = "delete from stale_digest where organisation = $1 and document = $2";
    IS_STALE = "select count(*) from stale_digest where organisation = $1 and document = $2";
    ALL_STALE = "select s.organisation, s.document, d.generation, d.kind, d.pair, d.meeting, d.person
        from stale_digest s
        join document d on d.organisation = s.organisation and d.id = s.document
        order by s.organisation, s.document";
    RENEW_DIGEST = "update document set digest = $3, rev = $4 where organisation = $1 and id = $2";
}

const INTO: &str = "insert into chunk (organisation, document, n, body)";

/// Rows that one statement appends, the most first. A statement costs a trip to the database's thread or machine, and a
/// busy commit has two hundred rows.
const GROUPS: [usize; 4] = [64, 16, 4, 1];

/// A statement for each of [`GROUPS`].
type AppendMany = [(usize, String); 4];

static APPEND_MANY: LazyLock<AppendMany> = LazyLock::new(|| {
    let row = |row: usize| format!("(${}, ${}, ${}, ${})", 4 * row + 1, 4 * row + 2, 4 * row + 3, 4 * row + 4);
    GROUPS.map(|rows| (rows, append_of(INTO, (0..rows).map(row).collect())))
});

/// Without `or fail` SQLite copies every page of several rows before it changes it, to be able to undo this statement
/// alone; here a statement that fails undoes its whole transaction. Without names, because each is searched for in the
/// list of all.
static APPEND_MANY_IN_SQLITE: LazyLock<AppendMany> = LazyLock::new(|| {
    let into = INTO.replacen("insert", "insert or fail", 1);
    GROUPS.map(|rows| (rows, append_of(&into, vec!["(?, ?, ?, ?)".to_owned(); rows])))
});

fn append_of(into: &str, rows: Vec<String>) -> String {
    format!("{into} values {}", rows.join(", "))
}

/// A row of a document: `header byte ‖ body of shared::sync::chunks`.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ChunkRow {
    /// Its number among the document's rows, ascending in the order of commits.
    pub n: i64,
    /// Header byte and body.
    pub body: Vec<u8>,
}

/// A document whose record carries an older digest than its rows have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaleDocument {
    /// Whose.
    pub organisation: OrganisationId,
    /// Which one.
    pub document: DocumentId,
    /// Its key.
    pub key: DocumentKey,
    /// Its generation.
    pub generation: u32,
}

#[derive(FromRow)]
struct StaleRow {
    organisation: Uuid,
    document: Uuid,
    generation: i64,
    kind: String,
    pair: Option<Uuid>,
    meeting: Option<Uuid>,
    person: Option<Uuid>,
}

impl TryFrom<StaleRow> for StaleDocument {
    type Error = StoreError;
    fn try_from(row: StaleRow) -> Result<Self, StoreError> {
        Ok(Self {
            organisation: OrganisationId::from_uuid(row.organisation),
            document: DocumentId::from_uuid(row.document),
            key: key_of(&row.kind, row.pair, row.meeting, row.person)?,
            generation: generation_of(row.generation)?,
        })
    }
}

impl Store {
    /// All rows of a document in the order of their commits.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn chunks(
        &self,
        organisation: OrganisationId,
        document: DocumentId,
    ) -> Result<Vec<ChunkRow>, StoreError> {
        let (organisation, document) = (organisation.as_uuid(), document.as_uuid());
        Ok(on!(read self, |c| sqlx::query_as(ROWS).bind(organisation).bind(document).fetch_all(c).await)?)
    }

    /// Whether the digest in a document's record is older than its rows.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn has_stale_digest(
        &self,
        organisation: OrganisationId,
        document: DocumentId,
    ) -> Result<bool, StoreError> {
        let (organisation, document) = (organisation.as_uuid(), document.as_uuid());
        let count: i64 =
            on!(read self, |c| sqlx::query_scalar(IS_STALE).bind(organisation).bind(document).fetch_one(c).await)?;
        Ok(count > 0)
    }

    /// Every document whose record has an older digest than its rows: what a crash left behind.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed or a record is unreadable.
    pub async fn stale_digests(&self) -> Result<Vec<StaleDocument>, StoreError> {
        let rows: Vec<StaleRow> = on!(read self, |c| sqlx::query_as(ALL_STALE).fetch_all(c).await)?;
        rows.into_iter().map(StaleDocument::try_from).collect()
    }
}

impl Tx {
    /// Appends rows of any documents. A number that is taken is an error: somebody else wrote the document.
    ///
    /// # Errors
    /// [`StoreError`], a unique violation if a number is taken.
    pub async fn append_chunks(&mut self, rows: &[(OrganisationId, DocumentId, &ChunkRow)]) -> Result<(), StoreError> {
        let mut rest = rows;
        let statements = match self.inner() {
            TxInner::Sqlite(_) => &*APPEND_MANY_IN_SQLITE,
            TxInner::Postgres(_) => &*APPEND_MANY,
        };
        for (size, statement) in statements {
            while let Some((group, after)) = rest.split_at_checked(*size) {
                on!(tx self, |c| {
                    let mut query = sqlx::query(statement.as_str());
                    for (organisation, document, row) in group {
                        query = query.bind(organisation.as_uuid()).bind(document.as_uuid());
                        query = query.bind(row.n).bind(row.body.as_slice());
                    }
                    query.execute(c).await.map(drop)
                })?;
                rest = after;
            }
        }
        Ok(())
    }

    /// Puts one row in the place of all rows numbered `first..=row.n`; returns how many there were.
    ///
    /// # Errors
    /// [`StoreError`] if a statement failed.
    pub async fn fold_chunks(
        &mut self,
        organisation: OrganisationId,
        document: DocumentId,
        first: i64,
        row: &ChunkRow,
    ) -> Result<u64, StoreError> {
        let (owner, id) = (organisation.as_uuid(), document.as_uuid());
        let removed = on!(tx self, |c| sqlx::query(REMOVE_UP_TO)
            .bind(owner)
            .bind(id)
            .bind(first)
            .bind(row.n)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        self.append_chunks(&[(organisation, document, row)]).await?;
        Ok(removed)
    }

    /// Notes that the digest in a document's record is older than its rows.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn mark_stale_digest(
        &mut self,
        organisation: OrganisationId,
        document: DocumentId,
    ) -> Result<(), StoreError> {
        let (organisation, document) = (organisation.as_uuid(), document.as_uuid());
        on!(tx self, |c| sqlx::query(MARK_STALE).bind(organisation).bind(document).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Writes the digest of a document's rows into its record. `rev` comes from [`Tx::next_rev`] in this transaction.
    ///
    /// # Errors
    /// [`StoreError`] if a statement failed.
    pub async fn renew_digest(
        &mut self,
        organisation: OrganisationId,
        document: DocumentId,
        digest: HeadsDigest,
        rev: i64,
    ) -> Result<(), StoreError> {
        let (organisation, document) = (organisation.as_uuid(), document.as_uuid());
        on!(tx self, |c| sqlx::query(RENEW_DIGEST)
            .bind(organisation)
            .bind(document)
            .bind(digest.as_bytes().as_slice())
            .bind(rev)
            .execute(c)
            .await
            .map(drop))?;
        on!(tx self, |c| sqlx::query(CLEAR_STALE).bind(organisation).bind(document).execute(c).await.map(drop))?;
        Ok(())
    }
}
