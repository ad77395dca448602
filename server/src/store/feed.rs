//! What a person may see, in the order in which it became visible or changed.
//!
//! Each query covers one kind of entry between two positions. `at` is the later of the record's own revision and the
//! one at which this person gained sight of it. Whether a document may be read is decided by `records::feed`.

use sqlx::FromRow;
use taiwa_shared::{
    domain::{
        meeting::Meeting,
        people::{Pair, Person},
    },
    ids::{DocumentId, HeadsDigest, OrganisationId, PairId, SiteId, UserId},
};
use uuid::Uuid;

use super::{
    Store, StoreError,
    documents::{AccessRow, DocumentRow},
    meetings::MeetingRow,
    pairs::PairRow,
    people::role_of,
};

statements! {
    PEOPLE = "with seen as (
            select case when q.member = $2 then q.manager else q.member end as partner, min(s.rev) as rev
            from sight s join pair q on q.organisation = s.organisation and q.id = s.pair
            where s.organisation = $1 and s.person = $2 and s.state = 'granted'
            group by case when q.member = $2 then q.manager else q.member end),
        entry as (
            select case when v.rev > p.rev then v.rev else p.rev end as at,
                p.id, p.name, p.site, w.name as site_name, p.role, p.active
            from person p
            left join seen v on v.partner = p.id
            left join site w on w.organisation = p.organisation and w.id = p.site
            where p.organisation = $1 and (p.id = $2 or v.rev is not null))
        select at, id, name, site, site_name, role, active from entry
        where (at > $3 or (at = $3 and id > $4)) and at <= $5 order by at, id limit $6";
    PAIRS = "with entry as (
            select case when s.state = 'granted' and q.rev > s.rev then q.rev else s.rev end as at,
                q.id, q.member, q.manager, q.kind, q.cadence, q.cadence_revision, q.closed, s.state as sight
            from sight s join pair q on q.organisation = s.organisation and q.id = s.pair
            where s.organisation = $1 and s.person = $2)
        select at, id, member, manager, kind, cadence, cadence_revision, closed, sight from entry
        where (at > $3 or (at = $3 and id > $4)) and at <= $5 order by at, id limit $6";
    MEETINGS = "with entry as (
            select case when s.rev > m.rev then s.rev else m.rev end as at,
                m.id, m.pair, m.slot, m.starts, m.zone, m.length_minutes, m.state, m.revision,
                m.changed_by, m.changed_at, m.changed_from, m.finished, m.seen_at, m.seen_heads
            from sight s join meeting m on m.organisation = s.organisation and m.pair = s.pair
            where s.organisation = $1 and s.person = $2 and s.state = 'granted')
        select at, id, pair, slot, starts, zone, length_minutes, state, revision,
            changed_by, changed_at, changed_from, finished, seen_at, seen_heads from entry
        where (at > $3 or (at = $3 and id > $4)) and at <= $5 order by at, id limit $6";
    /// A change of the pair brings its documents again, because what may be done with them may have changed; so does
    /// the loss of sight, for the private notes that stay.
    DOCUMENTS = "with mine as (
            select d.id from sight s join document d on d.organisation = s.organisation and d.pair = s.pair
            where s.organisation = $1 and s.person = $2 and s.state = 'granted'
            union select d.id from document d where d.organisation = $1 and d.person = $2),
        entry as (
            select case when d.rev >= coalesce(q.rev, 0) and d.rev >= coalesce(s.rev, 0) then d.rev
                    when coalesce(q.rev, 0) >= coalesce(s.rev, 0) then q.rev else s.rev end as at,
                d.id, d.digest, d.generation, d.kind, d.pair, d.meeting, d.person,
                q.member, q.manager, q.kind as pair_kind, q.cadence, q.cadence_revision, q.closed, s.state as sight
            from mine
            join document d on d.organisation = $1 and d.id = mine.id
            left join pair q on q.organisation = d.organisation and q.id = d.pair
            left join sight s on s.organisation = d.organisation and s.pair = d.pair and s.person = $2)
        select at, id, digest, generation, kind, pair, meeting, person,
            member, manager, pair_kind, cadence, cadence_revision, closed, sight from entry
        where (at > $3 or (at = $3 and id > $4)) and at <= $5 order by at, id limit $6";
    AUTHORS = "with mine as (
            select d.id from sight s join document d on d.organisation = s.organisation and d.pair = s.pair
            where s.organisation = $1 and s.person = $2 and s.state = 'granted'
            union select d.id from document d where d.organisation = $1 and d.person = $2),
        entry as (
            select case when s.rev > a.rev then s.rev else a.rev end as at,
                a.id, a.document, a.actor, a.person as author, d.generation, d.kind, d.pair, d.meeting, d.person,
                q.member, q.manager, q.kind as pair_kind, q.cadence, q.cadence_revision, q.closed, s.state as sight
            from mine
            join document d on d.organisation = $1 and d.id = mine.id
            join author a on a.organisation = $1 and a.document = d.id
            left join pair q on q.organisation = d.organisation and q.id = d.pair
            left join sight s on s.organisation = d.organisation and s.pair = d.pair and s.person = $2)
        select at, id, document, actor, author, generation, kind, pair, meeting, person,
            member, manager, pair_kind, cadence, cadence_revision, closed, sight from entry
        where (at > $3 or (at = $3 and id > $4)) and at <= $5 order by at, id limit $6";
}

