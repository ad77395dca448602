//! The binary: reads the command line, runs it, and says in one line why it could not.

use std::process::ExitCode;

use clap::Parser;
use taiwa_server::cli::{Cli, run};

/// Gives memory back when everybody has left, and costs less than the system's per message.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
