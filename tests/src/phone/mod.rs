//! A phone: a real session of the phone core in a directory of its own, on a line of its own that a test can break.
//!
//! Map: this file opens, closes and looks into a phone; [`screens`] says what a person does and sees. Knows nothing of
//! the core's private parts; a look into the store opens it a second time with the vault's key.

mod screens;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Result;
use taiwa_mobile_core::{
    session::{Memo, MemoryVault, Options, SaveState, Session, SessionError, SignIn, Taiwa, TokenVault},
    store::{Store, VaultKey},
    sync::Backoff,
};
use taiwa_shared::{
    ids::{MeetingId, PairId, UserId},
    protocol::login::Secret,
};
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::{
    clock::TestClock,
    company::Company,
    eventually::{PATIENCE, eventually},
    inspect::Contents,
    link::Link,
    world::{PASSWORD, World, invitation_in},
};

/// Short, so that tests need not wait; products wait up to a minute.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(20), longest: Duration::from_millis(300) };

/// A phone with somebody signed in.
pub struct Phone {
    home: Home,
    taiwa: Taiwa,
    session: Session,
    /// Memos on screen, which stay live.
    memos: Mutex<HashMap<MeetingId, Arc<Memo>>>,
}

/// What remains of a phone while its app is closed.
struct Home {
    folder: TempDir,
    vault: Arc<MemoryVault>,
    clock: TestClock,
    roots: Option<String>,
    /// None if the phone reaches its server without a line of the test's.
    line: Option<Link>,
}

/// A phone whose app is closed.
pub struct Closed {
    home: Home,
}

impl Closed {
    /// Where its files lie.
    pub fn folder(&self) -> &Path {
        self.home.folder.path()
    }

    /// Opens the app, whatever state its files are in.
    ///
    /// # Errors
    /// What the app says.
    pub async fn open(&self) -> Result<Taiwa, SessionError> {
        Taiwa::open(self.home.options()).await
    }
}

impl World {
    /// A new phone of a person, on a line of its own.
    ///
    /// # Panics
    /// If signing in is refused.
    pub async fn phone(&self, person: &str) -> Phone {
        self.phone_of(self.company(), person).await
    }

    /// A new phone of a person of another organisation of this server.
    ///
    /// # Panics
    /// If signing in is refused.
    pub async fn phone_of(&self, company: &Company, person: &str) -> Phone {
        let line = Link::open(self.address(), self.seed()).await.expect("a line opens");
        let url = format!("http://{}", line.address());
        let home = Home::new(self.clock(), None, Some(line)).expect("a folder for the phone");
        let phone = self.sign_in(company, person, &url, home).await.expect("the invitation signs in");
        phone.eventually_online().await;
        phone
    }

    /// A new phone, on a line of its own, of whoever was given this link; they choose [`PASSWORD`].
    ///
    /// # Errors
    /// Whatever signing in says.
    pub async fn phone_with_link(&self, link: &str) -> Result<Phone> {
        let home = Home::new(self.clock(), None, Some(Link::open(self.address(), self.seed()).await?))?;
        let taiwa = Taiwa::open(home.options()).await?;
        let (invitation, password) = (Secret::new(invitation_in(link)?), Secret::new(PASSWORD));
        let url = format!("http://{}", home.line.as_ref().expect("opened above").address());
        let session = taiwa.sign_in(&url, SignIn::Invitation { invitation, password }).await?;
        Ok(Phone { home, taiwa, session, memos: Mutex::default() })
    }

    /// A new phone of a person that is told this address of the server and these certificates to trust.
    ///
    /// # Errors
    /// Whatever signing in says.
    pub async fn phone_at(&self, person: &str, url: &str, roots: Option<String>) -> Result<Phone> {
        self.sign_in(self.company(), person, url, Home::new(self.clock(), roots, None)?).await
    }

    async fn sign_in(&self, company: &Company, person: &str, url: &str, home: Home) -> Result<Phone> {
        let taiwa = Taiwa::open(home.options()).await?;
        let session = taiwa.sign_in(url, self.way_in(company, person).await?).await?;
        self.signed_in(company, person);
        Ok(Phone { home, taiwa, session, memos: Mutex::default() })
    }
}

impl Home {
    fn new(clock: &TestClock, roots: Option<String>, line: Option<Link>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("taiwa-phone-").tempdir()?;
        Ok(Self { folder, vault: Arc::default(), clock: clock.clone(), roots, line })
    }

    fn options(&self) -> Options {
        let mut options = Options::new(self.folder.path(), self.vault.clone());
        options.clock = Arc::new(self.clock.clone());
        options.extra_roots_pem = self.roots.clone();
        options.backoff = BACKOFF;
        options
    }
}

