//! What each chore does: a list of commands, timed.
//!
//! Called by `main`. Decides nothing about the product; prints what it runs.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context, Result, bail};

use crate::{
    testing::{Totals, run_tests},
    tidy,
};

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

/// A disk that is still writing gigabytes of what was compiled holds up everything that syncs to it, for a second and more.
/// Where there is no such command, what follows only takes longer.
pub(crate) fn finish_writing() {
    let _ = Command::new("sync").status();
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
