//! A time that runs with the machine's and that a test moves.
//!
//! Given to servers and phones instead of the system's clock. It never moves any timer: only what asks for the time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use taiwa_shared::time::{Clock, Timestamp};

/// The machine's time plus an offset that all clones share.
#[derive(Debug, Clone, Default)]
pub struct TestClock {
    offset_millis: Arc<AtomicI64>,
}

impl TestClock {
    /// A clock that shows the machine's time.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the time on.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).expect("tests move the clock by less than an age");
        self.offset_millis.fetch_add(millis, Ordering::SeqCst);
    }

    /// Moves the time back, as a person does who sets a clock.
    pub fn set_back(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).expect("tests move the clock by less than an age");
        self.offset_millis.fetch_sub(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let system = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let offset = self.offset_millis.load(Ordering::SeqCst);
        Timestamp::from_millis(i64::try_from(system.as_millis()).unwrap_or(i64::MAX).saturating_add(offset))
    }
}
