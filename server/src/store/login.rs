//! Passwords, invitations, socket tickets and locks of sign-in attempts, as stored: hashes only.

use sqlx::FromRow;
use taiwa_shared::{
    domain::command::INVITATION_LIFE,
    ids::{DeviceId, OrganisationId, UserId},
    time::Timestamp,
};
use uuid::Uuid;

use super::{Store, StoreError, Tx};

statements! {
    PASSWORD = "select hash from password where organisation = $1 and person = $2";
    SET_PASSWORD = "insert into password (organisation, person, hash, changed) values ($1, $2, $3, $4)
        on conflict (organisation, person) do update set hash = excluded.hash, changed = excluded.changed";
    ADD_INVITATION = "insert into invitation (hash, organisation, person, made, expires) values ($1, $2, $3, $4, $5)";
    RENEW_INVITATION = "update invitation set expires = $2 where hash = $1 and used is null";
    INVITATION = "select organisation, person from invitation where hash = $1 and used is null and expires > $2";
    INVITED = "select organisation, person from invitation where hash = $1";
    HAS_SIGNED_IN = "select count(*) from device where organisation = $1 and person = $2";
    USE_INVITATION = "update invitation set used = $2 where hash = $1 and used is null and expires > $2
        returning organisation, person";
    FORGET_PASSWORD = "delete from password where organisation = $1 and person = $2";
    VOID_INVITATIONS = "delete from invitation where organisation = $1 and person = $2 and used is null";
    ADD_TICKET = "insert into socket_ticket (hash, organisation, device, expires, principal_expires)
        values ($1, $2, $3, $4, $5)";
    HAS_TICKET = "select count(*) from socket_ticket where hash = $1";
    BURN_TICKET = "delete from socket_ticket where hash = $1
        returning organisation, device, expires, principal_expires";
    COUNT_TRY = "insert into login_lock (key, failures, locked_until, tried) values ($1, 1, 0, $2)
        on conflict (key) do update set failures = login_lock.failures + 1, tried = excluded.tried
        returning failures, locked_until";
    LOCK = "update login_lock set locked_until = $2 where key = $1";
    UNLOCK = "delete from login_lock where key = $1";
    FORGET_INVITATIONS = "delete from invitation where expires < $1";
    FORGET_TICKETS = "delete from socket_ticket where expires < $1";
    FORGET_LOCKS = "delete from login_lock where tried < $1";
    FORGET_TOKENS = "delete from refresh_token where expires < $1";
}

/// SHA-256 of a secret.
pub type SecretHash = [u8; 32];

/// A socket ticket that was just burned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BurnedTicket {
    /// The organisation.
    pub organisation: OrganisationId,
    /// The sign-in that asked for it.
    pub device: DeviceId,
    /// When the ticket expires or expired.
    pub expires: Timestamp,
    /// When the access token with which it was asked for expires.
    pub principal_expires: Timestamp,
}

#[derive(FromRow)]
struct TicketRow {
    organisation: Uuid,
    device: Uuid,
    expires: i64,
    principal_expires: i64,
}

impl Store {
    /// The argon2id hash of somebody's password, if they have set one.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn password(&self, organisation: OrganisationId, person: UserId) -> Result<Option<String>, StoreError> {
        let (organisation, person) = (organisation.as_uuid(), person.as_uuid());
        Ok(on!(read self, |c| sqlx::query_scalar(PASSWORD).bind(organisation).bind(person).fetch_optional(c).await)?)
    }

    /// Whose invitation this is, if it can still be used.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn invitation(
        &self,
        hash: &SecretHash,
        now: Timestamp,
    ) -> Result<Option<(OrganisationId, UserId)>, StoreError> {
        let (hash, now) = (hash.as_slice(), now.as_millis());
        let row: Option<(Uuid, Uuid)> =
            on!(read self, |c| sqlx::query_as(INVITATION).bind(hash).bind(now).fetch_optional(c).await)?;
        Ok(row.map(|(o, p)| (OrganisationId::from_uuid(o), UserId::from_uuid(p))))
    }

    /// Whether a socket ticket was given out and not burned: asked first, so that guesses keep no writer busy.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn has_ticket(&self, hash: &SecretHash) -> Result<bool, StoreError> {
        let hash = hash.as_slice();
        let count: i64 = on!(read self, |c| sqlx::query_scalar(HAS_TICKET).bind(hash).fetch_one(c).await)?;
        Ok(count > 0)
    }

    /// Deletes what nobody can use any more.
    ///
    /// # Errors
    /// [`StoreError`] if a statement failed.
    pub async fn forget_expired_logins(&self, now: Timestamp, locks_before: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for (statement, before) in
            [(FORGET_INVITATIONS, now), (FORGET_TICKETS, now), (FORGET_TOKENS, now), (FORGET_LOCKS, locks_before)]
        {
            on!(tx tx, |c| sqlx::query(statement).bind(before.as_millis()).execute(c).await.map(drop))?;
        }
        tx.commit().await
    }
}

