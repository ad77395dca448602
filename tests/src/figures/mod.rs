//! What the bench found, as data: written as JSON, shown as tables, and rendered into docs/performance.md.
//!
//! Map: this file holds the report; [`goals`] the figures that the design sets and whether they were reached; [`tables`]
//! the text of both kinds of tables. Measures nothing.

pub mod goals;
pub mod tables;

use serde::{Deserialize, Serialize};

/// Everything that one run found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Date (UTC) of the run.
    pub date: String,
    /// Short hash of the measured code.
    pub commit: String,
    /// Whether steps were short.
    pub quick: bool,
    /// On what it ran.
    pub machine: Machine,
    /// What was measured, in the order of measuring.
    pub rows: Vec<Row>,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Name of its processor.
    pub cpu: String,
    /// Cores.
    pub cores: usize,
    /// Memory in GiB.
    pub memory_gib: f64,
    /// Version of its kernel.
    pub kernel: String,
    /// Median time to sync a small write to disk, in milliseconds.
    pub sync_to_disk_ms: f64,
    /// Load average of one minute before the run.
    pub load_before: f64,
    /// Whether server and generator had a core each.
    pub pinned: bool,
}

/// One measurement of one server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Which measurement: `co-edit`, `idle`, …
    pub row: String,
    /// Of whom: `taiwa`, `samod`, …
    pub peer: String,
    /// The figures, in the order of the table's columns.
    pub figures: Vec<Figure>,
    /// Whether all copies were equal at the end and nothing was lost.
    pub sound: bool,
    /// What a reader has to know, if anything.
    pub remark: String,
}

/// One number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What it says.
    pub name: String,
    /// In what.
    pub unit: String,
    /// How much.
    pub value: f64,
}

impl Row {
    /// An empty row of a sound measurement.
    pub fn new(row: &str, peer: &str) -> Self {
        Self { row: row.to_owned(), peer: peer.to_owned(), figures: Vec::new(), sound: true, remark: String::new() }
    }

    /// The same row with one more figure.
    #[must_use]
    pub fn with(mut self, name: &str, unit: &str, value: f64) -> Self {
        self.figures.push(Figure { name: name.to_owned(), unit: unit.to_owned(), value });
        self
    }

    /// The same row, sound or not.
    #[must_use]
    pub fn sound(mut self, is_sound: bool) -> Self {
        self.sound = is_sound;
        self
    }

    /// The same row with a remark.
    #[must_use]
    pub fn remark(mut self, remark: impl Into<String>) -> Self {
        self.remark = remark.into();
        self
    }

    /// A figure.
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.name == name).map(|figure| figure.value)
    }
}

impl Report {
    /// A figure of a row, if that was measured.
    pub fn figure(&self, row: &str, peer: &str, name: &str) -> Option<f64> {
        self.rows.iter().find(|found| found.row == row && found.peer == peer)?.figure(name)
    }
}
