//! The shelf: tips and the person's own words as the server gave them last, and beside them what this phone alone knows.
//!
//! Each part is one sealed row. What the server gave is a cache: if it does not read, as one of another version, it is as
//! good as none and is pulled again. The person's own parts are damage then, like any other row, and are not written over.

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
        Ok(self.sealed_part(PULLED).await?.and_then(|sealed| self.open_part(PULLED, &sealed).ok()))
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
        self.own_part(GUESS).await
    }

    /// Keeps what the person takes their strengths to be, on this phone alone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_guess(&self, guess: &[Dimension]) -> Result<(), StoreError> {
        let _: Vec<Dimension> = self.own_part(GUESS).await?;
        self.put_shelf_part(GUESS, &guess).await
    }

    /// The pinned tips, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pins(&self) -> Result<Vec<Pin>, StoreError> {
        self.own_part(PINS).await
    }

    /// Changes the pinned tips, on this phone alone, in one step: of two changes at once none is lost.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was changed.
    pub async fn change_pins(&self, change: impl FnOnce(&mut Vec<Pin>)) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sealed: Option<Vec<u8>> =
            sqlx::query_scalar(READ).bind(PINS).fetch_optional(&mut *tx).await.map_err(|e| self.failed(e))?;
        let mut pins = sealed.map(|sealed| self.open_part(PINS, &sealed)).transpose()?.unwrap_or_default();
        change(&mut pins);
        let sealed = self.0.sealer.seal_json(Place("shelf", PINS.as_bytes()), &pins);
        sqlx::query(WRITE).bind(PINS).bind(sealed).execute(&mut *tx).await.map_err(|e| self.failed(e))?;
        self.commit(tx).await
    }

    /// A part that is the person's own; empty before there is any.
    async fn own_part<T: DeserializeOwned + Default>(&self, part: &'static str) -> Result<T, StoreError> {
        let opened = self.sealed_part(part).await?.map(|sealed| self.open_part(part, &sealed));
        Ok(opened.transpose()?.unwrap_or_default())
    }

    async fn sealed_part(&self, part: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
        sqlx::query_scalar(READ).bind(part).fetch_optional(&self.0.read).await.map_err(|e| self.failed(e))
    }

    fn open_part<T: DeserializeOwned>(&self, part: &'static str, sealed: &[u8]) -> Result<T, StoreError> {
        self.0.sealer.open_json(Place("shelf", part.as_bytes()), sealed).map_err(self.not_opened("shelf"))
    }

    async fn put_shelf_part(&self, part: &'static str, value: &impl Serialize) -> Result<(), StoreError> {
        let sealed = self.0.sealer.seal_json(Place("shelf", part.as_bytes()), value);
        let mut tx = self.begin().await?;
        sqlx::query(WRITE).bind(part).bind(sealed).execute(&mut *tx).await.map_err(|e| self.failed(e))?;
        self.commit(tx).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::VaultKey;

    fn pin(text: String) -> Pin {
        Pin { pair: PairId::from_bytes([3; 16]), meeting: None, tip: None, text, at: Timestamp::from_millis(1_000) }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_tips_pinned_at_once_none_is_lost() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("a.taiwa"), &VaultKey::new([7; 32])).await.unwrap();
        let pinning = (0..20).map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.change_pins(|pins| pins.push(pin(format!("{n}")))).await.unwrap() })
        });
        for pinned in pinning.collect::<Vec<_>>() {
            pinned.await.unwrap();
        }
        assert_eq!(store.pins().await.unwrap().len(), 20);
    }

    #[tokio::test]
    async fn an_own_part_that_does_not_read_is_damage_and_is_not_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("a.taiwa"), &VaultKey::new([7; 32])).await.unwrap();
        let shelf = PulledShelf {
            at: Timestamp::from_millis(1_000),
            tips: TipShelf { tips: Vec::new(), own: Vec::new(), outside: false },
            strengths: Strengths::default(),
        };
        store.put_shelf(&shelf).await.unwrap();
        store.put_guess(&[]).await.unwrap();
        store.change_pins(|pins| pins.push(pin("図".to_owned()))).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        sqlx::query("update shelf set sealed = x'00'").execute(&mut *tx).await.unwrap();
        store.commit(tx).await.unwrap();
        assert_eq!(store.shelf().await.unwrap(), None, "what the server gave is pulled again");
        assert!(matches!(store.guess().await, Err(StoreError::Damaged { .. })));
        assert!(matches!(store.put_guess(&[]).await, Err(StoreError::Damaged { .. })));
        assert!(matches!(store.change_pins(Vec::clear).await, Err(StoreError::Damaged { .. })));
        let kept: i64 = sqlx::query_scalar("select count(*) from shelf where sealed = x'00'")
            .fetch_one(&store.0.read)
            .await
            .unwrap();
        assert_eq!(kept, 3);
    }
}
