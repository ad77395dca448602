//! Sites and people of an organisation.

use std::fmt;

use sqlx::FromRow;
use taiwa_shared::{
    domain::people::Role,
    ids::{OrganisationId, SiteId, UserId},
};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

use super::{Store, StoreError, Tx};

statements! {
    SITES = "select id, name from site where organisation = $1 order by name";
    ADD_SITE = "insert into site (organisation, id, name) values ($1, $2, $3)";
    PEOPLE = "select id, email, name, site, role, active, manager from person where organisation = $1 order by email";
    BY_EMAIL = "select id, email, name, site, role, active, manager from person where organisation = $1 and email = $2";
    HAS_PERSON = "select count(*) from person where organisation = $1 and id = $2";
    ADD_PERSON = "insert into person (organisation, id, email, name, site, role, active, manager, rev)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    CHANGE_PERSON = "update person set name = $3, site = $4, role = $5, active = $6, manager = $7, rev = $8
        where organisation = $1 and id = $2";
    TOUCH_PERSON = "update person set rev = $3 where organisation = $1 and id = $2";
}

/// An e-mail in the form in which it is stored and compared: NFKC, lower case, no space around it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

impl Email {
    /// Brings what somebody typed into the compared form. Does not check that it is an address.
    pub fn normalise(typed: &str) -> Self {
        Self(typed.trim().nfkc().collect::<String>().to_lowercase())
    }

    /// The compared form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has one `@` with something on both sides and no space: enough to find typing mistakes.
    pub fn is_plausible(&self) -> bool {
        let clean = !self.0.contains(|c: char| c.is_whitespace() || c.is_control()) && self.0.len() <= 254;
        matches!(self.0.split('@').collect::<Vec<_>>()[..], [before, after]
            if clean && !before.is_empty() && !after.is_empty())
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email([redacted])")
    }
}

/// A person as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRow {
    /// Who.
    pub id: UserId,
    /// E-mail they sign in with.
    pub email: Email,
    /// Name.
    pub name: String,
    /// Where they work.
    pub site: Option<SiteId>,
    /// What they may do.
    pub role: Role,
    /// False after they left.
    pub active: bool,
    /// Their line manager.
    pub manager: Option<UserId>,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    email: String,
    name: String,
    site: Option<Uuid>,
    role: String,
    active: bool,
    manager: Option<Uuid>,
}

impl TryFrom<Row> for PersonRow {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: UserId::from_uuid(row.id),
            email: Email(row.email),
            name: row.name,
            site: row.site.map(SiteId::from_uuid),
            role: role_of(&row.role)?,
            active: row.active,
            manager: row.manager.map(UserId::from_uuid),
        })
    }
}

pub(super) fn role_of(word: &str) -> Result<Role, StoreError> {
    match word {
        "member" => Ok(Role::Member),
        "hr" => Ok(Role::Hr),
        "admin" => Ok(Role::Admin),
        other => Err(StoreError::row("person", format!("role {other:?}"))),
    }
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Member => "member",
        Role::Hr => "hr",
        Role::Admin => "admin",
    }
}

impl Store {
    /// The person with this e-mail.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed or the row is unreadable.
    pub async fn person_by_email(
        &self,
        organisation: OrganisationId,
        email: &Email,
    ) -> Result<Option<PersonRow>, StoreError> {
        let (organisation, email) = (organisation.as_uuid(), email.as_str());
        let row: Option<Row> =
            on!(read self, |c| sqlx::query_as(BY_EMAIL).bind(organisation).bind(email).fetch_optional(c).await)?;
        row.map(PersonRow::try_from).transpose()
    }
}

impl Tx {
    /// All people of an organisation.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed or a row is unreadable.
    pub async fn people(&mut self, organisation: OrganisationId) -> Result<Vec<PersonRow>, StoreError> {
        let organisation = organisation.as_uuid();
        let rows: Vec<Row> = on!(tx self, |c| sqlx::query_as(PEOPLE).bind(organisation).fetch_all(c).await)?;
        rows.into_iter().map(PersonRow::try_from).collect()
    }

