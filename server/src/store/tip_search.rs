//! The search index of tips: the one place where the engines have a text of their own each, FTS5 and GIN.
//!
//! It only narrows down: whatever it finds is compared with the folded text again. A word that many tips hold is not
//! looked up but met on the way through the tips in the order of their score, a bounded stretch at a time, so that no
//! search costs more than the others by much.

use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use super::{
    Db, Store, StoreError, Tx, TxInner, in_time,
    tips::{After, Reader, SeenRow, from_others, joins, seen},
};
use taiwa_shared::ids::OrganisationId;
use uuid::Uuid;

/// Hits that are fetched and sorted; a word with more is met on the way.
const RARE: i64 = 2_000;
/// Tips that one search walks past.
const STRETCH: i64 = 20_000;
/// Tips that are indexed in one transaction when the index is made anew.
const PER_COMMIT: i64 = 2_000;

const SQLITE_ADD: &str = "insert into tip_search (rowid, grams) values ($1, $2)";
const POSTGRES_ADD: &str = "insert into tip_search (number, grams) values ($1, $2) on conflict (number) do nothing";
const SQLITE_REMOVE: &str = "delete from tip_search where rowid = $1";
const POSTGRES_REMOVE: &str = "delete from tip_search where number = $1";
const SQLITE_COUNT: &str =
    "select count(*) from (select rowid from tip_search where tip_search match $1 limit $2) as hits";
const POSTGRES_COUNT: &str = "select count(*) from (select 1 from tip_search where grams @> $1 limit $2) as hits";
/// What every search compares again: three words here, all of them by the caller.
macro_rules! compared {
    () => {
        r"t.folded like $8 escape '\' and t.folded like $9 escape '\' and t.folded like $10 escape '\'
            and ($11 = '' or t.topic = $11) and ($12 = '' or t.category = $12) and ($13 = '' or t.response = $13) and "
    };
}
const SQLITE_FOUND: &str = seen!(
    "(select rowid as number from tip_search where tip_search match $7 limit 2001) f
        cross join tip t on t.number = f.number",
    joins!(),
    "where t.organisation = $1 and (t.score, t.number) < ($4, $5) and ",
    compared!(),
    from_others!(),
    " order by t.score desc, t.number desc limit $6"
);
const POSTGRES_FOUND: &str = seen!(
    "(select number from tip_search where grams @> $7 limit 2001) f join tip t on t.number = f.number",
    joins!(),
    "where t.organisation = $1 and (t.score, t.number) < ($4, $5) and ",
    compared!(),
    from_others!(),
    " order by t.score desc, t.number desc limit $6"
);
const MET: &str = seen!(
    "(select * from tip where organisation = $1 and (score, number) < ($4, $5)
        order by score desc, number desc limit $7) t",
    joins!(),
    "where ",
    compared!(),
    from_others!(),
    " order by t.score desc, t.number desc limit $6"
);
const END_OF_STRETCH: &str = "select score, number from tip where organisation = $1 and (score, number) < ($2, $3)
    order by score desc, number desc limit 1 offset $4";
const UNINDEXED: &str = "select number, organisation, folded from tip
    where number > $1 and number not in (select INDEXED from tip_search) order by number limit $2";

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Sought<'a> {
    /// Tokens of the index that a hit has, all of them.
    pub grams: &'a [String],
    /// Folded words that a hit holds, all of them.
    pub words: &'a [String],
    /// A topic, or empty.
    pub topic: &'a str,
    /// A category, or empty.
    pub category: &'a str,
    /// A response, or empty.
    pub response: &'a str,
}

/// A page of what was found.
#[derive(Debug)]
pub struct Found {
    /// In order; may hold tips that do not hold all words.
    pub rows: Vec<SeenRow>,
    /// Where to go on, if there may be more.
    pub next: Option<After>,
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

/// Binds what all searches have in common after `$7`.
macro_rules! bind_words {
    ($query:expr, $sought:expr) => {{
        let words = $sought.words;
        $query
            .bind(pattern(words.first()))
            .bind(pattern(words.get(1)))
            .bind(pattern(words.get(2)))
            .bind($sought.topic)
            .bind($sought.category)
            .bind($sought.response)
    }};
}
/// Binds what all searches have in common before `$7`.
macro_rules! bind_reader {
    ($sql:expr, $reader:expr, $after:expr, $limit:expr) => {
        sqlx::query_as($sql)
            .bind($reader.place.as_uuid())
            .bind($reader.organisation.as_uuid())
            .bind($reader.person.as_uuid())
            .bind($after.score)
            .bind($after.number)
            .bind($limit)
    };
}

impl Store {
    /// The next tips that may hold what is sought.
    ///
    /// # Errors
    /// [`StoreError`] if a statement failed.
    pub async fn find_tips(
        &self,
        reader: Reader,
        sought: Sought<'_>,
        after: After,
        limit: i64,
    ) -> Result<Found, StoreError> {
        let hits: i64 = match self.db() {
            Db::Sqlite { read, .. } => {
                let all = all_of(sought.grams);
                sqlx::query_scalar(SQLITE_COUNT).bind(all).bind(RARE + 1).fetch_one(read).await?
            }
            Db::Postgres(pool) => {
                let count = sqlx::query_scalar(POSTGRES_COUNT).bind(sought.grams).bind(RARE + 1).fetch_one(pool);
                in_time(count).await?
            }
        };
        if hits > RARE {
            self.meet(reader, sought, after, limit).await
        } else {
            self.look_up(reader, sought, after, limit).await
        }
    }

