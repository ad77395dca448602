//! Who is signed in: identity, tokens, the cursor of the records pull, the last exchange with the server, reminders.
//!
//! Each part is one sealed row, so that renewing a token does not rewrite the rest.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use taiwa_shared::{
    domain::reminders::ReminderSettings,
    ids::{DeviceId, OrganisationId, StoreEpoch, UserId},
    protocol::login::{Secret, Tokens},
    time::Timestamp,
};

use super::{Recovered, Store, StoreError, Write, seal::Place};

const IDENTITY: &str = "identity";
const TOKENS: &str = "tokens";
const CURSOR: &str = "cursor";
const LAST_EXCHANGE: &str = "last exchange";
const REMINDERS: &str = "reminders";
pub(super) const RECOVERED: &str = "recovered";

const READ: &str = "select sealed from account where part = $1";
const WRITE: &str = "insert into account (part, sealed) values ($1, $2)
    on conflict (part) do update set sealed = excluded.sealed";

/// The person whose store this is, and the server they signed in to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The person.
    pub user: UserId,
    /// Their organisation.
    pub organisation: OrganisationId,
    /// Short name of the organisation, for the next sign-in.
    pub organisation_slug: String,
    /// Name of the organisation.
    pub organisation_name: String,
    /// This sign-in.
    pub device: DeviceId,
    /// Where the server is, such as `https://taiwa.example.co.jp`.
    pub server_url: String,
}

/// The tokens received last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalTokens {
    /// For requests.
    pub access_token: Secret,
    /// When it expires, by this phone's clock.
    pub access_expires: Timestamp,
    /// For the next refresh.
    pub refresh_token: Secret,
}

impl LocalTokens {
    /// The tokens of an answer that arrived at `now`; the server's clock is translated to this phone's.
    pub fn received(tokens: Tokens, now: Timestamp) -> Self {
        let lifetime = tokens.access_expires.since(tokens.server_time);
        Self {
            access_token: tokens.access_token,
            access_expires: now.plus(lifetime),
            refresh_token: tokens.refresh_token,
        }
    }
}

/// How far the records pull has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The epoch of the server's store.
    pub epoch: StoreEpoch,
    /// What the server gave for `since`.
    pub cursor: String,
}

impl Store {
    /// Who this store belongs to; none before the first sign-in has finished.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn identity(&self) -> Result<Option<Identity>, StoreError> {
        self.part(IDENTITY).await
    }

    /// The tokens; none after they were given up.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tokens(&self) -> Result<Option<LocalTokens>, StoreError> {
        self.part::<Option<LocalTokens>>(TOKENS).await.map(Option::flatten)
    }

    /// The cursor of the records pull; none before the first page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn cursor(&self) -> Result<Option<Cursor>, StoreError> {
        self.part(CURSOR).await
    }

    /// When this phone last finished an exchange with the server.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn last_exchange(&self) -> Result<Option<Timestamp>, StoreError> {
        self.part(LAST_EXCHANGE).await
    }

    /// What the person wants to be reminded of; none until they said so.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn reminder_settings(&self) -> Result<Option<ReminderSettings>, StoreError> {
        self.part(REMINDERS).await
    }

    /// Keeps what the person wants to be reminded of.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_reminder_settings(&self, settings: ReminderSettings) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        self.put_part(&mut tx, REMINDERS, &settings).await?;
        self.commit(tx).await
    }

    /// Keeps who signed in, with the tokens.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_login(&self, identity: &Identity, tokens: &LocalTokens) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        self.put_part(&mut tx, IDENTITY, identity).await?;
        self.put_part(&mut tx, TOKENS, &Some(tokens)).await?;
        self.commit(tx).await
    }

    /// Replaces the tokens; none gives them up and keeps everything else.
    ///
    /// # Errors
    /// [`StoreError`]: the new tokens must not be used then, since a restart would go on with the old ones.
    pub async fn put_tokens(&self, tokens: Option<&LocalTokens>) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        self.put_part(&mut tx, TOKENS, &tokens).await?;
        self.commit(tx).await
    }

    /// Keeps when the last exchange with the server was finished.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_last_exchange(&self, at: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        self.put_part(&mut tx, LAST_EXCHANGE, &at).await?;
        self.commit(tx).await
    }

    /// What was saved when this store took the place of a damaged one; none once the person was told.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn recovered(&self) -> Result<Option<Recovered>, StoreError> {
        self.part::<Option<Recovered>>(RECOVERED).await.map(Option::flatten)
    }

    /// The person was told what was saved.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_recovered(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        self.put_part(&mut tx, RECOVERED, &None::<Recovered>).await?;
        self.commit(tx).await
    }

    pub(super) async fn put_recovered(&self, tx: &mut Write, recovered: &Recovered) -> Result<(), StoreError> {
        self.put_part(tx, RECOVERED, &Some(recovered)).await
    }

    pub(super) async fn put_cursor(&self, tx: &mut Write, cursor: &Cursor) -> Result<(), StoreError> {
        self.put_part(tx, CURSOR, cursor).await
    }

    async fn part<T: DeserializeOwned>(&self, part: &'static str) -> Result<Option<T>, StoreError> {
        let sealed: Option<Vec<u8>> =
            sqlx::query_scalar(READ).bind(part).fetch_optional(&self.0.read).await.map_err(|e| self.failed(e))?;
        let place = Place("account", part.as_bytes());
        sealed.map(|s| self.0.sealer.open_json(place, &s).map_err(self.not_opened("account"))).transpose()
    }

    async fn put_part(&self, tx: &mut Write, part: &'static str, value: &impl Serialize) -> Result<(), StoreError> {
        let sealed = self.0.sealer.seal_json(Place("account", part.as_bytes()), value);
        sqlx::query(WRITE).bind(part).bind(sealed).execute(&mut **tx).await.map_err(|e| self.failed(e))?;
        Ok(())
    }
}
