//! The CSV of an organisation: people, workplaces and managers; pairs follow the manager column.
//!
//! Map: `text` characters; `header` and `table` read and check the file; `reporting` who manages whom; `plan` compares it
//! with the records, purely; `apply` writes what was planned in one transaction, or throws it away in a dry run;
//! `placement` finds times for new pairs. All or nothing; the same file again changes nothing.

mod apply;
mod faults;
mod header;
pub(super) mod placement;
mod plan;
mod reporting;
mod table;
mod text;

use taiwa_shared::protocol::people::ImportFault;

pub use apply::{Import, Imported, Run, Sender, apply, run};
pub use table::{MAX_BYTES, Table};

use crate::store::StoreError;

/// An import that changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file has faults; all that were found, at most 20.
    #[error("the file was not imported, nothing has changed:\n{}", list(.0))]
    Faults(Vec<ImportFault>),
    /// So many people would be removed that this has to be said.
    #[error(
        "the file was not imported, nothing has changed: {removed} of {active} people are missing from it and would lose \
         their access; if that is right, allow removing {removed}; if the file is a part of the list, keep who is missing"
    )]
    TooManyRemoved {
        /// How many would be removed; whoever imports repeats this number.
        removed: usize,
        /// How many people are active.
        active: usize,
    },
    /// The sender does not keep the list of people, or no longer.
    #[error("only an admin may import")]
    NotAdmin,
    /// There is no such organisation, and no name for a new one.
    #[error("there is no organisation {0:?} yet: give its full name to make it, or check the short name")]
    UnknownOrganisation(String),
    /// The database could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn list(faults: &[ImportFault]) -> String {
    faults.iter().map(|fault| format!("  {fault}")).collect::<Vec<_>>().join("\n")
}

/// What becomes of people who are not in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The file is the whole list: they lose their access.
    Remove {
        /// Up to which number, if they are more than a tenth of the active people.
        allowed: Option<usize>,
    },
    /// The file is a part of the list: they stay as they are.
    Keep,
}

#[cfg(test)]
mod tests;
