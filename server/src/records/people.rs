//! The first person of an organisation, who invites the others or imports them.
//!
//! Organisations are made by the operator alone; no route of the server makes one.

use taiwa_shared::{
    domain::people::Role,
    ids::{OrganisationId, UserId},
    time::Timestamp,
};

use crate::{
    entropy::random,
    store::{
        StoreError, Tx,
        organisations::Organisation,
        people::{Email, PersonRow},
    },
};

/// A new organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Founding<'a> {
    /// Short name.
    pub slug: &'a str,
    /// Full name.
    pub name: &'a str,
    /// Name of its first person.
    pub admin_name: &'a str,
    /// E-mail of its first person.
    pub admin_email: &'a Email,
}

/// Makes an organisation whose people may be invited from phones, with one person, an admin; none if the short name is taken.
///
/// # Errors
/// [`StoreError`] if it could not be written.
pub async fn found_organisation(
    tx: &mut Tx,
    founding: &Founding<'_>,
    now: Timestamp,
) -> Result<Option<(OrganisationId, UserId)>, StoreError> {
    let Founding { slug, name, admin_name, admin_email } = *founding;
    let proposed =
        Organisation { id: OrganisationId::new(now, random()), slug: slug.to_owned(), name: name.to_owned() };
    if tx.ensure_organisation(&proposed, now).await?.id != proposed.id {
        return Ok(None);
    }
    let rev = tx.next_rev(proposed.id).await?;
    tx.allow_invites(proposed.id, true).await?;
    let admin = PersonRow {
        id: UserId::new(now, random()),
        email: admin_email.clone(),
        name: admin_name.to_owned(),
        site: None,
        role: Role::Admin,
        active: true,
        manager: None,
    };
    tx.add_person(proposed.id, &admin, rev).await?;
    Ok(Some((proposed.id, admin.id)))
}