    async fn look_up(&self, reader: Reader, sought: Sought<'_>, after: After, limit: i64) -> Result<Found, StoreError> {
        let rows: Vec<SeenRow> = match self.db() {
            Db::Sqlite { read, .. } => {
                let query = bind_reader!(SQLITE_FOUND, reader, after, limit).bind(all_of(sought.grams));
                bind_words!(query, sought).fetch_all(read).await?
            }
            Db::Postgres(pool) => {
                let query = bind_reader!(POSTGRES_FOUND, reader, after, limit).bind(sought.grams);
                in_time(bind_words!(query, sought).fetch_all(pool)).await?
            }
        };
        let next = last_of(&rows).filter(|_| rows.len() as i64 == limit);
        Ok(Found { rows, next })
    }

    async fn meet(&self, reader: Reader, sought: Sought<'_>, after: After, limit: i64) -> Result<Found, StoreError> {
        let rows: Vec<SeenRow> = on!(read self, |c| {
            let query = bind_reader!(MET, reader, after, limit).bind(STRETCH);
            bind_words!(query, sought).fetch_all(c).await
        })?;
        if rows.len() as i64 == limit {
            return Ok(Found { next: last_of(&rows), rows });
        }
        let end: Option<(i64, i64)> = on!(read self, |c| sqlx::query_as(END_OF_STRETCH)
            .bind(reader.place.as_uuid())
            .bind(after.score)
            .bind(after.number)
            .bind(STRETCH - 1)
            .fetch_optional(c)
            .await)?;
        Ok(Found { rows, next: end.map(|(score, number)| After { score, number }) })
    }

    /// Indexes tips that are not in the index, as after a restore; `grams_of` gives a tip's tokens. How many there were.
    ///
    /// # Errors
    /// [`StoreError`] if a statement failed; what was indexed stays.
    pub async fn index_missing_tips(
        &self,
        grams_of: impl Fn(OrganisationId, &str) -> Vec<String>,
    ) -> Result<u64, StoreError> {
        let column = if matches!(self.db(), Db::Sqlite { .. }) { "rowid" } else { "number" };
        let mut indexed = 0;
        let mut past = 0;
        loop {
            let sql = UNINDEXED.replace("INDEXED", column);
            let missing: Vec<(i64, Uuid, String)> = on!(read self, |c| sqlx::query_as(AssertSqlSafe(sql).into_sql_str())
                .bind(past)
                .bind(PER_COMMIT)
                .fetch_all(c)
                .await)?;
            let Some((last, ..)) = missing.last() else { return Ok(indexed) };
            past = *last;
            let mut tx = self.begin().await?;
            for (number, organisation, folded) in &missing {
                tx.index_tip(*number, &grams_of(OrganisationId::from_uuid(*organisation), folded)).await?;
            }
            tx.commit().await?;
            indexed += missing.len() as u64;
        }
    }
}

fn last_of(rows: &[SeenRow]) -> Option<After> {
    rows.last().map(|row| After { score: row.score, number: row.number })
}

impl Tx {
    pub(super) async fn index_tip(&mut self, number: i64, grams: &[String]) -> Result<(), StoreError> {
        match self.inner() {
            TxInner::Sqlite(tx) => {
                sqlx::query(SQLITE_ADD).bind(number).bind(grams.join(" ")).execute(&mut **tx).await?;
            }
            TxInner::Postgres(tx) => {
                in_time(sqlx::query(POSTGRES_ADD).bind(number).bind(grams).execute(&mut **tx)).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn unindex_tip(&mut self, number: i64) -> Result<(), StoreError> {
        match self.inner() {
            TxInner::Sqlite(tx) => {
                sqlx::query(SQLITE_REMOVE).bind(number).execute(&mut **tx).await?;
            }
            TxInner::Postgres(tx) => {
                in_time(sqlx::query(POSTGRES_REMOVE).bind(number).execute(&mut **tx)).await?;
            }
        }
        Ok(())
    }
}
