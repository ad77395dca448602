//! A running server: joins store, sign-in, hub and routes, and takes them down in an order that loses nothing.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use taiwa_shared::time::Clock;
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    auth::{
        Auth,
        token::{TokenKey, TokenKeyError},
    },
    bus::Bus,
    config::Config,
    http::{self, AddressLimit, App, Door, Readiness, principal_of},
    metrics::Metrics,
    records::{
        ratings::key::{RatingKey, RatingKeyError},
        upkeep,
    },
    store::{ServerLock, Store, StoreError},
    sync::{Hub, HubLimits},
    tips,
};

/// Requests under way get this long to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// A server that could not start; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database is not usable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key that signs access tokens is not usable.
    #[error(transparent)]
    TokenKey(#[from] TokenKeyError),
    /// The key under which ratings are kept is not usable.
    #[error(transparent)]
    RatingKey(#[from] RatingKeyError),
    /// Another server works with the same file.
    #[error("another taiwa-server works with {} already: stop it first, or set `database` to another file", path.display())]
    SecondServer {
        /// The database.
        path: PathBuf,
    },
    /// The lock file could not be made.
    #[error("making the lock file beside {}: {source}", path.display())]
    Lock {
        /// The database.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The port is in use, or the address is not of this machine.
    #[error("listening on {address}: {source}; set `listen` to a free address, such as 127.0.0.1:4151")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The port of the metrics is in use.
    #[error(
        "listening on {address} for metrics: {source}; set `metrics_listen` to a free address of this machine, or to off"
    )]
    ListenForMetrics {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// A running server. Stop it with [`Server::stop`]; dropped, its tasks end without waiting for anybody.
pub struct Server {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    store: Store,
    hub: Hub,
    bus: Bus,
    stopping: CancellationToken,
    tasks: TaskTracker,
    serving: Vec<JoinHandle<io::Result<()>>>,
    _lock: ServerLock,
}

impl Server {
    /// Opens the database and listens; returns when the server answers.
    ///
    /// # Errors
    /// [`StartError`], by what an operator does about it.
    pub async fn start(config: Config, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        Self::start_with(config, clock, HubLimits::default()).await
    }

    /// [`Server::start`] with other limits of the hub, for tests.
    ///
    /// # Errors
    /// See [`Server::start`].
    pub async fn start_with(config: Config, clock: Arc<dyn Clock>, limits: HubLimits) -> Result<Self, StartError> {
        let (foundation, listen) = (Foundation::open(&config, &*clock).await?, config.listen);
        let bound = async {
            let unheard = |source| StartError::Listen { address: listen, source };
            let listener = TcpListener::bind(listen).await.map_err(unheard)?;
            let for_metrics = match config.metrics_listen {
                Some(address) => {
                    let unheard = |source| StartError::ListenForMetrics { address, source };
                    Some(TcpListener::bind(address).await.map_err(unheard)?)
                }
                None => None,
            };
            Ok((listener.local_addr().map_err(unheard)?, listener, for_metrics))
        };
        match bound.await {
            Ok((address, listener, for_metrics)) => {
                Ok(Self::serve(foundation, config, clock, limits, (listener, address), for_metrics))
            }
            Err(error) => {
                foundation.store.close().await;
                Err(error)
            }
        }
    }

    /// [`Server::start_with`] behind another door than the configured ports, without metrics: for tests that simulate
    /// the network.
    ///
    /// # Errors
    /// See [`Server::start`].
    pub async fn start_behind(
        door: impl Door,
        config: Config,
        clock: Arc<dyn Clock>,
        limits: HubLimits,
    ) -> Result<Self, StartError> {
        let foundation = Foundation::open(&config, &*clock).await?;
        let address = config.listen;
        Ok(Self::serve(foundation, config, clock, limits, (door, address), None))
    }

    fn serve(
        Foundation { lock, store, tokens, rating_key }: Foundation,
        config: Config,
        clock: Arc<dyn Clock>,
        limits: HubLimits,
        (door, address): (impl Door, SocketAddr),
        for_metrics: Option<TcpListener>,
    ) -> Self {
        let metrics_address = for_metrics.as_ref().and_then(|listener| listener.local_addr().ok());

        let bus = Bus::in_process();
        let auth = Auth::new(store.clone(), bus.clone(), Arc::clone(&clock), tokens);
        let verifier = auth.clone();
        let verify = Arc::new(move |token: &str| verifier.identity_in_token(token).map(principal_of));
        let metrics = Metrics::new();
        let hub = Hub::start(store.for_hub(), bus.clone(), Arc::clone(&clock), verify, metrics.clone(), limits);

        let stopping = CancellationToken::new();
        let tasks = TaskTracker::new();
        tasks.spawn(upkeep::run(
            store.clone(),
            bus.clone(),
            Arc::clone(&clock),
            Arc::clone(&rating_key),
            stopping.clone(),
        ));
        let (indexed, indexing_ends) = (store.clone(), stopping.clone());
        tasks.spawn(async move { indexing_ends.run_until_cancelled(tips::index_missing(&indexed)).await });
        let readiness = Readiness::until(stopping.clone());
        let login_limit = Arc::new(AddressLimit::per_minute(config.login_tries_per_minute, Arc::clone(&clock)));
        let app = App {
            config: Arc::new(config),
            store: store.clone(),
            bus: bus.clone(),
            clock,
            auth,
            hub: hub.clone(),
            login_limit,
            readiness,
            metrics,
            rating_key,
        };
        let mut serving = Vec::new();
        if let Some(listener) = for_metrics {
            let router = http::metrics::router(app.clone());
            serving.push(tokio::spawn(http::serve(listener, router, stopping.clone().cancelled_owned())));
        }
        serving.push(tokio::spawn(http::serve(door, http::router(app), stopping.clone().cancelled_owned())));
        let for_metrics = metrics_address.map(tracing::field::display);
        tracing::info!(%address, metrics = for_metrics, "serving");
        Self { address, metrics_address, store, hub, bus, stopping, tasks, serving, _lock: lock }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it serves `/metrics`, if it does.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Its database.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Its bus, for changes that another part of the same process makes.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Its document hub.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Stops accepting, commits and acknowledges what was received, closes the sockets, ends the requests under way.
    pub async fn stop(mut self) {
        self.stopping.cancel();
        self.tasks.close();
        self.hub.stop().await;
        for serving in &mut self.serving {
            match timeout(STOP_TIMEOUT, serving).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(error))) => tracing::warn!(error = &error as &dyn std::error::Error, "serving ended early"),
                Ok(Err(error)) => tracing::error!(error = &error as &dyn std::error::Error, "serving panicked"),
                Err(_) => tracing::warn!("requests were still under way after {STOP_TIMEOUT:?}; they are cut off"),
            }
        }
        self.tasks.wait().await;
        self.store.close().await;
        tracing::info!("stopped");
    }
}

