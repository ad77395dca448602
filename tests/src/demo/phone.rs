//! A phone of the story: a real session of the phone core behind a line that can be cut.
//!
//! Uses the public API as an app does. Knows the server only through its line.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use taiwa_mobile_core::{
    session::{MemoryVault, Options, SaveState, Session, SessionError, SignIn, Taiwa, TokenVault},
    store::{Store, VaultKey},
    sync::Backoff,
};
use taiwa_shared::protocol::login::Secret;

use crate::{clock::TestClock, inspect::Contents, link::Link, seed::Seed};

/// What everybody in the story chooses as password.
const PASSWORD: &str = "朝はゆっくり歩いて行く 71";

/// How long the story waits for something that has to happen.
const PATIENCE: Duration = Duration::from_secs(15);

/// Somebody's phone.
pub(super) struct Phone {
    /// The person, as others address them.
    pub(super) who: String,
    /// The line to the server.
    pub(super) line: Link,
    options: Options,
    vault: Arc<MemoryVault>,
    taiwa: Option<Taiwa>,
}

impl Phone {
    /// Unpacks a phone and signs in with an invitation link.
    pub(super) async fn sign_in(
        who: &str,
        directory: PathBuf,
        server: SocketAddr,
        clock: &TestClock,
        link: &str,
        seed: Seed,
    ) -> Result<Self> {
        let line = Link::open(server, seed).await?;
        let vault = Arc::new(MemoryVault::default());
        let mut options = Options::new(directory, vault.clone());
        options.clock = Arc::new(clock.clone());
        options.device_name = format!("{who}の電話");
        options.backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(1) };
        let taiwa = Taiwa::open(options.clone()).await?;
        let sign_in = SignIn::Invitation {
            invitation: Secret::new(link.rsplit_once('/').context("an invitation link ends in a secret")?.1),
            password: Secret::new(PASSWORD),
        };
        taiwa.sign_in(&format!("http://{}", line.address()), sign_in).await?;
        Ok(Self { who: who.to_owned(), line, options, vault, taiwa: Some(taiwa) })
    }

    /// Who is signed in.
    pub(super) async fn session(&self) -> Result<Session> {
        let taiwa = self.taiwa.as_ref().context("the app is closed")?;
        taiwa.session().await.context("nobody is signed in")
    }

    /// The system ends the app without a word, and the person opens it again.
    pub(super) async fn kill_and_reopen(&mut self) -> Result<()> {
        drop(self.taiwa.take());
        self.taiwa = Some(Taiwa::open(self.options.clone()).await?);
        Ok(())
    }

    /// No network from now on.
    pub(super) fn enter_tunnel(&self) {
        self.line.go_down();
    }

    /// The network is back, and the system tells the app.
    pub(super) async fn leave_tunnel(&self) -> Result<()> {
        self.line.heal();
        self.session().await?.network_available();
        Ok(())
    }

    /// Looks at a screen until it shows what is expected; none if it does not in time.
    pub(super) async fn sees<T, F, Fut>(&self, load: F, expected: impl Fn(&T) -> bool) -> Result<Option<T>>
    where
        T: Clone + PartialEq,
        F: Fn(Session) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, SessionError>> + Send + 'static,
    {
        let mut screen = self.session().await?.observe(load);
        let look = async {
            while let Some(shown) = screen.next().await {
                let shown = shown?;
                if expected(&shown) {
                    return Ok(Some(shown));
                }
            }
            anyhow::Ok(None)
        };
        tokio::time::timeout(PATIENCE, look).await.unwrap_or(Ok(None))
    }

    /// Waits until the screen says 同期済み.
    pub(super) async fn is_synced(&self) -> Result<bool> {
        let synced = |state: &SaveState| *state == SaveState::Synced;
        Ok(self.sees(|session| async move { session.save_state().await }, synced).await?.is_some())
    }

    /// The word at the top right of every screen.
    pub(super) async fn word(&self) -> Result<String> {
        Ok(match self.session().await?.save_state().await? {
            SaveState::Saved => "保存済み".to_owned(),
            SaveState::Waiting { changes } => format!("送信待ち（{changes}件）"),
            SaveState::Synced => "同期済み".to_owned(),
        })
    }

    /// Closes the app and decodes everything its store holds.
    pub(super) async fn open_up(mut self) -> Result<Contents> {
        let taiwa = self.taiwa.take().context("the app is closed")?;
        let user = taiwa.session().await.context("nobody is signed in")?.me();
        taiwa.close().await;
        let key = self.vault.load()?.context("the vault has a key")?;
        let store = Store::open(&self.options.directory.join(format!("{user}.taiwa")), &VaultKey::new(key)).await?;
        Contents::of_phone(&store).await
    }
}
