//! The CSV of an organisation: people, workplaces and managers; pairs follow the manager column.
//!
//! Map: `table` reads and checks the file; [`apply`] compares it with the records and writes the difference in one
//! transaction; `placement` finds times for new pairs. All or nothing; the same file again changes nothing; people who
//! are not in the file are left alone.

pub(super) mod placement;
mod table;

use std::collections::{BTreeMap, HashMap, HashSet};

use taiwa_shared::{
    domain::people::{Pair, PairKind, PairState},
    ids::{OrganisationId, PairId, SiteId, UserId},
    time::Timestamp,
};

pub use table::{Fault, Row, Table};

use crate::{
    entropy::random,
    store::{
        Store, StoreError, Tx,
        organisations::Organisation,
        pairs::Sight,
        people::{Email, PersonRow},
    },
};
use placement::Calendar;

/// An import that changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file has faults; all that were found, at most 20.
    #[error("the file was not imported, nothing has changed:\n{}", list(.0))]
    Faults(Vec<Fault>),
    /// The database could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn list(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("  {fault}")).collect::<Vec<_>>().join("\n")
}

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Whether the organisation is new.
    pub organisation_added: bool,
    /// People added.
    pub people_added: usize,
    /// People whose row differed.
    pub people_changed: usize,
    /// People whose row was the same.
    pub people_unchanged: usize,
    /// Workplaces added.
    pub sites_added: usize,
    /// Pairs opened.
    pub pairs_opened: usize,
    /// Pairs closed; both still read for thirty days.
    pub pairs_closed: usize,
}

/// Brings the records of the organisation `slug` in line with `table`; makes the organisation if there is none.
///
/// # Errors
/// [`ImportError::Faults`] if managers are unknown or go in a circle, [`ImportError::Store`]; nothing is changed then.
pub async fn apply(
    store: &Store,
    slug: &str,
    name: &str,
    table: &Table,
    now: Timestamp,
) -> Result<Summary, ImportError> {
    let mut tx = store.begin().await?;
    let proposed =
        Organisation { id: OrganisationId::new(now, random()), slug: slug.to_owned(), name: name.to_owned() };
    let organisation = tx.ensure_organisation(&proposed, now).await?.id;
    let rev = tx.next_rev(organisation).await?;
    let mut summary = Summary { organisation_added: organisation == proposed.id, ..Summary::default() };

    let stored: BTreeMap<Email, PersonRow> =
        tx.people(organisation).await?.into_iter().map(|person| (person.email.clone(), person)).collect();
    let managers = table.managers(&stored)?;
    let sites = add_sites(&mut tx, organisation, table, now, &mut summary).await?;
    let wanted = wanted_people(table, &stored, &managers, &sites, now);
    for person in &wanted {
        match stored.get(&person.email) {
            None => {
                tx.add_person(organisation, person, rev).await?;
                summary.people_added += 1;
            }
            Some(before) if before != person => {
                tx.change_person(organisation, person, rev).await?;
                summary.people_changed += 1;
            }
            Some(_) => summary.people_unchanged += 1,
        }
    }
    follow_managers(&mut tx, organisation, &wanted, rev, now, &mut summary).await?;

    let unchanged = Summary { people_unchanged: summary.people_unchanged, ..Summary::default() };
    if summary != unchanged {
        tx.commit().await?;
    }
    Ok(summary)
}

async fn add_sites(
    tx: &mut Tx,
    organisation: OrganisationId,
    table: &Table,
    now: Timestamp,
    summary: &mut Summary,
) -> Result<HashMap<String, SiteId>, StoreError> {
    let mut sites: HashMap<String, SiteId> =
        tx.sites(organisation).await?.into_iter().map(|(id, name)| (name, id)).collect();
    for row in &table.rows {
        if let Some(name) = row.site.as_ref().filter(|name| !sites.contains_key(*name)) {
            let id = SiteId::new(now, random());
            tx.add_site(organisation, id, name).await?;
            sites.insert(name.clone(), id);
            summary.sites_added += 1;
        }
    }
    Ok(sites)
}

/// The people of the file as they are to be stored.
fn wanted_people(
    table: &Table,
    stored: &BTreeMap<Email, PersonRow>,
    managers: &HashMap<Email, Email>,
    sites: &HashMap<String, SiteId>,
    now: Timestamp,
) -> Vec<PersonRow> {
    let mut ids: HashMap<&Email, UserId> = stored.iter().map(|(email, person)| (email, person.id)).collect();
    for row in &table.rows {
        ids.entry(&row.email).or_insert_with(|| UserId::new(now, random()));
    }
    let wanted = table.rows.iter().map(|row| PersonRow {
        id: ids[&row.email],
        email: row.email.clone(),
        name: row.name.clone(),
        site: row.site.as_ref().map(|name| sites[name]),
        role: row.role,
        active: true,
        manager: managers.get(&row.email).map(|email| ids[email]),
    });
    wanted.collect()
}

/// Closes pairs whose manager changed and opens the new ones.
async fn follow_managers(
    tx: &mut Tx,
    organisation: OrganisationId,
    wanted: &[PersonRow],
    rev: i64,
    now: Timestamp,
    summary: &mut Summary,
) -> Result<(), StoreError> {
    let open: Vec<Pair> = tx.open_pairs(organisation).await?;
    let lines: HashMap<UserId, &Pair> =
        open.iter().filter(|pair| pair.kind == PairKind::Line).map(|pair| (pair.member, pair)).collect();
    let mut closed: HashSet<PairId> = HashSet::new();
    for person in wanted {
        if let Some(pair) = lines.get(&person.id).filter(|pair| Some(pair.manager) != person.manager) {
            tx.close_pair(organisation, pair.id, now, rev).await?;
            closed.insert(pair.id);
        }
    }
    summary.pairs_closed = closed.len();

    let mut calendar = Calendar::new(open.iter().filter(|pair| !closed.contains(&pair.id)), now);
    let mut new: Vec<(&PersonRow, UserId)> = Vec::new();
    for person in wanted {
        let paired = lines.get(&person.id).is_some_and(|pair| !closed.contains(&pair.id));
        new.extend(person.manager.filter(|_| !paired).map(|manager| (person, manager)));
    }
    new.sort_by(|(one, _), (other, _)| one.email.cmp(&other.email));
    for (person, manager) in new {
        let pair = Pair {
            id: PairId::new(now, random()),
            member: person.id,
            manager,
            kind: PairKind::Line,
            cadence: calendar.place(person.id, manager, person.email.as_str()),
            cadence_revision: 0,
            state: PairState::Open,
        };
        tx.add_pair(organisation, &pair, rev).await?;
        tx.set_sight(organisation, pair.member, pair.id, Sight::Granted, rev).await?;
        tx.set_sight(organisation, pair.manager, pair.id, Sight::Granted, rev).await?;
        summary.pairs_opened += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
