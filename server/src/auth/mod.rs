//! Who somebody is: invitations, passwords, access tokens, refresh tokens, socket tickets.
//!
//! Map: [`login`] first and later sign-ins; [`refresh`] renewing and ending them; [`devices`] listing and revoking; [`ticket`] for browsers' sockets;
//! `password` argon2id; [`token`] access tokens; `secret` random secrets and their hashes. Decides who somebody is,
//! never what they may do. Secrets are stored as hashes and never logged.

pub mod devices;
pub mod login;
mod password;
pub mod refresh;
mod secret;
pub mod ticket;
pub mod token;

use std::{sync::Arc, time::Duration};

use taiwa_shared::{
    domain::people::Role,
    ids::{DeviceId, OrganisationId, UserId},
    time::{Clock, Timestamp},
};

use crate::{
    bus::Bus,
    store::{Store, StoreError},
};
use password::Passwords;
use token::TokenKey;

/// What proves who somebody is, after the proof was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The organisation.
    pub organisation: OrganisationId,
    /// The person.
    pub user: UserId,
    /// The sign-in.
    pub device: DeviceId,
    /// What the person may do besides holding 1on1s.
    pub role: Role,
    /// When the proof expires.
    pub expires: Timestamp,
}

/// A sign-in that did not work, by what the person does next.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// E-mail and password do not match, or the invitation is unknown, used or over.
    #[error("credentials refused")]
    CredentialsRefused,
    /// The refresh token is unknown or over, or its sign-in was ended.
    #[error("refresh token refused")]
    SignInAgain,
    /// The access token or socket ticket is not valid.
    #[error("token refused")]
    TokenInvalid,
    /// The sign-in to end is not one of this person, or was over already.
    #[error("no such sign-in")]
    UnknownDevice,
    /// The password cannot be accepted.
    #[error("password refused: {0}")]
    PasswordTooWeak(&'static str),
    /// There are several organisations, and none was named.
    #[error("an organisation has to be named")]
    OrganisationNeeded,
    /// Too many tries.
    #[error("too many tries")]
    TooManyTries {
        /// How long to wait.
        retry_after: Duration,
    },
    /// All processors are busy with passwords.
    #[error("too many sign-ins at once")]
    Busy,
    /// The database could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What sign-in works with; clones share it.
#[derive(Clone)]
pub struct Auth {
    store: Store,
    bus: Bus,
    clock: Arc<dyn Clock>,
    tokens: Arc<TokenKey>,
    passwords: Arc<Passwords>,
}

impl Auth {
    /// Joins the parts; hashes one password, so that it takes a moment.
    pub fn new(store: Store, bus: Bus, clock: Arc<dyn Clock>, tokens: TokenKey) -> Self {
        Self { store, bus, clock, tokens: Arc::new(tokens), passwords: Arc::new(Passwords::new()) }
    }

    /// Who a valid access token speaks for, without asking the database whether the sign-in was ended since.
    pub fn identity_in_token(&self, token: &str) -> Option<Identity> {
        self.tokens.verify(token, self.clock.now())
    }

    /// Who a valid access token of a sign-in that still lasts speaks for.
    ///
    /// # Errors
    /// [`AuthError::TokenInvalid`], [`AuthError::Store`].
    pub async fn identity(&self, token: &str) -> Result<Identity, AuthError> {
        let identity = self.identity_in_token(token).ok_or(AuthError::TokenInvalid)?;
        self.still_signed_in(identity).await
    }

    /// The same identity with the role that the records give now.
    pub(crate) async fn still_signed_in(&self, identity: Identity) -> Result<Identity, AuthError> {
        match self.store.device(identity.organisation, identity.device).await? {
            Some((user, role)) if user == identity.user => Ok(Identity { role, ..identity }),
            _ => Err(AuthError::TokenInvalid),
        }
    }
}

#[cfg(test)]
mod tests;
