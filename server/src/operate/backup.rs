//! `backup`: everything that is committed, in one SQLite file, while the server runs.
//!
//! Written under a temporary name, synced, checked, and only then given its own name: a file of that name is whole.
//! Never overwrites anything. Knows nothing of what the tables mean.

use std::{
    fs, io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use taiwa_shared::time::Timestamp;

use super::{
    Progress, Step,
    check::{Report, check},
    sync_folder_of,
};
use crate::store::{Store, StoreError, copy::Label};

/// A backup that was not made; there is no file of its name.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is a file of this name.
    #[error("{} is there already and is not overwritten: choose another name, or move it away", path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// Another backup of this name is being written.
    #[error("another backup writes {} now: wait for it, or choose another name", path.display())]
    UnderWay {
        /// Which.
        path: PathBuf,
    },
    /// The file could not be written.
    #[error("writing {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The copy is not whole.
    #[error("the copy is damaged in {} places, the first is: {}; run `taiwa-server check` to see whether the database is, \
        and give --even-if-damaged to keep what can be kept", report.damage.len(), report.damage[0].detail)]
    Damaged {
        /// What was found.
        report: Box<Report>,
    },
    /// The database could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What to do with damage that a check finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damaged {
    /// Nothing is kept.
    Refuse,
    /// A damaged copy is better than none.
    Accept,
}

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// What it says about itself.
    pub label: Label,
    /// What it holds.
    pub report: Report,
    /// How large the file is.
    pub file_bytes: u64,
}

/// Copies the database at `url` into `file`.
///
/// # Errors
/// [`BackupError`]; there is no `file` then.
/// # Cancellation
/// Leaves a file with `.partial` at its end, which the next backup of this name overwrites.
pub async fn backup(
    url: &str,
    file: &Path,
    damaged: Damaged,
    now: Timestamp,
    progress: Progress<'_>,
) -> Result<Backup, BackupError> {
    let exists = || BackupError::Exists { path: file.to_owned() };
    if fs::symlink_metadata(file).is_ok() {
        return Err(exists());
    }
    let store = Store::open_existing(url).await?;
    let partial = Partial::make(file)?;
    let outcome = fill(&store, &partial, damaged, now, progress).await;
    store.close().await;
    let written = outcome?;
    partial.keep_as(file).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => exists(),
        _ => BackupError::File { path: file.to_owned(), source },
    })?;
    Ok(written)
}

async fn fill(
    store: &Store,
    partial: &Partial,
    damaged: Damaged,
    now: Timestamp,
    progress: Progress<'_>,
) -> Result<Backup, BackupError> {
    let copied = |table: &str, rows| progress(Step::Copied { table, rows });
    let label = store.copy_into(&partial.path, now, &copied).await?;
    let unwritten = |source| BackupError::File { path: partial.path.clone(), source };
    partial.file.sync_all().map_err(unwritten)?;
    let file_bytes = partial.file.metadata().map_err(unwritten)?.len();
    let copy = Store::open_existing(&format!("sqlite:{}", partial.path.display())).await?;
    let report = check(&copy, progress).await;
    copy.close().await;
    if damaged == Damaged::Refuse && !report.damage.is_empty() {
        return Err(BackupError::Damaged { report: Box::new(report) });
    }
    Ok(Backup { label, report, file_bytes })
}

/// A file that is not whole yet; removed when dropped.
struct Partial {
    path: PathBuf,
    /// Locked, so that two backups of one name do not write one file.
    file: fs::File,
}

impl Partial {
    fn make(file: &Path) -> Result<Self, BackupError> {
        let mut name = file.as_os_str().to_owned();
        name.push(".partial");
        let path = PathBuf::from(name);
        let failed = |source| BackupError::File { path: path.clone(), source };
        let open = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let handle = open.map_err(failed)?;
        handle.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => BackupError::UnderWay { path: file.to_owned() },
            fs::TryLockError::Error(source) => failed(source),
        })?;
        // One that broke off may have been left, by another user's rules.
        handle.set_permissions(fs::Permissions::from_mode(0o600)).map_err(failed)?;
        handle.set_len(0).map_err(failed)?;
        Ok(Self { path, file: handle })
    }

    /// Gives it its own name, unless that is taken meanwhile.
    fn keep_as(self, file: &Path) -> io::Result<()> {
        fs::hard_link(&self.path, file)?;
        sync_folder_of(file)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Whoever could not remove it finds it again: the next backup of this name overwrites it.
        let _ = fs::remove_file(&self.path);
    }
}
