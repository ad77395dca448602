//! The figures that the design sets (section 7), and how a report stands against them.
//!
//! Ratios are of one run on one machine. What was not measured has no verdict.

use super::Report;

/// A figure to reach.
#[derive(Debug, Clone, PartialEq)]
pub struct Goal {
    /// What is measured.
    pub what: &'static str,
    /// What it has to be.
    pub bound: Bound,
    /// In what.
    pub unit: &'static str,
    /// What it is, if it was measured.
    pub measured: Option<f64>,
}

/// How far a figure may go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

impl Goal {
    /// Whether it is reached, if it was measured.
    pub fn is_reached(&self) -> Option<bool> {
        self.measured.map(|measured| match self.bound {
            Bound::AtMost(most) => measured <= most,
            Bound::AtLeast(least) => measured >= least,
        })
    }
}

/// Where a goal's number comes from.
type Reading = fn(&Report) -> Option<f64>;

const GOALS: &[(&str, Bound, &str, Reading)] = &[
    ("co-editing pairs sustained, ÷ samod", Bound::AtLeast(50.0), "×", |report| pairs_over(report, "samod")),
    ("co-editing pairs sustained, ÷ JavaScript sync server", Bound::AtLeast(200.0), "×", |report| {
        pairs_over(report, "automerge-repo")
    }),
    ("co-editing pairs sustained, ÷ hocuspocus", Bound::AtLeast(3.0), "×", |report| pairs_over(report, "hocuspocus")),
    ("server CPU per edit, ÷ relay without CRDT and storage", Bound::AtMost(4.0), "×", |report| {
        let of = |peer| report.figure("co-edit", peer, "server CPU");
        Some(of("taiwa")? / of("relay")?)
    }),
    ("edits sustained with memos of 25,000 characters, ÷ 80 characters", Bound::AtLeast(0.9), "×", |report| {
        let of = |row| report.figure(row, "taiwa", "edits");
        Some(of("memos of 25,000")? / of("memos of 80")?)
    }),
    ("acknowledged edits lost at kill -9", Bound::AtMost(0.0), "edits", |report| {
        report.figure("crash", "taiwa", "lost")
    }),
    ("guard, ÷ server CPU per edit", Bound::AtMost(15.0), "%", |report| report.figure("guard", "taiwa", "share")),
    ("CPU of connecting, last tenth ÷ first tenth", Bound::AtMost(1.2), "×", |report| {
        Some(report.figure("connect", "taiwa", "last tenth")? / report.figure("connect", "taiwa", "first tenth")?)
    }),
    ("memory of an idle connection, document evicted", Bound::AtMost(12.0), "kB", |report| {
        report.figure("idle", "taiwa", "per connection")
    }),
    ("memory after everybody left, ÷ before they came", Bound::AtMost(1.2), "×", |report| {
        Some(report.figure("idle", "taiwa", "after leaving")? / report.figure("idle", "taiwa", "before")?)
    }),
    ("reconnect of an unchanged phone with 500 documents", Bound::AtMost(2.0), "round trips", |report| {
        report.figure("reconnect", "taiwa", "round trips")
    }),
    ("the same, bytes both ways", Bound::AtMost(5.0), "kB", |report| report.figure("reconnect", "taiwa", "bytes")),
    ("two days of offline edits", Bound::AtMost(3.0), "round trips", |report| {
        report.figure("backlog", "taiwa", "round trips")
    }),
    ("the same, bytes ÷ change chunks", Bound::AtMost(1.5), "×", |report| {
        report.figure("backlog", "taiwa", "overhead")
    }),
    ("brief from a cold start, 3 years of data", Bound::AtMost(50.0), "ms", |report| {
        report.figure("phone", "taiwa", "brief")
    }),
    ("an edit on the phone, 99th percentile", Bound::AtMost(2.0), "ms", |report| {
        report.figure("phone", "taiwa", "edit p99")
    }),
    ("an edit on the phone, synced to disk after", Bound::AtMost(300.0), "ms", |report| {
        report.figure("phone", "taiwa", "on disk p99")
    }),
    ("memory of the phone core, 12 months, 13 members", Bound::AtMost(30.0), "MB", |report| {
        report.figure("phone", "taiwa", "memory")
    }),
    ("any page or search of a million tips on SQLite, 99th percentile", Bound::AtMost(20.0), "ms", |report| {
        slowest_of_a_million(report, "taiwa on SQLite")
    }),
    ("the same on PostgreSQL", Bound::AtMost(20.0), "ms", |report| slowest_of_a_million(report, "taiwa on PostgreSQL")),
];

fn slowest_of_a_million(report: &Report, on: &str) -> Option<f64> {
    let tips = report.figure("tips", on, "tips")?;
    report.figure("tips", on, "worst").filter(|_| tips >= 1e6)
}

fn pairs_over(report: &Report, peer: &str) -> Option<f64> {
    let of = |peer| report.figure("co-edit", peer, "pairs");
    Some(of("taiwa")? / of(peer)?.max(1.0))
}

/// All goals, with what the report says to each.
pub fn goals(report: &Report) -> Vec<Goal> {
    let goals = GOALS.iter().map(|(what, bound, unit, reading)| Goal {
        what,
        bound: *bound,
        unit,
        measured: reading(report).filter(|measured| measured.is_finite()),
    });
    goals.collect()
}