impl Phone {
    /// The session, for what has no verb here.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Who is signed in.
    pub fn user(&self) -> UserId {
        self.session.me()
    }

    /// The phone's line.
    ///
    /// # Panics
    /// If it was told another way to its server.
    pub fn line(&self) -> &Link {
        self.home.line.as_ref().expect("a phone of World::phone has a line")
    }

    /// The line is fair again, and the host says that the network is back.
    pub fn come_back(&self) {
        if let Some(line) = &self.home.line {
            line.heal();
        }
        self.session.network_available();
    }

    /// Closes the app and opens it again, with or without a network.
    ///
    /// # Panics
    /// If nobody is signed in any more.
    pub async fn reopened(self) -> Self {
        let Closed { home } = self.closed().await;
        let taiwa = Taiwa::open(home.options()).await.expect("the phone opens");
        let session = taiwa.session().await.expect("the person is still signed in");
        Self { home, taiwa, session, memos: Mutex::default() }
    }

    /// Closes the app.
    pub async fn closed(self) -> Closed {
        let Self { home, taiwa, session, memos } = self;
        drop((memos, session));
        taiwa.close().await;
        Closed { home }
    }

    /// Signs in again with the password, as the app asks for when the sign-in is over.
    ///
    /// # Panics
    /// If that is refused.
    pub async fn sign_in_again(&mut self, company: &Company, person: &str) {
        let (organisation, email) = (Some(company.slug().to_owned()), company.email(person));
        let sign_in = SignIn::Password { organisation, email, password: Secret::new(PASSWORD) };
        let url = format!("http://{}", self.line().address());
        self.memos.lock().await.clear();
        self.session = self.taiwa.sign_in(&url, sign_in).await.expect("the password signs in");
    }

    /// Waits until 同期済み: the server has stored every edit of this phone.
    ///
    /// # Panics
    /// If that takes too long.
    pub async fn settled(&self) {
        eventually("同期済み", PATIENCE, || async {
            (self.session.save_state().await.expect("the store is read") == SaveState::Synced).then_some(())
        })
        .await;
    }

    /// How many own changes the server has not acknowledged.
    ///
    /// # Panics
    /// If the store cannot be read.
    pub async fn unsent(&self) -> u32 {
        self.session.unsent().await.expect("the store is read")
    }

    /// The texts on cards 「送れなかった入力」.
    ///
    /// # Panics
    /// If the store cannot be read.
    pub async fn cards(&self) -> Vec<String> {
        let cards = self.session.refused_edits().await.expect("the store is read");
        cards.into_iter().map(|card| card.text).collect()
    }

    /// The open pair with the person of another phone.
    ///
    /// # Panics
    /// If there is none.
    pub async fn pair_with(&self, other: &Self) -> PairId {
        let item = self.session.pairs().into_iter().find(|item| item.partner == other.user());
        item.expect("the two are a pair").pair
    }

    /// The next meeting with the person of another phone.
    ///
    /// # Panics
    /// If this phone hears of none in time.
    pub async fn next_meeting_with(&self, other: &Self) -> MeetingId {
        eventually("the records of the pair have arrived", PATIENCE, || async {
            let meetings = self.session.upcoming().await.expect("the store is read");
            meetings.into_iter().find(|meeting| meeting.partner == other.user()).map(|meeting| meeting.meeting)
        })
        .await
    }

    /// The refresh token on this phone, as a thief would copy it.
    ///
    /// # Panics
    /// If the store cannot be read.
    pub async fn refresh_token(&self) -> Secret {
        let store = self.open_store().await;
        let tokens = store.tokens().await.expect("the store is read").expect("somebody is signed in");
        store.close().await;
        tokens.refresh_token
    }

    /// Everything in this phone's store, decoded.
    ///
    /// # Panics
    /// If the store cannot be read.
    pub async fn contents(&self) -> Contents {
        let store = self.open_store().await;
        let contents = Contents::of_phone(&store).await.expect("the store is read");
        store.close().await;
        contents
    }

    /// The file of the person's store.
    pub fn store_file(&self) -> PathBuf {
        self.home.folder.path().join(format!("{}.taiwa", self.user()))
    }

    /// Every file in the phone's folder.
    ///
    /// # Panics
    /// If the folder cannot be read.
    pub fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.home.folder.path()).expect("the phone has a folder");
        entries.map(|entry| entry.expect("the folder is read").path()).collect()
    }

    async fn open_store(&self) -> Store {
        let key = self.home.vault.load().expect("the vault answers").expect("the vault has a key");
        Store::open(&self.store_file(), &VaultKey::new(key)).await.expect("the store opens twice")
    }

    async fn eventually_online(&self) {
        eventually("the phone knows its people", PATIENCE, || async {
            (!self.session.pairs().is_empty()).then_some(())
        })
        .await;
    }
}
