//! What each chore does: a list of commands, timed.
//!
//! Called by `main`. Decides nothing about the product; prints what it runs.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};

use crate::tidy;

/// Counts over all test binaries of a run.
#[derive(Default)]
struct Totals {
    passed: u64,
    failed: u64,
    ignored: u64,
    /// Lines in which a test said that it was skipped for want of a tool.
    skipped: Vec<String>,
}

/// Kills of a long run.
const LONG_KILLS: &str = "2000";
/// Simulations of a long run on SQLite, of which PostgreSQL gets a tenth: about half an hour.
const LONG_SEEDS: &str = "1500";

/// Tests print this when a tool they need is missing.
const SKIPPED_MARK: &str = "SKIPPED:";

/// Plays or serves the demo company.
pub(crate) fn demo(root: &Path, once: bool, seed: u64) -> Result<()> {
    run(cargo(root).args(["build", "--package", "taiwa-server", "--package", "taiwa-tests", "--bins"]))?;
    let mut demo = Command::new(beside_this_program("taiwa-demo")?);
    demo.current_dir(root).args(["--seed", &seed.to_string()]);
    if once {
        demo.arg("--once");
    }
    run(&mut demo)
}

/// A program of this workspace: cargo puts it into the folder in which this one stands, whatever `CARGO_TARGET_DIR` says.
fn beside_this_program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("find the folder of this program")?;
    Ok(own.with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}

/// Runs every test of the workspace and prints one closing line over all of them.
pub(crate) fn test(root: &Path, long: bool) -> Result<()> {
    let mut totals = Totals::default();
    let result = run_tests(root, long, &mut totals);
    println!("{}", totals.summary());
    result
}

fn run_tests(root: &Path, long: bool, totals: &mut Totals) -> Result<()> {
    // With the tests, so that both commands ask for the same features and nothing is compiled twice.
    run(cargo(root).args(["build", "--workspace", "--bins", "--tests"]))?;
    // A disk that is still writing gigabytes of what was compiled holds up every test that syncs to it. Where there is no
    // such command the tests only take longer.
    let _ = Command::new("sync").status();
    let mut command = cargo(root);
    command.args(["test", "--workspace", "--no-fail-fast", "--", "--nocapture"]);
    println!("$ cargo test --workspace --no-fail-fast -- --nocapture");
    if long {
        command.env("TAIWA_KILLS", LONG_KILLS).env("TAIWA_SEEDS", LONG_SEEDS);
    }
    let mut child = command.stdout(Stdio::piped()).spawn().context("start cargo test")?;
    let output = child.stdout.take().context("read the output of cargo test")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("read the output of cargo test")?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        totals.read(&line);
    }
    let status = child.wait().context("wait for cargo test")?;
    for skipped in &totals.skipped {
        println!("{skipped}");
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

impl Totals {
    fn skips(&self) -> u64 {
        self.ignored + self.skipped.len() as u64
    }

    fn summary(&self) -> String {
        format!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skips())
    }

    fn read(&mut self, line: &str) {
        if let Some(at) = line.find(SKIPPED_MARK) {
            self.skipped.push(line[at..].to_owned());
        }
        let Some((_, counts)) = line.split_once("test result: ") else { return };
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

/// Everything that must hold before a change lands. Ends with the test runner's summary.
pub(crate) fn ci(root: &Path) -> Result<()> {
    let mut steps = Steps::default();
    let checked = steps.run("fmt", || run(cargo(root).args(["fmt", "--all", "--check"])))
        && steps.run("tidy", || tidy(root))
        && steps.run("clippy", || {
            run(cargo(root).args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
        })
        && steps.run("doc", || {
            let mut doc = cargo(root);
            doc.args(["doc", "--workspace", "--no-deps", "--document-private-items"]);
            run(doc.env("RUSTDOCFLAGS", "-D warnings"))
        });
    let mut totals = Totals::default();
    if checked {
        steps.run("test", || run_tests(root, false, &mut totals));
    }
    for (name, seconds) in &steps.seconds {
        println!("{name}: {seconds} s");
    }
    println!("{}", totals.summary());
    steps.failure.map_or(Ok(()), Err)
}

/// Timed steps; the first that fails ends the run.
#[derive(Default)]
struct Steps {
    seconds: Vec<(&'static str, u64)>,
    failure: Option<anyhow::Error>,
}

impl Steps {
    fn run(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) -> bool {
        println!("== {name}");
        let started = Instant::now();
        self.failure = work().with_context(|| format!("step {name}")).err();
        self.seconds.push((name, started.elapsed().as_secs()));
        self.failure.is_none()
    }
}

/// Writes `docs/openapi.json` as the server's own code describes it.
pub(crate) fn openapi(root: &Path) -> Result<()> {
    run(cargo(root).args(["build", "--package", "taiwa-server", "--package", "taiwa-tests", "--bins"]))?;
    let printed =
        Command::new(beside_this_program("taiwa-server")?).arg("openapi").output().context("run the server")?;
    if !printed.status.success() {
        bail!("taiwa-server openapi ended with {}", printed.status);
    }
    std::fs::write(root.join("docs/openapi.json"), printed.stdout).context("write docs/openapi.json")
}

/// Prints every broken rule and fails if there is one.
pub(crate) fn tidy(root: &Path) -> Result<()> {
    let broken = tidy::check(root)?;
    for rule in &broken {
        eprintln!("tidy: {rule}");
    }
    if broken.is_empty() { Ok(()) } else { bail!("{} rules broken", broken.len()) }
}

pub(crate) fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}

pub(crate) fn run(command: &mut Command) -> Result<()> {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy().into_owned()).collect();
    println!("$ {program} {}", arguments.join(" "));
    let status = command.status().with_context(|| format!("start {program}"))?;
    if status.success() { Ok(()) } else { bail!("{program} {} ended with {status}", arguments.join(" ")) }
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
}
