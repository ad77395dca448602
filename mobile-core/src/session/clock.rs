//! The system's clock, behind the trait that tests replace.

use std::time::SystemTime;

use taiwa_shared::time::{Clock, Timestamp};

/// The time of the device.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::default().plus(since_epoch)
    }
}
