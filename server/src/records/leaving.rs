//! Ending somebody's access: for people who left, and for accounts in the wrong hands.
//!
//! One transaction: the person is inactive, every sign-in, their password and open invitations are over, and their pairs
//! are closed, by the rule for closed pairs. Nothing that they wrote is deleted. An import does the same for whom it removes.

use taiwa_shared::{
    ids::{DeviceId, OrganisationId, UserId},
    time::Timestamp,
};

use crate::store::{Store, StoreError, Tx, people::Email};

/// What ending somebody's access changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// The person's name.
    pub name: String,
    /// Whether they were active until now.
    pub was_active: bool,
    /// Sign-ins that were ended.
    pub devices_ended: usize,
    /// Open invitations that became void.
    pub invitations_voided: u64,
    /// Pairs that were closed.
    pub pairs_closed: usize,
}

/// Ends the access of the person with this e-mail; none if there is no such person. Doing it again changes nothing.
///
/// # Errors
/// [`StoreError`] if the records could not be read or written; nothing is changed then.
pub async fn deactivate(
    store: &Store,
    organisation: OrganisationId,
    email: &Email,
    now: Timestamp,
) -> Result<Option<Leaving>, StoreError> {
    let mut tx = store.begin().await?;
    let rev = tx.next_rev(organisation).await?;
    let people = tx.people(organisation).await?;
    let Some(mut person) = people.into_iter().find(|person| person.email == *email) else { return Ok(None) };
    let was_active = std::mem::replace(&mut person.active, false);
    if was_active {
        tx.change_person(organisation, &person, rev).await?;
    }
    let Ended { devices, invitations: invitations_voided } =
        end_sign_ins(&mut tx, organisation, person.id, now).await?;
    let devices_ended = devices.len();
    let mut pairs_closed = 0;
    for pair in tx.open_pairs(organisation).await? {
        if pair.member == person.id || pair.manager == person.id {
            tx.close_pair(organisation, pair.id, now, rev).await?;
            pairs_closed += 1;
        }
    }
    if was_active || devices_ended > 0 || invitations_voided > 0 || pairs_closed > 0 {
        tx.commit().await?;
    }
    Ok(Some(Leaving { name: person.name, was_active, devices_ended, invitations_voided, pairs_closed }))
}

/// Every way in that a person had.
pub(super) struct Ended {
    /// Their sign-ins.
    pub(super) devices: Vec<DeviceId>,
    /// How many invitations nobody had used.
    pub(super) invitations: u64,
}

/// Ends every sign-in of a person, forgets their password and makes their invitations void.
pub(super) async fn end_sign_ins(
    tx: &mut Tx,
    organisation: OrganisationId,
    person: UserId,
    now: Timestamp,
) -> Result<Ended, StoreError> {
    let devices = tx.revoke_devices(organisation, person, now).await?;
    tx.forget_password(organisation, person).await?;
    let invitations = tx.void_invitations(organisation, person).await?;
    Ok(Ended { devices, invitations })
}
