//! News from the bus, felt by open connections: changed records and ended sign-ins.
//!
//! Moves the access version at once, so that no byte leaves on old access, then finds out whom the change concerns and
//! wakes their connections alone: they check their access, and phones hear that there is something to pull.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use taiwa_shared::ids::OrganisationId;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, sleep_until},
};

use super::{Shared, access::Meaning, connection::Closing};
use crate::bus::News;

/// Connections are woken at most this often: an import changes thousands of records one after another.
const GATHER: Duration = Duration::from_millis(20);

/// What has happened in an organisation since its connections were last woken.
#[derive(Debug, Default)]
struct Pending {
    counter: i64,
    access: bool,
}

/// Listens until the hub has halted.
pub(super) async fn run(hub: Arc<Shared>, mut news: Receiver<News>) {
    let mut pending: HashMap<OrganisationId, Pending> = HashMap::new();
    let mut told: HashMap<OrganisationId, i64> = HashMap::new();
    let mut next_round = Instant::now();
    loop {
        let received = tokio::select! {
            received = news.recv() => received,
            () = sleep_until(next_round), if !pending.is_empty() => {
                for (organisation, what) in pending.drain() {
                    wake(&hub, organisation, &what, told.entry(organisation).or_default()).await;
                }
                next_round = Instant::now() + GATHER;
                continue;
            }
            () = hub.halted.cancelled() => return,
        };
        match received {
            Ok(News::Records { organisation, counter }) => {
                let meaning = hub.access.of(organisation).take_news(counter);
                if meaning != Meaning::Old {
                    let what = pending.entry(organisation).or_default();
                    what.counter = counter;
                    what.access |= meaning == Meaning::Access;
                }
            }
            Ok(News::Revoked { device }) => hub.roster.close_device(device),
            Err(RecvError::Lagged(missed)) => {
                // Among what was missed may be an ended sign-in: everybody proves theirs again.
                tracing::error!(missed, "the hub fell behind the news: closing all sockets");
                hub.roster.each(|connection| connection.close(Closing::stopping()));
            }
            Err(RecvError::Closed) => return,
        }
    }
}

async fn wake(hub: &Shared, organisation: OrganisationId, what: &Pending, told: &mut i64) {
    let access = hub.access.of(organisation);
    let (version, counter) = access.point();
    let people = match hub.store.touched_since(organisation, *told).await {
        Ok(people) => Some(Arc::new(people)),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "finding whom a change concerns");
            None
        }
    };
    *told = counter;
    access.resolve(version, people.clone());
    hub.roster.each_of(organisation, people.as_deref().map(HashSet::iter), |connection| {
        if what.access {
            connection.outbox.check_access();
        }
        if connection.is_taiwa() {
            connection.outbox.news(what.counter);
        }
    });
}
