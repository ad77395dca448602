//! A person's sign-ins: the list, ending one of them, and starting over after a password was lost or stolen.
//!
//! Asked by the person for their own, and by an operator for anybody's. Ending one also moves the person's record on, so that a
//! server in another process closes its sockets; nothing on a phone is taken away by it.

use taiwa_shared::{
    ids::{DeviceId, OrganisationId, UserId},
    protocol::login::Secret,
    time::Timestamp,
};

use super::{Auth, AuthError, Identity, login::invite, refresh::token_expiry};
use crate::{
    bus::News,
    store::{Store, StoreError, devices::DeviceRow},
};

/// A person's sign-ins that still last at `now`, oldest first.
///
/// # Errors
/// [`StoreError`] if they could not be read.
pub async fn devices(
    store: &Store,
    organisation: OrganisationId,
    person: UserId,
    now: Timestamp,
) -> Result<Vec<DeviceRow>, StoreError> {
    let mut devices = store.devices(organisation, person).await?;
    devices.retain(|device| now < token_expiry(device.made, device.refreshed));
    Ok(devices)
}

/// Ends one sign-in of a person; returns the organisation's counter, or none if it is not theirs or was over already.
///
/// # Errors
/// [`StoreError`] if it could not be written; nothing is changed then.
pub async fn end_device(
    store: &Store,
    organisation: OrganisationId,
    person: UserId,
    device: DeviceId,
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    let mut tx = store.begin().await?;
    let rev = tx.next_rev(organisation).await?;
    if !tx.revoke_device_of(organisation, person, device, now).await? {
        return Ok(None);
    }
    tx.touch_person(organisation, person, rev).await?;
    tx.commit().await?;
    Ok(Some(rev))
}

/// What starting over ended, and the way back in.
#[derive(Debug)]
pub struct Reset {
    /// For the link with which the person chooses a new password; works once, for seven days.
    pub invitation: Secret,
    /// Sign-ins that were ended.
    pub devices_ended: usize,
    /// Open invitations that became void.
    pub invitations_voided: u64,
}

/// Forgets a person's password and ends all their sign-ins and invitations; documents stay as they are.
///
/// # Errors
/// [`StoreError`] if it could not be written; nothing is changed then.
pub async fn reset_password(
    store: &Store,
    organisation: OrganisationId,
    person: UserId,
    now: Timestamp,
) -> Result<Reset, StoreError> {
    let mut tx = store.begin().await?;
    let rev = tx.next_rev(organisation).await?;
    let devices_ended = tx.revoke_devices(organisation, person, now).await?.len();
    tx.forget_password(organisation, person).await?;
    let invitations_voided = tx.void_invitations(organisation, person).await?;
    tx.touch_person(organisation, person, rev).await?;
    let invitation = invite(&mut tx, organisation, person, now).await?;
    tx.commit().await?;
    Ok(Reset { invitation, devices_ended, invitations_voided })
}

impl Auth {
    /// The person's own sign-ins that still last, oldest first.
    ///
    /// # Errors
    /// [`AuthError::Store`].
    pub async fn devices(&self, identity: &Identity) -> Result<Vec<DeviceRow>, AuthError> {
        Ok(devices(&self.store, identity.organisation, identity.user, self.clock.now()).await?)
    }

    /// Ends one of the person's own sign-ins: its tokens stop working and its sockets close.
    ///
    /// # Errors
    /// [`AuthError::UnknownDevice`] if it is not theirs or was over already, [`AuthError::Store`].
    pub async fn end_own_device(&self, identity: &Identity, device: DeviceId) -> Result<(), AuthError> {
        let Identity { organisation, user, .. } = *identity;
        let ended = end_device(&self.store, organisation, user, device, self.clock.now()).await?;
        let counter = ended.ok_or(AuthError::UnknownDevice)?;
        tracing::info!(target: "taiwa::audit", { user.id = %user, device.id = %device }, "a sign-in was ended from another device");
        self.bus.publish(News::Revoked { device });
        self.bus.publish(News::Records { organisation, counter });
        Ok(())
    }
}
