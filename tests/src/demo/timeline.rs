//! What the demo prints: who did what, what the screen says, and whether a check from the outside held.
//!
//! Knows nothing of the product. Times are seconds since the story began.

use std::time::Instant;

/// The printed story, and the count of its checks.
#[derive(Debug)]
pub(super) struct Timeline {
    started: Instant,
    checks: usize,
    failures: Vec<String>,
}

impl Timeline {
    /// A story that begins now.
    pub(super) fn start() -> Self {
        Self { started: Instant::now(), checks: 0, failures: Vec::new() }
    }

    /// Begins an act.
    pub(super) fn act(&self, title: &str) {
        println!("\n── {title}");
    }

    /// Somebody does something, or a screen says something.
    pub(super) fn say(&self, who: &str, what: impl AsRef<str>) {
        println!("{:6.1}s  {who}  {}", self.started.elapsed().as_secs_f32(), what.as_ref());
    }

    /// Holds a statement against what was seen; a broken one is told at once and again at the end.
    pub(super) fn check(&mut self, statement: &str, holds: bool) {
        self.checks += 1;
        let mark = if holds { "✓" } else { "✗" };
        println!("{:6.1}s    {mark} {statement}", self.started.elapsed().as_secs_f32());
        if !holds {
            self.failures.push(statement.to_owned());
        }
    }

    /// Ends the story with the line that says how it went; true if every check held.
    pub(super) fn end(&self) -> bool {
        println!();
        for failure in &self.failures {
            println!("demo: failed: {failure}");
        }
        if self.failures.is_empty() {
            println!("demo: {} checks passed", self.checks);
        } else {
            println!("demo: {} of {} checks failed", self.failures.len(), self.checks);
        }
        self.failures.is_empty() && self.checks > 0
    }
}
