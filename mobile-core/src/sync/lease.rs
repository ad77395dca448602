//! How long the access token of the open connection is good, and when to fetch the next.
//!
//! Two clocks, because each is wrong in its own way: the monotonic one stands still while a phone sleeps, the other
//! one is set by people.

use std::time::Duration;

use taiwa_shared::time::Timestamp;

use super::{credentials::AccessToken, signals::Now};

/// A new token is fetched this long before the old one ends, or at half its life if that is later.
const RENEW_BEFORE: Duration = Duration::from_secs(120);
/// How soon to try again when a new token could not be fetched; the old one is still good.
pub(super) const RENEW_AGAIN: Duration = Duration::from_secs(10);

/// The token of the open connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    pub(super) expires: Timestamp,
    pub(super) renew_before: Duration,
    pub(super) renew_at: Duration,
    pub(super) fetching: bool,
}

impl Lease {
    pub(super) fn of(token: &AccessToken, now: Now) -> Self {
        let life = token.expires.since(now.wall);
        let renew_before = RENEW_BEFORE.min(life / 2);
        Self { expires: token.expires, renew_before, renew_at: now.elapsed + (life - renew_before), fetching: false }
    }

    /// Whether the next token is to be fetched now.
    pub(super) fn is_due(&self, now: Now) -> bool {
        !self.fetching && (self.renew_at <= now.elapsed || self.expires.minus(self.renew_before) <= now.wall)
    }

    /// The next token could not be fetched.
    pub(super) fn postpone(&mut self, now: Now) {
        self.fetching = false;
        self.renew_at = now.elapsed + RENEW_AGAIN;
        // The other clock must not ask again at once; at the token's end the server closes.
        self.renew_before = Duration::ZERO;
    }
}
