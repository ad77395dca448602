//! What an operator does to a whole database: [`backup`], [`restore`] and [`check`].
//!
//! Called by the command line. Works on SQLite and PostgreSQL alike and never looks into a document: a check reads
//! headers and hashes. Knows nothing of a running server, except that a restore takes the lock that servers hold.

pub mod backup;
pub mod check;
pub mod restore;

use std::{fs, io, path::Path};

use jiff::tz::TimeZone;
use taiwa_shared::time::Timestamp;

/// How far long work has come, for a terminal.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// A table was copied.
    Copied {
        /// Its name.
        table: &'a str,
        /// How many rows it has.
        rows: u64,
    },
    /// Documents were checked.
    Checked {
        /// How many so far.
        documents: u64,
        /// Of how many.
        of: u64,
    },
}

/// Hears of the steps of long work.
pub type Progress<'a> = &'a (dyn Fn(Step<'_>) + Sync);

/// A time as reports write it, in UTC to the second.
pub fn written(at: Timestamp) -> String {
    formatted(at, "%Y-%m-%dT%H:%M:%SZ")
}

/// A time as names of files and schemas carry it, to the millisecond, so that no two restores have one name.
fn in_name(at: Timestamp) -> String {
    formatted(at, "%Y%m%dt%H%M%S%3fz")
}

fn formatted(at: Timestamp, format: &str) -> String {
    let instant = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    instant.to_zoned(TimeZone::UTC).strftime(format).to_string()
}

/// Makes names in the folder of `file` survive a power cut.
fn sync_folder_of(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}
