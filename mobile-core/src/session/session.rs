//! One signed-in person: joins store, REST and sync, and lives until stopped.
//!
//! The functions of each screen are in the module of that screen. A clone is another handle of the same session.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use rustls::ClientConfig;
use taiwa_shared::{
    domain::meeting::Meeting,
    ids::{DocumentId, MeetingId, UserId},
    protocol::problem::ProblemCode,
    time::Timestamp,
};
use tokio::sync::{broadcast, mpsc};
use tokio_util::{sync::DropGuard, task::TaskTracker};

use super::{
    Options, SessionError, Watch,
    contact::Contact,
    core::{Core, Waits},
    desk::{Desk, Target, is_current},
    memo::CaretMessage,
    outbox::Outbox,
    soon, status,
    stored::Stored,
    tips::shelf,
    tokens::TokenKeeper,
};
use crate::{
    http::HttpClient,
    store::{Identity, LocalDocument, LocalTokens, Store},
    sync::{Connection, SyncAddress, SyncConfig, SyncEvent, SyncHandle, SyncRun},
};

/// Carets that wait for a screen; older ones are worthless.
const MAX_CARETS: usize = 32;
/// How often the time of the last exchange is written down while the connection goes on.
const NOTE_EXCHANGE_EVERY: Duration = Duration::from_secs(60);

/// How long a sign-out waits for the server.
const GOODBYE: Duration = Duration::from_secs(5);

/// What a session is made of.
pub(super) struct SessionParts {
    pub(super) store: Store,
    pub(super) identity: Identity,
    pub(super) http: HttpClient,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) options: Options,
}

/// One signed-in person.
#[derive(Clone)]
pub struct Session {
    pub(super) core: Arc<Core>,
    pub(super) desk: Desk,
    pub(super) outbox: Outbox,
    pub(super) sync: SyncHandle,
    pub(super) carets: broadcast::Sender<CaretMessage>,
    pub(super) http: HttpClient,
    pub(super) tokens: TokenKeeper,
    tasks: TaskTracker,
    /// Ends the tasks when the last handle goes.
    _life: Arc<DropGuard>,
}

impl Session {
    pub(super) async fn start(parts: SessionParts) -> Result<Self, SessionError> {
        let SessionParts { store, identity, http, tls, options } = parts;
        let address = SyncAddress::of_server(&identity.server_url);
        let address = address.map_err(|error| SessionError::Unexpected(Box::new(error)))?;
        let device = identity.device;
        let clock = options.clock.clone();
        let stored = Stored::read(&store).await?;
        let (language, zone) = (options.language, options.zone.clone());
        let (core, documents) = Core::new(store.clone(), stored, identity, clock.clone(), language, zone);
        let core = Arc::new(core);
        let tasks = TaskTracker::new();
        let tokens = TokenKeeper::start(store.clone(), http.clone(), clock.clone(), &tasks, core.ended.clone());
        let handle = Arc::new(OnceLock::new());
        let desk = Desk::start(core.clone(), handle.clone(), stale(&core, &documents), &tasks);
        let outbox = Outbox::start(core.clone(), handle.clone(), &tasks);
        let contact = Contact { core: core.clone(), http: http.clone(), tokens: tokens.clone(), desk: desk.clone() };
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).expect("the operating system gives random bytes");
        let config = SyncConfig { address, device, tls, backoff: options.backoff, seed: u64::from_ne_bytes(seed) };
        let (sync, events) = SyncHandle::start(config, store, Arc::new(contact), clock, &documents);
        // Nobody else has the lock, and nothing was edited before.
        let _ = handle.set(sync.clone());
        let (carets, _) = broadcast::channel(MAX_CARETS);
        tasks.spawn(take_events(core.clone(), desk.clone(), carets.clone(), events));
        tasks.spawn(status::remind_of_waiting(core.clone()));
        tasks.spawn(soon::keep_live(core.clone(), sync.clone()));
        tasks.spawn(shelf::keep_fresh(core.clone(), http.clone(), tokens.clone(), sync.clone()));
        tasks.close();
        let life = Arc::new(core.ended.clone().drop_guard());
        Ok(Self { core, desk, outbox, sync, carets, http, tokens, tasks, _life: life })
    }

    /// Who is signed in.
    pub fn me(&self) -> UserId {
        self.core.me()
    }

    /// Who is signed in, at which organisation and server.
    pub fn identity(&self) -> &Identity {
        &self.core.identity
    }

    /// Observes a value: the current one first, then each different one. `load` is a function of this session.
    pub fn observe<T, F, Fut>(&self, load: F) -> Watch<T>
    where
        T: Clone + PartialEq,
        F: Fn(Self) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, SessionError>> + Send + 'static,
    {
        let session = self.clone();
        Watch::new(self.core.changes.subscribe(), self.core.ended.clone(), move || load(session.clone()))
    }

    /// Pulls records and exchanges what waits, for at most `budget`; for the host's background slots.
    ///
    /// # Cancellation
    /// The run goes on until its budget is over.
    pub async fn refresh(&self, budget: Duration) -> SyncRun {
        let run = self.sync.sync_until(budget).await;
        // A server that takes no commands or ratings now leaves them waiting.
        match self.core.unsent_requests().await {
            Ok(0) => run,
            Ok(_) | Err(_) => SyncRun::Unfinished,
        }
    }

    /// The host says that the network is back or another one.
    pub fn network_available(&self) {
        self.sync.network_available();
    }

    /// The app came to the front.
    pub fn enter_foreground(&self) {
        self.sync.enter_foreground();
        self.core.changes.happened();
    }

    /// The app went to the back.
    pub fn enter_background(&self) {
        self.sync.enter_background();
    }

    /// Ends every task and closes the store. Everything is on the disk already.
    pub async fn stop(&self) {
        self.end_tasks().await;
        self.core.store.close().await;
    }

    /// Ends every task; nothing is written after this.
    pub(super) async fn end_tasks(&self) {
        self.note_exchange().await;
        self.core.ended.cancel();
        self.sync.stop().await;
        self.tasks.wait().await;
    }

    /// What waits for the server: own changes that it has not acknowledged, and commands and ratings that it has not
    /// answered.
    ///
    /// # Errors
    /// [`SessionError`] if the store cannot be read.
    pub async fn unsent(&self) -> Result<u32, SessionError> {
        let changes: u32 = self.core.store.unacknowledged().await?.iter().map(|(_, changes)| changes).sum();
        Ok(changes.saturating_add(self.core.unsent_requests().await?))
    }

    /// What would be gone with this phone's store: what waits for the server, and the cards that wait for the person. The
    /// text on a card 「送れなかった入力」 stands nowhere else.
    pub(super) async fn nowhere_else(&self) -> Result<u32, SessionError> {
        let cards = self.core.store.refused_edits().await?.len() + self.command_cards().await?.len();
        Ok(self.unsent().await?.saturating_add(u32::try_from(cards).unwrap_or(u32::MAX)))
    }

    /// When this phone last heard from the server: now while the connection stands.
    pub(super) async fn last_exchange(&self) -> Result<Option<Timestamp>, SessionError> {
        if self.sync.status().connection == Connection::Online {
            return Ok(Some(self.core.now()));
        }
        Ok(self.core.store.last_exchange().await?)
    }

    pub(super) fn meeting_of(&self, id: MeetingId) -> Result<Meeting, SessionError> {
        self.core.roster().meeting(id, self.core.now()).ok_or(SessionError::NoAccess)
    }

    /// What the server is told at the end; taken before the store goes.
    pub(super) async fn goodbye(&self) -> Goodbye {
        let tokens = self.core.store.tokens().await;
        Goodbye { http: self.http.clone(), tokens: tokens.ok().flatten() }
    }

    async fn note_exchange(&self) {
        if self.sync.status().connection == Connection::Online {
            let _ = self.core.store.put_last_exchange(self.core.now()).await;
        }
    }
}

