//! The search index of tips: the one place where the engines have a text of their own each, FTS5 and GIN.
//!
//! It only narrows down: its candidates are compared with the folded text, the best first, until the page is full. FTS5
//! names them in the order of their ranks, as many as are wanted. GIN names all of them in no order; so PostgreSQL first
//! walks along the best tips, where a word that many have is met soon, and takes the index for words that few have. What one
//! search looks at is bounded: a page may be short, and the next goes on from where it ended.

use sqlx::FromRow;

use super::{
    Db, Store, StoreError, Tx, TxInner, in_time,
    tips::{Labels, Rank, Reader, SeenRow, from_others, joins, seen},
};
use taiwa_shared::ids::OrganisationId;
use uuid::Uuid;

/// Candidates that one search compares.
const COMPARED: usize = 3_000;
/// Tips that PostgreSQL walks along before it asks the index: a word that one tip in thirty has fills a page there.
const FIRST_WALK: i64 = 600;
/// Whoever met so many there walks on: the index would name more hits than it may.
const MET_ENOUGH: usize = 2;
/// Candidates that PostgreSQL's index may name; for more it walks on.
const RARE: i64 = 1_000;
/// Tips that PostgreSQL walks along further then: of what more than `RARE` of a million have, it meets some for a page.
const SECOND_WALK: i64 = 2_400;
/// Tips that are indexed in one transaction when the index is made anew.
const PER_COMMIT: i64 = 2_000;

const SQLITE_ADD: &str = "insert into tip_search (rowid, grams) values ($1, $2)";
const POSTGRES_ADD: &str = "insert into tip_search (organisation, rank, grams) values ($1, $2, $3)
    on conflict (organisation, rank) do nothing";
const SQLITE_REMOVE: &str = "delete from tip_search where rowid = $1";
const POSTGRES_REMOVE: &str = "delete from tip_search where organisation = $1 and rank = $2";
const SQLITE_CANDIDATES: &str =
    "select rowid from tip_search where tip_search match $1 and rowid > $2 order by rowid limit $3";
const POSTGRES_CANDIDATES: &str = "select * from tip_candidates($1, $2, $3)";
/// What is compared of every candidate: three words here, all of them by the caller.
macro_rules! compared {
    () => {
        r"t.folded like $7 escape '\' and t.folded like $8 escape '\' and t.folded like $9 escape '\' and "
    };
}
const SQLITE_COMPARE: &str = seen!(
    "json_each($6) f cross join tip t on t.rank = f.value",
    joins!(),
    "where t.organisation = $1 and t.rank > $4 and ",
    compared!(),
    from_others!(),
    " order by t.rank limit $5"
);
const POSTGRES_COMPARE: &str = seen!(
    "unnest($6::bigint[]) f join tip t on t.organisation = $1 and t.rank = f",
    joins!(),
    "where t.rank > $4 and ",
    compared!(),
    from_others!(),
    " order by t.rank limit $5"
);
const WALK: &str = seen!(
    "(select * from tip where organisation = $1 and rank > $4 order by rank limit $6) t",
    joins!(),
    "where ",
    compared!(),
    "($10 = '' or t.topic = $10) and ($11 = '' or t.category = $11) and ($12 = '' or t.response = $12) and ",
    from_others!(),
    " order by t.rank limit $5"
);
const END_OF_WALK: &str = "select rank from tip where organisation = $1 and rank > $2 order by rank limit 1 offset $3";
const SQLITE_UNINDEXED: &str = "select rank, organisation, folded, topic, category, response from tip
    where rank > $1 and not exists (select 1 from tip_search where tip_search.rowid = tip.rank) order by rank limit $2";
const POSTGRES_UNINDEXED: &str = "select rank, organisation, folded, topic, category, response from tip
    where rank > $1 and not exists (select 1 from tip_search s
        where s.organisation = tip.organisation and s.rank = tip.rank) order by rank limit $2 for update";

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Sought<'a> {
    /// Tokens of the index that a hit has, all of them.
    pub grams: &'a [String],
    /// Folded words that a hit holds, all of them.
    pub words: &'a [String],
    /// What it is for.
    pub labels: Labels<'a>,
}

/// A page of what was found.
#[derive(Debug)]
pub struct Found {
    /// In order; may hold tips that do not hold all words.
    pub rows: Vec<SeenRow>,
    /// Where to go on, if there may be more.
    pub next: Option<Rank>,
}