/// What a server stands on before anybody can reach it.
struct Foundation {
    lock: ServerLock,
    store: Store,
    tokens: TokenKey,
    rating_key: Arc<RatingKey>,
}

impl Foundation {
    async fn open(config: &Config, clock: &dyn Clock) -> Result<Self, StartError> {
        let lock = match config.database_file() {
            Some(path) => take_lock(&path)?,
            None => ServerLock::share_session(&config.database).await?,
        };
        let store = Store::open(&config.database, clock.now()).await?;
        let tokens = TokenKey::open(&config.token_key_file())?;
        let rating_key = RatingKey::open(&config.rating_key_file())?;
        if rating_key.is_new() && store.has_ratings().await? {
            tracing::warn!("the rating key was missing and a new one was made: ratings given before no longer count");
        }
        Ok(Self { lock, store, tokens, rating_key: Arc::new(rating_key) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopping.cancel();
        self.hub.abort();
        self.serving.iter().for_each(JoinHandle::abort);
    }
}

fn take_lock(path: &Path) -> Result<ServerLock, StartError> {
    ServerLock::take(path).map_err(|source| match source.kind() {
        io::ErrorKind::WouldBlock => StartError::SecondServer { path: path.to_owned() },
        _ => StartError::Lock { path: path.to_owned(), source },
    })
}
