//! Sign-ins on devices, as stored. What ending one means for its tokens and sockets is the business of `auth`.

use taiwa_shared::{
    domain::people::Role,
    ids::{DeviceId, OrganisationId, UserId},
    time::Timestamp,
};
use uuid::Uuid;

use super::{Store, StoreError, Tx, people::role_of};

statements! {
    ADD_DEVICE = "insert into device (organisation, id, person, name, made, refreshed) values ($1, $2, $3, $4, $5, $5)";
    DEVICE = "select d.person, p.role from device d
        join person p on p.organisation = d.organisation and p.id = d.person
        where d.organisation = $1 and d.id = $2 and d.revoked is null and p.active";
    REVOKE_DEVICE = "update device set revoked = $3 where organisation = $1 and id = $2 and revoked is null";
    REVOKE_DEVICE_OF = "update device set revoked = $4
        where organisation = $1 and person = $2 and id = $3 and revoked is null";
    DEVICES = "select id, name, made, refreshed from device
        where organisation = $1 and person = $2 and revoked is null order by made, id";
    REVOKE_DEVICES = "update device set revoked = $3 where organisation = $1 and person = $2 and revoked is null
        returning id";
}

/// A sign-in that was not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRow {
    /// Which.
    pub id: DeviceId,
    /// How the person recognises it.
    pub name: String,
    /// When they signed in.
    pub made: Timestamp,
    /// When it last got tokens.
    pub refreshed: Timestamp,
}

impl Store {
    /// A person's sign-ins that were not ended, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn devices(&self, organisation: OrganisationId, person: UserId) -> Result<Vec<DeviceRow>, StoreError> {
        let (organisation, person) = (organisation.as_uuid(), person.as_uuid());
        let rows: Vec<(Uuid, String, i64, i64)> =
            on!(read self, |c| sqlx::query_as(DEVICES).bind(organisation).bind(person).fetch_all(c).await)?;
        let devices = rows.into_iter().map(|(id, name, made, refreshed)| DeviceRow {
            id: DeviceId::from_uuid(id),
            name,
            made: Timestamp::from_millis(made),
            refreshed: Timestamp::from_millis(refreshed),
        });
        Ok(devices.collect())
    }

    /// Who is signed in on a device; none if it was revoked or the person has left.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed or the row is unreadable.
    pub async fn device(
        &self,
        organisation: OrganisationId,
        device: DeviceId,
    ) -> Result<Option<(UserId, Role)>, StoreError> {
        let (organisation, id) = (organisation.as_uuid(), device.as_uuid());
        let row: Option<(Uuid, String)> =
            on!(read self, |c| sqlx::query_as(DEVICE).bind(organisation).bind(id).fetch_optional(c).await)?;
        row.map(|(person, role)| Ok((UserId::from_uuid(person), role_of(&role)?))).transpose()
    }
}

impl Tx {
    /// Adds a sign-in.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn add_device(
        &mut self,
        organisation: OrganisationId,
        device: DeviceId,
        person: UserId,
        name: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        on!(tx self, |c| sqlx::query(ADD_DEVICE)
            .bind(organisation.as_uuid())
            .bind(device.as_uuid())
            .bind(person.as_uuid())
            .bind(name)
            .bind(now.as_millis())
            .execute(c)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Ends a sign-in for good; returns whether it was still going.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn revoke_device(
        &mut self,
        organisation: OrganisationId,
        device: DeviceId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (organisation, id, now) = (organisation.as_uuid(), device.as_uuid(), now.as_millis());
        let rows = on!(tx self, |c| sqlx::query(REVOKE_DEVICE)
            .bind(organisation)
            .bind(id)
            .bind(now)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }

    /// Ends a sign-in of a person for good; returns whether it was theirs and still going.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn revoke_device_of(
        &mut self,
        organisation: OrganisationId,
        person: UserId,
        device: DeviceId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (organisation, person, id) = (organisation.as_uuid(), person.as_uuid(), device.as_uuid());
        let rows = on!(tx self, |c| sqlx::query(REVOKE_DEVICE_OF)
            .bind(organisation)
            .bind(person)
            .bind(id)
            .bind(now.as_millis())
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }

    /// Ends every sign-in of a person for good; returns those that were still going.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn revoke_devices(
        &mut self,
        organisation: OrganisationId,
        person: UserId,
        now: Timestamp,
    ) -> Result<Vec<DeviceId>, StoreError> {
        let (organisation, person, now) = (organisation.as_uuid(), person.as_uuid(), now.as_millis());
        let ended: Vec<Uuid> = on!(tx self, |c| sqlx::query_scalar(REVOKE_DEVICES)
            .bind(organisation)
            .bind(person)
            .bind(now)
            .fetch_all(c)
            .await)?;
        Ok(ended.into_iter().map(DeviceId::from_uuid).collect())
    }
}
