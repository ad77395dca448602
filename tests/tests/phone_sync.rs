//! A phone's synchronising against the real server on a real socket: what arrives, what may be called acknowledged, and
//! what a line that fails, a token that ends and access that is lost do to it.
//!
//! Map: this file the server and phones without a session; [`network`], [`rights`].

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod network;
mod rights;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use taiwa_mobile_core::{
    store::{LocalTokens, PageEffects, RefusalReason, Store, VaultKey},
    sync::{
        AccessToken, Backoff, Connection, Credentials, CredentialsError, Freshness, SyncAddress, SyncConfig, SyncEvent,
        SyncHandle, Waiting,
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
    link::Link,
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

    /// Stops the server, changes the last row of a document, and starts it again; gives back the row as it was.
    async fn edit_while_stopped(&mut self, document: DocumentId, edit: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        self.server.take().unwrap().stop().await;
        let file = format!("sqlite:{}", self.folder.path().join("taiwa.db").display());
        let mut sql = <sqlx::SqliteConnection as sqlx::Connection>::connect(&file).await.unwrap();
        let last = "select n, body from chunk where document = $1 order by n desc limit 1";
        let (n, before): (i64, Vec<u8>) =
            sqlx::query_as(last).bind(document.as_uuid()).fetch_one(&mut sql).await.unwrap();
        let mut body = before.clone();
        edit(&mut body);
        let change = "update chunk set body = $1 where document = $2 and n = $3";
        sqlx::query(change).bind(body).bind(document.as_uuid()).bind(n).execute(&mut sql).await.unwrap();
        sqlx::Connection::close(sql).await.unwrap();
        self.start().await;
        before
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
        let (documents, clock) = (store.documents().await.unwrap(), Arc::new(self.clock.clone()));
        let (sync, events) = SyncHandle::start(config, store.clone(), holder.clone(), clock, &documents);
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
