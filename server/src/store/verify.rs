//! What a check of the database asks: what it holds, which references lead nowhere, which counters are behind.
//!
//! Each answer is one statement, so that it is true of one moment while a server writes. Only columns that every version
//! has, so that an older backup can be checked. What follows from an answer is decided in `operate::check`.

use sqlx::FromRow;
use taiwa_shared::{
    domain::ownership::DocumentKey,
    ids::{DocumentId, HeadsDigest, OrganisationId},
};
use uuid::Uuid;

use super::{
    Store, StoreError,
    documents::{generation_of, key_of},
};

/// Rows of one kind of damage that are named; the first hundred tell what happened.
pub const MOST_NAMED: i64 = 100;

macro_rules! references {
    ($($name:ident = $what:literal, $text:literal;)*) => {
        statements! {
            HOLDS = "select (select count(*) from organisation), (select count(*) from person),
                (select count(*) from person where active), (select count(*) from pair where closed is null),
                (select count(*) from pair), (select count(*) from meeting), (select count(*) from document),
                (select count(*) from chunk), (select count(*) from device where revoked is null)";
            DOCUMENTS = "select organisation, id, generation, kind, pair, meeting, person from document
                where organisation > $1 or (organisation = $1 and id > $2) order by organisation, id limit 200";
            DIGEST = "select digest, (select count(*) from stale_digest s
                    where s.organisation = d.organisation and s.document = d.id) > 0
                from document d where organisation = $1 and id = $2";
            COUNTERS = "select o.id, o.counter, max(r.rev) from organisation o
                join (select organisation, rev from person union all select organisation, rev from pair
                    union all select organisation, rev from sight union all select organisation, rev from meeting
                    union all select organisation, rev from document union all select organisation, rev from author) r
                    on r.organisation = o.id
                group by o.id, o.counter having max(r.rev) > o.counter";
            $($name = $text;)*
        }
        /// What leads where, and the statement that finds those that lead nowhere.
        const REFERENCES: &[(&str, &str)] = &[$(($what, $name)),*];
    };
}

references! {
    CHUNK_DOCUMENT = "rows of a document that has no record", "select c.organisation, c.document from chunk c
        where not exists (select 1 from document d where d.organisation = c.organisation and d.id = c.document)
        group by c.organisation, c.document order by c.organisation, c.document limit $1";
    DIGEST_DOCUMENT = "a stale digest of a document that has no record", "select x.organisation, x.document from stale_digest x
        where not exists (select 1 from document d where d.organisation = x.organisation and d.id = x.document)
        order by x.organisation, x.document limit $1";
    AUTHOR_DOCUMENT = "an author in a document that has no record", "select x.organisation, x.document from author x
        where not exists (select 1 from document d where d.organisation = x.organisation and d.id = x.document)
        order by x.organisation, x.document limit $1";
    AUTHOR_PERSON = "an author who is no person", "select x.organisation, x.person from author x
        where not exists (select 1 from person p where p.organisation = x.organisation and p.id = x.person)
        order by x.organisation, x.person limit $1";
    DOCUMENT_PAIR = "a document of a pair that is not there", "select x.organisation, x.id from document x
        where x.pair is not null
            and not exists (select 1 from pair p where p.organisation = x.organisation and p.id = x.pair)
        order by x.organisation, x.id limit $1";
    DOCUMENT_MEETING = "a document of a meeting that is not there", "select x.organisation, x.id from document x
        where x.meeting is not null
            and not exists (select 1 from meeting m where m.organisation = x.organisation and m.id = x.meeting)
        order by x.organisation, x.id limit $1";
    DOCUMENT_PERSON = "a document of a person who is not there", "select x.organisation, x.id from document x
        where x.person is not null
            and not exists (select 1 from person p where p.organisation = x.organisation and p.id = x.person)
        order by x.organisation, x.id limit $1";
    MEETING_PAIR = "a meeting of a pair that is not there", "select x.organisation, x.id from meeting x
        where not exists (select 1 from pair p where p.organisation = x.organisation and p.id = x.pair)
        order by x.organisation, x.id limit $1";
    PAIR_PEOPLE = "a pair of people who are not there", "select x.organisation, x.id from pair x
        where not exists (select 1 from person p where p.organisation = x.organisation and p.id = x.member)
            or not exists (select 1 from person p where p.organisation = x.organisation and p.id = x.manager)
        order by x.organisation, x.id limit $1";
    SIGHT_PAIR = "sight of a pair that is not there", "select x.organisation, x.pair from sight x
        where not exists (select 1 from pair p where p.organisation = x.organisation and p.id = x.pair)
        order by x.organisation, x.pair limit $1";
    SIGHT_PERSON = "sight of a person who is not there", "select x.organisation, x.person from sight x
        where not exists (select 1 from person p where p.organisation = x.organisation and p.id = x.person)
        order by x.organisation, x.person limit $1";
    PERSON_SITE = "a person at a workplace that is not there", "select x.organisation, x.id from person x
        where x.site is not null
            and not exists (select 1 from site s where s.organisation = x.organisation and s.id = x.site)
        order by x.organisation, x.id limit $1";
    PERSON_MANAGER = "a person whose manager is not there", "select x.organisation, x.id from person x
        where x.manager is not null
            and not exists (select 1 from person p where p.organisation = x.organisation and p.id = x.manager)
        order by x.organisation, x.id limit $1";
    DEVICE_PERSON = "a sign-in of a person who is not there", "select x.organisation, x.id from device x
        where not exists (select 1 from person p where p.organisation = x.organisation and p.id = x.person)
        order by x.organisation, x.id limit $1";
    PASSWORD_PERSON = "a password of a person who is not there", "select x.organisation, x.person from password x
        where not exists (select 1 from person p where p.organisation = x.organisation and p.id = x.person)
        order by x.organisation, x.person limit $1";
    TOKEN_DEVICE = "a refresh token of a sign-in that is not there", "select x.organisation, x.device from refresh_token x
        where not exists (select 1 from device d where d.organisation = x.organisation and d.id = x.device)
        order by x.organisation, x.device limit $1";
}

