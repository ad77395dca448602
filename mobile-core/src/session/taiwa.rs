//! The door of the phone core: opens the directory, restores who was signed in, signs people in.
//!
//! Layout of the directory: `<user id>.taiwa`, one sealed store per person who signed in on this phone, and `current`,
//! the id of the one signed in now. Another person neither sees nor sends what the first one has not sent.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
};

use taiwa_shared::{
    domain::catalog::Language,
    ids::UserId,
    protocol::login::{InvitationRequest, LoginResponse, PasswordRequest, Secret},
    time::{Clock, Zone},
};
use tokio::sync::Mutex;

use super::{Session, SessionError, SystemClock, TokenVault, session::SessionParts};
use crate::{
    http::{HttpClient, ServerUrl, client_config},
    store::{Identity, LocalTokens, Recovered, Store, StoreError, VaultKey},
    sync::Backoff,
};

const CURRENT: &str = "current";

/// How the host wants the core.
#[derive(Clone)]
pub struct Options {
    /// A directory of the app, not backed up to where the vault is not.
    pub directory: PathBuf,
    /// Holds the key of the stores.
    pub vault: Arc<dyn TokenVault>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Language of labels and sentences.
    pub language: Language,
    /// Zone of the times shown.
    pub zone: Zone,
    /// How the person recognises this device in a list.
    pub device_name: String,
    /// A company's own certificate authorities, in PEM form.
    pub extra_roots_pem: Option<String>,
    /// How long to wait between attempts to connect.
    pub backoff: Backoff,
}

impl Options {
    /// The usual ones: Japanese, Japan's time, the device's clock.
    pub fn new(directory: impl Into<PathBuf>, vault: Arc<dyn TokenVault>) -> Self {
        Self {
            directory: directory.into(),
            vault,
            clock: Arc::new(SystemClock),
            language: Language::Ja,
            zone: Zone::tokyo(),
            device_name: "phone".to_owned(),
            extra_roots_pem: None,
            backoff: Backoff::default(),
        }
    }
}

/// How somebody signs in.
#[derive(Debug, Clone)]
pub enum SignIn {
    /// The first time, with an invitation and a new password.
    Invitation {
        /// Token from the invitation link.
        invitation: Secret,
        /// The password the person chose.
        password: Secret,
    },
    /// With e-mail and password.
    Password {
        /// Short name of the organisation, where a server has several.
        organisation: Option<String>,
        /// E-mail.
        email: String,
        /// Password.
        password: Secret,
    },
}

/// What to do about what is on this phone alone when somebody signs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnsent {
    /// Stay signed in and say how many there are.
    Ask,
    /// Give them up; the person decided so.
    Discard,
}

/// How signing out ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedOut {
    /// This person's data is gone from the phone.
    Done,
    /// Still signed in: so many changes, commands and cards are on this phone alone.
    Unsent {
        /// How many.
        changes: u32,
    },
}

/// The phone core.
pub struct Taiwa {
    options: Options,
    session: Mutex<Option<Session>>,
    recovered: std::sync::Mutex<Option<Recovered>>,
}

impl Taiwa {
    /// Opens the directory and restores the session of whoever was signed in; needs no network.
    ///
    /// # Errors
    /// [`SessionError::WrongKey`] if the vault's key does not open the store; nothing is changed then.
    pub async fn open(options: Options) -> Result<Self, SessionError> {
        let taiwa = Self::open_signed_out(options)?;
        if let (Some(user), Some(key)) = (taiwa.current()?, taiwa.options.vault.load()?) {
            let key = VaultKey::new(key);
            let restored = match taiwa.restore(user, &key).await {
                Err(SessionError::StoreDamaged { .. }) => {
                    taiwa.set_damaged_aside(user, &key).await?;
                    taiwa.restore(user, &key).await
                }
                restored => restored,
            };
            *taiwa.session.lock().await = restored?;
        }
        Ok(taiwa)
    }

    /// Opens the directory without restoring anybody, for signing in again after [`SessionError::WrongKey`]. A store that
    /// the key does not open is set aside then, never deleted.
    ///
    /// # Errors
    /// [`SessionError::Unexpected`] if the directory cannot be made.
    pub fn open_signed_out(options: Options) -> Result<Self, SessionError> {
        std::fs::create_dir_all(&options.directory).map_err(unexpected)?;
        Ok(Self { options, session: Mutex::new(None), recovered: std::sync::Mutex::new(None) })
    }

    /// The session of whoever is signed in.
    pub async fn session(&self) -> Option<Session> {
        self.session.lock().await.clone()
    }

