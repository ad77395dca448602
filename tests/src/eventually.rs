//! Waiting for a condition, with a deadline that names what was waited for.
//!
//! The only place of the tests that polls. A test that fails here says what it last saw.

use std::{fmt::Debug, future::Future, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// How often a condition is looked at; far below what a person notices and far above what it costs.
const LOOK_EVERY: Duration = Duration::from_millis(4);

/// What [`eventually`] allows when a test has no reason to allow another time. Long, because two cores are shared.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Looks until `condition` yields a value, and returns it.
///
/// # Panics
/// If there is none after `deadline`; the message says `what`.
pub async fn eventually<T, F>(what: &str, deadline: Duration, mut condition: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let started = Instant::now();
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // A condition that waits for an answer must not wait for ever either.
        if let Ok(Some(value)) = timeout(deadline, condition()).await {
            return value;
        }
        assert!(started.elapsed() < deadline, "not within {deadline:?}: {what}");
    }
}

/// Looks until `look` sees `expected`.
///
/// # Panics
/// If it does not within [`PATIENCE`]; the message shows what was seen last.
pub async fn eventually_equals<T, F>(what: &str, expected: &T, mut look: impl FnMut() -> F)
where
    T: PartialEq + Debug,
    F: Future<Output = T>,
{
    let started = Instant::now();
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let seen = timeout(PATIENCE, look()).await.ok();
        if seen.as_ref() == Some(expected) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}\n  seen {seen:?}\n  want {expected:?}");
    }
}
