//! Socket tickets: browsers cannot send a header with a WebSocket, so they bring a one-use ticket of 30 seconds.

use std::time::Duration;

use taiwa_shared::protocol::login::TicketResponse;

use super::{
    Auth, AuthError, Identity,
    secret::{hash_of, new_secret},
};
use crate::store::login::BurnedTicket;

/// Enough to open a socket on a bad line; short, because it stands in a URL.
const TICKET_LIFE: Duration = Duration::from_secs(30);

impl Auth {
    /// A ticket for one socket of this sign-in.
    ///
    /// # Errors
    /// [`AuthError::Store`].
    pub async fn issue_ticket(&self, identity: &Identity) -> Result<TicketResponse, AuthError> {
        let (ticket, hash) = new_secret();
        let expires = self.clock.now().plus(TICKET_LIFE);
        let row = BurnedTicket {
            organisation: identity.organisation,
            device: identity.device,
            expires,
            principal_expires: identity.expires,
        };
        let mut tx = self.store.begin().await?;
        tx.add_ticket(&hash, &row).await?;
        tx.commit().await?;
        Ok(TicketResponse { ticket, expires })
    }

    /// Who a ticket speaks for; it never works again.
    ///
    /// # Errors
    /// [`AuthError::TokenInvalid`], [`AuthError::Store`].
    pub async fn burn_ticket(&self, ticket: &str) -> Result<Identity, AuthError> {
        let hash = hash_of(ticket);
        if !self.store.has_ticket(&hash).await? {
            return Err(AuthError::TokenInvalid);
        }
        let mut tx = self.store.begin().await?;
        let row = tx.burn_ticket(&hash).await?.ok_or(AuthError::TokenInvalid)?;
        tx.commit().await?;
        if self.clock.now() >= row.expires {
            return Err(AuthError::TokenInvalid);
        }
        let (user, role) = self.store.device(row.organisation, row.device).await?.ok_or(AuthError::TokenInvalid)?;
        Ok(Identity { organisation: row.organisation, user, device: row.device, role, expires: row.principal_expires })
    }
}