/// How much a database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct Holds {
    /// Organisations.
    pub organisations: i64,
    /// People, whether active or not.
    pub people: i64,
    /// Active people.
    pub active: i64,
    /// Open pairs.
    pub open_pairs: i64,
    /// All pairs.
    pub pairs: i64,
    /// Meetings that are records.
    pub meetings: i64,
    /// Documents.
    pub documents: i64,
    /// Rows of documents.
    pub rows: i64,
    /// Sign-ins that have not ended.
    pub devices: i64,
}

/// A document to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentToCheck {
    /// Whose.
    pub organisation: OrganisationId,
    /// Which one.
    pub document: DocumentId,
    /// Its key.
    pub key: DocumentKey,
    /// Its generation.
    pub generation: u32,
}

/// What a document's record says of its heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordedHeads {
    /// Nothing was stored yet.
    None,
    /// These.
    Of(HeadsDigest),
    /// Nothing to go by: the rows are newer, and that is noted.
    Stale,
}

/// Something that refers to what is not there, by its organisation and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dangling {
    /// What it is, in words.
    pub what: &'static str,
    /// Whose.
    pub organisation: OrganisationId,
    /// Its id, of whatever kind `what` says.
    pub id: Uuid,
}

type DocumentColumns = (Uuid, Uuid, i64, String, Option<Uuid>, Option<Uuid>, Option<Uuid>);
type HoldsColumns = (i64, i64, i64, i64, i64, i64, i64, i64, i64);

impl Store {
    /// How much there is.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn holds(&self) -> Result<Holds, StoreError> {
        let row: HoldsColumns = on!(read self, |c| sqlx::query_as(HOLDS).fetch_one(c).await)?;
        let (organisations, people, active, open_pairs, pairs, meetings, documents, rows, devices) = row;
        Ok(Holds { organisations, people, active, open_pairs, pairs, meetings, documents, rows, devices })
    }

    /// The next documents after one, in a fixed order; each one or, if its record cannot be read, its id and why.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn documents_after(
        &self,
        after: (OrganisationId, DocumentId),
    ) -> Result<Vec<Result<DocumentToCheck, (OrganisationId, DocumentId, String)>>, StoreError> {
        let (organisation, document) = (after.0.as_uuid(), after.1.as_uuid());
        let rows: Vec<DocumentColumns> =
            on!(read self, |c| sqlx::query_as(DOCUMENTS).bind(organisation).bind(document).fetch_all(c).await)?;
        let read = |(organisation, id, generation, kind, pair, meeting, person): DocumentColumns| {
            let (organisation, document) = (OrganisationId::from_uuid(organisation), DocumentId::from_uuid(id));
            let named = |error: StoreError| (organisation, document, error.to_string());
            let key = key_of(&kind, pair, meeting, person).map_err(named)?;
            let generation = generation_of(generation).map_err(named)?;
            Ok(DocumentToCheck { organisation, document, key, generation })
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// What a document's record says of its heads.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed, the document is gone, or its digest is none.
    pub async fn recorded_heads(
        &self,
        organisation: OrganisationId,
        document: DocumentId,
    ) -> Result<RecordedHeads, StoreError> {
        let (organisation, document) = (organisation.as_uuid(), document.as_uuid());
        let (digest, is_stale): (Option<Vec<u8>>, bool) =
            on!(read self, |c| sqlx::query_as(DIGEST).bind(organisation).bind(document).fetch_one(c).await)?;
        if is_stale {
            return Ok(RecordedHeads::Stale);
        }
        let Some(digest) = digest else { return Ok(RecordedHeads::None) };
        let digest = digest.try_into().map_err(|_| StoreError::row("document", format!("digest of {document}")))?;
        Ok(RecordedHeads::Of(HeadsDigest::from_bytes(digest)))
    }

    /// What refers to something that is not there; at most [`MOST_NAMED`] of each kind.
    ///
    /// # Errors
    /// [`StoreError`] if a statement failed.
    pub async fn dangling(&self) -> Result<Vec<Dangling>, StoreError> {
        let mut all = Vec::new();
        for (what, statement) in REFERENCES {
            let rows: Vec<(Uuid, Uuid)> =
                on!(read self, |c| sqlx::query_as(*statement).bind(MOST_NAMED).fetch_all(c).await)?;
            all.extend(rows.into_iter().map(|(organisation, id)| Dangling {
                what,
                organisation: OrganisationId::from_uuid(organisation),
                id,
            }));
        }
        Ok(all)
    }

    /// Organisations whose counter is behind a record of theirs: the counter, and the record's.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn counters_behind(&self) -> Result<Vec<(OrganisationId, i64, i64)>, StoreError> {
        let rows: Vec<(Uuid, i64, i64)> = on!(read self, |c| sqlx::query_as(COUNTERS).fetch_all(c).await)?;
        Ok(rows.into_iter().map(|(id, counter, rev)| (OrganisationId::from_uuid(id), counter, rev)).collect())
    }
}
