//! Cards 「送れなかった入力」: own edits that can no longer be sent, kept until the person has seen to them.
//!
//! A card and the removal of the changes it stands for are one transaction, so that text is always in one of the two.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use taiwa_shared::{domain::ownership::DocumentKey, ids::DocumentId, time::Timestamp};
use uuid::Uuid;

use super::{RefusalReason, Store, StoreError, Write, seal::Place};

const READ: &str = "select id, sealed from refused_edit order by id";
const INSERT: &str = "insert into refused_edit (id, sealed) values ($1, $2) on conflict (id) do nothing";
const DELETE: &str = "delete from refused_edit where id = $1";

/// Names a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RefusedEditId(Uuid);

impl RefusedEditId {
    /// A new id from sixteen random bytes.
    pub const fn from_bytes(random: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(random))
    }
}

impl FromStr for RefusedEditId {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}

impl fmt::Display for RefusedEditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Own text that could not be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedEdit {
    /// Which card.
    pub id: RefusedEditId,
    /// The document it was written in.
    pub document: DocumentId,
    /// What that document was.
    pub key: DocumentKey,
    /// The text, one line per thing written; empty if only something without text was set, such as a tick.
    pub text: String,
    /// Why it could not be sent.
    pub reason: RefusalReason,
    /// When this phone learned that.
    pub at: Timestamp,
}

impl Store {
    /// All cards, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn refused_edits(&self) -> Result<Vec<RefusedEdit>, StoreError> {
        let rows: Vec<(Vec<u8>, Vec<u8>)> =
            sqlx::query_as(READ).fetch_all(&self.0.read).await.map_err(|e| self.failed(e))?;
        let open = |(id, sealed): (Vec<u8>, Vec<u8>)| {
            self.0.sealer.open_json(Place("refused_edit", &id), &sealed).map_err(self.not_opened("refused_edit"))
        };
        let mut cards = rows.into_iter().map(open).collect::<Result<Vec<RefusedEdit>, _>>()?;
        cards.sort_by_key(|card| card.at);
        Ok(cards)
    }

    /// Gives up the unsent changes of a document and keeps their text as a card, in one transaction.
    ///
    /// # Errors
    /// [`StoreError`]; the changes are still there then.
    pub async fn turn_into_card(&self, document: DocumentId, card: &RefusedEdit) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        self.insert_card(&mut tx, card).await?;
        self.drop_unacknowledged(&mut tx, document).await?;
        self.commit(tx).await
    }

    /// Removes a card after the person has seen to it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remove_card(&self, id: RefusedEditId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(DELETE).bind(&id.0.as_bytes()[..]).execute(&mut *tx).await.map_err(|e| self.failed(e))?;
        self.commit(tx).await
    }

    pub(super) async fn insert_card(&self, tx: &mut Write, card: &RefusedEdit) -> Result<(), StoreError> {
        let id = &card.id.0.as_bytes()[..];
        let sealed = self.0.sealer.seal_json(Place("refused_edit", id), card);
        sqlx::query(INSERT).bind(id).bind(sealed).execute(&mut **tx).await.map_err(|e| self.failed(e))?;
        Ok(())
    }
}
