//! What an import changes: the file and the records go in, the difference and its writes come out.
//!
//! Pure, and the one place that decides it: a dry run shows what this says, an import writes it. People who are not in
//! the file lose their access unless they are to be kept; a column that the file does not have changes nothing.

use std::collections::{HashMap, HashSet};

use taiwa_shared::{
    domain::people::{Pair, PairKind, PairState, Role},
    ids::{PairId, SiteId, UserId},
    protocol::people::{
        AddedPerson, ChangedField, ChangedPerson, Difference, ImportColumn, NamedPair, NamedPerson, PersonField,
    },
    time::Timestamp,
};

use super::{
    ImportError, Missing, Table,
    faults::Faults,
    header::Field,
    placement::Calendar,
    reporting::{has_circle_above, managers},
    table::Row,
};
use crate::store::people::{Email, PersonRow};

/// More than this share of the active people is not removed without a word: a file cut short looks like that.
const REMOVED_AT_MOST_PERCENT: usize = 10;
/// So few are always removed: in a small organisation one person is more than the share.
const ALWAYS_REMOVED: usize = 2;

/// The records of an organisation that an import is compared with.
pub(super) struct Present {
    pub(super) people: Vec<PersonRow>,
    pub(super) sites: Vec<(SiteId, String)>,
    pub(super) open: Vec<Pair>,
}

/// The difference and what to write for it.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) difference: Difference,
    pub(super) sites: Vec<(SiteId, String)>,
    pub(super) add: Vec<PersonRow>,
    pub(super) change: Vec<PersonRow>,
    pub(super) remove: Vec<PersonRow>,
    pub(super) close: Vec<PairId>,
    pub(super) open: Vec<Pair>,
}

/// When, and what new ids are made of.
pub(super) struct Making<'a> {
    pub(super) now: Timestamp,
    pub(super) random: &'a mut dyn FnMut() -> [u8; 10],
}

/// Compares `table` with what is there.
///
/// # Errors
/// [`ImportError::Faults`] about managers; the number of removed people is not judged here.
pub(super) fn plan(
    table: &Table,
    present: &Present,
    missing: Missing,
    mut making: Making<'_>,
) -> Result<Plan, ImportError> {
    let stored: HashMap<&Email, &PersonRow> = present.people.iter().map(|person| (&person.email, person)).collect();
    let in_file: HashSet<&Email> = table.rows.iter().map(|row| &row.email).collect();
    let mut plan = Plan::default();
    if let Missing::Remove { .. } = missing {
        let gone = present.people.iter().filter(|person| person.active && !in_file.contains(&person.email));
        plan.remove = gone.map(|person| PersonRow { active: false, ..person.clone() }).collect();
    }
    let mut ids: HashMap<&Email, UserId> = stored.iter().map(|(email, person)| (*email, person.id)).collect();
    for row in &table.rows {
        ids.entry(&row.email).or_insert_with(|| UserId::new(making.now, (making.random)()));
    }
    let managers = managers(table, present, missing, &ids)?;
    let added_sites = new_sites(table, present, &mut making);
    let sites: HashMap<&str, SiteId> =
        present.sites.iter().chain(&added_sites).map(|(id, name)| (name.as_str(), *id)).collect();

    let wanted: Vec<PersonRow> = table
        .rows
        .iter()
        .map(|row| {
            let before = stored.get(&row.email).copied();
            let has = |field| table.header.has(field);
            PersonRow {
                id: ids[&row.email],
                email: row.email.clone(),
                name: row.name.clone(),
                site: if has(Field::Site) {
                    row.site.as_deref().map(|name| sites[name])
                } else {
                    before.and_then(|person| person.site)
                },
                role: if has(Field::Role) { row.role } else { before.map_or(Role::Member, |person| person.role) },
                active: true,
                manager: managers.get(&ids[&row.email]).copied(),
            }
        })
        .collect();
    check_circles(table, present, missing, &wanted)?;
    let words = Words::new(present, &wanted, &added_sites);
    for person in &wanted {
        match stored.get(&person.email) {
            None => {
                plan.difference.added.push(words.added(person));
                plan.add.push(person.clone());
            }
            Some(before) if *before != person => {
                plan.difference.changed.push(words.changed(before, person));
                plan.change.push(person.clone());
            }
            Some(_) => plan.difference.unchanged += 1,
        }
    }
    follow_managers(&mut plan, present, &wanted, &mut making);
    let by_id: HashMap<PairId, &Pair> = present.open.iter().map(|pair| (pair.id, pair)).collect();
    plan.difference.pairs_closed = plan.close.iter().map(|id| words.pair(by_id[id])).collect();
    plan.difference.pairs_opened = plan.open.iter().map(|pair| words.pair(pair)).collect();
    plan.difference.removed = plan.remove.iter().map(named).collect();
    plan.difference.sites_added = added_sites.iter().map(|(_, name)| name.clone()).collect();
    let active = present.people.iter().filter(|person| person.active).count();
    let removed = plan.remove.len();
    let is_much = removed > ALWAYS_REMOVED && removed * 100 > active * REMOVED_AT_MOST_PERCENT;
    plan.difference.removal_to_allow = is_much.then(|| u32::try_from(removed).unwrap_or(u32::MAX));
    plan.sites = added_sites;
    Ok(plan)
}

