//! Simulated time that waits for the real database.
//!
//! tokio's paused clock jumps to the next timer as soon as the runtime has nothing to do. A database works outside of the
//! runtime, so a jump could be made while it writes: pools would time out, and which timer comes before which commit
//! would be chance. Here no time passes while a connection of a watched store is out. Knows no server.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use taiwa_server::store::Store;
use taiwa_shared::time::{Clock, Timestamp};
use tokio::{
    runtime::{Builder, Handle},
    sync::Notify,
    time::Instant,
};

/// A database that has not answered for so long of real time never will; then time goes on, and what waits fails.
const REAL_PATIENCE: Duration = Duration::from_secs(30);
/// When simulations begin: a Monday morning, 2027-01-04 at 09:00 in Tokyo.
const BEGIN: Timestamp = Timestamp::from_millis(1_799_020_800_000);

/// What keeps time from passing. Clones share it.
#[derive(Clone, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Default)]
struct Inner {
    held: AtomicUsize,
    stores: Mutex<Vec<Store>>,
    /// While this lives a blocking task waits for its end, and tokio lets no time pass.
    waiting: Mutex<Option<mpsc::Sender<()>>>,
    wanted: AtomicBool,
    at_work: Notify,
}

/// No time passes while this lives.
pub struct Held(Arc<Inner>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs a simulation to its end, in one thread.
///
/// # Panics
/// If no runtime can be made, or the simulation panics.
pub fn run<F: Future>(simulation: impl FnOnce(Gate) -> F) -> F::Output {
    let gate = Gate::default();
    let hook = gate.clone();
    let mut runtime = Builder::new_current_thread();
    runtime.enable_all().start_paused(true).on_thread_park(move || hook.before_rest());
    let runtime = runtime.build().expect("a runtime needs a few file descriptors");
    let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(simulation(gate))));
    // A failure is told at once: otherwise the end would wait for a blocking task that waits for the database.
    runtime.shutdown_background();
    ended.unwrap_or_else(|panic| resume_unwind(panic))
}

impl Gate {
    /// Lets no time pass while a connection of this store is in use.
    pub fn watch(&self, store: Store) {
        lock(&self.0.stores).push(store);
    }

    /// Watches no store any more.
    pub fn forget_stores(&self) {
        lock(&self.0.stores).clear();
    }

    /// Lets no time pass, for work with a database that is not watched.
    pub fn hold(&self) -> Held {
        self.0.held.fetch_add(1, Ordering::SeqCst);
        Held(Arc::clone(&self.0))
    }

    /// Waits until a database is at work and the program waits for it.
    pub async fn store_at_work(&self) {
        let mut at_work = pin!(self.0.at_work.notified());
        at_work.as_mut().enable();
        self.0.wanted.store(true, Ordering::SeqCst);
        at_work.await;
    }

    /// Called when the runtime has nothing to do: nothing but a database can make it go on before the next timer.
    fn before_rest(&self) {
        let store_busy = lock(&self.0.stores).iter().any(Store::is_busy);
        if store_busy && self.0.wanted.swap(false, Ordering::SeqCst) {
            self.0.at_work.notify_waiters();
        }
        let busy = store_busy || self.0.held.load(Ordering::SeqCst) > 0;
        let mut waiting = lock(&self.0.waiting);
        match (busy, waiting.is_some()) {
            (true, false) => {
                let (sender, receiver) = mpsc::channel();
                *waiting = Some(sender);
                Handle::current().spawn_blocking(move || receiver.recv_timeout(REAL_PATIENCE));
            }
            (false, true) => *waiting = None,
            _ => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The simulated time as the server asks for it.
#[derive(Debug, Clone, Copy)]
pub struct SimulatedClock {
    origin: Instant,
}

impl SimulatedClock {
    /// A clock that begins now; all that begin at the same moment show the same.
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        BEGIN.plus(self.origin.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_passes_while_the_database_works_and_an_hour_passes_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taiwa.db");
        let real = std::time::Instant::now();
        run(|gate| async move {
            let start = Instant::now();
            let held = gate.hold();
            let store = Store::open(path.to_str().unwrap(), BEGIN).await.unwrap();
            gate.watch(store.clone());
            drop(held);
            // Timers are due all the time; without the gate the first jump would come while SQLite writes.
            let ticking = tokio::spawn(async {
                loop {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
            for _ in 0..20 {
                let before = Instant::now();
                store.begin().await.unwrap().commit().await.unwrap();
                assert_eq!(Instant::now(), before, "time passed while the database worked");
            }
            let mut met = 0;
            let meeting = async {
                gate.store_at_work().await;
                met += 1;
            };
            let working = async { store.counters().await.unwrap() };
            tokio::join!(meeting, working);
            assert_eq!(met, 1);
            ticking.abort();
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            assert!(start.elapsed() >= Duration::from_secs(3_600));
        });
        assert!(real.elapsed() < Duration::from_secs(60), "an hour of timers took {:?}", real.elapsed());
    }
}