    /// The person with this e-mail, as this transaction sees them.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed or the row is unreadable.
    pub async fn person_by_email(
        &mut self,
        organisation: OrganisationId,
        email: &Email,
    ) -> Result<Option<PersonRow>, StoreError> {
        let (organisation, email) = (organisation.as_uuid(), email.as_str());
        let row: Option<Row> =
            on!(tx self, |c| sqlx::query_as(BY_EMAIL).bind(organisation).bind(email).fetch_optional(c).await)?;
        row.map(PersonRow::try_from).transpose()
    }

    /// Whether there is a person with this id, active or not.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn has_person(&mut self, organisation: OrganisationId, person: UserId) -> Result<bool, StoreError> {
        let (organisation, person) = (organisation.as_uuid(), person.as_uuid());
        let people: i64 =
            on!(tx self, |c| sqlx::query_scalar(HAS_PERSON).bind(organisation).bind(person).fetch_one(c).await)?;
        Ok(people > 0)
    }

    /// All workplaces of an organisation with their names.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn sites(&mut self, organisation: OrganisationId) -> Result<Vec<(SiteId, String)>, StoreError> {
        let organisation = organisation.as_uuid();
        let rows: Vec<(Uuid, String)> = on!(tx self, |c| sqlx::query_as(SITES).bind(organisation).fetch_all(c).await)?;
        Ok(rows.into_iter().map(|(id, name)| (SiteId::from_uuid(id), name)).collect())
    }

    /// Adds a workplace.
    ///
    /// # Errors
    /// [`StoreError`]; a unique violation if the name is taken.
    pub async fn add_site(&mut self, organisation: OrganisationId, id: SiteId, name: &str) -> Result<(), StoreError> {
        let (organisation, id) = (organisation.as_uuid(), id.as_uuid());
        on!(tx self, |c| sqlx::query(ADD_SITE).bind(organisation).bind(id).bind(name).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Adds a person.
    ///
    /// # Errors
    /// [`StoreError`]; a unique violation if the e-mail is taken.
    pub async fn add_person(
        &mut self,
        organisation: OrganisationId,
        person: &PersonRow,
        rev: i64,
    ) -> Result<(), StoreError> {
        on!(tx self, |c| sqlx::query(ADD_PERSON)
            .bind(organisation.as_uuid())
            .bind(person.id.as_uuid())
            .bind(person.email.as_str())
            .bind(person.name.as_str())
            .bind(person.site.map(|site| site.as_uuid()))
            .bind(role_word(person.role))
            .bind(person.active)
            .bind(person.manager.map(|manager| manager.as_uuid()))
            .bind(rev)
            .execute(c)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Moves a person to a revision without changing them, so that every server looks at their open sockets again.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn touch_person(
        &mut self,
        organisation: OrganisationId,
        person: UserId,
        rev: i64,
    ) -> Result<(), StoreError> {
        let (organisation, person) = (organisation.as_uuid(), person.as_uuid());
        on!(tx self, |c| sqlx::query(TOUCH_PERSON)
            .bind(organisation)
            .bind(person)
            .bind(rev)
            .execute(c)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Replaces everything but id and e-mail of a person.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn change_person(
        &mut self,
        organisation: OrganisationId,
        person: &PersonRow,
        rev: i64,
    ) -> Result<(), StoreError> {
        on!(tx self, |c| sqlx::query(CHANGE_PERSON)
            .bind(organisation.as_uuid())
            .bind(person.id.as_uuid())
            .bind(person.name.as_str())
            .bind(person.site.map(|site| site.as_uuid()))
            .bind(role_word(person.role))
            .bind(person.active)
            .bind(person.manager.map(|manager| manager.as_uuid()))
            .bind(rev)
            .execute(c)
            .await
            .map(drop))?;
        Ok(())
    }
}
