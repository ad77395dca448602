//! Ending somebody's access: for people who left, and for accounts in the wrong hands.
//!
//! One transaction: the person is inactive, every sign-in, their password and open invitations are over, and their pairs are closed, which
//! the other side still reads for thirty days. Nothing that they wrote is deleted.

use taiwa_shared::{ids::OrganisationId, time::Timestamp};

use crate::store::{Store, StoreError, people::Email};

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
    let devices_ended = tx.revoke_devices(organisation, person.id, now).await?.len();
    tx.forget_password(organisation, person.id).await?;
    let invitations_voided = tx.void_invitations(organisation, person.id).await?;
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
