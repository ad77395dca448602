//! The search for how much load a server sustains: up in steps until the 99th percentile is too late, then between.
//!
//! One server, one growing crowd. Load that nobody makes is not counted: a step that this process could not make on time
//! was not sustained, and the result says that it is the generator's limit.

use std::time::Duration;

use anyhow::Result;

use crate::crowd::Measured;

/// The 99th percentile of propagation that still counts as sustained.
pub(crate) const SUSTAINED_MS: f64 = 100.0;
/// An edit that is made so late says that this process is the limit.
const TOO_LATE_MS: f64 = 50.0;
/// A step up that is smaller is not worth a measurement.
const FINEST: f64 = 1.07;

/// Where to look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Search {
    /// The first load; lower ones are tried if it is too much.
    pub(crate) first: usize,
    /// The largest load that is tried.
    pub(crate) most: usize,
    /// How much a step goes up.
    pub(crate) factor: f64,
    /// Length of a step.
    pub(crate) step: Duration,
    /// Measurements at most.
    pub(crate) tries: usize,
}

/// What the search found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The largest load that was sustained, with its measurement.
    pub(crate) best: Option<Measured>,
    /// The smallest load that was not.
    pub(crate) failed: Option<Measured>,
    /// Whether this process, not the server, set the limit.
    pub(crate) by_generator: bool,
}

/// Whether a measurement counts as sustained: everything arrived soon enough, and was made when it should have been.
pub(crate) fn is_sustained(measured: &Measured) -> bool {
    measured.converged() && measured.latency_ms[1] < SUSTAINED_MS && measured.late_ms <= TOO_LATE_MS
}

impl Search {
    /// Looks for the largest sustained load; `measure` makes one.
    ///
    /// # Errors
    /// Whatever `measure` says.
    pub(crate) async fn run(&self, mut measure: impl AsyncFnMut(usize) -> Result<Measured>) -> Result<Found> {
        let mut found = Found { best: None, failed: None, by_generator: false };
        let mut load = self.first.min(self.most);
        for _ in 0..self.tries {
            let measured = Measured { load, ..measure(load).await? };
            eprintln!("      {load}: {}", describe(&measured));
            if is_sustained(&measured) {
                found.best = Some(measured);
                if load == self.most {
                    break;
                }
            } else {
                found.by_generator = measured.late_ms > TOO_LATE_MS && measured.server_core < 0.9;
                found.failed = Some(measured);
            }
            let low = found.best.as_ref().map_or(0, |best| best.load);
            load = match &found.failed {
                None => ((low as f64 * self.factor) as usize).min(self.most),
                Some(failed) if low == 0 => failed.load / 2,
                Some(failed) => (low + failed.load) / 2,
            };
            if load == 0 || (low > 0 && (load as f64) < low as f64 * FINEST) {
                break;
            }
        }
        Ok(found)
    }
}

/// A measurement in one line.
pub(crate) fn describe(measured: &Measured) -> String {
    let Measured { edits_per_second, latency_ms: [p50, p99, max], server_us, server_core, .. } = measured;
    let lost = if measured.converged() {
        String::new()
    } else {
        format!(", {} not arrived, {} memos differ", measured.undelivered, measured.diverged)
    };
    format!(
        "{edits_per_second:.0} edits/s, p50 {p50:.1} p99 {p99:.1} max {max:.0} ms, {server_us:.0} µs/edit, server {:.0} % \
         (waited {:.0} %), generator {:.0} % (late {:.1} ms){lost}",
        server_core * 100.0,
        measured.server_waited * 100.0,
        measured.generator_core * 100.0,
        measured.late_ms
    )
}
