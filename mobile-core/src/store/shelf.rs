//! The shelf: tips and the person's own words as the server gave them last, and beside them what this phone alone knows.
//!
//! Each part is one sealed row. What the server gave is a cache: a part that does not read, such as one of another
//! version, is as good as none and is pulled again.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use taiwa_shared::{
    domain::strengths::Dimension,
    ids::{MeetingId, PairId, TipId},
    protocol::{strengths::Strengths, tips::TipShelf},
    time::Timestamp,
};

use super::{Store, StoreError, seal::Place};

const PULLED: &str = "pulled";
const GUESS: &str = "guess";
const PINS: &str = "pins";

const READ: &str = "select sealed from shelf where part = $1";
const WRITE: &str = "insert into shelf (part, sealed) values ($1, $2)
    on conflict (part) do update set sealed = excluded.sealed";
const DELETE: &str = "delete from shelf where part = $1";

/// What the server gave last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PulledShelf {
    /// When it was asked for, by this phone's clock.
    pub at: Timestamp,
    /// Tips.
    pub tips: TipShelf,
    /// The person's own words.
    pub strengths: Strengths,
}

/// A tip that waits for the next brief of a member, on this phone alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Of which pair.
    pub pair: PairId,
    /// On which brief; the first one there will be if none was planned.
    pub meeting: Option<MeetingId>,
    /// Which tip, if it is not a built-in one.
    pub tip: Option<TipId>,
    /// What it says, so that it can be read whatever becomes of the tip.
    pub text: String,
    /// When it was pinned.
    pub at: Timestamp,
}

impl Store {
    /// What the server gave last; none before that.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn shelf(&self) -> Result<Option<PulledShelf>, StoreError> {
        self.shelf_part(PULLED).await
    }

    /// Keeps what the server gave.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_shelf(&self, shelf: &PulledShelf) -> Result<(), StoreError> {
        self.put_shelf_part(PULLED, shelf).await
    }

    /// Removes what the server gave: this person manages nobody any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn clear_shelf(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(DELETE).bind(PULLED).execute(&mut *tx).await.map_err(|e| self.failed(e))?;
        self.commit(tx).await
    }

    /// What the person takes their strengths to be.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn guess(&self) -> Result<Vec<Dimension>, StoreError> {
        Ok(self.shelf_part(GUESS).await?.unwrap_or_default())
    }

    /// Keeps what the person takes their strengths to be, on this phone alone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_guess(&self, guess: &[Dimension]) -> Result<(), StoreError> {
        self.put_shelf_part(GUESS, &guess).await
    }

    /// The pinned tips, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pins(&self) -> Result<Vec<Pin>, StoreError> {
        Ok(self.shelf_part(PINS).await?.unwrap_or_default())
    }

    /// Keeps the pinned tips, on this phone alone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_pins(&self, pins: &[Pin]) -> Result<(), StoreError> {
        self.put_shelf_part(PINS, &pins).await
    }

    async fn shelf_part<T: DeserializeOwned>(&self, part: &'static str) -> Result<Option<T>, StoreError> {
        let sealed: Option<Vec<u8>> =
            sqlx::query_scalar(READ).bind(part).fetch_optional(&self.0.read).await.map_err(|e| self.failed(e))?;
        Ok(sealed.and_then(|sealed| self.0.sealer.open_json(Place("shelf", part.as_bytes()), &sealed).ok()))
    }

    async fn put_shelf_part(&self, part: &'static str, value: &impl Serialize) -> Result<(), StoreError> {
        let sealed = self.0.sealer.seal_json(Place("shelf", part.as_bytes()), value);
        let mut tx = self.begin().await?;
        sqlx::query(WRITE).bind(part).bind(sealed).execute(&mut *tx).await.map_err(|e| self.failed(e))?;
        self.commit(tx).await
    }
}
