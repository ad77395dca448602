//! What can go wrong with the database, by what a caller does about it.

use std::path::PathBuf;

/// A database that could not be opened, or a statement that failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is not a whole SQLite database.
    #[error(
        "the database {} is damaged ({detail}); the file was left as it is: keep a copy of it and restore the last backup",
        path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What SQLite says about it.
        detail: String,
    },
    /// A newer version of the server has worked with this database.
    #[error("the database was written by a newer version of taiwa-server (migration {migration}): start that version")]
    TooNew {
        /// The first migration that this version does not know.
        migration: i64,
    },
    /// There is no database to look into, or it is not taiwa's.
    #[error("there is no taiwa database at {database}: check the setting `database`, or the name of the file")]
    Missing {
        /// Path, or the kind of database.
        database: String,
    },
    /// The database could not be opened.
    #[error("opening the database {database}: {source}")]
    Open {
        /// Path, or URL without credentials.
        database: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A row holds what this version cannot read.
    #[error("a row of table {table} is not readable: {detail}")]
    Row {
        /// Which table.
        table: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// A statement failed.
    #[error("database statement failed")]
    Statement(#[from] sqlx::Error),
}

impl StoreError {
    /// Whether the same call may succeed a little later: the database was busy, full or away.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Statement(error) => match error {
                sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => true,
                // SQLite: 5 busy, 6 locked, 13 full. PostgreSQL: serialisation, deadlock, out of resources, shutting down.
                sqlx::Error::Database(error) => error.code().is_some_and(|code| {
                    matches!(code.as_ref(), "5" | "6" | "13" | "517" | "40001" | "40P01" | "53100" | "53300" | "57P01")
                }),
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether a row with this key was there already.
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Statement(sqlx::Error::Database(error)) if error.is_unique_violation())
    }

    /// An unreadable row of `table`.
    pub(crate) fn row(table: &'static str, detail: impl ToString) -> Self {
        Self::Row { table, detail: detail.to_string() }
    }
}
