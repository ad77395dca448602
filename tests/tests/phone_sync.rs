//! A phone's synchronising against the real server on a real socket: what arrives, what may be called acknowledged, and
//! what a line that fails, a token that ends and access that is lost do to it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use taiwa_mobile_core::{
    store::{LocalTokens, PageEffects, RefusalReason, Store, VaultKey},
    sync::{
        AccessToken, Backoff, Connection, Credentials, CredentialsError, Freshness, SyncAddress, SyncConfig, SyncEvent,
        SyncHandle, SyncRun, Waiting,
    },
};
use taiwa_server::{
    Server,
    auth::login::invite,
    config::Config,
    records::import::{self, Table},
    store::people::Email,
    sync::HubLimits,
};
use taiwa_shared::{
    documents::{
        Editor, Replica,
        notebook::{self, NewPromise},
    },
    domain::ownership::{Access, DocumentKey},
    ids::{DocumentId, PairId, PromiseId, UserId},
    protocol::{
        login::{InvitationRequest, LoginResponse, RefreshRequest, Secret, Tokens},
        records::{ClaimOutcome, ClaimRequest, ClaimResponse, DocumentClaim, RecordsPage},
    },
    sync::chunks::StoredChange,
    time::{Clock, Timestamp},
};
use taiwa_tests::{
    clock::TestClock,
    eventually::{PATIENCE, eventually, eventually_equals},
    link::{Direction, Link},
    rest::Rest,
    seed::Seed,
};
use tempfile::TempDir;
use tokio::sync::mpsc;

const PEOPLE: &str =
    "email,name,manager_email,role\nm@example.jp,佐藤,,member\ne@example.jp,田中,m@example.jp,member\n";
const NOBODY_MANAGES: &str = "email,name,manager_email,role\nm@example.jp,佐藤,,member\ne@example.jp,田中,,member\n";
const MANAGER: &str = "m@example.jp";
const MEMBER: &str = "e@example.jp";

/// A server in this process, with two people.
struct World {
    server: Option<Server>,
    folder: TempDir,
    clock: TestClock,
    seed: Seed,
    limits: HubLimits,
}

impl World {
    async fn new(test: &str) -> Self {
        Self::within(test, HubLimits::default()).await
    }

    async fn within(test: &str, limits: HubLimits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut world = Self { server: None, folder, clock: TestClock::new(), seed: Seed::of_this_run(test), limits };
        world.start().await;
        world.import(PEOPLE).await;
        world
    }

    async fn start(&mut self) {
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            database: format!("sqlite:{}", self.folder.path().join("taiwa.db").display()),
            login_tries_per_minute: 1_000,
            ..Config::default()
        };
        let limits =
            HubLimits { quiet_after: Duration::from_millis(50), tick: Duration::from_millis(10), ..self.limits };
        self.server = Some(Server::start_with(config, Arc::new(self.clock.clone()), limits).await.unwrap());
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    async fn import(&self, csv: &str) {
        let table = Table::read(csv.as_bytes()).unwrap();
        import::apply(self.server().store(), "demo", "デモ", &table, self.clock.now()).await.unwrap();
    }

