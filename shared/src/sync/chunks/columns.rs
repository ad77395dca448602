//! Counts the rows of a change's encoded columns without decoding them.
//!
//! A 113-byte change can claim a million operations by run length, and Automerge walks every one of them; so the
//! guard counts first. Cost: one step per run, not per row.

use super::format::Reader;

/// Operation types; its rows are the operations.
pub(crate) const ACTION: u32 = 66;
/// Number of predecessors of each operation.
pub(crate) const PREDECESSOR_COUNT: u32 = 112;
/// Actors and counters of the predecessors.
pub(crate) const PREDECESSOR_ACTOR: u32 = 113;
/// Counters of the predecessors.
pub(crate) const PREDECESSOR_COUNTER: u32 = 115;
/// Raw bytes of the values; has no rows of its own.
pub(crate) const VALUE_RAW: u32 = 87;

/// The columns that Automerge writes into a change (id << 4 | type), in their order.
pub(crate) const KNOWN: [u32; 14] = [
    1,  // object actor
    2,  // object counter
    17, // key actor
    19, // key counter, delta
    21, // key string
    52, // insert
    ACTION,
    86, // value type and length
    VALUE_RAW,
    PREDECESSOR_COUNT,
    PREDECESSOR_ACTOR,
    PREDECESSOR_COUNTER,
    148, // mark expands
    165, // mark name
];

/// How much a column claims to hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) rows: u64,
    /// For a column of counts: their sum; for one of texts: their bytes.
    pub(crate) sum: u64,
    /// The largest value, or the bytes of the longest text.
    pub(crate) largest: u64,
}

/// Whether a column holds texts: keys and names of marks.
pub(crate) fn holds_texts(spec: u32) -> bool {
    spec & 7 == 5
}

/// Whether a column holds numbers of actors.
pub(crate) fn holds_actors(spec: u32) -> bool {
    spec & 7 == 1
}

/// Counts a column; `None` if it is malformed. Deflated and unknown columns count as malformed.
pub(crate) fn rows(spec: u32, column: &[u8]) -> Option<Rows> {
    if !KNOWN.contains(&spec) {
        return None;
    }
    match spec & 7 {
        0..=2 | 6 => run_lengths(column, |r| r.unsigned()),
        3 => run_lengths(column, |r| r.signed().map(|_| 0)),
        4 => booleans(column),
        5 => run_lengths(column, |r| r.prefixed().map(|text| text.len() as u64)),
        _ => Some(Rows::default()),
    }
}

fn run_lengths(column: &[u8], mut value: impl FnMut(&mut Reader<'_>) -> Option<u64>) -> Option<Rows> {
    let mut reader = Reader::new(column);
    let mut total = Rows::default();
    while !reader.is_empty() {
        let count = reader.signed()?;
        match count {
            0 => total.rows = total.rows.checked_add(reader.unsigned()?)?,
            1.. => {
                let repeated = value(&mut reader)?;
                total.largest = total.largest.max(repeated);
                total.rows = total.rows.checked_add(count.unsigned_abs())?;
                total.sum = total.sum.checked_add(repeated.checked_mul(count.unsigned_abs())?)?;
            }
            _ => {
                for _ in 0..count.unsigned_abs() {
                    let single = value(&mut reader)?;
                    total.largest = total.largest.max(single);
                    total.sum = total.sum.checked_add(single)?;
                }
                total.rows = total.rows.checked_add(count.unsigned_abs())?;
            }
        }
    }
    Some(total)
}

fn booleans(column: &[u8]) -> Option<Rows> {
    let mut reader = Reader::new(column);
    let mut rows = 0u64;
    while !reader.is_empty() {
        rows = rows.checked_add(reader.unsigned()?)?;
    }
    Some(Rows { rows, ..Rows::default() })
}
