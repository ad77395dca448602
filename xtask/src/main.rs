//! The project's chores: `cargo xtask demo | test | ci | bench | fuzz | openapi | tidy`.
//!
//! Each chore runs the commands a person would type and fails when one of them fails. Knows nothing of the product's
//! code: it builds and starts binaries.

mod bench;
mod chores;
mod fuzz;
mod testing;
mod tidy;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// Chores of the taiwa workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Builds the server, fills ./data with a demo company, prints invitation links and stays up.
    Demo {
        /// Plays the story once with real phones in a temporary folder, checks every step, and ends.
        #[arg(long)]
        once: bool,
        /// Seed of the demo company.
        #[arg(long, default_value_t = 20_240_401)]
        seed: u64,
    },
    /// Runs every test; says loudly what is skipped for want of PostgreSQL or Node.
    Test {
        /// Kills server and phone 2,000 times instead of 50.
        #[arg(long)]
        long: bool,
    },
    /// What CI runs: formatting, lints, documentation, tidy, tests; prints the seconds of each step.
    Ci,
    /// Runs the fuzz targets with libFuzzer; needs a nightly compiler and cargo-fuzz.
    Fuzz {
        /// For how long, over all targets.
        #[arg(long, default_value_t = 6)]
        minutes: u64,
        /// Only this target.
        #[arg(long)]
        target: Option<String>,
        /// Adds the inputs that reach new code to fuzz/corpus.
        #[arg(long)]
        keep: bool,
    },
    /// Measures taiwa in a release build on this machine, on request beside its peers, and prints a table.
    Bench(bench::Arguments),
    /// Writes docs/openapi.json anew from the routes of the server.
    Openapi,
    /// Checks the rules of CONTRIBUTING.md that a machine can check.
    Tidy,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().chore {
        Chore::Demo { once, seed } => chores::demo(&root(), once, seed),
        Chore::Test { long } => chores::test(&root(), long),
        Chore::Ci => chores::ci(&root()),
        Chore::Fuzz { minutes, target, keep } => fuzz::fuzz(&root(), minutes, target.as_deref(), keep),
        Chore::Bench(arguments) => bench::run_bench(&root(), &arguments),
        Chore::Openapi => chores::openapi(&root()),
        Chore::Tidy => chores::tidy(&root()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's folder.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_path_buf()
}