    /// After [`SessionError::StoreDamaged`]: ends the session, sets the damaged file aside, saves what can be read of it,
    /// and starts again from there. What the server has comes back from it.
    ///
    /// # Errors
    /// [`SessionError`] if the new store cannot be made.
    pub async fn recover(&self) -> Result<Option<Session>, SessionError> {
        let mut current = self.session.lock().await;
        let (Some(user), Some(key)) = (self.current()?, self.options.vault.load()?) else { return Ok(None) };
        if let Some(damaged) = current.take() {
            damaged.stop().await;
        }
        let key = VaultKey::new(key);
        self.set_damaged_aside(user, &key).await?;
        *current = self.restore(user, &key).await?;
        Ok(current.clone())
    }

    /// What was saved when the store was found damaged, to tell the person: kept until somebody asks, and given once.
    ///
    /// # Errors
    /// [`SessionError`] if it cannot be noted that the person was told; it is given again then.
    pub async fn take_recovered(&self) -> Result<Option<Recovered>, SessionError> {
        let current = self.session.lock().await;
        let recovered = self.recovered.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let (Some(session), Some(_)) = (current.as_ref(), &recovered) {
            session.core.store.forget_recovered().await?;
        }
        self.recovered.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(recovered)
    }

    /// Signs in; a session of another person ends and keeps its store, with what it has not sent.
    ///
    /// # Errors
    /// [`SessionError::CredentialsRefused`], [`SessionError::PasswordTooWeak`], [`SessionError::OrganisationNeeded`],
    /// [`SessionError::TooManyTries`], [`SessionError::Offline`], [`SessionError::Address`].
    pub async fn sign_in(&self, server_url: &str, sign_in: SignIn) -> Result<Session, SessionError> {
        let http = self.http(server_url)?;
        let login = self.login(&http, sign_in).await?;
        self.enter(login, &http).await
    }

    /// Opens the store of the person who signed in and starts their session.
    pub(super) async fn enter(&self, login: LoginResponse, http: &HttpClient) -> Result<Session, SessionError> {
        // Held to the end: two sign-ins at once would open one store twice.
        let mut current = self.session.lock().await;
        let key = self.key()?;
        if let Some(before) = current.take() {
            before.stop().await;
        }
        let now = self.options.clock.now();
        let identity = identity(&login, http.server());
        let store = self.open_store(login.user, &key).await?;
        store.put_login(&identity, &LocalTokens::received(login.tokens, now)).await?;
        self.set_current(Some(login.user))?;
        let session = self.start(store, identity).await?;
        *current = Some(session.clone());
        Ok(session)
    }

    /// Signs out and removes this person's data from the phone, unless something of it is nowhere else. Still signed in
    /// after [`SignedOut::Unsent`], [`Self::session`] gives the session to go on with.
    ///
    /// # Errors
    /// [`SessionError`] if the store cannot be read or removed. The server is told if it can be reached.
    pub async fn sign_out(&self, on_unsent: OnUnsent) -> Result<SignedOut, SessionError> {
        let mut current = self.session.lock().await;
        let Some(session) = current.as_ref() else { return Ok(SignedOut::Done) };
        let changes = session.nowhere_else().await?;
        if changes > 0 && on_unsent == OnUnsent::Ask {
            return Ok(SignedOut::Unsent { changes });
        }
        session.end_tasks().await;
        // Something may have been written while it was asked; nothing can be any more.
        let changes = session.nowhere_else().await?;
        if changes > 0 && on_unsent == OnUnsent::Ask {
            let (store, identity) = (session.core.store.clone(), session.identity().clone());
            *current = Some(self.start(store, identity).await?);
            return Ok(SignedOut::Unsent { changes });
        }
        let goodbye = session.goodbye().await;
        session.stop().await;
        let path = self.store_path(session.me());
        *current = None;
        // In this order, so that a kill in between leaves nothing that a later sign-in would send after all. The server
        // comes last: the phone may be in other hands before it answers.
        Store::remove(&path)?;
        self.set_current(None)?;
        drop(current);
        goodbye.say().await;
        Ok(SignedOut::Done)
    }

    /// Ends the session's tasks and closes the store; everything is on the disk already.
    pub async fn close(&self) {
        if let Some(session) = self.session.lock().await.take() {
            session.stop().await;
        }
    }

