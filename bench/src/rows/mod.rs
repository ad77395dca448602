//! The measurements, by name and in the order in which they are made.
//!
//! Map: [`coedit`] pairs that type at the same time; [`memos`] long ones and short ones; [`fanin`] many at one memo;
//! [`idle`] connections that come, wait and go; [`storm`] all of them at once; [`offline`] what was written without a network, and
//! memos after a start; [`phone`] the phone core; [`crash`] kill -9; [`guard`] what checking costs; [`tips`] what
//! managers read and search. Each row starts servers of its own.

mod coedit;
mod crash;
mod fanin;
mod guard;
mod idle;
mod memos;
mod offline;
pub(crate) mod phone;
mod storm;
mod tips;

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use taiwa_tests::figures::Row;

use crate::peers::Running;

/// How a run is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bench {
    /// Short steps.
    pub(crate) quick: bool,
    /// Whether server and generator have a core each.
    pub(crate) pinned: bool,
    /// The others' servers too.
    pub(crate) peers: bool,
}

/// Names on the command line, with what they measure.
const NAMES: [(&str, &str); 12] = [
    ("co-edit", "pairs sustained at 2 edits/s per client"),
    ("idle", "what a connection costs when it comes, waits and has gone"),
    ("memos", "edits sustained in memos of 80 and of 25,000 characters"),
    ("fan-in", "many clients on one memo"),
    ("storm", "everybody comes back after a kill -9"),
    ("backlog", "two days of offline edits"),
    ("cold", "a memo after the server's start"),
    ("reconnect", "an unchanged phone with 500 documents"),
    ("phone", "brief, edit, search and memory of the phone core"),
    ("crash", "edits lost at kill -9 on the last acknowledgement"),
    ("guard", "the part of checking in an edit's cost"),
    ("tips", "pages and searches of managers' tips, on both databases"),
];

/// Refuses a name that is none.
///
/// # Errors
/// If there is one; the message lists all names.
pub(crate) fn check_names(wanted: &[String]) -> Result<()> {
    for name in wanted {
        let all = || NAMES.map(|(name, what)| format!("  {name:<12} {what}")).join("\n");
        ensure!(NAMES.iter().any(|(known, _)| known == name), "there is no row {name}; there are:\n{}", all());
    }
    Ok(())
}

impl Bench {
    /// Makes the measurements that are wanted, or all.
    ///
    /// # Errors
    /// If one cannot be made.
    pub(crate) async fn run(&self, wanted: &[String]) -> Result<Vec<Row>> {
        let (mut rows, mut left) = (Vec::new(), Vec::new());
        for (name, what) in NAMES {
            if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
                continue;
            }
            eprintln!("== {name}: {what}");
            let started = Instant::now();
            let made = match name {
                "co-edit" => coedit::measure(self).await,
                "idle" => idle::measure(self).await.map(|(connects, gone)| {
                    left = gone;
                    connects
                }),
                "memos" => memos::measure(self).await,
                "fan-in" => fanin::measure(self).await,
                "storm" => storm::storm(self).await,
                "backlog" => offline::backlog(self).await,
                "cold" => offline::cold(self).await,
                "reconnect" => phone::reconnect(self).await,
                "phone" => phone::measure(self).await,
                "crash" => crash::measure(self).await,
                "guard" => guard::measure(self).await,
                "tips" => tips::measure(self).await,
                other => unreachable!("{other} is in the list of names"),
            };
            rows.extend(made.unwrap_or_else(|error| {
                eprintln!("   {name}: {error:#}");
                // The others are worth knowing all the same; the command fails.
                vec![Row::new(name, "taiwa").sound(false).remark(format!("not measured: {error:#}"))]
            }));
            eprintln!("   {:.0} s", started.elapsed().as_secs_f64());
        }
        rows.extend(idle::look_again(left).await.context("row idle")?);
        Ok(rows)
    }
}

/// What a peer's measurement came to; that it could not be measured is a remark, not the end of the run.
fn of_peer(row: &str, running: &Running, measured: Result<Row>) -> Row {
    measured.unwrap_or_else(|error| {
        let name = running.peer.name();
        eprintln!("   {name}: {error:#}\n{}", running.logged());
        Row::new(row, name).remark(format!("not measured: {error:#}"))
    })
}