    async fn invitation(&self, email: &str) -> Secret {
        let store = self.server().store();
        let organisation = store.organisation_by_slug("demo").await.unwrap().unwrap();
        let person = store.person_by_email(organisation.id, &Email::normalise(email)).await.unwrap().unwrap();
        let mut tx = store.begin().await.unwrap();
        let secret = invite(&mut tx, organisation.id, person.id, self.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        secret
    }

    /// A new phone of this person, on a line of its own, synchronising.
    async fn phone(&self, email: &str) -> Phone {
        let link = Link::open(self.server().address(), self.seed).await.unwrap();
        let rest = Rest::new(link.address());
        let request = InvitationRequest {
            invitation: self.invitation(email).await,
            password: Secret::new("正しい馬と電池のホチキス"),
            device_name: "phone".to_owned(),
        };
        let login: LoginResponse =
            rest.post("/v1/login/invitation", &request).await.unwrap().into().expect("the invitation is good");
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store"), &VaultKey::new([3; 32])).await.unwrap();
        let tokens = LocalTokens::received(login.tokens, self.clock.now());
        let holder = Arc::new(Holder {
            rest,
            store: store.clone(),
            clock: self.clock.clone(),
            tokens: tokio::sync::Mutex::new(tokens),
        });
        let config = SyncConfig {
            address: SyncAddress::of_server(&format!("http://{}", link.address())).unwrap(),
            device: login.device,
            tls: no_tls(),
            backoff: Backoff { first: Duration::from_millis(5), longest: Duration::from_millis(50) },
            seed: 1,
        };
        let (sync, events) = SyncHandle::start(config, store.clone(), holder.clone(), Arc::new(self.clock.clone()));
        let seen = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(collect(events, seen.clone()));
        Phone { user: login.user, store, sync, link, seen, holder, editor: Mutex::new(None), _folder: folder }
    }
}

fn no_tls() -> Arc<rustls::ClientConfig> {
    taiwa_tests::tls::install_crypto();
    let nobody = rustls::RootCertStore::empty();
    Arc::new(rustls::ClientConfig::builder().with_root_certificates(nobody).with_no_client_auth())
}

async fn collect(mut events: mpsc::Receiver<SyncEvent>, seen: Arc<Mutex<Vec<SyncEvent>>>) {
    while let Some(event) = events.recv().await {
        seen.lock().unwrap().push(event);
    }
}

/// Somebody signed in, over plain REST.
struct Holder {
    rest: Rest,
    store: Store,
    clock: TestClock,
    tokens: tokio::sync::Mutex<LocalTokens>,
}

fn later(error: anyhow::Error) -> CredentialsError {
    CredentialsError::TryLater(error.into())
}

impl Credentials for Holder {
    async fn access_token(&self, freshness: Freshness) -> Result<AccessToken, CredentialsError> {
        let mut tokens = self.tokens.lock().await;
        if freshness == Freshness::Renewed {
            let request = RefreshRequest { refresh_token: tokens.refresh_token.clone() };
            let answer = self.rest.post("/v1/login/refresh", &request).await.map_err(later)?;
            if answer.problem_code() == "sign_in_again" {
                return Err(CredentialsError::SignInAgain);
            }
            *tokens = LocalTokens::received(answer.into::<Tokens>().map_err(later)?, self.clock.now());
        }
        Ok(AccessToken { token: tokens.access_token.clone(), expires: tokens.access_expires })
    }

    async fn before_sync(&self) -> Result<(), CredentialsError> {
        self.pull_and_claim().await.map_err(later)
    }
}

impl Holder {
    async fn pull_and_claim(&self) -> anyhow::Result<()> {
        let rest = self.rest.with_token(self.tokens.lock().await.access_token.expose());
        loop {
            let since = self.store.cursor().await?.map(|cursor| format!("?since={}", cursor.cursor));
            let path = format!("/v1/records{}", since.unwrap_or_default());
            let page: RecordsPage = rest.get(&path).await?.into()?;
            self.store.apply_page(&page, &PageEffects::default()).await?;
            if !page.more {
                break;
            }
        }
        let documents = self.store.documents().await?.into_iter().filter(|document| !document.claimed);
        let documents: Vec<_> = documents.collect();
        let claims = documents.iter().map(|it| DocumentClaim { key: it.key, slot: it.slot }).collect();
        let answer: ClaimResponse = rest.post("/v1/documents", &ClaimRequest { claims }).await?.into()?;
        for (document, outcome) in documents.iter().zip(answer.outcomes) {
            match outcome {
                ClaimOutcome::Known { .. } => self.store.mark_claimed(&[document.id]).await?,
                ClaimOutcome::Refused => {
                    self.store.mark_refused(document.id, Some(RefusalReason::NoAccess)).await?;
                }
            }
        }
        Ok(())
    }
}

/// A phone without screens: a store, and the synchronising under test.
struct Phone {
    user: UserId,
    store: Store,
    sync: SyncHandle,
    link: Link,
    seen: Arc<Mutex<Vec<SyncEvent>>>,
    holder: Arc<Holder>,
    editor: Mutex<Option<Replica>>,
    _folder: TempDir,
}

impl Phone {
    async fn online(&self) {
        eventually_equals("the phone is online", &Connection::Online, || async { self.sync.status().connection }).await;
    }

