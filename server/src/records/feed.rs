//! The records pull: what changed for one person since a cursor.
//!
//! A page holds entries after the cursor up to the organisation's counter as it was when the page was begun, so a
//! commit in between lands on a later page and never in a gap. A cursor of another epoch, or one ahead of the counter
//! (the database was restored), starts over; nothing is taken away because of that.

use std::{fmt, str::FromStr};

use taiwa_shared::{
    domain::ownership::Access,
    ids::StoreEpoch,
    protocol::records::{AuthorRecord, DocumentRecord, RecordEntry, RecordsPage},
    time::Timestamp,
};
use uuid::Uuid;

use super::access::{Principal, access_to};
use crate::store::{
    Store, StoreError,
    feed::{FeedRange, PairEntry, Placed},
};

/// Entries per page: some 100 KiB of JSON, a second on a bad line.
pub const PAGE_ENTRIES: usize = 500;

/// How far somebody has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    epoch: StoreEpoch,
    place: Place,
}

/// A position in the feed; entries of one revision are ordered by rank and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    rev: i64,
    rank: u8,
    id: Uuid,
}

/// The cursor is not one that this server gave out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`since` is not a cursor of this server: leave it out to pull everything from the start")]
pub struct ParseCursorError;

impl Place {
    const START: Self = Self { rev: 0, rank: u8::MAX, id: Uuid::max() };

    /// After everything of a revision.
    fn end_of(rev: i64) -> Self {
        Self { rev, ..Self::START }
    }

    /// What is left to read of the kind with this rank.
    fn range(self, rank: u8, until: i64) -> FeedRange {
        let limit = PAGE_ENTRIES as i64 + 1;
        let (rev, id) = match rank.cmp(&self.rank) {
            std::cmp::Ordering::Less => (self.rev, Uuid::max()),
            std::cmp::Ordering::Equal => (self.rev, self.id),
            std::cmp::Ordering::Greater => (self.rev - 1, Uuid::max()),
        };
        FeedRange { rev, id, until, limit }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { rev, rank, id } = self.place;
        write!(f, "{}.{rev}.{rank}.{}", self.epoch, id.simple())
    }
}

impl FromStr for Cursor {
    type Err = ParseCursorError;
    fn from_str(text: &str) -> Result<Self, ParseCursorError> {
        let mut parts = text.split('.');
        let mut next = || parts.next().ok_or(ParseCursorError);
        let epoch = next()?.parse().map_err(|_| ParseCursorError)?;
        let rev: i64 = next()?.parse().map_err(|_| ParseCursorError)?;
        let rank = next()?.parse().map_err(|_| ParseCursorError)?;
        let id = next()?.parse().map_err(|_| ParseCursorError)?;
        if parts.next().is_some() || rev < 0 {
            return Err(ParseCursorError);
        }
        Ok(Self { epoch, place: Place { rev, rank, id } })
    }
}

/// The next page for `principal` after `since`.
///
/// # Errors
/// [`StoreError`] if the records could not be read.
pub async fn pull(
    store: &Store,
    principal: &Principal,
    since: Option<Cursor>,
    now: Timestamp,
) -> Result<RecordsPage, StoreError> {
    let epoch = store.epoch();
    let until = store.counter(principal.organisation).await?;
    let from = match since {
        Some(cursor) if cursor.epoch == epoch && cursor.place.rev <= until => cursor.place,
        _ => Place::START,
    };
    let mut found =
        if from < Place::end_of(until) { entries(store, principal, from, until, now).await? } else { Vec::new() };
    found.sort_unstable_by_key(|(place, _)| *place);
    let more = found.len() > PAGE_ENTRIES;
    found.truncate(PAGE_ENTRIES);
    let place = match found.last() {
        Some((place, _)) if more => *place,
        _ => Place::end_of(until).max(from),
    };
    Ok(RecordsPage {
        epoch,
        cursor: Cursor { epoch, place }.to_string(),
        more,
        entries: found.into_iter().filter_map(|(_, entry)| entry).collect(),
    })
}

/// Entries with their places; none stands for a document that the person may not know of.
async fn entries(
    store: &Store,
    principal: &Principal,
    from: Place,
    until: i64,
    now: Timestamp,
) -> Result<Vec<(Place, Option<RecordEntry>)>, StoreError> {
    let Principal { organisation, user, .. } = *principal;
    // People before the pairs that name them, pairs (and their loss) before what is below them.
    let people = store.people_feed(organisation, user, from.range(0, until)).await?;
    let pairs = store.pairs_feed(organisation, user, from.range(1, until)).await?;
    let meetings = store.meetings_feed(organisation, user, from.range(2, until)).await?;
    let documents = store.documents_feed(organisation, user, from.range(3, until)).await?;
    let authors = store.authors_feed(organisation, user, from.range(4, until)).await?;

    let mut found = Vec::new();
    place(&mut found, 0, people, |person| Some(RecordEntry::Person(person)));
    place(&mut found, 1, pairs, |pair| {
        Some(match pair {
            PairEntry::Seen(pair) => RecordEntry::Pair(pair),
            PairEntry::Lost(pair) => RecordEntry::PairLost { pair },
        })
    });
    place(&mut found, 2, meetings, |meeting| Some(RecordEntry::Meeting(meeting)));
    place(&mut found, 3, documents, |document| {
        let access = access_to(&document.row, user, now);
        let record = DocumentRecord {
            id: document.id,
            key: document.row.key,
            generation: document.row.generation,
            access,
            digest: document.digest,
        };
        (access != Access::None).then_some(RecordEntry::Document(record))
    });
    place(&mut found, 4, authors, |author| {
        let record = AuthorRecord { document: author.document, actor: hex::encode(&author.actor), user: author.author };
        (access_to(&author.row, user, now) != Access::None).then_some(RecordEntry::Author(record))
    });
    Ok(found)
}

fn place<T>(
    found: &mut Vec<(Place, Option<RecordEntry>)>,
    rank: u8,
    rows: Vec<Placed<T>>,
    entry: impl Fn(T) -> Option<RecordEntry>,
) {
    found.extend(rows.into_iter().map(|row| (Place { rev: row.at, rank, id: row.id }, entry(row.entry))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text_form() {
        let cursor =
            Cursor { epoch: StoreEpoch::from_bytes([7; 16]), place: Place { rev: 12, rank: 3, id: Uuid::max() } };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }

    #[test]
    fn text_that_is_no_cursor_is_refused() {
        let fine = Cursor { epoch: StoreEpoch::from_bytes([7; 16]), place: Place::START }.to_string();
        for text in ["", "1", "....", "x.1.1.1", &format!("{fine}.1"), &fine.replace(".0.", ".-1."), &"1".repeat(9_999)]
        {
            assert_eq!(text.parse::<Cursor>(), Err(ParseCursorError), "{text}");
        }
    }
}
