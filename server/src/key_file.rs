//! Files with keys that never leave this server: read, or made at the first start, for this user's eyes alone.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// What stands in a key file.
pub(crate) struct KeyFile {
    pub(crate) text: String,
    /// Whether it was made just now.
    pub(crate) is_new: bool,
}

/// Reads the file at `path`, or makes one with the text that `make` gives.
///
/// # Errors
/// If it is neither readable nor makeable.
pub(crate) fn read_or_make(path: &Path, make: impl FnOnce() -> String) -> io::Result<KeyFile> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let is_new = write_beside(path, &make())?;
            // Another process may have been first.
            Ok(KeyFile { text: fs::read_to_string(path)?, is_new })
        }
        other => Ok(KeyFile { text: other?, is_new: false }),
    }
}

/// Written beside and linked into place, so that a crash never leaves half a key; whether it was the first there.
fn write_beside(path: &Path, text: &str) -> io::Result<bool> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&beside, path);
    fs::remove_file(&beside)?;
    match linked {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}
