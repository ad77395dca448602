//! A hub on a real socket over a real database file, with nothing of sign-in or records requests around it.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{Query, State, WebSocketUpgrade},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
    serve::ListenerExt,
};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use taiwa_server::{
    bus::{Bus, News},
    metrics::Metrics,
    records::access::Principal,
    store::{
        Store,
        organisations::Organisation,
        pairs::Sight,
        people::{Email, PersonRow},
    },
    sync::{Hub, HubLimits},
};
use taiwa_shared::{
    domain::{
        cadence::Cadence,
        ownership::DocumentKey,
        people::{Pair, PairKind, PairState, Role},
    },
    ids::{DeviceId, DocumentId, OrganisationId, PairId, UserId},
    time::Clock,
};
use taiwa_tests::{clock::TestClock, plain_client::PlainClient};
use tokio::{net::TcpListener, task::JoinHandle};

pub(super) const MEMBER: UserId = UserId::from_bytes([1; 16]);
pub(super) const MANAGER: UserId = UserId::from_bytes([2; 16]);
pub(super) const STRANGER: UserId = UserId::from_bytes([3; 16]);
pub(super) const ORGANISATION: OrganisationId = OrganisationId::from_bytes([9; 16]);
/// How long a token of these tests is good.
pub(super) const TOKEN_LIFE: Duration = Duration::from_secs(600);

type Tokens = Arc<Mutex<HashMap<String, Principal>>>;

/// Limits with which nothing happens by the clock while a test looks.
pub(super) fn patient() -> HubLimits {
    let hour = Duration::from_secs(3_600);
    HubLimits { quiet_after: hour, evict_after: hour, ..HubLimits::default() }
}

/// Limits with which documents fall quiet and leave at once.
pub(super) fn hasty() -> HubLimits {
    let (quiet_after, evict_after, tick) = (Duration::ZERO, Duration::ZERO, Duration::from_millis(5));
    HubLimits { quiet_after, evict_after, tick, ..HubLimits::default() }
}

/// A running hub.
pub(super) struct House {
    pub(super) store: Store,
    pub(super) bus: Bus,
    pub(super) hub: Hub,
    pub(super) clock: TestClock,
    pub(super) address: SocketAddr,
    pub(super) tokens: Tokens,
    file: PathBuf,
    folder: Arc<tempfile::TempDir>,
    serving: JoinHandle<()>,
}

impl Drop for House {
    fn drop(&mut self) {
        self.hub.abort();
        self.serving.abort();
    }
}

