//! The names of a store on the disk, and how a new file takes the place of a damaged one so that a kill loses neither.
//!
//! `<name>.building` is a new store that is being filled; `<name>.new` one that is whole and waits for its place;
//! `<name>.damaged-N` what stood in that place before. Called at each open: an interrupted step is undone or finished
//! first. Reads no contents.

use std::{
    ffi::OsString,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use super::{Store, StoreError};

const BUILDING: &str = ".building";
const NEW: &str = ".new";
const DAMAGED: &str = ".damaged-";
const LOG: &str = "-wal";
/// The index of the log: SQLite makes it again.
const INDEX: &str = "-shm";
/// Damaged files that are kept: the last one, and one more for whoever looks into why it happens again.
const DAMAGED_KEPT: u32 = 2;

impl Store {
    /// Sets the file at `path` aside and says where it is now; the newest two are kept.
    ///
    /// # Errors
    /// [`StoreError::Failed`] if the file system refuses.
    pub fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
        let aside = move_aside(path).map_err(StoreError::of_file)?;
        forget_old_damaged(path).map_err(StoreError::of_file)?;
        Ok(aside)
    }

    /// Removes the store at `path` with everything that ever stood in its place: the person decided so.
    ///
    /// # Errors
    /// [`StoreError::Failed`] if the file system refuses; the store itself goes last.
    pub fn remove(path: &Path) -> Result<(), StoreError> {
        let remove = || {
            // What would take the place of the store at the next open, first.
            remove_with_log(&beside(path, NEW))?;
            remove_with_log(&beside(path, BUILDING))?;
            for number in damaged(path)? {
                remove_with_log(&damaged_at(path, number))?;
            }
            remove_with_log(path)
        };
        remove().map_err(StoreError::of_file)
    }
}

/// Where a new store is filled.
pub(super) fn building(path: &Path) -> PathBuf {
    beside(path, BUILDING)
}

/// Removes what was not finished.
pub(super) fn give_up_building(path: &Path) -> io::Result<()> {
    remove_with_log(&beside(path, BUILDING))
}

/// The store that was filled and closed takes its place; says where the old file is. From here on nothing is undone: a
/// kill leaves what [`finish`] finishes.
pub(super) fn put_in_place(path: &Path) -> io::Result<PathBuf> {
    let (building, new) = (beside(path, BUILDING), beside(path, NEW));
    if beside(&building, LOG).metadata().is_ok_and(|log| log.len() > 0) {
        return Err(io::Error::other("the log of the new store was not folded in"));
    }
    remove_if_there(&beside(&building, LOG))?;
    remove_if_there(&beside(&building, INDEX))?;
    std::fs::rename(building, &new)?;
    sync_directory(path)?;
    let aside = move_aside(path)?;
    std::fs::rename(new, path)?;
    sync_directory(path)?;
    forget_old_damaged(path)?;
    Ok(aside)
}

/// Finishes or undoes what a kill interrupted; called before the file at `path` is opened or made.
pub(super) fn finish(path: &Path) -> io::Result<()> {
    give_up_building(path)?;
    let is_there = is_file(path)?;
    if let (true, Some(last)) = (is_there, damaged(path)?.last()) {
        let aside = damaged_at(path, *last);
        let (moved_log, log) = (beside(&aside, LOG), beside(path, LOG));
        // The log was moved and its file was not: they belong together.
        if !is_file(&aside)? && is_file(&moved_log)? && !is_file(&log)? {
            std::fs::rename(moved_log, log)?;
        }
    }
    let new = beside(path, NEW);
    if is_file(&new)? {
        if is_there {
            move_aside(path)?;
        }
        std::fs::rename(new, path)?;
        sync_directory(path)?;
        tracing::warn!("a recovery that was broken off is finished");
    }
    Ok(())
}

/// Moves a file aside under a number that no earlier one had, its log first: a file without its log would be taken for
/// whole, a log without its file is brought back.
fn move_aside(path: &Path) -> io::Result<PathBuf> {
    let number = damaged(path)?.last().map_or(1, |last| last.saturating_add(1));
    let aside = damaged_at(path, number);
    remove_if_there(&beside(path, INDEX))?;
    match std::fs::rename(beside(path, LOG), beside(&aside, LOG)) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    std::fs::rename(path, &aside)?;
    sync_directory(path)?;
    Ok(aside)
}

fn forget_old_damaged(path: &Path) -> io::Result<()> {
    let Some(newest) = damaged(path)?.last().copied() else { return Ok(()) };
    for number in damaged(path)?.into_iter().filter(|number| number.saturating_add(DAMAGED_KEPT) <= newest) {
        remove_with_log(&damaged_at(path, number))?;
    }
    Ok(())
}

/// The numbers that a damaged file, its log or its index has, in order.
fn damaged(path: &Path) -> io::Result<Vec<u32>> {
    let Some((directory, name)) = path.parent().zip(path.file_name()) else { return Ok(Vec::new()) };
    let name = format!("{}{DAMAGED}", name.to_string_lossy());
    let mut numbers = Vec::new();
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    for file in std::fs::read_dir(directory)? {
        let file = file?.file_name();
        let file = file.to_string_lossy();
        let Some(number) = file.strip_prefix(&name) else { continue };
        let number = number.strip_suffix(LOG).or_else(|| number.strip_suffix(INDEX)).unwrap_or(number);
        numbers.extend(number.parse::<u32>());
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

fn damaged_at(path: &Path, number: u32) -> PathBuf {
    beside(path, &format!("{DAMAGED}{number}"))
}

/// The main file goes last: a log left without it would be read into the next store of that name.
fn remove_with_log(path: &Path) -> io::Result<()> {
    remove_if_there(&beside(path, LOG))?;
    remove_if_there(&beside(path, INDEX))?;
    remove_if_there(path)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn is_file(path: &Path) -> io::Result<bool> {
    match path.metadata() {
        Ok(found) => Ok(found.is_file()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(suffix);
    PathBuf::from(name)
}

/// A rename is on the disk when its directory is.
fn sync_directory(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        std::fs::File::open(directory)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

#[cfg(test)]
mod tests;
