//! People whom a manager adds from the phone: a new person, a pair, and an invitation whose secret only the phone knows.
//!
//! Allowed where the organisation says so. Sending again for somebody who never came adds another invitation; nobody
//! who has ever signed in can be invited again like this, because whoever holds the link sets the password. A link that is
//! sent again works for its time from then on: the phone shows it as one to hand over.

use taiwa_shared::{
    domain::{
        command::{Action, InvitationHash, MAX_NAME_CHARS},
        people::{Pair, PairKind, PairState, Role},
    },
    ids::{OrganisationId, PairId, UserId},
    protocol::commands::RejectionReason,
    time::Timestamp,
};

use super::{
    super::{access::Principal, import::placement::Calendar},
    Change, Verdict,
};
use crate::store::{
    StoreError, Tx,
    pairs::Sight,
    people::{Email, PersonRow},
};

/// What an invitation writes.
pub(super) struct Invited {
    person: UserId,
    /// None if the person is there already.
    new: Option<(PersonRow, Pair)>,
    invitation: InvitationHash,
    link: Link,
}

/// Whether the server has a link already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    New,
    Known,
}

/// Decides on an invitation; writes nothing.
pub(super) async fn judge(
    tx: &mut Tx,
    principal: &Principal,
    action: &Action,
    now: Timestamp,
) -> Result<Verdict, StoreError> {
    let Action::Invite { person, pair, name, email, invitation } = action else {
        return Ok(Verdict::rejected(RejectionReason::NotUnderstood, None));
    };
    let (organisation, invitation) = (principal.organisation, *invitation);
    if !tx.allows_invites(organisation).await? {
        return Ok(Verdict::rejected(RejectionReason::InvitesClosed, None));
    }
    let (name, email) = (name.trim(), Email::normalise(email));
    if !is_name(name) || !email.is_plausible() {
        return Ok(Verdict::rejected(RejectionReason::Implausible, None));
    }
    let same_secret = tx.invited(invitation.as_bytes()).await?;
    if let Some(known) = tx.person_by_email(organisation, &email).await? {
        // The link of somebody who may do more than the sender would be a way to do it in their place.
        let is_theirs = known.active && known.role == Role::Member && known.manager == Some(principal.user);
        let waits = is_theirs && !tx.has_signed_in(organisation, known.id).await?;
        return Ok(match same_secret {
            _ if !waits => Verdict::rejected(RejectionReason::AddressTaken, None),
            Some(whose) if whose == (organisation, known.id) => again(known.id, invitation, Link::Known),
            Some(_) => Verdict::rejected(RejectionReason::Implausible, None),
            None => again(known.id, invitation, Link::New),
        });
    }
    let is_free = is_made_on_a_phone(*person, *pair)
        && same_secret.is_none()
        && !tx.has_person(organisation, *person).await?
        && tx.pair(organisation, *pair).await?.is_none();
    if !is_free {
        return Ok(Verdict::rejected(RejectionReason::Implausible, None));
    }
    let row = PersonRow {
        id: *person,
        email,
        name: name.to_owned(),
        site: None,
        role: Role::Member,
        active: true,
        manager: Some(principal.user),
    };
    let pair = new_pair(tx, principal, *pair, &row, now).await?;
    let invited = Invited { person: *person, new: Some((row, pair)), invitation, link: Link::New };
    Ok(Verdict::applied(Change::Invite(invited)))
}

fn again(person: UserId, invitation: InvitationHash, link: Link) -> Verdict {
    Verdict::applied(Change::Invite(Invited { person, new: None, invitation, link }))
}

/// Writes what [`judge`] allowed.
pub(super) async fn write(
    tx: &mut Tx,
    organisation: OrganisationId,
    invited: &Invited,
    rev: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    if let Some((person, pair)) = &invited.new {
        tx.add_person(organisation, person, rev).await?;
        tx.add_pair(organisation, pair, rev).await?;
        tx.set_sight(organisation, pair.member, pair.id, Sight::Granted, rev).await?;
        tx.set_sight(organisation, pair.manager, pair.id, Sight::Granted, rev).await?;
    }
    let hash = invited.invitation.as_bytes();
    match invited.link {
        Link::New => tx.add_invitation(hash, organisation, invited.person, now).await,
        Link::Known => tx.renew_invitation(hash, now).await,
    }
}

async fn new_pair(
    tx: &mut Tx,
    principal: &Principal,
    id: PairId,
    member: &PersonRow,
    now: Timestamp,
) -> Result<Pair, StoreError> {
    let taken = tx.open_pairs_of(principal.organisation, principal.user).await?;
    let cadence = Calendar::new(taken.iter(), now).place(member.id, principal.user, member.email.as_str());
    Ok(Pair {
        id,
        member: member.id,
        manager: principal.user,
        kind: PairKind::Line,
        cadence,
        cadence_revision: 0,
        state: PairState::Open,
    })
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= MAX_NAME_CHARS && !name.chars().any(char::is_control)
}

/// Ids that phones make are of version 7; others are derived and name other things.
fn is_made_on_a_phone(person: UserId, pair: PairId) -> bool {
    person.as_uuid().get_version_num() == 7 && pair.as_uuid().get_version_num() == 7
}
