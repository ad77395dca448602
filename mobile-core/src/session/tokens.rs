//! The access token, and its renewal: one at a time, and never with a reply lost.
//!
//! An owner task does it, so that a caller who gives up waiting does not break it off. A new pair of tokens is on the
//! disk before it is used; until then the old refresh token stays, which the server takes again because its successor
//! was never used. When the server says that the sign-in is over, only the tokens go: no edit and no document.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use taiwa_shared::{
    protocol::{login::Secret, problem::ProblemCode},
    time::{Clock, Timestamp},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::SessionError;
use crate::{
    http::{HttpClient, HttpError},
    store::{LocalTokens, Store},
};

use std::time::Duration;

/// A token is renewed when it has less than this left of its ten minutes.
const MARGIN: Duration = Duration::from_secs(120);
/// Requests that wait for a renewal under way; more callers than screens and sync tasks do not exist.
const MAX_WAITING: usize = 32;

type Answer = oneshot::Sender<Result<(Secret, Timestamp), SessionError>>;

/// Gives out access tokens.
#[derive(Debug, Clone)]
pub(super) struct TokenKeeper {
    requests: mpsc::Sender<Request>,
    renewals: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Request {
    /// Set if the caller saw the current token refused: how many renewals there had been by then.
    refused_after: Option<u64>,
    answer: Answer,
}

impl TokenKeeper {
    pub(super) fn start(
        store: Store,
        http: HttpClient,
        clock: Arc<dyn Clock>,
        tasks: &TaskTracker,
        ended: CancellationToken,
    ) -> Self {
        let (requests, mut received) = mpsc::channel(MAX_WAITING);
        let renewals = Arc::new(AtomicU64::new(0));
        let owner = Owner { store, http, clock, renewals: renewals.clone() };
        tasks.spawn(async move {
            loop {
                let request: Request = tokio::select! {
                    () = ended.cancelled() => return,
                    request = received.recv() => match request {
                        Some(request) => request,
                        None => return,
                    },
                };
                // A renewal that is broken off leaves the old refresh token, which the server takes again.
                let token = tokio::select! {
                    () = ended.cancelled() => return,
                    token = owner.token(request.refused_after) => token,
                };
                let _ = request.answer.send(token);
            }
        });
        Self { requests, renewals }
    }

    /// A token that is good for two more minutes.
    pub(super) async fn token(&self) -> Result<(Secret, Timestamp), SessionError> {
        self.ask(None).await
    }

    /// Another token than the one given last.
    pub(super) async fn renewed(&self) -> Result<(Secret, Timestamp), SessionError> {
        self.ask(Some(self.renewals.load(Ordering::Acquire))).await
    }

    /// Asks with the token; once more with a new one if the server refuses it. The outer error is about the token.
    pub(super) async fn with_token<T, F, Fut>(&self, request: F) -> Result<Result<T, HttpError>, SessionError>
    where
        F: Fn(Secret) -> Fut,
        Fut: Future<Output = Result<T, HttpError>>,
    {
        let (token, _) = self.token().await?;
        match request(token).await {
            Err(error) if error.code() == Some(ProblemCode::TokenInvalid) => {
                let (token, _) = self.renewed().await?;
                Ok(request(token).await)
            }
            answer => Ok(answer),
        }
    }

    async fn ask(&self, refused_after: Option<u64>) -> Result<(Secret, Timestamp), SessionError> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request { refused_after, answer }).await.map_err(|_| SessionError::Ended)?;
        answered.await.map_err(|_| SessionError::Ended)?
    }
}

struct Owner {
    store: Store,
    http: HttpClient,
    clock: Arc<dyn Clock>,
    renewals: Arc<AtomicU64>,
}

impl Owner {
    async fn token(&self, refused_after: Option<u64>) -> Result<(Secret, Timestamp), SessionError> {
        let tokens = self.store.tokens().await?.ok_or(SessionError::SignInAgain)?;
        let wanted = refused_after == Some(self.renewals.load(Ordering::Acquire));
        let expired = tokens.access_expires <= self.clock.now().plus(MARGIN);
        if !wanted && !expired {
            return Ok((tokens.access_token, tokens.access_expires));
        }
        self.renew(&tokens).await
    }

    async fn renew(&self, old: &LocalTokens) -> Result<(Secret, Timestamp), SessionError> {
        let renewed = match self.http.refresh(&old.refresh_token).await {
            Ok(tokens) => LocalTokens::received(tokens, self.clock.now()),
            Err(error) if matches!(error.code(), Some(ProblemCode::SignInAgain | ProblemCode::TokenInvalid)) => {
                self.store.put_tokens(None).await?;
                return Err(SessionError::SignInAgain);
            }
            Err(error) => return Err(error.into()),
        };
        self.store.put_tokens(Some(&renewed)).await?;
        self.renewals.fetch_add(1, Ordering::AcqRel);
        Ok((renewed.access_token, renewed.access_expires))
    }
}
