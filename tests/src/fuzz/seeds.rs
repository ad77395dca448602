//! Inputs to begin with: one honest example of each kind, from which the fuzzer makes others.

use std::{fs, io, path::Path};

/// Writes the first inputs of every target below `corpus`, beside those that are there.
///
/// # Errors
/// If a file cannot be written.
pub fn write(corpus: &Path) -> io::Result<()> {
    for (name, inputs) in [
        ("frame", super::frame::seeds()),
        ("message", super::message::seeds()),
        ("chunk", super::chunk::seeds()),
        ("people", super::people::seeds()),
        ("query", super::query::seeds()),
        ("token", super::token::seeds()),
    ] {
        let folder = corpus.join(name);
        fs::create_dir_all(&folder)?;
        for (n, input) in inputs.into_iter().enumerate() {
            fs::write(folder.join(format!("seed-{n:02}")), input)?;
        }
    }
    Ok(())
}
