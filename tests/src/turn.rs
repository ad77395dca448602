//! Heavy tests one after another, so that they do not starve each other of the machine's few cores.

use tokio::sync::{Mutex, MutexGuard};

static TURN: Mutex<()> = Mutex::const_new(());

/// Waits until no other heavy test runs; hold the guard until the test ends.
pub async fn my_turn() -> MutexGuard<'static, ()> {
    TURN.lock().await
}
