//! `restore`: a backup becomes the database, with a new epoch, so that phones bring back what it lacks.
//!
//! The server stands still. Whatever happens, the database is the old one or the new one, whole: a SQLite file is
//! prepared beside it and renamed, PostgreSQL is filled in one transaction. People are never overwritten: what was there
//! is kept aside, and only if the operator says so.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use taiwa_shared::{ids::StoreEpoch, time::Timestamp};

use super::{
    Progress, Step,
    backup::Damaged,
    check::{Report, check},
    in_name, sync_folder_of,
};
use crate::store::{
    ServerLock, Store, StoreError,
    copy::{BACKUP_FORMAT, IntoPostgres, Label, bring_to_life, copy_into_postgres, settle_log},
};

/// A restore that did not happen; the database is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A server, or another restore, works with the database.
    #[error("the server still runs on this database: stop it first")]
    ServerRuns,
    /// The database has people.
    #[error("the database has people already: give --replace, which keeps it aside, or set `database` to a new place")]
    HasPeople,
    /// There is a file that is no database of taiwa's, or one that cannot be read.
    #[error("{} is there and cannot be read ({why}): give --replace, which keeps it aside", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The file is no backup.
    #[error("{} is a database, but not one that `backup` wrote: put it where `database` says and run `restored`", path.display())]
    NoBackup {
        /// Which.
        path: PathBuf,
    },
    /// A newer version wrote the file.
    #[error(
        "the backup has format {format}, and this version knows {BACKUP_FORMAT}: use the version {version} that wrote it"
    )]
    TooNew {
        /// Its format.
        format: i64,
        /// Who wrote it.
        version: String,
    },
    /// The backup is not whole.
    #[error("the backup is damaged in {} places, the first is: {}; restore an older one, \
        or give --even-if-damaged to bring back what can be read", report.damage.len(), report.damage[0].detail)]
    Damaged {
        /// What was found.
        report: Box<Report>,
    },
    /// A file could not be written.
    #[error("{what} {}: {source}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// On which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A database could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What to do with a database that has people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// Leave it, and say so.
    Refuse,
    /// Keep it aside under another name.
    KeepAside,
}

/// A restore that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What the backup says about itself.
    pub label: Label,
    /// What it holds.
    pub report: Report,
    /// The database's new epoch.
    pub epoch: StoreEpoch,
    /// The file or schema that holds what was there before; a log, if there was no file with it.
    pub aside: Option<String>,
}

/// Puts what the backup `file` holds into the database at `url`.
///
/// # Errors
/// [`RestoreError`]; the database is as it was then.
/// # Cancellation
/// The database is the old one or the new one; a file with `.restoring` at its end may be left beside it.
pub async fn restore(
    url: &str,
    file: &Path,
    replace: Replace,
    damaged: Damaged,
    now: Timestamp,
    progress: Progress<'_>,
) -> Result<Restored, RestoreError> {
    let target = match url.starts_with("postgres:") || url.starts_with("postgresql:") {
        true => None,
        false => Some(Path::new(url.strip_prefix("sqlite:").unwrap_or(url))),
    };
    let _lock = lock(url, target).await?;
    if let Some(target) = target {
        may_be_replaced(target, replace).await?;
    }
    let (label, report) = read_backup(file, damaged, progress).await?;
    let (epoch, aside) = match target {
        Some(target) => into_sqlite(file, target, now).await?,
        None => into_postgres(file, url, replace, now, progress).await?,
    };
    Ok(Restored { label, report, epoch, aside })
}

async fn lock(url: &str, target: Option<&Path>) -> Result<ServerLock, RestoreError> {
    let Some(target) = target else {
        return ServerLock::take_session(url).await?.ok_or(RestoreError::ServerRuns);
    };
    ServerLock::take(target).map_err(|source| match source.kind() {
        io::ErrorKind::WouldBlock => RestoreError::ServerRuns,
        _ => RestoreError::File { what: "making the lock file beside", path: target.to_owned(), source },
    })
}

/// Whether what is there may go; what cannot be read may hold people.
async fn may_be_replaced(target: &Path, replace: Replace) -> Result<(), RestoreError> {
    if replace == Replace::KeepAside || is_absent_or_empty(target) {
        return Ok(());
    }
    let unreadable = |error: StoreError| RestoreError::Unreadable { path: target.to_owned(), why: error.to_string() };
    let store = Store::open_existing(&format!("sqlite:{}", target.display())).await.map_err(unreadable)?;
    let holds = store.holds().await;
    store.close().await;
    if holds.map_err(unreadable)?.people > 0 { Err(RestoreError::HasPeople) } else { Ok(()) }
}

fn is_absent_or_empty(path: &Path) -> bool {
    fs::metadata(path).map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |file| file.len() == 0)
}

async fn read_backup(file: &Path, damaged: Damaged, progress: Progress<'_>) -> Result<(Label, Report), RestoreError> {
    let backup = Store::open_existing(&format!("sqlite:{}", file.display())).await?;
    let label = backup.label().await?.ok_or_else(|| RestoreError::NoBackup { path: file.to_owned() })?;
    if label.format > BACKUP_FORMAT {
        return Err(RestoreError::TooNew { format: label.format, version: label.version });
    }
    let report = check(&backup, progress).await;
    backup.close().await;
    if damaged == Damaged::Refuse && !report.damage.is_empty() {
        return Err(RestoreError::Damaged { report: Box::new(report) });
    }
    Ok((label, report))
}