    /// The pair, once records have arrived.
    async fn pair(&self) -> PairId {
        eventually("the pair arrives", PATIENCE, || async {
            self.store.records().await.unwrap().pairs.first().map(|pair| pair.id)
        })
        .await
    }

    /// The notebook of the pair, on screen.
    async fn notebook(&self) -> (DocumentId, DocumentKey) {
        let key = DocumentKey::Notebook { pair: self.pair().await };
        let id = self.store.add_document(key, 0, Access::Write, None).await.unwrap();
        self.sync.open_document(id);
        (id, key)
    }

    async fn replica(&self, key: DocumentKey) -> Replica {
        let stored = self.store.changes(key.document_id(0)).await.unwrap();
        let bytes: Vec<&[u8]> = stored.iter().map(|change| &change.bytes[..]).collect();
        Replica::open(key, 0, bytes, Editor { user: self.user, actor: rand::random() }).unwrap()
    }

    /// Writes a line into a notebook: stored first, then told to synchronising.
    async fn write(&self, key: DocumentKey, text: &str) {
        let mut replica = self.editor.lock().unwrap().take();
        if replica.as_ref().is_none_or(|replica| *replica.key() != key) {
            replica = Some(self.replica(key).await);
        }
        let mut replica = replica.unwrap();
        let id = PromiseId::from_bytes(rand::random());
        let promise = NewPromise { id, text, who: self.user, meeting: None };
        notebook::add_promise(&mut replica, &promise, Timestamp::from_millis(1_000)).unwrap();
        let changes: Vec<_> =
            replica.take_changes().into_iter().map(|bytes| StoredChange::read(bytes.into()).unwrap()).collect();
        *self.editor.lock().unwrap() = Some(replica);
        self.store.append_local(key.document_id(0), &changes).await.unwrap();
        self.sync.local_change(key.document_id(0), changes);
    }

    /// Every line of a notebook, from the store.
    async fn lines(&self, key: DocumentKey) -> BTreeSet<String> {
        notebook::promises(&self.replica(key).await).into_iter().map(|promise| promise.text.value).collect()
    }

    async fn shows(&self, key: DocumentKey, expected: &BTreeSet<String>) {
        eventually_equals("the notebook shows it", expected, || self.lines(key)).await;
    }

    async fn everything_is_acknowledged(&self) {
        // The store is the truth; the status follows it.
        eventually_equals("nothing is unsent", &Vec::new(), || async { self.store.unacknowledged().await.unwrap() })
            .await;
        eventually_equals("nothing waits", &Waiting::default(), || async { self.sync.status().waiting }).await;
    }

    fn saw(&self, event: &SyncEvent) -> bool {
        self.seen.lock().unwrap().contains(event)
    }
}

fn lines<'a>(texts: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    texts.into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn edits_made_offline_arrive_when_the_network_is_back() {
    let world = World::new("edits_made_offline").await;
    let (manager, member) = (world.phone(MANAGER).await, world.phone(MEMBER).await);
    let (_, key) = manager.notebook().await;
    member.notebook().await;
    member.online().await;

    member.link.go_down();
    for n in 0..30 {
        member.write(key, &format!("トンネルの中 {n}")).await;
    }
    manager.write(key, "資料を見せる").await;
    manager.everything_is_acknowledged().await;
    eventually_equals("thirty edits wait", &Waiting { documents: 1, changes: 30 }, || async {
        member.sync.status().waiting
    })
    .await;
    assert_eq!(manager.lines(key).await, lines(["資料を見せる"]));

    member.link.heal();
    member.sync.network_available();
    member.everything_is_acknowledged().await;
    let mut all: BTreeSet<_> = (0..30).map(|n| format!("トンネルの中 {n}")).collect();
    all.insert("資料を見せる".to_owned());
    manager.shows(key, &all).await;
    member.shows(key, &all).await;
    assert!(member.saw(&SyncEvent::Acknowledged { document: key.document_id(0) }));
}

