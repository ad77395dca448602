//! The threads of the core: one runtime of two workers, made at the first call and kept.
//!
//! Calls come on the app's own executors, where tokio is not known, so every call does its work here and the app's
//! future only waits for it.

use std::{
    future::Future,
    sync::{LazyLock, OnceLock},
};

use tokio::runtime::{Builder, Handle, Runtime};

use super::ApiError;

/// One for the screen, one for synchronising; SQLite has threads of its own.
const WORKERS: usize = 2;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_multi_thread().worker_threads(WORKERS).thread_name("taiwa-core").enable_all().build();
    runtime.expect("a process that runs can start two threads")
});

/// The runtime's handle.
pub(super) fn handle() -> &'static Handle {
    static HANDLE: OnceLock<Handle> = OnceLock::new();
    HANDLE.get_or_init(|| RUNTIME.handle().clone())
}

/// Does the work on the core's threads. If the app stops waiting, the work is done all the same: an edit is never
/// broken off half way.
pub(super) async fn run<T, E>(work: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, ApiError>
where
    T: Send + 'static,
    E: Into<ApiError> + Send + 'static,
{
    match handle().spawn(work).await {
        Ok(result) => result.map_err(Into::into),
        // What a panic says may quote a document.
        Err(error) => {
            let how = if error.is_panic() { "panicked" } else { "was ended" };
            Err(ApiError::Unexpected { details: format!("a call of the core {how}") })
        }
    }
}

/// Calls an async function of an object's `inner` on the core's threads.
macro_rules! ask {
    ($self:ident . $function:ident ( $($argument:expr),* )) => {{
        let inner = $self.inner.clone();
        $crate::api::runtime::run(async move { inner.$function($($argument),*).await }).await
    }};
}
pub(super) use ask;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_panic_says_does_not_leave_the_core() {
        let failed: Result<(), ApiError> =
            run(async { if true { panic!("内緒") } else { Ok::<(), ApiError>(()) } }).await;
        let Err(ApiError::Unexpected { details }) = failed else { unreachable!("it panicked: {failed:?}") };
        assert_eq!(details, "a call of the core panicked");
    }
}
