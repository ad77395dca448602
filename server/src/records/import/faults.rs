//! The faults of a file, gathered so that somebody can mend many at once.

use taiwa_shared::protocol::people::{ImportColumn, ImportFault};

use super::ImportError;

/// Faults reported at once; the rest shows up the next time.
const MAX_FAULTS: usize = 20;

/// Up to twenty faults.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<ImportFault>);

impl Faults {
    pub(super) fn add(&mut self, line: u64, column: impl Into<Option<ImportColumn>>, what: impl Into<String>) {
        self.put(ImportFault { line, column: column.into(), what: what.into() });
    }

    pub(super) fn put(&mut self, fault: ImportFault) {
        if self.0.len() < MAX_FAULTS {
            self.0.push(fault);
        }
    }

    /// How many there are; stays the same once there are twenty.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// `value`, or the faults if there are any.
    pub(super) fn none_or<T>(self, value: T) -> Result<T, ImportError> {
        if self.0.is_empty() { Ok(value) } else { Err(ImportError::Faults(self.0)) }
    }
}
