//! News from the bus, felt by open connections: changed records and ended sign-ins.
//!
//! Only sets marks and asks connections to close; each connection asks the records itself before its next byte leaves.

use std::sync::Arc;

use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{Shared, access::Meaning, connection::Closing};
use crate::bus::News;

/// Listens until the hub has halted.
pub(super) async fn run(hub: Arc<Shared>, mut news: Receiver<News>) {
    loop {
        let received = tokio::select! {
            received = news.recv() => received,
            () = hub.halted.cancelled() => return,
        };
        match received {
            Ok(News::Records { organisation, counter }) => {
                let meaning = hub.access.of(organisation).take_news(counter);
                if meaning == Meaning::Old {
                    continue;
                }
                hub.roster.each_of(organisation, |connection| {
                    if meaning == Meaning::Access {
                        connection.outbox.check_access();
                    }
                    if connection.is_taiwa() {
                        connection.outbox.news(counter);
                    }
                });
            }
            Ok(News::Revoked { device }) => hub.roster.close_device(device),
            Err(RecvError::Lagged(missed)) => {
                // Among what was missed may be an ended sign-in: everybody proves theirs again.
                tracing::error!(missed, "the hub fell behind the news: closing all sockets");
                hub.access.renew_all();
                hub.roster.each(|connection| connection.close(Closing::stopping()));
            }
            Err(RecvError::Closed) => return,
        }
    }
}
