//! News from the records to whoever must feel it at once: the document hub and the sockets.
//!
//! A hint, never the truth: who receives news reads the database, and who missed some (`Lagged`) reads everything it
//! cares for. In-process only; several nodes get another transport behind the same three functions.

use taiwa_shared::ids::{DeviceId, OrganisationId};
use tokio::sync::broadcast;

/// How many news a subscriber may be behind before it has to assume that everything changed.
const BACKLOG: usize = 1_024;

/// Something happened that an open connection must feel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Records of an organisation changed, access among them perhaps.
    Records {
        /// Whose records.
        organisation: OrganisationId,
        /// The organisation's counter after the change.
        counter: i64,
    },
    /// A sign-in was ended: its sockets must close.
    Revoked {
        /// Which sign-in.
        device: DeviceId,
    },
}

/// Where news are published and subscribed to. Clones are the same bus.
#[derive(Debug, Clone)]
pub struct Bus {
    sender: broadcast::Sender<News>,
}

impl Bus {
    /// A bus within this process.
    pub fn in_process() -> Self {
        Self { sender: broadcast::Sender::new(BACKLOG) }
    }

    /// Tells every subscriber. Call it after the commit that makes the news true.
    pub fn publish(&self, news: News) {
        // An error only says that nobody listens.
        let _ = self.sender.send(news);
    }

    /// News from now on. A `Lagged` error on receiving means: assume that everything changed.
    pub fn subscribe(&self) -> broadcast::Receiver<News> {
        self.sender.subscribe()
    }
}
