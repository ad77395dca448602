//! Renewing a sign-in without a password, and ending it.
//!
//! A refresh token stays good until a successor of it is first used, because a reply may be lost; using it after
//! that means that two parties hold the family, and ends the sign-in. The tokens of a device form a tree: using one
//! kills its parent and its siblings and gives it a child.

use std::time::Duration;

use taiwa_shared::{
    protocol::login::{RefreshRequest, Tokens},
    time::Timestamp,
};

use super::{
    Auth, AuthError, Identity,
    secret::{hash_of, new_secret},
};
use crate::{bus::News, store::refresh::TokenState};

/// A sign-in that is not renewed for so long is over.
const IDLE_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// After so long a password is asked for again, however busy the sign-in was.
const LONGEST_LIFE: Duration = Duration::from_secs(180 * 24 * 60 * 60);
/// Successors that one token may have while none was used: replies lost on a bad line.
const MAX_UNUSED_SUCCESSORS: i64 = 16;
/// A reply older than this is lost; its token may be forgotten for a new one.
const REPLY_LOST_AFTER: Duration = Duration::from_secs(60);

/// When a token that is given out at `now` expires.
pub(super) fn token_expiry(signed_in: Timestamp, now: Timestamp) -> Timestamp {
    now.plus(IDLE_LIFE).min(signed_in.plus(LONGEST_LIFE))
}

impl Auth {
    /// New tokens for a refresh token.
    ///
    /// # Errors
    /// [`AuthError::SignInAgain`] if the token is unknown, over or its sign-in was ended, by this very call if the token
    /// was used after its successor; [`AuthError::TooManyTries`] if 16 replies are under way; [`AuthError::Store`].
    pub async fn refresh(&self, request: &RefreshRequest) -> Result<Tokens, AuthError> {
        let hash = hash_of(request.refresh_token.expose());
        let now = self.clock.now();
        if !self.store.knows_token(&hash).await? {
            return Err(AuthError::SignInAgain);
        }
        let mut tx = self.store.begin().await?;
        let token = tx.present_token(&hash).await?.ok_or(AuthError::SignInAgain)?;
        if token.revoked || !token.active || now >= token.expires {
            return Err(AuthError::SignInAgain);
        }
        if token.state == TokenState::Dead {
            tx.revoke_device(token.organisation, token.device, now).await?;
            tx.commit().await?;
            tracing::warn!(
                target: "taiwa::audit", { user.id = %token.person, device.id = %token.device },
                "a refresh token was used after its successor: the sign-in was ended"
            );
            self.bus.publish(News::Revoked { device: token.device });
            return Err(AuthError::SignInAgain);
        }
        tx.use_token(&hash, token.parent.as_deref()).await?;
        let (unused, oldest) = tx.unused_successors(&hash).await?;
        if unused >= MAX_UNUSED_SUCCESSORS {
            let age = oldest.map_or(Duration::ZERO, |made| now.since(made));
            if age < REPLY_LOST_AFTER {
                return Err(AuthError::TooManyTries { retry_after: REPLY_LOST_AFTER - age });
            }
            tx.forget_oldest_successor(&hash).await?;
        }
        let (refresh_token, successor) = new_secret();
        let expires = token_expiry(token.signed_in, now);
        tx.add_token(&successor, token.organisation, token.device, Some(&hash), now, expires).await?;
        tx.commit().await?;
        Ok(self.tokens_for(token.organisation, token.person, token.device, token.role, refresh_token, now))
    }

    /// Ends a sign-in: its tokens stop working and its sockets close.
    ///
    /// # Errors
    /// [`AuthError::Store`].
    pub async fn sign_out(&self, identity: &Identity) -> Result<(), AuthError> {
        let mut tx = self.store.begin().await?;
        tx.revoke_device(identity.organisation, identity.device, self.clock.now()).await?;
        tx.commit().await?;
        tracing::info!(target: "taiwa::audit", { user.id = %identity.user, device.id = %identity.device }, "signed out");
        self.bus.publish(News::Revoked { device: identity.device });
        Ok(())
    }
}