fn new_sites(table: &Table, present: &Present, making: &mut Making<'_>) -> Vec<(SiteId, String)> {
    let mut known: HashSet<&str> = present.sites.iter().map(|(_, name)| name.as_str()).collect();
    let mut new = Vec::new();
    for name in table.rows.iter().filter_map(|row| row.site.as_deref()) {
        if known.insert(name) {
            new.push((SiteId::new(making.now, (making.random)()), name.to_owned()));
        }
    }
    new
}

fn check_circles(table: &Table, present: &Present, missing: Missing, wanted: &[PersonRow]) -> Result<(), ImportError> {
    let mut above: HashMap<UserId, UserId> = HashMap::new();
    if missing == Missing::Keep {
        above.extend(present.people.iter().filter(|it| it.active).filter_map(|it| Some((it.id, it.manager?))));
    }
    for person in wanted {
        match person.manager {
            Some(manager) => above.insert(person.id, manager),
            None => above.remove(&person.id),
        };
    }
    let circles = has_circle_above(&above);
    let mut faults = Faults::default();
    for (row, person) in table.rows.iter().zip(wanted) {
        if circles.contains(&person.id) {
            let what = "the managers go in a circle: this person is above themselves";
            faults.add(row.line, manager_column(table), what);
        }
    }
    faults.none_or(())
}

/// Closes pairs whose manager changed or whose people go, and opens the new ones.
fn follow_managers(plan: &mut Plan, present: &Present, wanted: &[PersonRow], making: &mut Making<'_>) {
    let gone: HashSet<UserId> = plan.remove.iter().map(|person| person.id).collect();
    let managers: HashMap<UserId, Option<UserId>> = wanted.iter().map(|it| (it.id, it.manager)).collect();
    let ends = |pair: &Pair| {
        let changed = managers.get(&pair.member).is_some_and(|manager| *manager != Some(pair.manager));
        gone.contains(&pair.member) || gone.contains(&pair.manager) || (pair.kind == PairKind::Line && changed)
    };
    let (ending, staying): (Vec<&Pair>, Vec<&Pair>) = present.open.iter().partition(|pair| ends(pair));
    plan.close = ending.iter().map(|pair| pair.id).collect();

    let paired: HashSet<UserId> =
        staying.iter().filter(|pair| pair.kind == PairKind::Line).map(|pair| pair.member).collect();
    let mut calendar = Calendar::new(staying.into_iter(), making.now);
    let mut new: Vec<(&PersonRow, UserId)> =
        wanted.iter().filter(|it| !paired.contains(&it.id)).filter_map(|it| Some((it, it.manager?))).collect();
    new.sort_by(|(one, _), (other, _)| one.email.cmp(&other.email));
    for (person, manager) in new {
        plan.open.push(Pair {
            id: PairId::new(making.now, (making.random)()),
            member: person.id,
            manager,
            kind: PairKind::Line,
            cadence: calendar.place(person.id, manager, person.email.as_str()),
            cadence_revision: 0,
            state: PairState::Open,
        });
    }
}

