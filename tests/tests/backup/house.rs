//! A server on either database that is stopped, restored and started again at the same address, and phones of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use taiwa_mobile_core::{
    session::{MemoryVault, Options, SaveState, Session, SignIn, Taiwa, TokenVault},
    store::{Store as PhoneStore, VaultKey},
    sync::{Backoff, Connection},
};
use taiwa_server::{
    Server,
    auth::login::invite,
    config::Config,
    operate::{
        backup::{Backup, BackupError, Damaged, backup},
        check::{Report, check},
        restore::{Replace, RestoreError, Restored, restore},
    },
    records::import::{self, Table},
    store::{Store, people::Email},
};
use taiwa_shared::{
    ids::{DocumentId, MeetingId, OrganisationId},
    protocol::login::Secret,
    sync::chunks::{ChangeHash, decode_row},
    time::Clock,
};
use taiwa_tests::{
    clock::TestClock,
    eventually::{PATIENCE, eventually, eventually_equals},
    postgres::Postgres,
    process::free_address,
    skip::skip,
};
use tempfile::TempDir;

const PEOPLE: &str = "email,name,manager_email,role\nsato@a.jp,佐藤 健,,member\ntanaka@a.jp,田中 葵,sato@a.jp,member\n";
pub(super) const MANAGER: &str = "sato@a.jp";
pub(super) const MEMBER: &str = "tanaka@a.jp";
const PASSWORD: &str = "正しい馬と電池のホチキス";

/// The changes of each document.
pub(super) type Changes = BTreeMap<DocumentId, BTreeSet<ChangeHash>>;

pub(super) struct House {
    pub(super) url: String,
    pub(super) clock: TestClock,
    pub(super) folder: TempDir,
    address: SocketAddr,
    server: Option<Server>,
    _postgres: Option<Arc<Postgres>>,
}

impl House {
    pub(super) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("taiwa.db").display());
        Self::open(url, folder, None).await
    }

    /// None, after saying so, if the machine has no PostgreSQL.
    pub(super) async fn postgres(test: &str) -> Option<Self> {
        let Some(postgres) = Postgres::shared().await.unwrap() else {
            skip(test, "no PostgreSQL server is installed");
            return None;
        };
        let url = postgres.database().unwrap();
        Some(Self::open(url, tempfile::tempdir().unwrap(), Some(postgres)).await)
    }

    async fn open(url: String, folder: TempDir, postgres: Option<Arc<Postgres>>) -> Self {
        taiwa_tests::tls::install_crypto();
        let (clock, address) = (TestClock::new(), free_address().unwrap());
        let mut house = Self { url, clock, folder, address, server: None, _postgres: postgres };
        house.start().await;
        let table = Table::read(PEOPLE.as_bytes()).unwrap();
        import::apply(house.server().store(), "a", "甲", &table, house.clock.now()).await.unwrap();
        house
    }

    pub(super) async fn start(&mut self) {
        let config = Config {
            listen: self.address,
            database: self.url.clone(),
            token_key: Some(self.folder.path().join("key.pem")),
            login_tries_per_minute: 1_000,
            ..Config::default()
        };
        self.server = Some(Server::start(config, Arc::new(self.clock.clone())).await.unwrap());
    }

    pub(super) async fn stop(&mut self) {
        self.server.take().unwrap().stop().await;
    }

    pub(super) fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) async fn backup(&self, name: &str) -> Result<Backup, BackupError> {
        backup(&self.url, &self.path(name), Damaged::Refuse, self.clock.now(), &|_| {}).await
    }

    pub(super) async fn restore(&self, name: &str, replace: Replace) -> Result<Restored, RestoreError> {
        restore(&self.url, &self.path(name), replace, Damaged::Refuse, self.clock.now(), &|_| {}).await
    }

    /// Backup and restore while the server stands still, then it runs again.
    pub(super) async fn go_back_to(&mut self, name: &str) -> Restored {
        self.stop().await;
        let restored = self.restore(name, Replace::KeepAside).await.unwrap();
        self.start().await;
        restored
    }

    /// Waits until every document has fallen quiet and its record says what it holds.
    pub(super) async fn digests_are_renewed(&self) {
        eventually("every digest is renewed", PATIENCE, || async {
            self.server().store().stale_digests().await.unwrap().is_empty().then_some(())
        })
        .await;
    }

    pub(super) async fn report(&self) -> Report {
        report_of(&self.url).await
    }

    pub(super) async fn changes(&self) -> Changes {
        changes_of(&self.url).await
    }

    pub(super) async fn invitation(&self, email: &str) -> Secret {
        let store = self.server().store();
        let organisation = store.organisation_by_slug("a").await.unwrap().unwrap();
        let person = store.person_by_email(organisation.id, &Email::normalise(email)).await.unwrap().unwrap();
        let mut tx = store.begin().await.unwrap();
        let secret = invite(&mut tx, organisation.id, person.id, self.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        secret
    }

    pub(super) fn server_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A new phone of somebody who has chosen the password already; unlike an invitation it ends no other sign-in.
    pub(super) async fn phone_by_password(&self, email: &str) -> Phone {
        let phone = self.new_phone().await;
        phone.sign_in_again(email).await;
        phone.next_meeting().await;
        phone
    }

    async fn new_phone(&self) -> Phone {
        let (folder, vault) = (tempfile::tempdir().unwrap(), Arc::new(MemoryVault::default()));
        let mut phone = Phone { taiwa: None, folder, vault, clock: self.clock.clone(), url: self.server_url() };
        phone.open().await;
        phone
    }

    /// A new phone of somebody who signs in with an invitation; this ends their earlier sign-ins.
    pub(super) async fn phone(&self, email: &str) -> Phone {
        let phone = self.new_phone().await;
        let invitation = self.invitation(email).await;
        let sign_in = SignIn::Invitation { invitation, password: Secret::new(PASSWORD) };
        phone.taiwa().sign_in(&phone.url, sign_in).await.unwrap();
        phone.next_meeting().await;
        phone
    }
}