#[tokio::test]
async fn nothing_counts_as_acknowledged_before_the_server_has_committed_it() {
    let world = World::new("acknowledged_after_commit").await;
    let member = world.phone(MEMBER).await;
    let (_, key) = member.notebook().await;
    member.write(key, "最初").await;
    member.everything_is_acknowledged().await;

    // The server's only writer is taken: it receives, and cannot store.
    let blocked = world.server().store().begin().await.unwrap();
    member.write(key, "まだ").await;
    eventually("the server holds the change uncommitted", PATIENCE, || async {
        (world.server().hub().statistics().changes_uncommitted > 0).then_some(())
    })
    .await;
    // A round trip behind it on the same socket, which would have brought an early acknowledgement.
    let before = member.link.delivered_bytes(Direction::Down);
    member.sync.network_available();
    eventually("the pong arrives", PATIENCE, || async {
        (member.link.delivered_bytes(Direction::Down) > before).then_some(())
    })
    .await;
    assert_eq!(member.sync.status().waiting, Waiting { documents: 1, changes: 1 });

    drop(blocked);
    member.everything_is_acknowledged().await;
    assert_eq!(world.server().hub().statistics().changes_uncommitted, 0);
}

#[tokio::test]
async fn a_line_cut_in_the_middle_again_and_again_loses_nothing() {
    let world = World::new("cut_in_the_middle").await;
    let (manager, member) = (world.phone(MANAGER).await, world.phone(MEMBER).await);
    let (_, key) = manager.notebook().await;
    member.notebook().await;
    let mut all = BTreeSet::new();
    let mut connections = 0;
    for n in 0..40 {
        if n % 4 == 0 {
            let again = || async { (member.link.connections() > connections).then_some(()) };
            eventually("the phone tries again", PATIENCE, again).await;
            connections = member.link.connections();
        }
        for (phone, who) in [(&manager, "佐藤"), (&member, "田中")] {
            let text = format!("{who} {n}");
            phone.write(key, &text).await;
            all.insert(text);
        }
        match n % 4 {
            1 => member.link.cut(),
            2 => {
                member.link.hold(Direction::Down);
                manager.link.cut();
            }
            3 => {
                member.link.cut();
                member.link.heal();
            }
            _ => {}
        }
    }
    for phone in [&manager, &member] {
        phone.link.heal();
        phone.sync.network_available();
    }
    for phone in [&manager, &member] {
        phone.everything_is_acknowledged().await;
        phone.shows(key, &all).await;
    }
}

#[tokio::test]
async fn a_socket_that_fell_silent_is_replaced_when_the_host_says_that_the_network_changed() {
    let world = World::new("silent_socket").await;
    let member = world.phone(MEMBER).await;
    let (_, key) = member.notebook().await;
    member.online().await;
    member.link.lose();
    member.write(key, "別の電波で").await;
    member.sync.network_available();
    member.everything_is_acknowledged().await;
}

#[tokio::test]
async fn a_token_is_renewed_on_the_open_socket_while_somebody_types() {
    let world = World::new("token_renewed").await;
    let member = world.phone(MEMBER).await;
    let (id, key) = member.notebook().await;
    member.write(key, "はじめ").await;
    member.everything_is_acknowledged().await;
    member.seen.lock().unwrap().clear();
    let token = || async { member.holder.tokens.lock().await.access_token.clone() };

    // Three times most of a token's ten minutes: without renewal the server would have closed.
    for round in 0..3 {
        let before = token().await;
        world.clock.advance(Duration::from_secs(8 * 60 + 30));
        member.write(key, &format!("続き {round}")).await;
        eventually("another token", PATIENCE, || async { (token().await != before).then_some(()) }).await;
        // What is written after a further exchange of records follows the renewal on the same socket.
        assert_eq!(member.sync.sync_until(PATIENCE).await, SyncRun::Complete);
        member.write(key, &format!("もっと {round}")).await;
        member.everything_is_acknowledged().await;
    }
    assert!(member.saw(&SyncEvent::Acknowledged { document: id }));
    let closed =
        |event: &SyncEvent| matches!(event, SyncEvent::Status(status) if status.connection != Connection::Online);
    assert!(!member.seen.lock().unwrap().iter().any(closed), "the socket stayed open: {:?}", member.seen);
}

#[tokio::test]
async fn a_token_that_ended_is_replaced_and_nothing_is_lost() {
    let world = World::new("token_ended").await;
    let member = world.phone(MEMBER).await;
    let (_, key) = member.notebook().await;
    member.write(key, "前").await;
    member.everything_is_acknowledged().await;
    // The phone slept through the token's end: the server closes with 4401.
    world.clock.advance(Duration::from_secs(60 * 60));
    member.write(key, "後").await;
    member.everything_is_acknowledged().await;
    eventually_equals("online again", &Connection::Online, || async { member.sync.status().connection }).await;
    assert_eq!(member.lines(key).await, lines(["前", "後"]));
}