impl Tx {
    /// The argon2id hash of somebody's password, as this transaction sees it.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn password(
        &mut self,
        organisation: OrganisationId,
        person: UserId,
    ) -> Result<Option<String>, StoreError> {
        let (organisation, person) = (organisation.as_uuid(), person.as_uuid());
        Ok(on!(tx self, |c| sqlx::query_scalar(PASSWORD).bind(organisation).bind(person).fetch_optional(c).await)?)
    }

    /// Sets somebody's password hash.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn set_password(
        &mut self,
        organisation: OrganisationId,
        person: UserId,
        hash: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (organisation, person, now) = (organisation.as_uuid(), person.as_uuid(), now.as_millis());
        on!(tx self, |c| sqlx::query(SET_PASSWORD)
            .bind(organisation)
            .bind(person)
            .bind(hash)
            .bind(now)
            .execute(c)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Whom an invitation is or was for, used and expired ones included.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn invited(&mut self, hash: &SecretHash) -> Result<Option<(OrganisationId, UserId)>, StoreError> {
        let hash = hash.as_slice();
        let row: Option<(Uuid, Uuid)> = on!(tx self, |c| sqlx::query_as(INVITED).bind(hash).fetch_optional(c).await)?;
        Ok(row.map(|(organisation, person)| (OrganisationId::from_uuid(organisation), UserId::from_uuid(person))))
    }

    /// Whether a person ever signed in, whatever became of the sign-in.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn has_signed_in(&mut self, organisation: OrganisationId, person: UserId) -> Result<bool, StoreError> {
        let (organisation, person) = (organisation.as_uuid(), person.as_uuid());
        let devices: i64 =
            on!(tx self, |c| sqlx::query_scalar(HAS_SIGNED_IN).bind(organisation).bind(person).fetch_one(c).await)?;
        Ok(devices > 0)
    }

    /// Adds an invitation that works for [`INVITATION_LIFE`].
    ///
    /// # Errors
    /// [`StoreError`]; a unique violation if the secret was used for one before.
    pub async fn add_invitation(
        &mut self,
        hash: &SecretHash,
        organisation: OrganisationId,
        person: UserId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let expires = now.plus(INVITATION_LIFE);
        on!(tx self, |c| sqlx::query(ADD_INVITATION)
            .bind(hash.as_slice())
            .bind(organisation.as_uuid())
            .bind(person.as_uuid())
            .bind(now.as_millis())
            .bind(expires.as_millis())
            .execute(c)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Lets an invitation that was not used work for [`INVITATION_LIFE`] from now, whether it was over or not.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn renew_invitation(&mut self, hash: &SecretHash, now: Timestamp) -> Result<(), StoreError> {
        let (hash, expires) = (hash.as_slice(), now.plus(INVITATION_LIFE).as_millis());
        on!(tx self, |c| sqlx::query(RENEW_INVITATION).bind(hash).bind(expires).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Uses an invitation up; none if it was used before, is over or unknown.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn use_invitation(
        &mut self,
        hash: &SecretHash,
        now: Timestamp,
    ) -> Result<Option<(OrganisationId, UserId)>, StoreError> {
        let (hash, now) = (hash.as_slice(), now.as_millis());
        let row: Option<(Uuid, Uuid)> =
            on!(tx self, |c| sqlx::query_as(USE_INVITATION).bind(hash).bind(now).fetch_optional(c).await)?;
        Ok(row.map(|(o, p)| (OrganisationId::from_uuid(o), UserId::from_uuid(p))))
    }

    /// Forgets a person's password; they can set another with an invitation.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn forget_password(&mut self, organisation: OrganisationId, person: UserId) -> Result<(), StoreError> {
        let (organisation, person) = (organisation.as_uuid(), person.as_uuid());
        on!(tx self, |c| sqlx::query(FORGET_PASSWORD).bind(organisation).bind(person).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Makes a person's unused invitations void; returns how many there were.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn void_invitations(&mut self, organisation: OrganisationId, person: UserId) -> Result<u64, StoreError> {
        let (organisation, person) = (organisation.as_uuid(), person.as_uuid());
        Ok(on!(tx self, |c| sqlx::query(VOID_INVITATIONS)
            .bind(organisation)
            .bind(person)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?)
    }

    /// Adds a socket ticket.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn add_ticket(&mut self, hash: &SecretHash, ticket: &BurnedTicket) -> Result<(), StoreError> {
        on!(tx self, |c| sqlx::query(ADD_TICKET)
            .bind(hash.as_slice())
            .bind(ticket.organisation.as_uuid())
            .bind(ticket.device.as_uuid())
            .bind(ticket.expires.as_millis())
            .bind(ticket.principal_expires.as_millis())
            .execute(c)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Takes a socket ticket away for good and returns it; expired ones too, for the caller to refuse.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn burn_ticket(&mut self, hash: &SecretHash) -> Result<Option<BurnedTicket>, StoreError> {
        let hash = hash.as_slice();
        let row: Option<TicketRow> = on!(tx self, |c| sqlx::query_as(BURN_TICKET).bind(hash).fetch_optional(c).await)?;
        Ok(row.map(|row| BurnedTicket {
            organisation: OrganisationId::from_uuid(row.organisation),
            device: DeviceId::from_uuid(row.device),
            expires: Timestamp::from_millis(row.expires),
            principal_expires: Timestamp::from_millis(row.principal_expires),
        }))
    }

    /// Counts one more sign-in attempt for a key; returns the tries since the last success and until when it is locked.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn count_login_try(&mut self, key: &SecretHash, now: Timestamp) -> Result<(i64, Timestamp), StoreError> {
        let (key, now) = (key.as_slice(), now.as_millis());
        let (failures, until): (i64, i64) =
            on!(tx self, |c| sqlx::query_as(COUNT_TRY).bind(key).bind(now).fetch_one(c).await)?;
        Ok((failures, Timestamp::from_millis(until)))
    }

    /// Locks sign-in for a key.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn lock_login(&mut self, key: &SecretHash, until: Timestamp) -> Result<(), StoreError> {
        let (key, until) = (key.as_slice(), until.as_millis());
        on!(tx self, |c| sqlx::query(LOCK).bind(key).bind(until).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Forgets the failed attempts of a key.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn unlock_login(&mut self, key: &SecretHash) -> Result<(), StoreError> {
        let key = key.as_slice();
        on!(tx self, |c| sqlx::query(UNLOCK).bind(key).execute(c).await.map(drop))?;
        Ok(())
    }
}
