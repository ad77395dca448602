//! Refresh tokens as stored: a tree per device. What follows from presenting one is decided in `auth::refresh`.

use sqlx::FromRow;
use taiwa_shared::{
    domain::people::Role,
    ids::{DeviceId, OrganisationId, UserId},
    time::Timestamp,
};
use uuid::Uuid;

use super::{Store, StoreError, Tx, login::SecretHash, people::role_of};

statements! {
    /// Writes nothing new: it locks the device's row, so that tokens of one device are presented one after another.
    LOCK_FAMILY = "update device set refreshed = refreshed
        where (organisation, id) in (select organisation, device from refresh_token where hash = $1)
        returning organisation, id, person, made, revoked";
    IS_KNOWN = "select count(*) from refresh_token where hash = $1";
    TOKEN = "select state, parent, expires from refresh_token where hash = $1";
    PERSON = "select role, active from person where organisation = $1 and id = $2";
    KILL = "update refresh_token set state = 'dead'
        where state <> 'dead' and (hash = $1 or (parent = $1 and hash <> $2))";
    USE = "update refresh_token set state = 'used' where hash = $1 and state = 'unused'";
    CHILDREN = "select count(*), min(made) from refresh_token where parent = $1 and state = 'unused'";
    FORGET_OLDEST_CHILD = "delete from refresh_token where hash = (
        select hash from refresh_token where parent = $1 and state = 'unused' order by made, hash limit 1)";
    ADD = "insert into refresh_token (hash, organisation, device, parent, state, made, expires)
        values ($1, $2, $3, $4, 'unused', $5, $6)";
    TOUCH = "update device set refreshed = $3 where organisation = $1 and id = $2";
}

/// How far a refresh token has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// Given out, not seen again yet.
    Unused,
    /// Presented; its successors have not been.
    Used,
    /// A successor or a sibling was presented: this one must not appear again.
    Dead,
}

/// A presented token with its device, whose row is locked until the end of the transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentedToken {
    /// The organisation.
    pub organisation: OrganisationId,
    /// The sign-in it belongs to.
    pub device: DeviceId,
    /// The person.
    pub person: UserId,
    /// What they may do now.
    pub role: Role,
    /// Whether the person is still there.
    pub active: bool,
    /// When they signed in.
    pub signed_in: Timestamp,
    /// Whether the sign-in was ended.
    pub revoked: bool,
    /// How far the token has come.
    pub state: TokenState,
    /// The token it succeeded; none for the one from the sign-in.
    pub parent: Option<Vec<u8>>,
    /// When it expires.
    pub expires: Timestamp,
}

#[derive(FromRow)]
struct FamilyRow {
    organisation: Uuid,
    id: Uuid,
    person: Uuid,
    made: i64,
    revoked: Option<i64>,
}

impl Store {
    /// Whether a refresh token was ever given out and not forgotten: asked first, so that guesses keep no writer busy.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn knows_token(&self, hash: &SecretHash) -> Result<bool, StoreError> {
        let hash = hash.as_slice();
        let count: i64 = on!(read self, |c| sqlx::query_scalar(IS_KNOWN).bind(hash).fetch_one(c).await)?;
        Ok(count > 0)
    }
}

impl Tx {
    /// Looks a refresh token up and locks its device.
    ///
    /// # Errors
    /// [`StoreError`] if a statement failed or a row is unreadable.
    pub async fn present_token(&mut self, hash: &SecretHash) -> Result<Option<PresentedToken>, StoreError> {
        let hash = hash.as_slice();
        let family: Option<FamilyRow> =
            on!(tx self, |c| sqlx::query_as(LOCK_FAMILY).bind(hash).fetch_optional(c).await)?;
        let Some(family) = family else { return Ok(None) };
        let token: Option<(String, Option<Vec<u8>>, i64)> =
            on!(tx self, |c| sqlx::query_as(TOKEN).bind(hash).fetch_optional(c).await)?;
        // Forgotten while this transaction waited for the device.
        let Some((state, parent, expires)) = token else { return Ok(None) };
        let (role, active): (String, bool) =
            on!(tx self, |c| sqlx::query_as(PERSON).bind(family.organisation).bind(family.person).fetch_one(c).await)?;
        let state = match state.as_str() {
            "unused" => TokenState::Unused,
            "used" => TokenState::Used,
            "dead" => TokenState::Dead,
            other => return Err(StoreError::row("refresh_token", format!("state {other:?}"))),
        };
        Ok(Some(PresentedToken {
            organisation: OrganisationId::from_uuid(family.organisation),
            device: DeviceId::from_uuid(family.id),
            person: UserId::from_uuid(family.person),
            role: role_of(&role)?,
            active,
            signed_in: Timestamp::from_millis(family.made),
            revoked: family.revoked.is_some(),
            state,
            parent,
            expires: Timestamp::from_millis(expires),
        }))
    }

    /// Marks a token as used; its parent and its siblings die.
    ///
    /// # Errors
    /// [`StoreError`] if a statement failed.
    pub async fn use_token(&mut self, hash: &SecretHash, parent: Option<&[u8]>) -> Result<(), StoreError> {
        let hash = hash.as_slice();
        if let Some(parent) = parent {
            on!(tx self, |c| sqlx::query(KILL).bind(parent).bind(hash).execute(c).await.map(drop))?;
        }
        on!(tx self, |c| sqlx::query(USE).bind(hash).execute(c).await.map(drop))?;
        Ok(())
    }

    /// How many successors of a token nobody has used, and when the oldest of them was made.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn unused_successors(&mut self, hash: &SecretHash) -> Result<(i64, Option<Timestamp>), StoreError> {
        let hash = hash.as_slice();
        let (count, oldest): (i64, Option<i64>) =
            on!(tx self, |c| sqlx::query_as(CHILDREN).bind(hash).fetch_one(c).await)?;
        Ok((count, oldest.map(Timestamp::from_millis)))
    }

    /// Forgets the oldest unused successor of a token.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn forget_oldest_successor(&mut self, hash: &SecretHash) -> Result<(), StoreError> {
        let hash = hash.as_slice();
        on!(tx self, |c| sqlx::query(FORGET_OLDEST_CHILD).bind(hash).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Adds a token to a device, as successor of `parent` unless it is the first.
    ///
    /// # Errors
    /// [`StoreError`] if a statement failed.
    pub async fn add_token(
        &mut self,
        hash: &SecretHash,
        organisation: OrganisationId,
        device: DeviceId,
        parent: Option<&SecretHash>,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<(), StoreError> {
        let (organisation, device, now) = (organisation.as_uuid(), device.as_uuid(), now.as_millis());
        on!(tx self, |c| sqlx::query(ADD)
            .bind(hash.as_slice())
            .bind(organisation)
            .bind(device)
            .bind(parent.map(|parent| parent.as_slice()))
            .bind(now)
            .bind(expires.as_millis())
            .execute(c)
            .await
            .map(drop))?;
        on!(tx self, |c| sqlx::query(TOUCH).bind(organisation).bind(device).bind(now).execute(c).await.map(drop))?;
        Ok(())
    }
}