pub(super) fn manager_column(table: &Table) -> Option<ImportColumn> {
    table.column(Field::Manager)
}

/// The column of e-mails and the line of somebody, or the first line if they have none.
pub(super) fn place_of<'a>(table: &'a Table, email: &Email) -> (u64, Option<&'a Row>) {
    let row = table.rows.iter().find(|row| row.email == *email);
    (row.map_or(1, |row| row.line), row)
}

fn named(person: &PersonRow) -> NamedPerson {
    NamedPerson { name: person.name.clone(), email: person.email.as_str().to_owned() }
}

/// Names for ids, in the records as they were and as they become.
struct Words<'a> {
    old: HashMap<UserId, &'a str>,
    new: HashMap<UserId, &'a str>,
    sites: HashMap<SiteId, &'a str>,
}

impl<'a> Words<'a> {
    fn new(present: &'a Present, wanted: &'a [PersonRow], new_sites: &'a [(SiteId, String)]) -> Self {
        let old: HashMap<UserId, &str> = present.people.iter().map(|it| (it.id, it.name.as_str())).collect();
        let mut new = old.clone();
        new.extend(wanted.iter().map(|it| (it.id, it.name.as_str())));
        let sites = present.sites.iter().chain(new_sites).map(|(id, name)| (*id, name.as_str())).collect();
        Self { old, new, sites }
    }

    fn site(&self, site: Option<SiteId>) -> Option<String> {
        site.and_then(|site| self.sites.get(&site)).map(|name| (*name).to_owned())
    }

    fn added(&self, person: &PersonRow) -> AddedPerson {
        let NamedPerson { name, email } = named(person);
        let manager = person.manager.and_then(|manager| self.new.get(&manager)).map(|name| (*name).to_owned());
        AddedPerson { name, email, site: self.site(person.site), manager, role: person.role }
    }

    fn changed(&self, before: &PersonRow, after: &PersonRow) -> ChangedPerson {
        let name_of = |names: &HashMap<UserId, &str>, person: Option<UserId>| {
            person.and_then(|person| names.get(&person)).map(|name| (*name).to_owned())
        };
        let mut fields = Vec::new();
        let mut compare = |field, differs: bool, old: Option<String>, new: Option<String>| {
            if differs {
                fields.push(ChangedField { field, old, new });
            }
        };
        let (old, new) = (Some(before.name.clone()), Some(after.name.clone()));
        compare(PersonField::Name, before.name != after.name, old, new);
        compare(PersonField::Site, before.site != after.site, self.site(before.site), self.site(after.site));
        let (old, new) = (name_of(&self.old, before.manager), name_of(&self.new, after.manager));
        compare(PersonField::Manager, before.manager != after.manager, old, new);
        let (old, new) = (role_word(before.role), role_word(after.role));
        compare(PersonField::Role, before.role != after.role, Some(old.to_owned()), Some(new.to_owned()));
        let NamedPerson { name, email } = named(after);
        ChangedPerson { name, email, returns: !before.active, fields }
    }

    fn pair(&self, pair: &Pair) -> NamedPair {
        let name = |person| self.new.get(&person).copied().unwrap_or_default().to_owned();
        NamedPair { member: name(pair.member), manager: name(pair.manager) }
    }
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Member => "member",
        Role::Hr => "hr",
        Role::Admin => "admin",
    }
}