    async fn login(&self, http: &HttpClient, sign_in: SignIn) -> Result<LoginResponse, SessionError> {
        let device_name = self.options.device_name.clone();
        Ok(match sign_in {
            SignIn::Invitation { invitation, password } => {
                http.sign_in_with_invitation(&InvitationRequest { invitation, password, device_name }).await?
            }
            SignIn::Password { organisation, email, password } => {
                http.sign_in_with_password(&PasswordRequest { organisation, email, password, device_name }).await?
            }
        })
    }

    async fn start(&self, store: Store, identity: Identity) -> Result<Session, SessionError> {
        let http = self.http(&identity.server_url)?;
        let tls = client_config(self.options.extra_roots_pem.as_deref())?;
        Session::start(SessionParts { store, identity, http, tls, options: self.options.clone() }).await
    }

    pub(super) fn http(&self, server_url: &str) -> Result<HttpClient, SessionError> {
        let server: ServerUrl = server_url.parse()?;
        Ok(HttpClient::new(server, client_config(self.options.extra_roots_pem.as_deref())?)?)
    }

    async fn restore(&self, user: UserId, key: &VaultKey) -> Result<Option<Session>, SessionError> {
        let store = Store::open(&self.store_path(user), key).await?;
        let known = async {
            self.note_recovered(&store).await?;
            Ok(store.identity().await?)
        };
        let started = match known.await {
            Ok(Some(identity)) => self.start(store.clone(), identity).await.map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        if !matches!(started, Ok(Some(_))) {
            store.close().await;
        }
        started
    }

    /// Opens the store of somebody who signed in; what cannot be opened is set aside.
    async fn open_store(&self, user: UserId, key: &VaultKey) -> Result<Store, SessionError> {
        let path = self.store_path(user);
        match Store::open(&path, key).await {
            Err(StoreError::Damaged { .. }) => self.set_damaged_aside(user, key).await?,
            Err(StoreError::WrongKey) => {
                // The vault lost the key of an earlier sign-in: nothing can be read, and the file is kept all the same.
                Store::set_aside(&path)?;
            }
            opened => {
                let store = opened?;
                self.note_recovered(&store).await?;
                return Ok(store);
            }
        }
        let store = Store::open(&path, key).await?;
        self.note_recovered(&store).await?;
        Ok(store)
    }

    /// An app that was killed meanwhile tells the person the next time.
    async fn note_recovered(&self, store: &Store) -> Result<(), SessionError> {
        let recovered = store.recovered().await?;
        *self.recovered.lock().unwrap_or_else(PoisonError::into_inner) = recovered;
        Ok(())
    }

    async fn set_damaged_aside(&self, user: UserId, key: &VaultKey) -> Result<(), SessionError> {
        let (store, recovered) = Store::recover(&self.store_path(user), key).await?;
        store.close().await;
        tracing::error!(kept_at = %recovered.kept_at.display(), unsent_kept = recovered.unsent_kept,
            unsent_lost = recovered.unsent_lost, "the store was damaged");
        Ok(())
    }

    /// The vault's key, made at the first sign-in.
    fn key(&self) -> Result<VaultKey, SessionError> {
        if let Some(key) = self.options.vault.load()? {
            return Ok(VaultKey::new(key));
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key).expect("the operating system gives random bytes");
        self.options.vault.store(key)?;
        Ok(VaultKey::new(key))
    }

    fn store_path(&self, user: UserId) -> PathBuf {
        self.options.directory.join(format!("{user}.taiwa"))
    }

    fn current(&self) -> Result<Option<UserId>, SessionError> {
        match std::fs::read_to_string(self.options.directory.join(CURRENT)) {
            Ok(text) => Ok(text.trim().parse().ok()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unexpected(error)),
        }
    }

    fn set_current(&self, user: Option<UserId>) -> Result<(), SessionError> {
        let path = self.options.directory.join(CURRENT);
        let written = match user {
            // Renamed into place, so that a kill leaves the old name or the new one.
            Some(user) => {
                let new = path.with_extension("new");
                write_synced(&new, &user.to_string()).and_then(|()| std::fs::rename(new, path))
            }
            None => remove_if_there(&path),
        };
        written.map_err(unexpected)
    }
}

fn identity(login: &LoginResponse, server: &ServerUrl) -> Identity {
    Identity {
        user: login.user,
        organisation: login.organisation,
        organisation_slug: login.organisation_slug.clone(),
        organisation_name: login.organisation_name.clone(),
        device: login.device,
        server_url: server.to_string(),
    }
}

fn write_synced(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    file.sync_all()
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn unexpected(error: std::io::Error) -> SessionError {
    if error.kind() == std::io::ErrorKind::StorageFull {
        SessionError::StorageFull
    } else {
        SessionError::Unexpected(Box::new(error))
    }
}
