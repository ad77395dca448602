//! An import in one transaction: the counter, the comparison, the writes; or the comparison alone.
//!
//! What is to change is decided by `plan` while the organisation's counter is held, so nobody changes the records in
//! between. A dry run goes the same way and is thrown away.

use taiwa_shared::{
    domain::people::Role,
    ids::{DeviceId, OrganisationId, UserId},
    protocol::people::Difference,
    time::Timestamp,
};

use super::{
    ImportError, Missing, Table,
    faults::Faults,
    header::Field,
    plan::{Making, Plan, Present, place_of, plan},
};
use crate::{
    entropy::random,
    records::leaving::end_sign_ins,
    store::{Store, StoreError, Tx, organisations::Organisation, pairs::Sight},
};

/// Who imports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender<'a> {
    /// The operator, for the organisation of this short name.
    Operator {
        /// Short name.
        slug: &'a str,
        /// Full name, to make the organisation if there is none.
        name: Option<&'a str>,
    },
    /// A person who keeps the list of their own organisation; whether they do is asked of the records.
    Admin {
        /// The organisation.
        organisation: OrganisationId,
        /// The person.
        person: UserId,
    },
}

/// Whether an import is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// Only compared.
    Dry,
    /// Compared and written.
    Write,
}

/// An import.
#[derive(Debug, Clone, Copy)]
pub struct Import<'a> {
    /// Who.
    pub sender: Sender<'a>,
    /// What the file says.
    pub table: &'a Table,
    /// What becomes of people who are not in it.
    pub missing: Missing,
    /// Whether it is written.
    pub run: Run,
}

/// What an import did, or would have done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The organisation.
    pub organisation: OrganisationId,
    /// Whether it is new.
    pub organisation_added: bool,
    /// What differs.
    pub difference: Difference,
    /// The organisation's counter; none if nothing was written.
    pub counter: Option<i64>,
    /// Sign-ins of removed people, which were ended.
    pub devices_ended: Vec<DeviceId>,
}

/// Takes `table` as the whole list of the organisation `slug`; makes the organisation if there is none.
///
/// # Errors
/// As [`run`].
pub async fn apply(
    store: &Store,
    slug: &str,
    name: &str,
    table: &Table,
    now: Timestamp,
) -> Result<Imported, ImportError> {
    let sender = Sender::Operator { slug, name: Some(name) };
    run(store, &Import { sender, table, missing: Missing::Remove { allowed: None }, run: Run::Write }, now).await
}

/// Brings the records of an organisation in line with a file, or says what that would change.
///
/// # Errors
/// [`ImportError`]; nothing is changed then.
pub async fn run(store: &Store, import: &Import<'_>, now: Timestamp) -> Result<Imported, ImportError> {
    let mut tx = store.begin().await?;
    let (organisation, organisation_added) = organisation(&mut tx, import.sender, now).await?;
    let rev = tx.next_rev(organisation).await?;
    let present = Present {
        people: tx.people(organisation).await?,
        sites: tx.sites(organisation).await?,
        open: tx.open_pairs(organisation).await?,
    };
    check_sender(import.sender, &present)?;
    let mut ten_bytes = || random();
    let plan = plan(import.table, &present, import.missing, Making { now, random: &mut ten_bytes })?;
    keeps_sender(import.sender, import.table, &present, &plan)?;
    let mut imported = Imported {
        organisation,
        organisation_added,
        difference: plan.difference.clone(),
        counter: None,
        devices_ended: Vec::new(),
    };
    // A dropped transaction leaves everything as it was, the counter too.
    if import.run == Run::Dry {
        return Ok(imported);
    }
    check_removal(import.missing, &present, &plan)?;
    if organisation_added || !plan.difference.is_empty() {
        imported.devices_ended = write(&mut tx, organisation, &plan, rev, now).await?;
        tx.commit().await?;
        imported.counter = Some(rev);
    }
    Ok(imported)
}

async fn organisation(tx: &mut Tx, sender: Sender<'_>, now: Timestamp) -> Result<(OrganisationId, bool), ImportError> {
    let (slug, name) = match sender {
        Sender::Admin { organisation, .. } => return Ok((organisation, false)),
        Sender::Operator { slug, name } => (slug, name),
    };
    if let Some(known) = tx.organisation_by_slug(slug).await? {
        return Ok((known.id, false));
    }
    let name = name.ok_or_else(|| ImportError::UnknownOrganisation(slug.to_owned()))?;
    let proposed =
        Organisation { id: OrganisationId::new(now, random()), slug: slug.to_owned(), name: name.to_owned() };
    let made = tx.ensure_organisation(&proposed, now).await?;
    Ok((made.id, made.id == proposed.id))
}

/// The role in a token may be older than the records.
fn check_sender(sender: Sender<'_>, present: &Present) -> Result<(), ImportError> {
    let Sender::Admin { person, .. } = sender else { return Ok(()) };
    let is_admin = present.people.iter().any(|it| it.id == person && it.active && it.role == Role::Admin);
    if is_admin { Ok(()) } else { Err(ImportError::NotAdmin) }
}

/// A list that shuts its own keeper out is a mistake that they could not undo.
fn keeps_sender(sender: Sender<'_>, table: &Table, present: &Present, plan: &Plan) -> Result<(), ImportError> {
    let Sender::Admin { person, .. } = sender else { return Ok(()) };
    let goes = plan.remove.iter().any(|it| it.id == person);
    let changes = plan.change.iter().any(|it| it.id == person && it.role != Role::Admin);
    let mut faults = Faults::default();
    if let Some(me) = present.people.iter().find(|it| it.id == person).filter(|_| goes || changes) {
        let (line, row) = place_of(table, &me.email);
        let column = table.column(if row.is_some() { Field::Role } else { Field::Email });
        faults.add(
            line,
            column,
            "you would no longer be admin: keep a line for yourself, with the role admin (管理者)",
        );
    }
    faults.none_or(())
}

fn check_removal(missing: Missing, present: &Present, plan: &Plan) -> Result<(), ImportError> {
    let removed = plan.remove.len();
    let is_allowed = matches!(missing, Missing::Remove { allowed } if allowed == Some(removed));
    if plan.difference.removal_to_allow.is_some() && !is_allowed {
        let active = present.people.iter().filter(|person| person.active).count();
        return Err(ImportError::TooManyRemoved { removed, active });
    }
    Ok(())
}

async fn write(
    tx: &mut Tx,
    organisation: OrganisationId,
    plan: &Plan,
    rev: i64,
    now: Timestamp,
) -> Result<Vec<DeviceId>, StoreError> {
    for (id, name) in &plan.sites {
        tx.add_site(organisation, *id, name).await?;
    }
    for person in &plan.add {
        tx.add_person(organisation, person, rev).await?;
    }
    for person in plan.change.iter().chain(&plan.remove) {
        tx.change_person(organisation, person, rev).await?;
    }
    let mut devices_ended = Vec::new();
    for person in &plan.remove {
        devices_ended.extend(end_sign_ins(tx, organisation, person.id, now).await?.devices);
    }
    for pair in &plan.close {
        tx.close_pair(organisation, *pair, now, rev).await?;
    }
    for pair in &plan.open {
        tx.add_pair(organisation, pair, rev).await?;
        tx.set_sight(organisation, pair.member, pair.id, Sight::Granted, rev).await?;
        tx.set_sight(organisation, pair.manager, pair.id, Sight::Granted, rev).await?;
    }
    Ok(devices_ended)
}