/// The end of a sign-in, to be told to the server.
pub(super) struct Goodbye {
    http: HttpClient,
    tokens: Option<LocalTokens>,
}

impl Goodbye {
    /// Tells it, if the server can be reached: the refresh token ends by itself, and the person need not wait for long.
    pub(super) async fn say(self) {
        match tokio::time::timeout(GOODBYE, self.tell()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::info!(%error, "the server could not be told of the sign-out"),
            Err(_) => tracing::info!("the server did not answer the sign-out in time"),
        }
    }

    async fn tell(self) -> Result<(), SessionError> {
        let Some(tokens) = self.tokens else { return Ok(()) };
        match self.http.sign_out(&tokens.access_token).await {
            Err(error) if error.code() == Some(ProblemCode::TokenInvalid) => {
                let renewed = self.http.refresh(&tokens.refresh_token).await?;
                Ok(self.http.sign_out(&renewed.access_token).await?)
            }
            said => Ok(said?),
        }
    }
}

impl Target {
    pub(super) fn of_pair(key: taiwa_shared::domain::ownership::DocumentKey) -> Self {
        Self { key, slot: None }
    }
}

/// Documents whose summary is older than they are, such as after a kill.
fn stale(core: &Core, documents: &[LocalDocument]) -> Vec<DocumentId> {
    let stale = documents.iter().filter(|document| !is_current(core.summary(document.id).as_deref(), document));
    stale.map(|document| document.id).collect()
}

/// Passes what synchronising says on to the documents and the screens.
async fn take_events(
    core: Arc<Core>,
    desk: Desk,
    carets: broadcast::Sender<CaretMessage>,
    mut events: mpsc::Receiver<SyncEvent>,
) {
    let mut noted = Timestamp::default();
    let mut online = false;
    while let Some(event) = events.recv().await {
        let passed_on = match event {
            SyncEvent::Status(status) => {
                let was_online = std::mem::replace(&mut online, status.connection == Connection::Online);
                if was_online || online {
                    let now = core.now();
                    if was_online != online || now.since(noted) >= NOTE_EXCHANGE_EVERY {
                        noted = now;
                        if let Err(error) = core.store.put_last_exchange(now).await {
                            tracing::warn!(%error, "the time of the last exchange could not be kept");
                        }
                    }
                }
                if status.waiting.changes == 0 && core.unsent_requests().await.is_ok_and(|count| count == 0) {
                    core.note_waiting(Waits::Nothing);
                }
                core.changes.happened();
                Ok(())
            }
            SyncEvent::Received { document, changes } => desk.received(document, changes).await,
            SyncEvent::Refused { document, reason } => desk.refused(document, reason).await,
            SyncEvent::Ephemeral { document, sender, data } => {
                // Nobody listening is the usual case.
                let _ = carets.send(CaretMessage { document, sender, data });
                Ok(())
            }
            SyncEvent::Acknowledged { .. } | SyncEvent::News => {
                core.changes.happened();
                Ok(())
            }
        };
        if passed_on.is_err() {
            return;
        }
    }
}
