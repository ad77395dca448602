//! The demo: serves a generated company, or plays the story once.
//!
//! Started by `cargo xtask demo`. Decides nothing; the work is in `taiwa_tests::demo`.

use std::{path::Path, process::ExitCode};

use clap::Parser;
use taiwa_tests::demo;

/// taiwa's demo company.
#[derive(Parser)]
struct Arguments {
    /// Plays the story in a temporary folder, checks every step, and ends.
    #[arg(long)]
    once: bool,
    /// Seed of the company.
    #[arg(long, default_value_t = 20_240_401)]
    seed: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = if arguments.once {
        Box::pin(demo::play_once(arguments.seed)).await
    } else {
        demo::serve(Path::new("data"), arguments.seed).await.map(|()| true)
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}
