//! News from the bus, felt by open connections: changed records and ended sign-ins.
//!
//! Moves the access version at once, so that no byte leaves on old access, then finds out whom the change concerns and
//! wakes their connections alone: they check their access, and phones hear that there is something to pull.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use taiwa_shared::ids::OrganisationId;
use tokio::{
    sync::{
        Notify,
        broadcast::{Receiver, error::RecvError},
    },
    time::sleep,
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

/// The organisations whose connections have to be woken, each once.
#[derive(Debug, Default)]
struct Waiting {
    organisations: Mutex<HashMap<OrganisationId, Pending>>,
    filled: Notify,
}

impl Waiting {
    fn add(&self, organisation: OrganisationId, counter: i64, access: bool) {
        let mut organisations = self.organisations.lock().unwrap_or_else(PoisonError::into_inner);
        let what = organisations.entry(organisation).or_default();
        what.counter = counter;
        what.access |= access;
        drop(organisations);
        self.filled.notify_one();
    }

    fn take(&self) -> HashMap<OrganisationId, Pending> {
        mem::take(&mut *self.organisations.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Listens until the hub has halted. Asks the store nothing: an ended sign-in must not wait for a slow query.
pub(super) async fn run(hub: Arc<Shared>, mut news: Receiver<News>) {
    let waiting = Arc::new(Waiting::default());
    hub.tasks.spawn(wake_all(Arc::clone(&hub), Arc::clone(&waiting)));
    loop {
        let received = tokio::select! {
            received = news.recv() => received,
            () = hub.halted.cancelled() => return,
        };
        match received {
            Ok(News::Records { organisation, counter }) => {
                let meaning = hub.access.of(organisation).take_news(counter);
                if meaning != Meaning::Old {
                    waiting.add(organisation, counter, meaning == Meaning::Access);
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

/// Wakes whoever is concerned, until the hub has halted.
async fn wake_all(hub: Arc<Shared>, waiting: Arc<Waiting>) {
    let mut told: HashMap<OrganisationId, i64> = HashMap::new();
    let rounds = async {
        loop {
            waiting.filled.notified().await;
            for (organisation, what) in waiting.take() {
                let since = told.get(&organisation).copied();
                told.insert(organisation, wake(&hub, organisation, &what, since).await);
            }
            sleep(GATHER).await;
        }
    };
    tokio::select! {
        () = rounds => {}
        () = hub.halted.cancelled() => {}
    }
}

/// Wakes the people whom changes after `since` concern, everybody if that is the first round: what changed before the
/// start is not worth reading. Returns the counter up to which they know.
async fn wake(hub: &Shared, organisation: OrganisationId, what: &Pending, since: Option<i64>) -> i64 {
    let access = hub.access.of(organisation);
    let (version, counter) = access.point();
    let people = match since {
        Some(since) => hub.store.touched_since(organisation, since).await.map(Arc::new).map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "finding whom a change concerns");
        }),
        None => Err(()),
    }
    .ok();
    access.resolve(version, people.clone());
    hub.roster.each_of(organisation, people.as_deref().map(HashSet::iter), |connection| {
        if what.access {
            connection.outbox.check_access();
        }
        if connection.is_taiwa() {
            connection.outbox.news(what.counter);
        }
    });
    counter
}

#[cfg(test)]
mod tests {
    use taiwa_shared::{
        domain::people::Role,
        ids::{DeviceId, UserId},
        time::Timestamp,
    };
    use tokio::time::timeout;

    use super::*;
    use crate::{
        bus::Bus,
        clock::SystemClock,
        metrics::Metrics,
        records::access::Principal,
        store::{Db, Store},
        sync::{Hub, HubLimits, connection::Connection, quota::Quota},
    };

    #[tokio::test]
    async fn an_ended_sign_in_does_not_wait_for_a_slow_query() {
        let folder = tempfile::tempdir().unwrap();
        let url = folder.path().join("taiwa.db").display().to_string();
        let store = Store::open(&url, Timestamp::from_millis(0)).await.unwrap();
        let bus = Bus::in_process();
        let hub = Hub::start(
            store.clone(),
            bus.clone(),
            Arc::new(SystemClock),
            Arc::new(|_| None),
            Metrics::new(),
            HubLimits::default(),
        );
        let Db::Sqlite { read, .. } = store.db() else { panic!("a file is SQLite") };
        let mut readers = Vec::new();
        for _ in 0..read.options().get_max_connections() {
            readers.push(read.acquire().await.unwrap());
        }

        let organisation = OrganisationId::from_bytes([1; 16]);
        let principal = Principal {
            organisation,
            user: UserId::from_bytes([2; 16]),
            device: DeviceId::from_bytes([3; 16]),
            role: Role::Member,
            expires: Timestamp::from_millis(i64::MAX),
        };
        let access = hub.shared.access.of(organisation);
        let quota = Arc::new(Quota::new(&HubLimits::default(), Timestamp::from_millis(0)));
        let connection = Arc::new(Connection::new(1, principal, access, quota));
        hub.shared.roster.add(&connection);
        // Two rounds each: the first asks nothing.
        for counter in 1..=20 {
            for other in 1..=16 {
                bus.publish(News::Records { organisation: OrganisationId::from_bytes([other; 16]), counter });
            }
            tokio::task::yield_now().await;
        }
        bus.publish(News::Revoked { device: principal.device });
        let closing = timeout(Duration::from_secs(5), connection.closed()).await.expect("closed at once");
        assert_eq!(closing, Closing::revoked());
        drop(readers);
        hub.abort();
    }
}