#[tokio::test]
async fn a_sign_in_that_is_over_keeps_every_edit_and_says_so() {
    let world = World::new("sign_in_over").await;
    let member = world.phone(MEMBER).await;
    let (_, key) = member.notebook().await;
    member.online().await;
    member.link.go_down();
    member.write(key, "残る").await;
    // Longer than a refresh token lives unused.
    world.clock.advance(Duration::from_secs(40 * 24 * 60 * 60));
    member.link.heal();
    member.sync.network_available();
    eventually_equals("the person has to sign in", &Connection::SignInAgain, || async {
        member.sync.status().connection
    })
    .await;
    assert_eq!(member.sync.status().waiting, Waiting { documents: 1, changes: 1 });
    assert_eq!(member.lines(key).await, lines(["残る"]));
    assert_eq!(member.sync.sync_until(PATIENCE).await, SyncRun::Unfinished, "it says so at once");
}

#[tokio::test]
async fn edits_that_the_server_no_longer_takes_are_kept_and_no_longer_waited_for() {
    let world = World::new("no_longer_taken").await;
    let member = world.phone(MEMBER).await;
    let (id, key) = member.notebook().await;
    member.write(key, "届いた").await;
    member.everything_is_acknowledged().await;
    member.link.go_down();
    member.write(key, "間に合わなかった").await;
    eventually_equals("one waits", &Waiting { documents: 1, changes: 1 }, || async { member.sync.status().waiting })
        .await;

    world.import(NOBODY_MANAGES).await;
    member.link.heal();
    member.sync.network_available();
    let refused = SyncEvent::Refused { document: id, reason: RefusalReason::NoAccess };
    eventually("the edits are refused", PATIENCE, || async { member.saw(&refused).then_some(()) }).await;
    eventually_equals("nothing waits", &Waiting::default(), || async { member.sync.status().waiting }).await;
    assert_eq!(member.lines(key).await, lines(["届いた", "間に合わなかった"]), "nothing is dropped");
    assert_eq!(member.store.document(id).await.unwrap().unwrap().refused, Some(RefusalReason::NoAccess));
}

#[tokio::test]
async fn edits_to_a_full_document_are_kept_and_no_longer_waited_for() {
    let world =
        World::within("edits_to_a_full_document", HubLimits { document_changes: 5, ..HubLimits::default() }).await;
    let (manager, member) = (world.phone(MANAGER).await, world.phone(MEMBER).await);
    let (document, key) = member.notebook().await;
    manager.notebook().await;
    member.write(key, "入る").await;
    member.everything_is_acknowledged().await;
    manager.shows(key, &lines(["入る"])).await;
    member.link.go_down();
    for n in 0..20 {
        member.write(key, &format!("入らない {n}")).await;
    }
    member.link.heal();
    member.sync.network_available();
    let full = SyncEvent::Refused { document, reason: RefusalReason::Full };
    eventually("the phone learns that it is full", PATIENCE, || async { member.saw(&full).then_some(()) }).await;
    member.online().await;
    eventually_equals("nothing waits", &Waiting::default(), || async { member.sync.status().waiting }).await;
    assert_eq!(member.lines(key).await.len(), 21, "what was written stays on the phone");
    assert_eq!(manager.lines(key).await, lines(["入る"]));
}

#[tokio::test]
async fn access_that_is_lost_while_typing_makes_a_card_of_what_was_not_taken() {
    let world = World::new("access_lost_while_typing").await;
    let member = world.phone(MEMBER).await;
    let (id, key) = member.notebook().await;
    member.write(key, "届いた").await;
    member.everything_is_acknowledged().await;
    world.import(NOBODY_MANAGES).await;
    let mut n = 0;
    let refused = SyncEvent::Refused { document: id, reason: RefusalReason::NoAccess };
    while !member.saw(&refused) {
        member.write(key, &format!("打ち続ける {n}")).await;
        n += 1;
        assert!(n < 5_000, "it was never refused");
    }
    assert_eq!(member.lines(key).await.len(), n + 1);
    eventually_equals("nothing waits", &Waiting::default(), || async { member.sync.status().waiting }).await;
    // The connection lives on for everything else.
    let notes = DocumentKey::FieldNotes { user: member.user };
    member.store.add_document(notes, 0, Access::Write, None).await.unwrap();
    assert_eq!(member.sync.sync_until(PATIENCE).await, SyncRun::Complete);
}