/// Where one kind of entry is read: after (`rev`, `id`), up to `until`.
#[derive(Debug, Clone, Copy)]
pub struct FeedRange {
    /// Entries after this revision, or at it with a greater id.
    pub rev: i64,
    /// See [`Self::rev`].
    pub id: Uuid,
    /// Entries up to this revision.
    pub until: i64,
    /// How many at most.
    pub limit: i64,
}

/// One entry with its place in the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<T> {
    /// The revision at which it became visible or changed.
    pub at: i64,
    /// Order among entries of one kind and revision.
    pub id: Uuid,
    /// The entry.
    pub entry: T,
}

/// What a person is told of a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PairEntry {
    /// The pair as it is.
    Seen(Pair),
    /// It is to be dropped.
    Lost(PairId),
}

/// A document with what is needed to decide on access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentEntry {
    /// Its id.
    pub id: DocumentId,
    /// Its digest, if it ever fell quiet.
    pub digest: Option<HeadsDigest>,
    /// Key, generation, pair and sight.
    pub row: DocumentRow,
}

/// The author of an actor with what is needed to decide on access to the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorEntry {
    /// The document.
    pub document: DocumentId,
    /// The actor.
    pub actor: Vec<u8>,
    /// The person.
    pub author: UserId,
    /// Key, generation, pair and sight of the document.
    pub row: DocumentRow,
}

#[derive(FromRow)]
struct PersonFeedRow {
    at: i64,
    id: Uuid,
    name: String,
    site: Option<Uuid>,
    site_name: Option<String>,
    role: String,
    active: bool,
}

#[derive(FromRow)]
struct PairFeedRow {
    at: i64,
    #[sqlx(flatten)]
    pair: PairRow,
    sight: String,
}

#[derive(FromRow)]
struct MeetingFeedRow {
    at: i64,
    #[sqlx(flatten)]
    meeting: MeetingRow,
}

#[derive(FromRow)]
struct DocumentFeedRow {
    at: i64,
    id: Uuid,
    digest: Option<Vec<u8>>,
    #[sqlx(flatten)]
    access: AccessRow,
}

#[derive(FromRow)]
struct AuthorFeedRow {
    at: i64,
    id: Uuid,
    document: Uuid,
    actor: Vec<u8>,
    author: Uuid,
    #[sqlx(flatten)]
    access: AccessRow,
}