/// Any text that holds the word, for LIKE.
fn pattern(word: Option<&String>) -> String {
    let mut pattern = String::from("%");
    for letter in word.into_iter().flat_map(|word| word.chars()) {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// All tokens, as FTS5 wants to be asked; they are letters and digits.
fn all_of(grams: &[String]) -> String {
    grams.iter().map(|gram| format!("\"{gram}\"")).collect::<Vec<_>>().join(" ")
}

/// Tokens as numbers, which PostgreSQL keeps in less room: the low half of FNV-1a of 64 bits. Two that are the same here are
/// told apart when compared.
fn numbers(grams: &[String]) -> Vec<i32> {
    let number = |gram: &String| {
        let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let [a, b, c, d, ..] = gram.bytes().fold(0xcbf2_9ce4_8422_2325, step).to_le_bytes();
        i32::from_le_bytes([a, b, c, d])
    };
    grams.iter().map(number).collect()
}

/// Binds reader, start and length of a page, and the words.
macro_rules! bind {
    ($sql:expr, $reader:expr, $after:expr, $limit:expr, $among:expr, $words:expr) => {
        sqlx::query_as($sql)
            .bind($reader.place.as_uuid())
            .bind($reader.organisation.as_uuid())
            .bind($reader.person.as_uuid())
            .bind($after)
            .bind($limit)
            .bind($among)
            .bind(pattern($words.first()))
            .bind(pattern($words.get(1)))
            .bind(pattern($words.get(2)))
    };
}

impl Store {
    /// The next tips that may hold what is sought, after the one of a rank.
    ///
    /// # Errors
    /// [`StoreError`] if a statement failed.
    pub async fn find_tips(
        &self,
        reader: Reader,
        sought: Sought<'_>,
        after: Rank,
        limit: usize,
    ) -> Result<Found, StoreError> {
        let Db::Postgres(pool) = self.db() else {
            return self.compare(reader, sought, after, limit, None).await;
        };
        let met = self.walk(reader, sought, after, limit, FIRST_WALK).await?;
        let Some(end) = met.next.filter(|_| met.rows.len() < limit) else { return Ok(met) };
        if met.rows.len() >= MET_ENOUGH.min(limit) {
            return self.walk_on(reader, sought, met, end, limit).await;
        }
        let asked = sqlx::query_scalar(POSTGRES_CANDIDATES).bind(numbers(sought.grams)).bind(after).bind(RARE + 1);
        let mut candidates: Vec<i64> = in_time(asked.fetch_all(pool)).await?;
        if candidates.len() as i64 > RARE {
            return self.walk_on(reader, sought, met, end, limit).await;
        }
        candidates.sort_unstable();
        self.compare(reader, sought, after, limit, Some(candidates)).await
    }

    /// Compares candidates, the first ones first, until the page is full: these, or as many as are needed of the index.
    async fn compare(
        &self,
        reader: Reader,
        sought: Sought<'_>,
        mut after: Rank,
        limit: usize,
        candidates: Option<Vec<i64>>,
    ) -> Result<Found, StoreError> {
        let (mut rows, mut compared, mut step) = (Vec::new(), 0, 4 * limit);
        let mut candidates = candidates;
        while compared < COMPARED {
            step = step.min(COMPARED - compared);
            let next: Vec<i64> = match &mut candidates {
                Some(candidates) => candidates.drain(..step.min(candidates.len())).collect(),
                None => self.candidates(sought, after, step).await?,
            };
            let found: Vec<SeenRow> = self.among(reader, sought, after, limit - rows.len(), &next).await?;
            rows.extend(found);
            if rows.len() == limit {
                return Ok(Found { next: rows.last().map(|row: &SeenRow| row.rank), rows });
            }
            let Some(last) = next.last().filter(|_| next.len() == step) else { return Ok(Found { rows, next: None }) };
            after = Rank(*last);
            compared += step;
            step *= 4;
        }
        Ok(Found { rows, next: Some(after) })
    }

    /// The next candidates of FTS5.
    async fn candidates(&self, sought: Sought<'_>, after: Rank, count: usize) -> Result<Vec<i64>, StoreError> {
        let Db::Sqlite { read, .. } = self.db() else { return Ok(Vec::new()) };
        let query = sqlx::query_scalar(SQLITE_CANDIDATES).bind(all_of(sought.grams)).bind(after).bind(count as i64);
        Ok(query.fetch_all(read).await?)
    }

    /// Those of the candidates that hold the words.
    async fn among(
        &self,
        reader: Reader,
        sought: Sought<'_>,
        after: Rank,
        limit: usize,
        candidates: &[i64],
    ) -> Result<Vec<SeenRow>, StoreError> {
        let (words, limit) = (sought.words, limit as i64);
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        match self.db() {
            Db::Sqlite { read, .. } => {
                let list = format!("{candidates:?}");
                Ok(bind!(SQLITE_COMPARE, reader, after, limit, list, words).fetch_all(read).await?)
            }
            Db::Postgres(pool) => {
                let query = bind!(POSTGRES_COMPARE, reader, after, limit, candidates, words);
                Ok(in_time(query.fetch_all(pool)).await?)
            }
        }
    }

    /// Those of the next `length` tips that hold the words.
    async fn walk(
        &self,
        reader: Reader,
        sought: Sought<'_>,
        after: Rank,
        limit: usize,
        length: i64,
    ) -> Result<Found, StoreError> {
        let Labels { topic, category, response } = sought.labels;
        let rows: Vec<SeenRow> = on!(read self, |c| {
            let query = bind!(WALK, reader, after, limit as i64, length, sought.words);
            query.bind(topic).bind(category).bind(response).fetch_all(c).await
        })?;
        if rows.len() == limit {
            return Ok(Found { next: rows.last().map(|row| row.rank), rows });
        }
        let end: Option<Rank> = on!(read self, |c| sqlx::query_scalar(END_OF_WALK)
            .bind(reader.place.as_uuid())
            .bind(after)
            .bind(length - 1)
            .fetch_optional(c)
            .await)?;
        Ok(Found { rows, next: end })
    }

    /// Goes on after a walk that met too few for a page.
    async fn walk_on(
        &self,
        reader: Reader,
        sought: Sought<'_>,
        mut met: Found,
        end: Rank,
        limit: usize,
    ) -> Result<Found, StoreError> {
        let further = self.walk(reader, sought, end, limit - met.rows.len(), SECOND_WALK).await?;
        met.rows.extend(further.rows);
        Ok(Found { rows: met.rows, next: further.next })
    }

    /// Indexes tips that are not in the index, as after a restore; `grams_of` gives a tip's tokens. How many there were.
    ///
    /// # Errors
    /// [`StoreError`] if a statement failed; what was indexed stays.
    pub async fn index_missing_tips(
        &self,
        grams_of: impl Fn(OrganisationId, &str, Labels<'_>) -> Vec<String>,
    ) -> Result<u64, StoreError> {
        let mut indexed = 0;
        let mut past = Rank::START;
        loop {
            let mut tx = self.begin().await?;
            let missing = tx.unindexed_tips(past).await?;
            let Some(last) = missing.last() else { return Ok(indexed) };
            past = last.rank;
            for UnindexedRow { rank, organisation, folded, topic, category, response } in &missing {
                let organisation = OrganisationId::from_uuid(*organisation);
                let grams = grams_of(organisation, folded, Labels { topic, category, response });
                tx.index_tip(organisation, *rank, &grams).await?;
            }
            tx.commit().await?;
            indexed += missing.len() as u64;
        }
    }
}

#[derive(FromRow)]
struct UnindexedRow {
    rank: Rank,
    organisation: Uuid,
    folded: String,
    topic: String,
    category: String,
    response: String,
}

impl Tx {
    /// The next tips that the index lacks; nobody moves them before the transaction ends.
    async fn unindexed_tips(&mut self, past: Rank) -> Result<Vec<UnindexedRow>, StoreError> {
        match self.inner() {
            TxInner::Sqlite(tx) => {
                Ok(sqlx::query_as(SQLITE_UNINDEXED).bind(past).bind(PER_COMMIT).fetch_all(&mut **tx).await?)
            }
            TxInner::Postgres(tx) => {
                let query = sqlx::query_as(POSTGRES_UNINDEXED).bind(past).bind(PER_COMMIT);
                Ok(in_time(query.fetch_all(&mut **tx)).await?)
            }
        }
    }

    pub(super) async fn index_tip(
        &mut self,
        place: OrganisationId,
        rank: Rank,
        grams: &[String],
    ) -> Result<(), StoreError> {
        match self.inner() {
            TxInner::Sqlite(tx) => {
                sqlx::query(SQLITE_ADD).bind(rank).bind(grams.join(" ")).execute(&mut **tx).await?;
            }
            TxInner::Postgres(tx) => {
                let add = sqlx::query(POSTGRES_ADD).bind(place.as_uuid()).bind(rank).bind(numbers(grams));
                in_time(add.execute(&mut **tx)).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn unindex_tip(&mut self, place: OrganisationId, rank: Rank) -> Result<(), StoreError> {
        match self.inner() {
            TxInner::Sqlite(tx) => {
                sqlx::query(SQLITE_REMOVE).bind(rank).execute(&mut **tx).await?;
            }
            TxInner::Postgres(tx) => {
                in_time(sqlx::query(POSTGRES_REMOVE).bind(place.as_uuid()).bind(rank).execute(&mut **tx)).await?;
            }
        }
        Ok(())
    }
}