async fn into_sqlite(file: &Path, target: &Path, now: Timestamp) -> Result<(StoreEpoch, Option<String>), RestoreError> {
    let failed = |what, path: &Path| {
        let path = path.to_owned();
        move |source| RestoreError::File { what, path, source }
    };
    let new = beside(target, ".restoring");
    // What an interrupted restore left would be taken for the log of this one.
    for left in ["", "-journal", "-wal", "-shm"] {
        remove_if_there(&beside(&new, left)).map_err(failed("removing", &new))?;
    }
    copy_private(file, &new).map_err(failed("writing", &new))?;
    let epoch = bring_to_life(&new, now).await?;
    fs::File::open(&new).and_then(|file| file.sync_all()).map_err(failed("syncing", &new))?;

    let aside = beside(target, &format!(".before-{}", in_name(now)));
    let aside = match is_absent_or_empty(target) {
        true => set_logs_aside(target, &aside)?,
        false => {
            set_aside(target, &aside).await?;
            Some(aside)
        }
    };
    fs::rename(&new, target).map_err(failed("renaming the new file to", target))?;
    sync_folder_of(target).map_err(failed("syncing the folder of", target))?;
    Ok((epoch, aside.map(|path| path.display().to_string())))
}

/// Gives the old file a second name, with everything that was committed to it. Its log must be gone before the new file
/// takes its place, or SQLite would read the old log into the new file.
async fn set_aside(target: &Path, aside: &Path) -> Result<(), RestoreError> {
    let failed = |what, source| RestoreError::File { what, path: aside.to_owned(), source };
    match settle_log(target).await {
        // A file that is damaged keeps its log aside too; no server can open it with or without.
        Ok(()) | Err(StoreError::Damaged { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    fs::hard_link(target, aside).map_err(|source| failed("keeping the old database as", source))?;
    let log = beside(target, "-wal");
    if log.exists() {
        fs::hard_link(&log, beside(aside, "-wal")).map_err(|source| failed("keeping the old log beside", source))?;
    }
    sync_folder_of(target).map_err(|source| failed("syncing the folder of", source))?;
    for rest in ["-wal", "-shm", "-journal"] {
        remove_if_there(&beside(target, rest)).map_err(|source| failed("removing the old log of", source))?;
    }
    sync_folder_of(target).map_err(|source| failed("syncing the folder of", source))
}

/// Gives a log without its file another name: the file was moved away after a kill, and SQLite would read the log into
/// the new one. It may hold what is nowhere else.
fn set_logs_aside(target: &Path, aside: &Path) -> Result<Option<PathBuf>, RestoreError> {
    let failed = |what, path: &Path| {
        let path = path.to_owned();
        move |source| RestoreError::File { what, path, source }
    };
    let mut kept = None;
    for log in ["-journal", "-wal"] {
        let (log, aside) = (beside(target, log), beside(aside, log));
        match fs::rename(&log, &aside) {
            Ok(()) => kept = Some(aside),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(failed("keeping the old log as", &aside)(source)),
        }
    }
    let index = beside(target, "-shm");
    remove_if_there(&index).map_err(failed("removing", &index))?;
    sync_folder_of(target).map_err(failed("syncing the folder of", target))?;
    Ok(kept)
}

async fn into_postgres(
    file: &Path,
    url: &str,
    replace: Replace,
    now: Timestamp,
    progress: Progress<'_>,
) -> Result<(StoreEpoch, Option<String>), RestoreError> {
    static COPIES: AtomicU32 = AtomicU32::new(0);
    let name = format!("taiwa-restore-{}-{}.db", std::process::id(), COPIES.fetch_add(1, Ordering::Relaxed));
    let copy = Temporary(std::env::temp_dir().join(name));
    let failed = |source| RestoreError::File { what: "writing", path: copy.0.clone(), source };
    remove_if_there(&copy.0).map_err(failed)?;
    copy_private(file, &copy.0).map_err(failed)?;
    bring_to_life(&copy.0, now).await?;
    let aside = format!("taiwa_before_{}", in_name(now));
    let aside = (replace == Replace::KeepAside).then_some(aside.as_str());
    let copied = |table: &str, rows| progress(Step::Copied { table, rows });
    match copy_into_postgres(&copy.0, url, aside, now, &copied).await? {
        IntoPostgres::Done { epoch, aside } => Ok((epoch, aside)),
        IntoPostgres::HasPeople => Err(RestoreError::HasPeople),
    }
}

/// A file that goes when this is dropped.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // What stays is in the system's folder for such files, readable by this user alone.
        let _ = fs::remove_file(&self.0);
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A copy that only this user can read, whatever the mode of the original.
fn copy_private(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = fs::File::open(from)?;
    let mut target = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    io::copy(&mut source, &mut target)?;
    target.sync_all()
}
