//! Rules of the house that a machine can check; runs as a test and as `cargo xtask tidy`.
//!
//! Map: [`rules`] the tables as data; [`imports`] who uses whom; this file walks the tree and checks shape: file
//! length, module documentation, migration pairs, words the product avoids.

mod imports;
mod rules;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use walkdir::WalkDir;

/// Longest source file, in lines without tests: what a reader takes in at one sitting.
const MAX_LINES: usize = 400;

/// All broken rules, one line each.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let mut broken = Vec::new();
    for file in rust_files(root) {
        let path = relative(root, &file);
        let text = fs::read_to_string(&file).with_context(|| format!("read {path}"))?;
        check_shape(&path, &text, &mut broken);
        imports::check(&path, &text, &mut broken).with_context(|| format!("parse {path}"))?;
    }
    check_migrations(root, &mut broken)?;
    Ok(broken)
}

fn rust_files(root: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = rules::SOURCE_FOLDERS
        .iter()
        .flat_map(|folder| WalkDir::new(root.join(folder)))
        .filter_map(Result::ok)
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    files.sort();
    files
}

fn relative(root: &Path, file: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).to_string_lossy().replace('\\', "/")
}

/// Whether a file holds tests only.
fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

fn check_shape(path: &str, text: &str, broken: &mut Vec<String>) {
    if is_test_file(path) {
        return;
    }
    if !text.starts_with("//!") {
        broken.push(format!("{path}: begins without `//!` that says what it decides"));
    }
    let lines = lines_without_tests(text);
    if lines > MAX_LINES {
        broken.push(format!("{path}: {lines} lines without tests, at most {MAX_LINES}"));
    }
    for word in rules::AVOIDED_WORDS {
        if text.contains(word) {
            broken.push(format!("{path}: uses {word}, which the product avoids"));
        }
    }
}

/// Lines before the first `#[cfg(test)]` that is followed by an inline module; tests stand at the end of a file.
fn lines_without_tests(text: &str) -> usize {
    let lines: Vec<_> = text.lines().collect();
    let starts_tests = |pair: &[&str]| pair[0].trim() == "#[cfg(test)]" && pair[1].trim().starts_with("mod ");
    lines.windows(2).position(starts_tests).unwrap_or(lines.len())
}

fn check_migrations(root: &Path, broken: &mut Vec<String>) -> Result<()> {
    let names = |engine: &str| -> Result<BTreeSet<String>> {
        let folder = root.join("migrations").join(engine);
        fs::read_dir(&folder)
            .with_context(|| format!("read migrations/{engine}"))?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    };
    let (sqlite, postgres) = (names("sqlite")?, names("postgres")?);
    for name in sqlite.symmetric_difference(&postgres) {
        broken.push(format!("migrations: {name} is missing for one of sqlite and postgres"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