pub(super) async fn report_of(url: &str) -> Report {
    let store = Store::open_existing(url).await.unwrap();
    let report = check(&store, &|_| {}).await;
    store.close().await;
    report
}

/// Every stored change of every document of a database or backup.
pub(super) async fn changes_of(url: &str) -> Changes {
    let store = Store::open_existing(url).await.unwrap();
    let first = (OrganisationId::from_bytes([0; 16]), DocumentId::from_bytes([0; 16]));
    let mut changes = Changes::new();
    for document in store.documents_after(first).await.unwrap() {
        let document = document.unwrap();
        let rows = store.chunks(document.organisation, document.document).await.unwrap();
        let hashes = rows.iter().flat_map(|row| decode_row(&row.body[1..]).unwrap()).map(|change| change.header.hash);
        changes.insert(document.document, hashes.collect());
    }
    store.close().await;
    changes
}

pub(super) fn backup_url(file: &Path) -> String {
    format!("sqlite:{}", file.display())
}

pub(super) struct Phone {
    taiwa: Option<Taiwa>,
    folder: TempDir,
    vault: Arc<MemoryVault>,
    clock: TestClock,
    url: String,
}

impl Phone {
    pub(super) async fn open(&mut self) {
        let options = Options {
            clock: Arc::new(self.clock.clone()),
            backoff: Backoff { first: Duration::from_millis(5), longest: Duration::from_millis(50) },
            ..Options::new(self.folder.path(), self.vault.clone())
        };
        self.taiwa = Some(Taiwa::open(options).await.unwrap());
    }

    pub(super) async fn close(&mut self) {
        self.taiwa.take().unwrap().close().await;
    }

    fn taiwa(&self) -> &Taiwa {
        self.taiwa.as_ref().unwrap()
    }

    pub(super) async fn session(&self) -> Session {
        self.taiwa().session().await.expect("somebody is signed in")
    }

    pub(super) async fn next_meeting(&self) -> MeetingId {
        let session = self.session().await;
        eventually("the first meeting is on home", PATIENCE, || async {
            session.home().await.unwrap().next.map(|next| next.meeting)
        })
        .await
    }

    pub(super) async fn write(&self, meeting: MeetingId, text: &str) {
        self.session().await.memo(meeting).await.unwrap().splice(0, 0, text.to_owned()).await.unwrap();
    }

    pub(super) async fn text(&self, meeting: MeetingId) -> String {
        self.session().await.memo(meeting).await.unwrap().read().await.unwrap().text
    }

    pub(super) async fn settled(&self) {
        let session = self.session().await;
        eventually_equals("everything is stored by the server", &SaveState::Synced, || async {
            session.save_state().await.unwrap()
        })
        .await;
    }

    pub(super) async fn reads(&self, meeting: MeetingId, parts: &[&str]) {
        let memo = self.session().await.memo(meeting).await.unwrap();
        eventually("the memo shows all of it", PATIENCE, || async {
            let text = memo.read().await.unwrap().text;
            parts.iter().all(|part| text.contains(part)).then_some(())
        })
        .await;
    }

    /// Waits for the largest document of another phone, which is not opened for it.
    pub(super) async fn has_the_memo_of(&self, theirs: &Changes) {
        let (memo, written) = theirs.iter().max_by_key(|(_, changes)| changes.len()).unwrap();
        eventually("the memo arrives without being looked at", PATIENCE, || async {
            let ours = self.changes().await;
            ours.get(memo).is_some_and(|ours| ours.is_superset(written)).then_some(())
        })
        .await;
    }

    pub(super) async fn is_online(&self) {
        let session = self.session().await;
        eventually_equals("the phone is connected", &Connection::Online, || async { session.sync_status().connection })
            .await;
    }

    pub(super) async fn is_asked_to_sign_in(&self) {
        let session = self.session().await;
        session.network_available();
        eventually_equals("the sign-in is over", &Connection::SignInAgain, || async {
            session.sync_status().connection
        })
        .await;
    }

    pub(super) async fn sign_in_again(&self, email: &str) {
        let (organisation, email) = (Some("a".to_owned()), email.to_owned());
        let sign_in = SignIn::Password { organisation, email, password: Secret::new(PASSWORD) };
        self.taiwa().sign_in(&self.url, sign_in).await.unwrap();
    }

    pub(super) async fn refresh_token(&self) -> Secret {
        let store = self.store().await;
        let tokens = store.tokens().await.unwrap().unwrap();
        store.close().await;
        tokens.refresh_token
    }

    pub(super) async fn changes(&self) -> Changes {
        let store = self.store().await;
        let mut changes = Changes::new();
        for document in store.documents().await.unwrap() {
            let stored = store.changes(document.id).await.unwrap();
            changes.insert(document.id, stored.into_iter().map(|change| change.header.hash).collect());
        }
        store.close().await;
        changes
    }

    async fn store(&self) -> PhoneStore {
        let key = VaultKey::new(self.vault.load().unwrap().unwrap());
        let file = self.folder.path().join(format!("{}.taiwa", self.session().await.me()));
        PhoneStore::open(&file, &key).await.unwrap()
    }
}