impl TryFrom<PersonFeedRow> for Placed<Person> {
    type Error = StoreError;
    fn try_from(row: PersonFeedRow) -> Result<Self, StoreError> {
        let entry = Person {
            id: UserId::from_uuid(row.id),
            name: row.name,
            site: row.site.map(SiteId::from_uuid),
            site_name: row.site_name,
            role: role_of(&row.role)?,
            active: row.active,
        };
        Ok(Self { at: row.at, id: row.id, entry })
    }
}

impl TryFrom<PairFeedRow> for Placed<PairEntry> {
    type Error = StoreError;
    fn try_from(row: PairFeedRow) -> Result<Self, StoreError> {
        let id = row.pair.id;
        let entry = if row.sight == "granted" {
            PairEntry::Seen(Pair::try_from(row.pair)?)
        } else {
            PairEntry::Lost(PairId::from_uuid(id))
        };
        Ok(Self { at: row.at, id, entry })
    }
}

impl TryFrom<MeetingFeedRow> for Placed<Meeting> {
    type Error = StoreError;
    fn try_from(row: MeetingFeedRow) -> Result<Self, StoreError> {
        let entry = Meeting::try_from(row.meeting)?;
        Ok(Self { at: row.at, id: entry.id.as_uuid(), entry })
    }
}

impl TryFrom<DocumentFeedRow> for Placed<DocumentEntry> {
    type Error = StoreError;
    fn try_from(row: DocumentFeedRow) -> Result<Self, StoreError> {
        let digest = row.digest.map(<[u8; 16]>::try_from).transpose();
        let digest = digest.map_err(|_| StoreError::row("document", format!("digest of {}", row.id)))?;
        let entry = DocumentEntry {
            id: DocumentId::from_uuid(row.id),
            digest: digest.map(HeadsDigest::from_bytes),
            row: row.access.try_into()?,
        };
        Ok(Self { at: row.at, id: row.id, entry })
    }
}

impl TryFrom<AuthorFeedRow> for Placed<AuthorEntry> {
    type Error = StoreError;
    fn try_from(row: AuthorFeedRow) -> Result<Self, StoreError> {
        let entry = AuthorEntry {
            document: DocumentId::from_uuid(row.document),
            actor: row.actor,
            author: UserId::from_uuid(row.author),
            row: row.access.try_into()?,
        };
        Ok(Self { at: row.at, id: row.id, entry })
    }
}

macro_rules! feeds {
    ($($(#[$doc:meta])* $name:ident: $statement:ident, $row:ty => $entry:ty;)*) => {
        impl Store {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// [`StoreError`] if the statement failed or a row is unreadable.
            pub async fn $name(
                &self,
                organisation: OrganisationId,
                person: UserId,
                range: FeedRange,
            ) -> Result<Vec<Placed<$entry>>, StoreError> {
                let FeedRange { rev, id, until, limit } = range;
                let rows: Vec<$row> = on!(read self, |c| sqlx::query_as($statement)
                    .bind(organisation.as_uuid())
                    .bind(person.as_uuid())
                    .bind(rev)
                    .bind(id)
                    .bind(until)
                    .bind(limit)
                    .fetch_all(c)
                    .await)?;
                rows.into_iter().map(Placed::try_from).collect()
            }
        )*}
    };
}

feeds! {
    /// The person and everybody they have a visible pair with.
    people_feed: PEOPLE, PersonFeedRow => Person;
    /// Pairs that the person sees, or saw and no longer does.
    pairs_feed: PAIRS, PairFeedRow => PairEntry;
    /// Meetings of visible pairs.
    meetings_feed: MEETINGS, MeetingFeedRow => Meeting;
    /// Documents of visible pairs and the person's own; access is not decided yet.
    documents_feed: DOCUMENTS, DocumentFeedRow => DocumentEntry;
    /// Authors of actors in those documents; access is not decided yet.
    authors_feed: AUTHORS, AuthorFeedRow => AuthorEntry;
}
