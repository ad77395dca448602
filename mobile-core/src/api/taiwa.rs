//! The door: opens the app's directory, restores who was signed in, signs people in and out.

use std::{fmt, sync::Arc, time::Duration};

use taiwa_shared::{domain::catalog::Language, protocol::login::Secret, time::Zone};

use super::{
    ApiError, KeyVault, RecoveredView, Session,
    error::parsed,
    runtime::{handle, run},
    vault::HostVault,
};
use crate::session;

/// How long [`Taiwa::close`] may take before the app goes on without it; everything is on the disk already.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How the app wants the core.
#[derive(Debug, Clone, uniffi::Record)]
pub struct OpenOptions {
    /// A directory of the app that is not backed up.
    pub directory: String,
    /// `ja` or `en`.
    pub language: String,
    /// IANA zone of the times shown, such as `Asia/Tokyo`.
    pub zone: String,
    /// How the person recognises this device in a list.
    pub device_name: String,
    /// A company's own certificate authorities, in PEM form.
    pub extra_roots_pem: Option<String>,
}

/// How somebody signs in. Prints without its secrets.
#[derive(Clone, uniffi::Enum)]
pub enum SignInWith {
    /// The first time.
    Invitation {
        /// Token from the invitation link.
        invitation: String,
        /// The password the person chose.
        password: String,
    },
    /// Later.
    Password {
        /// Short name of the organisation, where a server has several.
        organisation: Option<String>,
        /// E-mail.
        email: String,
        /// Password.
        password: String,
    },
}

impl fmt::Debug for SignInWith {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invitation { .. } => f.write_str("Invitation [redacted]"),
            Self::Password { .. } => f.write_str("Password [redacted]"),
        }
    }
}

/// What to do about what is on this phone alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum UnsentEdits {
    /// Stay signed in and say how many there are.
    Ask,
    /// Give them up; the person decided so.
    Discard,
}

/// How signing out ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum SignOutAnswer {
    /// This person's data is gone from the phone.
    Done,
    /// Still signed in: ask the person. Objects that were taken from the session before may have ended: take
    /// `session()` and everything on screen again.
    Unsent {
        /// Changes, commands and cards that are on this phone alone.
        changes: u32,
    },
}

/// The phone core.
#[derive(uniffi::Object)]
pub struct Taiwa {
    inner: Arc<session::Taiwa>,
}

#[uniffi::export]
impl Taiwa {
    /// Opens the directory and restores the session of whoever was signed in; needs no network.
    ///
    /// # Errors
    /// [`ApiError::KeyUnavailable`], [`ApiError::OtherKey`], [`ApiError::StorageFull`] if a damaged store has to be
    /// recovered and there is no room for it; nothing is changed then.
    #[uniffi::constructor]
    pub async fn open(options: OpenOptions, vault: Arc<dyn KeyVault>) -> Result<Arc<Self>, ApiError> {
        let options = converted(options, vault)?;
        let inner = run(session::Taiwa::open(options)).await?;
        Ok(Arc::new(Self { inner: Arc::new(inner) }))
    }

    /// Opens the directory without restoring anybody, for signing in again after [`ApiError::OtherKey`]. The store that
    /// the key does not open is set aside when its person signs in.
    ///
    /// # Errors
    /// [`ApiError::InvalidArgument`], [`ApiError::StorageFull`].
    #[uniffi::constructor]
    pub fn open_signed_out(options: OpenOptions, vault: Arc<dyn KeyVault>) -> Result<Arc<Self>, ApiError> {
        let inner = session::Taiwa::open_signed_out(converted(options, vault)?)?;
        Ok(Arc::new(Self { inner: Arc::new(inner) }))
    }

    /// After [`ApiError::StoreDamaged`]: ends the session, saves what can be read of the store, and starts again from there.
    /// Take everything on screen again from the session it gives; none if it is not known any more who was signed in.
    ///
    /// # Errors
    /// [`ApiError::StorageFull`]; nothing is lost, and the next call or `open` tries again.
    pub async fn recover(&self) -> Result<Option<Arc<Session>>, ApiError> {
        let inner = self.inner.clone();
        let session = run(async move { inner.recover().await }).await?;
        Ok(session.map(Session::new))
    }

    /// The session of whoever is signed in.
    pub async fn session(&self) -> Option<Arc<Session>> {
        let inner = self.inner.clone();
        let session = handle().spawn(async move { inner.session().await }).await.ok().flatten();
        session.map(Session::new)
    }

    /// Signs in; a session of another person ends and keeps what it has not sent.
    ///
    /// # Errors
    /// [`ApiError::CredentialsRefused`], [`ApiError::PasswordTooWeak`], [`ApiError::OrganisationNeeded`],
    /// [`ApiError::TooManyTries`], [`ApiError::Offline`], [`ApiError::InvalidArgument`].
    pub async fn sign_in(&self, server_url: String, with: SignInWith) -> Result<Arc<Session>, ApiError> {
        let with = match with {
            SignInWith::Invitation { invitation, password } => {
                session::SignIn::Invitation { invitation: Secret::new(invitation), password: Secret::new(password) }
            }
            SignInWith::Password { organisation, email, password } => {
                session::SignIn::Password { organisation, email, password: Secret::new(password) }
            }
        };
        let inner = self.inner.clone();
        run(async move { inner.sign_in(&server_url, with).await }).await.map(Session::new)
    }

    /// Signs out and removes this person's data, unless something of it is nowhere else.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] if the data cannot be removed.
    pub async fn sign_out(&self, unsent: UnsentEdits) -> Result<SignOutAnswer, ApiError> {
        let on_unsent = match unsent {
            UnsentEdits::Ask => session::OnUnsent::Ask,
            UnsentEdits::Discard => session::OnUnsent::Discard,
        };
        let inner = self.inner.clone();
        Ok(match run(async move { inner.sign_out(on_unsent).await }).await? {
            session::SignedOut::Done => SignOutAnswer::Done,
            session::SignedOut::Unsent { changes } => SignOutAnswer::Unsent { changes },
        })
    }

    /// What was saved when the store was found damaged, to tell the person: kept until somebody asks, and given once.
    ///
    /// # Errors
    /// [`ApiError::StorageFull`]; it is given again then.
    pub async fn take_recovered(&self) -> Result<Option<RecoveredView>, ApiError> {
        let inner = self.inner.clone();
        let recovered = run(async move { inner.take_recovered().await }).await?;
        Ok(recovered.map(|it| RecoveredView { unsent_kept: it.unsent_kept, unsent_lost: it.unsent_lost }))
    }

    /// Ends the session's tasks and closes the store; everything is on the disk already.
    pub async fn close(&self) {
        let inner = self.inner.clone();
        let closing = async move { tokio::time::timeout(CLOSE_TIMEOUT, inner.close()).await };
        // A store that does not close in time is closed by the end of the process.
        let _ = handle().spawn(closing).await;
    }
}

fn converted(options: OpenOptions, vault: Arc<dyn KeyVault>) -> Result<session::Options, ApiError> {
    let language = match options.language.as_str() {
        "ja" => Language::Ja,
        "en" => Language::En,
        _ => return Err(ApiError::InvalidArgument { what: "the language".to_owned() }),
    };
    let zone: Zone = parsed("the zone", &options.zone)?;
    Ok(session::Options {
        language,
        zone,
        device_name: options.device_name,
        extra_roots_pem: options.extra_roots_pem,
        ..session::Options::new(options.directory, Arc::new(HostVault(vault)))
    })
}