#[tokio::test]
async fn a_bounded_run_in_the_background_sends_what_waits_and_lets_go_of_the_network() {
    let world = World::new("bounded_run").await;
    let (manager, member) = (world.phone(MANAGER).await, world.phone(MEMBER).await);
    let (id, key) = member.notebook().await;
    member.everything_is_acknowledged().await;
    member.sync.close_document(id);
    member.sync.enter_background();
    let connections = || async { world.server().hub().statistics().connections };
    manager.online().await;
    eventually_equals("only the manager's phone is connected", &1, connections).await;

    member.write(key, "閉じる前に書いた").await;
    assert_eq!(member.sync.sync_until(PATIENCE).await, SyncRun::Complete);
    assert_eq!(member.store.unacknowledged().await.unwrap(), []);
    eventually_equals("it lets go", &1, connections).await;
    manager.notebook().await;
    manager.shows(key, &lines(["閉じる前に書いた"])).await;

    member.link.go_down();
    assert_eq!(member.sync.sync_until(Duration::from_millis(50)).await, SyncRun::Unfinished);
}

#[tokio::test]
async fn carets_reach_the_other_phone_and_are_not_kept() {
    let world = World::new("carets").await;
    let (manager, member) = (world.phone(MANAGER).await, world.phone(MEMBER).await);
    let (id, key) = manager.notebook().await;
    manager.write(key, "開く").await;
    member.notebook().await;
    member.shows(key, &lines(["開く"])).await;
    manager.everything_is_acknowledged().await;
    let arrived = || {
        let seen = manager.seen.lock().unwrap();
        seen.iter().find_map(|event| match event {
            SyncEvent::Ephemeral { document, data, .. } if *document == id => Some(data.clone()),
            _ => None,
        })
    };
    let caret = eventually("a caret", PATIENCE, || {
        member.sync.broadcast(id, Bytes::from_static(b"\x01"));
        std::future::ready(arrived())
    })
    .await;
    assert_eq!(caret, Bytes::from_static(b"\x01"));
    assert_eq!(manager.store.changes(id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_stopped_or_dropped_handle_lets_go_of_socket_and_store() {
    let world = World::new("stopped").await;
    let (manager, member) = (world.phone(MANAGER).await, world.phone(MEMBER).await);
    let connections = || async { world.server().hub().statistics().connections };
    eventually_equals("both are connected", &2, connections).await;
    manager.sync.stop().await;
    manager.store.close().await;
    eventually_equals("one has left", &1, connections).await;
    drop(member);
    eventually_equals("both have left", &0, connections).await;
}

#[tokio::test]
async fn an_unchanged_phone_reconnects_for_a_few_bytes() {
    let world = World::new("unchanged").await;
    let member = world.phone(MEMBER).await;
    let (id, key) = member.notebook().await;
    member.write(key, "一行").await;
    member.everything_is_acknowledged().await;
    member.sync.close_document(id);
    assert_eq!(member.sync.sync_until(PATIENCE).await, SyncRun::Complete);
    eventually("the digest is in the records", PATIENCE, || async {
        let document = member.store.document(id).await.unwrap().unwrap();
        (!document.differs_from_server()).then_some(())
    })
    .await;
    let (up, down) = (member.link.delivered_bytes(Direction::Up), member.link.delivered_bytes(Direction::Down));
    member.link.cut();
    eventually("offline", PATIENCE, || async { (member.sync.status().connection != Connection::Online).then_some(()) })
        .await;
    member.sync.network_available();
    assert_eq!(member.sync.sync_until(PATIENCE).await, SyncRun::Complete);
    let bytes = member.link.delivered_bytes(Direction::Up) - up + member.link.delivered_bytes(Direction::Down) - down;
    assert!(bytes < 8_000, "reconnecting took {bytes} bytes");
}
