//! Each contact with the server: tokens, then records, then the outbox and ratings, then claims; documents follow in `sync`.
//!
//! Called by the sync task after each connect and when there is news. Uses only what is in the store, so that being
//! dropped half way loses nothing: the next contact starts at the same cursor.

use std::{future::Future, sync::Arc};

use taiwa_shared::protocol::{
    login::Secret,
    problem::ProblemCode,
    records::{ClaimOutcome, ClaimRequest, ClaimResponse, DocumentClaim, RecordsPage},
};

use super::{SessionError, core::Core, desk::Desk, outbox::Sent, tokens::TokenKeeper};
use crate::{
    http::{HttpClient, HttpError},
    store::{LocalDocument, RefusalReason},
    sync::{AccessToken, Credentials, CredentialsError, Freshness},
};

/// Most claims in one request, as `shared::protocol::records` says.
const MAX_CLAIMS: usize = 200;
/// Most pages in one contact: 10,000 pages are far above any organisation; more is a server that never ends.
const MAX_PAGES: usize = 10_000;
/// How often in one contact the outbox is sent and the records are pulled after it: a server that is restored meanwhile
/// makes it twice, and what is given meanwhile makes a contact of its own.
const MAX_ROUNDS: usize = 4;

/// The session's side of synchronising.
pub(super) struct Contact {
    pub(super) core: Arc<Core>,
    pub(super) http: HttpClient,
    pub(super) tokens: TokenKeeper,
    pub(super) desk: Desk,
}

impl Credentials for Contact {
    async fn access_token(&self, freshness: Freshness) -> Result<AccessToken, CredentialsError> {
        let token = match freshness {
            Freshness::Cached => self.tokens.token().await,
            Freshness::Renewed => self.tokens.renewed().await,
        };
        token.map(|(token, expires)| AccessToken { token, expires }).map_err(credentials_error)
    }

    async fn before_sync(&self) -> Result<(), CredentialsError> {
        self.records_and_outbox().await.map_err(credentials_error)?;
        self.exchange_ratings().await.map_err(credentials_error)?;
        self.claim().await.map_err(credentials_error)
    }
}

impl Contact {
    /// Pulls, sends the outbox, and pulls again what that has changed.
    async fn records_and_outbox(&self) -> Result<(), SessionError> {
        self.pull().await?;
        for _ in 0..MAX_ROUNDS {
            if self.send_commands().await? == Sent::Nothing {
                break;
            }
            self.pull().await?;
        }
        Ok(())
    }

    /// Pulls every page of records since the cursor; then they show every command that was answered before.
    async fn pull(&self) -> Result<(), SessionError> {
        let answered = self.core.store.answered_commands().await?;
        self.pull_pages().await?;
        if !answered.is_empty() {
            self.core.store.settle_commands(&answered).await?;
            self.core.read_roster().await?;
        }
        Ok(())
    }

    async fn pull_pages(&self) -> Result<(), SessionError> {
        for _ in 0..MAX_PAGES {
            let known = self.core.store.cursor().await?;
            let since = known.as_ref().map(|known| known.cursor.clone());
            let mut page = self.ask(|token| self.records(token, since.clone())).await?;
            if known.is_some_and(|known| known.epoch != page.epoch) {
                // Another epoch: what the cursor counted is gone, so everything is pulled; nothing is purged for it.
                page = self.ask(|token| self.records(token, None)).await?;
            }
            let more = page.more;
            self.desk.apply_page(page).await?;
            if !more {
                break;
            }
        }
        Ok(())
    }

    /// Makes the server know of the documents that this phone derived by itself.
    async fn claim(&self) -> Result<(), SessionError> {
        let unclaimed: Vec<LocalDocument> =
            self.core.store.documents().await?.into_iter().filter(|it| !it.claimed && it.refused.is_none()).collect();
        for batch in unclaimed.chunks(MAX_CLAIMS) {
            let claims =
                batch.iter().map(|document| DocumentClaim { key: document.key, slot: document.slot }).collect();
            let request = ClaimRequest { claims };
            let answer = self.ask(|token| self.send_claims(token, &request)).await?;
            let mut known = Vec::with_capacity(batch.len());
            for (document, outcome) in batch.iter().zip(&answer.outcomes) {
                match outcome {
                    ClaimOutcome::Known { document: id, .. } if *id == document.id => known.push(document.id),
                    ClaimOutcome::Known { .. } => self.refuse(document, RefusalReason::Replaced).await?,
                    ClaimOutcome::Refused => self.refuse(document, RefusalReason::NoAccess).await?,
                }
            }
            self.core.store.mark_claimed(&known).await?;
        }
        Ok(())
    }

    async fn refuse(&self, document: &LocalDocument, reason: RefusalReason) -> Result<(), SessionError> {
        self.core.store.mark_refused(document.id, Some(reason)).await?;
        self.desk.refused(document.id, reason).await
    }

    async fn records(&self, token: Secret, since: Option<String>) -> Result<RecordsPage, HttpError> {
        match self.http.records(&token, since.as_deref()).await {
            // Not a cursor of this server: pulled from the start, like a new epoch.
            Err(error) if since.is_some() && error.code() == Some(ProblemCode::InvalidRequest) => {
                self.http.records(&token, None).await
            }
            answer => answer,
        }
    }

    async fn send_claims(&self, token: Secret, request: &ClaimRequest) -> Result<ClaimResponse, HttpError> {
        self.http.claim(&token, request).await
    }

    /// Asks with the token; once more with a new one if the server refuses it.
    async fn ask<T, F, Fut>(&self, request: F) -> Result<T, SessionError>
    where
        F: Fn(Secret) -> Fut,
        Fut: Future<Output = Result<T, HttpError>>,
    {
        Ok(self.try_ask(request).await??)
    }

    /// As [`Self::ask`], for whoever tells the server's refusals apart; the outer error is about the token.
    pub(super) async fn try_ask<T, F, Fut>(&self, request: F) -> Result<Result<T, HttpError>, SessionError>
    where
        F: Fn(Secret) -> Fut,
        Fut: Future<Output = Result<T, HttpError>>,
    {
        self.tokens.with_token(request).await
    }
}

fn credentials_error(error: SessionError) -> CredentialsError {
    match error {
        SessionError::SignInAgain => CredentialsError::SignInAgain,
        SessionError::UpdateApp => CredentialsError::UpdateApp,
        other => CredentialsError::TryLater(Box::new(other)),
    }
}
