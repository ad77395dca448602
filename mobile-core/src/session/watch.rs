//! Observers: the current value first, then each different one.
//!
//! Every screen is a function of the store, so one mechanism serves all: something changed, load again, compare.

use std::{future::Future, pin::Pin};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::SessionError;

type Load<T> = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<T, SessionError>> + Send>> + Send + Sync>;

/// Something in the session changed; counts up.
#[derive(Debug)]
pub(super) struct Changes(watch::Sender<u64>);

impl Changes {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(0))
    }
    /// Makes every observer look again.
    pub(super) fn happened(&self) {
        self.0.send_modify(|count| *count += 1);
    }
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

/// One observer of a value.
pub struct Watch<T> {
    load: Load<T>,
    changes: watch::Receiver<u64>,
    ended: CancellationToken,
    shown: Option<T>,
    looked: bool,
}

impl<T: Clone + PartialEq> Watch<T> {
    pub(super) fn new<F, Fut>(changes: watch::Receiver<u64>, ended: CancellationToken, load: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, SessionError>> + Send + 'static,
    {
        Self { load: Box::new(move || Box::pin(load())), changes, ended, shown: None, looked: false }
    }

    /// The value: at once the first time, then as soon as it is another one; none after the session has ended.
    ///
    /// # Errors
    /// What loading gives; the observer goes on and tries again after the next change.
    ///
    /// # Cancellation
    /// Loses nothing: the next call gives the value.
    pub async fn next(&mut self) -> Option<Result<T, SessionError>> {
        loop {
            if self.ended.is_cancelled() {
                return None;
            }
            if self.looked {
                tokio::select! {
                    () = self.ended.cancelled() => return None,
                    changed = self.changes.changed() => changed.ok()?,
                }
            }
            // Seen before loading, so that a change during the load is looked at again.
            self.looked = false;
            self.changes.mark_unchanged();
            let loaded = (self.load)().await;
            self.looked = true;
            let value = match loaded {
                Ok(value) => value,
                Err(SessionError::Ended) => return None,
                Err(error) => return Some(Err(error)),
            };
            if self.shown.as_ref() != Some(&value) {
                self.shown = Some(value.clone());
                return Some(Ok(value));
            }
        }
    }
}
