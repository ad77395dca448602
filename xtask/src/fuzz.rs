//! `cargo xtask fuzz`: libFuzzer on every target for a while, with a nightly compiler and cargo-fuzz.
//!
//! What is found lies in `target/fuzz`; `--keep` adds what reaches new code to `fuzz/corpus`, which the tests replay. A
//! failing input is named with the command that repeats it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

/// Larger inputs than this find little that smaller ones do not.
const MAX_INPUT_BYTES: u32 = 16 * 1024;
/// A target that takes more memory for one input is broken.
const MEMORY_MIB: u32 = 2_048;
/// An input that takes longer is a finding.
const SECONDS_PER_INPUT: u32 = 10;

/// Fuzzes each target for its share of `minutes`, or only `target` for all of them.
pub(crate) fn fuzz(root: &Path, minutes: u64, target: Option<&str>, keep: bool) -> Result<()> {
    can_fuzz(root)?;
    let all = targets(root)?;
    let chosen: Vec<&String> = all.iter().filter(|name| target.is_none_or(|only| only == *name)).collect();
    ensure!(!chosen.is_empty(), "there is no such target: choose one of {}", all.join(", "));
    let seconds = (minutes * 60 / chosen.len() as u64).max(1);
    let mut failed = Vec::new();
    for name in chosen {
        println!("== {name}: {seconds} s");
        let (found, corpus) = (root.join("target/fuzz").join(name), root.join("fuzz/corpus").join(name));
        fs::create_dir_all(&found).with_context(|| format!("make {}", found.display()))?;
        let crashes = format!("-artifact_prefix={}/", crashes(root, name)?.display());
        let seconds = format!("-max_total_time={seconds}");
        if run(root, name, &[&found, &corpus], &[&seconds, &crashes, "-print_final_stats=1"]).is_err() {
            failed.push(name);
        } else if keep {
            run(root, name, &[&corpus, &found], &["-merge=1"])?;
        }
    }
    if !failed.is_empty() {
        let folder = root.join("target/fuzz-crashes");
        bail!(
            "failing inputs lie in {}; repeat one with\n  cargo +nightly fuzz run {} FILE\nand put it into \
             fuzz/corpus/ when it is mended",
            folder.display(),
            failed[0],
        );
    }
    Ok(())
}

/// The targets, by their files.
fn targets(root: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join("fuzz/targets")).context("read fuzz/targets")? {
        let path = entry?.path();
        names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

fn can_fuzz(root: &Path) -> Result<()> {
    let ends_well = |arguments: &[&str]| {
        let mut command = Command::new("cargo");
        command.current_dir(root).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    ensure!(
        ends_well(&["+nightly", "--version"]),
        "fuzzing needs a nightly compiler: rustup toolchain install nightly"
    );
    ensure!(ends_well(&["fuzz", "--version"]), "fuzzing needs cargo-fuzz: cargo install cargo-fuzz --locked");
    Ok(())
}

fn crashes(root: &Path, name: &str) -> Result<PathBuf> {
    let folder = root.join("target/fuzz-crashes").join(name);
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

fn run(root: &Path, name: &str, folders: &[&Path], options: &[&str]) -> Result<()> {
    let mut command = Command::new("cargo");
    command
        .current_dir(root)
        .args(["+nightly", "fuzz", "run", "--target-dir", "target/fuzz-build", name])
        .args(folders);
    command.arg("--").args(options).arg(format!("-max_len={MAX_INPUT_BYTES}"));
    command.args([format!("-rss_limit_mb={MEMORY_MIB}"), format!("-timeout={SECONDS_PER_INPUT}")]);
    let status = command.status().context("start cargo fuzz")?;
    ensure!(status.success(), "target {name} ended with {status}");
    Ok(())
}
