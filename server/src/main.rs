//! The binary: reads the command line, runs it, and says in one line why it could not.

use std::process::ExitCode;

use clap::Parser;
use taiwa_server::cli::{Cli, run};

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
