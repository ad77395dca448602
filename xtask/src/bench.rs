//! `cargo xtask bench`: builds the server and the bench in release mode and starts the measurement.
//!
//! Both in one build, so that the server's code is compiled once. Measures nothing.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::chores::{cargo, finish_writing, run};

/// What to measure, and where to write it.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Short steps: the whole in some minutes, the figures less exact.
    #[arg(long)]
    quick: bool,
    /// Measures the servers of others beside it, in the same run; needs Node and npm.
    #[arg(long)]
    peers: bool,
    /// Also writes the report as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes docs/performance.json and the tables of docs/performance.md.
    #[arg(long)]
    write_docs: bool,
    /// Measures nothing: writes the tables of docs/performance.md anew from docs/performance.json.
    #[arg(long)]
    render_docs: bool,
    /// Rows to measure; all if none is named.
    rows: Vec<String>,
}

/// Builds and measures.
pub(crate) fn run_bench(root: &Path, arguments: &Arguments) -> Result<()> {
    run(cargo(root).args(["build", "--release", "--package", "taiwa-server", "--package", "taiwa-bench"]))?;
    finish_writing();
    let mut bench = Command::new(release_folder()?.join(format!("taiwa-bench{}", std::env::consts::EXE_SUFFIX)));
    // So that nothing builds a debug server on its own.
    bench.current_dir(root).env_remove("CARGO").args(["--commit", &commit(root)]);
    for (flag, is_set) in [("--quick", arguments.quick), ("--peers", arguments.peers)] {
        bench.args(is_set.then_some(flag));
    }
    if let Some(file) = &arguments.json {
        bench.arg("--json").arg(std::path::absolute(file)?);
    }
    if arguments.write_docs || arguments.render_docs {
        bench.arg("--docs").arg(root.join("docs"));
        bench.args(arguments.render_docs.then_some("--render"));
    }
    run(bench.args(&arguments.rows))
}

/// Beside the folder of this program, whatever `CARGO_TARGET_DIR` says.
fn release_folder() -> Result<PathBuf> {
    let own = std::env::current_exe().context("find the folder of this program")?;
    let target = own.parent().and_then(Path::parent).context("this program lies in a target folder")?;
    Ok(target.join("release"))
}

/// The short hash of the code, with a mark if it was changed since.
fn commit(root: &Path) -> String {
    let git = |arguments: &[&str]| -> Result<String> {
        let output = Command::new("git").current_dir(root).args(arguments).output()?;
        if !output.status.success() {
            bail!("git {} failed", arguments.join(" "));
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    git(&["describe", "--always", "--dirty"]).unwrap_or_else(|_| "unknown".to_owned())
}
