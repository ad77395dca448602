//! What can go wrong between the phone core and its file.
//!
//! A variant exists because the app does something different: ask for space, restore the key, set a damaged file aside.

use std::path::{Path, PathBuf};

use taiwa_shared::ids::DocumentId;

/// The store could not do what was asked; what it held before is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The key is not the one this file was sealed with; nothing was changed.
    #[error("the store is sealed with another key")]
    WrongKey,
    /// The file is damaged; it was left as it is.
    #[error("the store at {path} is damaged: {detail}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The device has no space left.
    #[error("no space left on the device")]
    StorageFull,
    /// The file was written by a newer version of the app.
    #[error("the store was written by a newer version")]
    NewerVersion,
    /// Changes were given for a document that the store was never told of.
    #[error("document {0} is not in the store")]
    UnknownDocument(DocumentId),
    /// Anything else.
    #[error("the store failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

// Primary result codes, https://sqlite.org/rescode.html
const SQLITE_ERROR: i64 = 1;
const SQLITE_CORRUPT: i64 = 11;
const SQLITE_FULL: i64 = 13;
const SQLITE_NOTADB: i64 = 26;

impl StoreError {
    /// Tells full, damaged and other failures of SQLite apart by their result code.
    pub(super) fn of(path: &Path, error: sqlx::Error) -> Self {
        if let sqlx::Error::Migrate(migrate) = error {
            return Self::of_migration(path, *migrate);
        }
        let code = error.as_database_error().and_then(|e| e.code()).and_then(|code| code.parse::<i64>().ok());
        // The low byte of an extended code is the primary one.
        match code.map(|code| code & 0xff) {
            Some(SQLITE_FULL) => Self::StorageFull,
            Some(SQLITE_CORRUPT | SQLITE_NOTADB) => Self::damaged(path, error.to_string()),
            _ if matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::RowNotFound) => {
                Self::damaged(path, error.to_string())
            }
            _ => Self::Failed(Box::new(error)),
        }
    }

    fn of_migration(path: &Path, error: sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError;
        match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => Self::NewerVersion,
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => Self::of(path, error),
            other => Self::Failed(Box::new(other)),
        }
    }

    pub(super) fn damaged(path: &Path, detail: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), detail: detail.into() }
    }

    /// Tells a full device from other failures of the file system.
    pub(super) fn of_file(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::StorageFull { Self::StorageFull } else { Self::Failed(Box::new(error)) }
    }

    /// Whether the contents of the file are at fault, and not the device: reading on elsewhere makes sense then. A table
    /// that is not there was not made yet, or stood on a damaged page.
    pub(super) fn is_of_contents(path: &Path, error: sqlx::Error) -> Result<(), Self> {
        let code = error.as_database_error().and_then(|e| e.code()).and_then(|code| code.parse::<i64>().ok());
        match Self::of(path, error) {
            Self::Damaged { .. } => Ok(()),
            _ if code == Some(SQLITE_ERROR) => Ok(()),
            error => Err(error),
        }
    }

    /// Whether the file itself is at fault, so that setting it aside helps.
    pub fn is_damaged(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }
}