impl House {
    pub(super) async fn open(limits: HubLimits) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let clock = TestClock::new();
        let house = Self::open_in(folder, clock, limits).await;
        let mut tx = house.store.begin().await.unwrap();
        let organisation = Organisation { id: ORGANISATION, slug: "o".to_owned(), name: "O".to_owned() };
        tx.ensure_organisation(&organisation, house.clock.now()).await.unwrap();
        for user in [MEMBER, MANAGER, STRANGER] {
            tx.add_person(ORGANISATION, &person(user), 0).await.unwrap();
        }
        tx.commit().await.unwrap();
        house
    }

    /// Another hub over the same database, as after a crash or a restart of the first.
    pub(super) async fn again(&self, limits: HubLimits) -> Self {
        Self::open_in(Arc::clone(&self.folder), self.clock.clone(), limits).await
    }

    async fn open_in(folder: Arc<tempfile::TempDir>, clock: TestClock, limits: HubLimits) -> Self {
        let file = folder.path().join("taiwa.db");
        let store = Store::open(file.to_str().unwrap(), clock.now()).await.unwrap();
        let bus = Bus::in_process();
        let tokens = Tokens::default();
        let known = Arc::clone(&tokens);
        let verify = Arc::new(move |token: &str| known.lock().unwrap().get(token).copied());
        let hub = Hub::start(store.clone(), bus.clone(), Arc::new(clock.clone()), verify, Metrics::new(), limits);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/", get(attach)).with_state((hub.clone(), Arc::clone(&tokens)));
        // As the server does: otherwise an answer waits up to 40 ms for the one before.
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { store, bus, hub, clock, address, tokens, file, folder, serving }
    }

    /// A principal of a new sign-in, and the address with its token.
    pub(super) async fn sign_in(&self, user: UserId) -> (Principal, String) {
        static DEVICES: AtomicU8 = AtomicU8::new(1);
        let device = DeviceId::from_bytes([DEVICES.fetch_add(1, Ordering::Relaxed); 16]);
        let mut tx = self.store.begin().await.unwrap();
        tx.add_device(ORGANISATION, device, user, "test", self.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        let expires = self.clock.now().plus(TOKEN_LIFE);
        let principal = Principal { organisation: ORGANISATION, user, device, role: Role::Member, expires };
        (principal, format!("ws://{}/?token={}", self.address, self.token(principal)))
    }

    /// A token that proves a principal.
    pub(super) fn token(&self, principal: Principal) -> String {
        let mut tokens = self.tokens.lock().unwrap();
        let token = format!("token-{}", tokens.len());
        tokens.insert(token.clone(), principal);
        token
    }

    /// A connected client of a user; the peer id is the name.
    pub(super) async fn client(&self, user: UserId, name: &str) -> PlainClient {
        PlainClient::connect(self.sign_in(user).await.1, name, false).await
    }

    /// Makes a pair that both see, with its notebook, and returns the notebook's key.
    pub(super) async fn pair(&self) -> Pair {
        static PAIRS: AtomicU8 = AtomicU8::new(1);
        let pair = Pair {
            id: PairId::from_bytes([PAIRS.fetch_add(1, Ordering::Relaxed); 16]),
            member: MEMBER,
            manager: MANAGER,
            // A member may have several mentors, but one line manager.
            kind: PairKind::Mentor,
            cadence: Cadence::default(),
            cadence_revision: 0,
            state: PairState::Open,
        };
        let mut tx = self.store.begin().await.unwrap();
        let rev = tx.next_rev(ORGANISATION).await.unwrap();
        tx.add_pair(ORGANISATION, &pair, rev).await.unwrap();
        for user in [MEMBER, MANAGER] {
            tx.set_sight(ORGANISATION, user, pair.id, Sight::Granted, rev).await.unwrap();
        }
        tx.commit().await.unwrap();
        self.bus.publish(News::Records { organisation: ORGANISATION, counter: rev });
        pair
    }

    /// Makes a document known.
    pub(super) async fn document(&self, key: &DocumentKey) -> DocumentId {
        let mut tx = self.store.begin().await.unwrap();
        let rev = tx.next_rev(ORGANISATION).await.unwrap();
        let document = tx.add_document(ORGANISATION, key, 0, rev).await.unwrap();
        tx.commit().await.unwrap();
        self.bus.publish(News::Records { organisation: ORGANISATION, counter: rev });
        document
    }

    /// A memo of a new pair.
    pub(super) async fn memo(&self) -> (Pair, DocumentKey, DocumentId) {
        let pair = self.pair().await;
        let meeting = taiwa_shared::ids::MeetingId::from_bytes(*pair.id.as_bytes());
        let key = DocumentKey::Memo { pair: pair.id, meeting };
        let document = self.document(&key).await;
        (pair, key, document)
    }

    /// Changes what somebody sees of a pair, and publishes it.
    pub(super) async fn set_sight(&self, user: UserId, pair: PairId, sight: Sight) {
        let mut tx = self.store.begin().await.unwrap();
        let rev = tx.next_rev(ORGANISATION).await.unwrap();
        tx.set_sight(ORGANISATION, user, pair, sight, rev).await.unwrap();
        tx.commit().await.unwrap();
        self.bus.publish(News::Records { organisation: ORGANISATION, counter: rev });
    }

    /// Closes a pair, and publishes it.
    pub(super) async fn close_pair(&self, pair: PairId) {
        let mut tx = self.store.begin().await.unwrap();
        let rev = tx.next_rev(ORGANISATION).await.unwrap();
        assert!(tx.close_pair(ORGANISATION, pair, self.clock.now(), rev).await.unwrap());
        tx.commit().await.unwrap();
        self.bus.publish(News::Records { organisation: ORGANISATION, counter: rev });
    }

    /// Marks a person as having left, as an import by another process does, and publishes it.
    pub(super) async fn let_go(&self, user: UserId) {
        let mut tx = self.store.begin().await.unwrap();
        let rev = tx.next_rev(ORGANISATION).await.unwrap();
        tx.change_person(ORGANISATION, &PersonRow { active: false, ..person(user) }, rev).await.unwrap();
        tx.commit().await.unwrap();
        self.bus.publish(News::Records { organisation: ORGANISATION, counter: rev });
    }

    /// How many rows a document has.
    pub(super) async fn rows(&self, document: DocumentId) -> usize {
        self.store.chunks(ORGANISATION, document).await.unwrap().len()
    }

    /// The database file by plain SQL, beside the server.
    pub(super) async fn sql(&self) -> SqliteConnection {
        SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&self.file)).await.unwrap()
    }

    /// The digest in a document's record.
    pub(super) async fn digest(&self, document: DocumentId) -> Option<Vec<u8>> {
        let mut sql = self.sql().await;
        sqlx::query_scalar("select digest from document where id = $1")
            .bind(document.as_uuid())
            .fetch_one(&mut sql)
            .await
            .unwrap()
    }
}

fn person(user: UserId) -> PersonRow {
    let email = Email::normalise(&format!("{user}@example.jp"));
    PersonRow {
        id: user, email, name: "名前".to_owned(), site: None, role: Role::Member, active: true, manager: None
    }
}

async fn attach(
    State((hub, tokens)): State<(Hub, Tokens)>,
    Query(query): Query<HashMap<String, String>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let token = query.get("token").and_then(|token| tokens.lock().unwrap().get(token).copied());
    match token {
        Some(principal) => hub.accept(upgrade, principal),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}
