//! Observers: the app's object gets the current value first and then each different one, in order, off the main thread.
//!
//! A [`Subscription`] ends them when it is cancelled or dropped. An observer must not hold its subscription strongly, or
//! neither is ever freed.

use std::sync::Arc;

use tokio::task::AbortHandle;

use super::{BriefView, CaretView, HomeView, MemoView, PrepareView, StatusView, runtime::handle};
use crate::session::Watch;

/// The app's observer failed.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum ObserverError {
    /// It threw; it is called again with the next value.
    #[error("the observer failed: {reason}")]
    Failed {
        /// In words.
        reason: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for ObserverError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed { reason: error.reason }
    }
}

/// Shows home.
#[uniffi::export(foreign)]
pub trait HomeObserver: Send + Sync {
    /// The value now.
    ///
    /// # Errors
    /// [`ObserverError`] is logged.
    fn on_home(&self, home: HomeView) -> Result<(), ObserverError>;
}

/// Shows where edits are and how the connection stands.
#[uniffi::export(foreign)]
pub trait StatusObserver: Send + Sync {
    /// The value now.
    ///
    /// # Errors
    /// [`ObserverError`] is logged.
    fn on_status(&self, status: StatusView) -> Result<(), ObserverError>;
}

/// Shows a preparation form.
#[uniffi::export(foreign)]
pub trait PrepareObserver: Send + Sync {
    /// The value now.
    ///
    /// # Errors
    /// [`ObserverError`] is logged.
    fn on_prepare(&self, form: PrepareView) -> Result<(), ObserverError>;
}

/// Shows a brief.
#[uniffi::export(foreign)]
pub trait BriefObserver: Send + Sync {
    /// The value now.
    ///
    /// # Errors
    /// [`ObserverError`] is logged.
    fn on_brief(&self, brief: BriefView) -> Result<(), ObserverError>;
}

/// Shows a memo.
#[uniffi::export(foreign)]
pub trait MemoObserver: Send + Sync {
    /// The value now. The text field itself is changed only through `remote` and `adopt` of the memo.
    ///
    /// # Errors
    /// [`ObserverError`] is logged.
    fn on_memo(&self, memo: MemoView) -> Result<(), ObserverError>;
}

/// Shows the other person's caret.
#[uniffi::export(foreign)]
pub trait CaretObserver: Send + Sync {
    /// It moved.
    ///
    /// # Errors
    /// [`ObserverError`] is logged.
    fn on_caret(&self, caret: CaretView) -> Result<(), ObserverError>;
}

/// Ends an observer when cancelled or dropped. A call that is under way comes to its end.
#[derive(uniffi::Object)]
pub struct Subscription {
    task: AbortHandle,
}

#[uniffi::export]
impl Subscription {
    /// Ends the observer.
    pub fn cancel(&self) {
        self.task.abort();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Hands each value of a watch to the app.
pub(super) fn observed<T, V>(
    mut watch: Watch<T>,
    deliver: impl Fn(V) -> Result<(), ObserverError> + Send + Sync + 'static,
) -> Arc<Subscription>
where
    T: Clone + PartialEq + Send + Sync + 'static,
    V: From<T> + Send + 'static,
{
    let deliver = Arc::new(deliver);
    subscribed(async move {
        while let Some(value) = watch.next().await {
            match value {
                Ok(value) => call(&deliver, V::from(value)).await,
                // The next change is another chance; the screen keeps what it shows.
                Err(error) => tracing::warn!(%error, "an observed value could not be read"),
            }
        }
    })
}

/// A task that lives as long as its subscription.
pub(super) fn subscribed(task: impl Future<Output = ()> + Send + 'static) -> Arc<Subscription> {
    Arc::new(Subscription { task: handle().spawn(task).abort_handle() })
}

/// Calls the app where it may block; waits, so that values arrive in order.
pub(super) async fn call<V, F>(deliver: &Arc<F>, value: V)
where
    V: Send + 'static,
    F: Fn(V) -> Result<(), ObserverError> + Send + Sync + 'static,
{
    let deliver = deliver.clone();
    match tokio::task::spawn_blocking(move || deliver(value)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "an observer of the app failed"),
        // Without its text: what a panic says may quote what was shown.
        Err(_) => tracing::warn!("an observer of the app panicked"),
    }
}
