//! What taiwa costs and how it stands beside its peers: `cargo xtask bench`.
//!
//! Map: [`rows`] one measurement each; [`crowd`] many clients typing and [`ladder`] the search for the most they may;
//! [`client`], [`replica`], [`typist`] and [`socket`] what a client is made of; [`house`] a taiwa server with a company;
//! [`peers`] the servers of others, [`mod@line`] and [`yjs`] their clients, [`participant`] any client, [`reader`] the judge;
//! [`meter`] a line that counts; [`served`] any server as a process; [`machine`] cores, CPU and memory. Builds nothing: `cargo xtask bench` has.

mod client;
mod crowd;
mod house;
mod ladder;
mod line;
mod machine;
mod meter;
mod participant;
mod peers;
mod reader;
mod replica;
mod rows;
mod served;
mod socket;
mod typist;
mod yjs;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use taiwa_shared::ids::MeetingId;
use taiwa_tests::figures::{Report, tables};
use tokio::{runtime, task::LocalSet};

use crate::rows::Bench;

/// The report from which the tables of the page are written.
const JSON: &str = "performance.json";
/// The page.
const PAGE: &str = "performance.md";

/// Measures taiwa on this machine.
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Arguments {
    /// Short steps: the whole in some minutes, the figures less exact.
    #[arg(long)]
    quick: bool,
    /// Also writes the report as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Measures the servers of others beside it, in the same run.
    #[arg(long)]
    peers: bool,
    /// Writes performance.json and the tables of performance.md in this folder.
    #[arg(long)]
    docs: Option<PathBuf>,
    /// Measures nothing: writes the tables anew from the JSON.
    #[arg(long, requires = "docs")]
    render: bool,
    /// Short hash of the code that is measured.
    #[arg(long, default_value = "unknown")]
    commit: String,
    /// What to measure; everything if nothing is named.
    rows: Vec<String>,
    #[command(subcommand)]
    part: Option<Part>,
}

/// What this program is for itself, as another process.
#[derive(Subcommand)]
enum Part {
    /// Is one of the servers of others.
    #[command(hide = true)]
    AsServer {
        /// `relay` or `samod`.
        peer: String,
        /// Where to listen.
        address: SocketAddr,
        /// Where its data lie.
        folder: PathBuf,
    },
    /// Is a phone that is measured.
    #[command(hide = true)]
    AsPhone {
        /// `brief`, `browse` or `use`.
        what: String,
        /// The meeting that it looks at.
        meeting: MeetingId,
        /// Where its data lie.
        folder: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match &arguments.part {
        Some(Part::AsServer { peer, address, folder }) => serve(peer, *address, folder).map(|()| true),
        Some(Part::AsPhone { what, meeting, folder }) => phone(what, *meeting, folder).map(|()| true),
        None => measure(&arguments),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Serves as one of the others, on one thread, until the process ends.
fn serve(peer: &str, address: SocketAddr, folder: &Path) -> Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    match peer {
        "relay" => runtime.block_on(peers::relay::serve(address)),
        "samod" => runtime.block_on(peers::samod::serve(address, folder)),
        other => anyhow::bail!("there is no server {other} here"),
    }
}

/// Opens the phone core as an app does, with the runtime that the core gives apps.
fn phone(what: &str, meeting: MeetingId, folder: &Path) -> Result<()> {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(rows::phone::run_process(what, meeting, folder))
}

/// Measures and reports; false if something was lost or did not converge.
fn measure(arguments: &Arguments) -> Result<bool> {
    rows::check_names(&arguments.rows)?;
    if arguments.render {
        return render(arguments.docs.as_deref().context("--render needs --docs")?).map(|()| true);
    }
    let pinned = machine::pin_self();
    if !pinned {
        eprintln!("bench: there is no core for each side, or no taskset: nothing is pinned");
    }
    let machine = machine::describe(pinned);
    if arguments.peers {
        peers::install()?;
    }
    let bench = Bench { quick: arguments.quick, pinned, peers: arguments.peers };
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let rows = runtime.block_on(LocalSet::new().run_until(bench.run(&arguments.rows)))?;
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let report = Report { date, commit: arguments.commit.clone(), quick: arguments.quick, machine, rows };
    let json = serde_json::to_string_pretty(&report)? + "\n";
    let in_docs = arguments.docs.as_ref().map(|folder| folder.join(JSON));
    for file in arguments.json.iter().chain(&in_docs) {
        std::fs::write(file, &json).with_context(|| format!("write {}", file.display()))?;
    }
    if let Some(folder) = &arguments.docs {
        render(folder)?;
    }
    print!("{}", tables::for_screen(&report));
    Ok(report.rows.iter().all(|row| row.sound))
}

/// Writes the tables of the page from the report beside it.
fn render(folder: &Path) -> Result<()> {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).with_context(|| format!("read {name}"));
    let report: Report = serde_json::from_str(&read(JSON)?)?;
    let page = tables::renewed(&read(PAGE)?, &report).context("the page lacks the marks for its tables")?;
    std::fs::write(folder.join(PAGE), page).context("write the page")
}
