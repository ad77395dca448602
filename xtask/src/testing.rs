//! Runs the tests of the workspace, counts over all of their binaries, and says at the end what failed and how.
//!
//! Called by `chores`. Reads the lines that cargo's own test runner prints.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::Stdio,
    sync::Mutex,
    thread,
};

use anyhow::{Context, Result, bail};

use crate::chores::{cargo, finish_writing, run};

/// Kills of a long run.
const LONG_KILLS: &str = "2000";
/// Simulations of a long run on SQLite, of which PostgreSQL gets a tenth: about half an hour.
const LONG_SEEDS: &str = "1500";

/// Tests print this when a tool they need is missing.
const SKIPPED_MARK: &str = "SKIPPED:";

/// Of a panic's message, so many lines are shown again at the end.
const LINES_OF_PANIC: usize = 12;

/// Counts over all test binaries of a run, and what failed.
#[derive(Default)]
pub(crate) struct Totals {
    passed: u64,
    failed: u64,
    ignored: u64,
    /// Lines in which a test said that it was skipped for want of a tool.
    skipped: Vec<String>,
    failures: Vec<String>,
    /// Whether the runner is naming what failed.
    naming: bool,
}

/// What panics said, each with the name of its thread, which is that of its test.
#[derive(Default)]
struct Panics {
    said: Vec<(String, Vec<String>)>,
    speaking: bool,
}

/// Runs every test; what was counted is in `totals` also if one failed.
pub(crate) fn run_tests(root: &Path, long: bool, totals: &mut Totals) -> Result<()> {
    // With the tests, so that both commands ask for the same features and nothing is compiled twice.
    run(cargo(root).args(["build", "--workspace", "--bins", "--tests"]))?;
    finish_writing();
    let mut command = cargo(root);
    command.args(["test", "--workspace", "--no-fail-fast", "--", "--nocapture"]);
    println!("$ cargo test --workspace --no-fail-fast -- --nocapture");
    if long {
        command.env("TAIWA_KILLS", LONG_KILLS).env("TAIWA_SEEDS", LONG_SEEDS);
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("start cargo test")?;
    let output = child.stdout.take().context("read the output of cargo test")?;
    let errors = child.stderr.take().context("read the errors of cargo test")?;
    let panics = Mutex::new(Panics::default());
    thread::scope(|scope| {
        let errors = scope.spawn(|| {
            each_line(errors, |line| {
                eprintln!("{line}");
                panics.lock().expect("nobody panicked").read(line);
            })
        });
        each_line(output, |line| {
            println!("{line}");
            totals.read(line);
        })?;
        errors.join().expect("the reader of errors ends")
    })?;
    let status = child.wait().context("wait for cargo test")?;
    for skipped in &totals.skipped {
        println!("{skipped}");
    }
    let panics = panics.into_inner().expect("nobody panicked");
    for failure in &totals.failures {
        println!("FAILED: {failure}");
        panics.of(failure).for_each(|line| println!("    {line}"));
    }
    let skips = totals.skips();
    if !status.success() || totals.failed > 0 {
        bail!("tests failed");
    }
    if totals.passed == 0 {
        bail!("no test ran");
    }
    if skips > 0 && std::env::var("CI").is_ok_and(|value| value == "true") {
        bail!("{skips} tests were skipped; in CI every test must run");
    }
    Ok(())
}

/// Hands over the lines as they come, whatever bytes are in them.
fn each_line(from: impl Read, mut take: impl FnMut(&str)) -> Result<()> {
    for line in BufReader::new(from).split(b'\n') {
        take(&String::from_utf8_lossy(&line.context("read the output of cargo test")?));
    }
    Ok(())
}

impl Totals {
    fn skips(&self) -> u64 {
        self.ignored + self.skipped.len() as u64
    }

    /// The closing line of a run.
    pub(crate) fn summary(&self) -> String {
        format!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skips())
    }

    fn read(&mut self, line: &str) {
        if let Some(at) = line.find(SKIPPED_MARK) {
            self.skipped.push(line[at..].to_owned());
        }
        if line == "failures:" {
            self.naming = true;
        }
        if let Some(name) = line.strip_prefix("    ").filter(|_| self.naming) {
            self.failures.push(name.to_owned());
        }
        let Some((_, counts)) = line.split_once("test result: ") else { return };
        self.naming = false;
        for part in counts.split([';', '.']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(word)) = (words.next().and_then(|n| n.parse::<u64>().ok()), words.next()) else {
                continue;
            };
            match word {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl Panics {
    fn read(&mut self, line: &str) {
        let thread = line.strip_prefix("thread '").and_then(|line| line.split_once('\''));
        if let Some((thread, rest)) = thread
            && let Some((_, place)) = rest.split_once("panicked at ")
        {
            self.said.push((thread.to_owned(), vec![place.to_owned()]));
            self.speaking = true;
        } else if line.starts_with("note: ") || line.starts_with("stack backtrace:") {
            self.speaking = false;
        } else if let Some((_, said)) = self.said.last_mut().filter(|_| self.speaking) {
            said.push(line.to_owned());
            self.speaking = said.len() < LINES_OF_PANIC;
        }
    }

    fn of(&self, test: &str) -> impl Iterator<Item = &String> {
        self.said.iter().filter(move |(thread, _)| thread == test).flat_map(|(_, said)| said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_binaries_are_added_up() {
        let mut totals = Totals::default();
        totals.read("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.2s");
        totals.read("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out");
        totals.read("test a_word ... SKIPPED: no PostgreSQL on this machine");
        assert_eq!((totals.passed, totals.failed, totals.ignored, totals.skipped.len()), (15, 2, 1, 1));
    }

    #[test]
    fn what_failed_is_named_with_what_it_said() {
        let mut totals = Totals::default();
        let printed = "    not this\nfailures:\n\nfailures:\n    hub::one\n    two\n\ntest result: FAILED. 3 passed; 2 failed\n    nor this";
        printed.lines().for_each(|line| totals.read(line));
        assert_eq!(totals.failures, ["hub::one", "two"]);
        let mut panics = Panics::default();
        let said = "noise\n\nthread 'hub::one' (17) panicked at tests/hub.rs:3:5:\nassertion failed\n  left: 1\nnote: run with\nmore\n\
            thread 'two' panicked at a.rs:1:2:\nno";
        said.lines().for_each(|line| panics.read(line));
        assert_eq!(panics.of("hub::one").collect::<Vec<_>>(), ["tests/hub.rs:3:5:", "assertion failed", "  left: 1"]);
        assert_eq!(panics.of("two").collect::<Vec<_>>(), ["a.rs:1:2:", "no"]);
    }
}
