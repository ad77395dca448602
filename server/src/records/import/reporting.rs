//! Who reports to whom after an import: managers by e-mail become people, and nobody is above themselves.

use std::collections::{HashMap, HashSet};

use taiwa_shared::ids::UserId;

use super::{
    ImportError, Missing, Table,
    faults::Faults,
    header::Field,
    plan::{Present, manager_column},
};
use crate::store::people::{Email, PersonRow};

/// The manager of everybody in the file who has one.
///
/// # Errors
/// [`ImportError::Faults`] if a manager is unknown, is going or has left, or is the person.
pub(super) fn managers(
    table: &Table,
    present: &Present,
    missing: Missing,
    ids: &HashMap<&Email, UserId>,
) -> Result<HashMap<UserId, UserId>, ImportError> {
    let in_file: HashSet<&Email> = table.rows.iter().map(|row| &row.email).collect();
    let stored: HashMap<&Email, &PersonRow> = present.people.iter().map(|it| (&it.email, it)).collect();
    let stays = |email: &Email| {
        in_file.contains(email) || (missing == Missing::Keep && stored.get(email).is_some_and(|it| it.active))
    };
    let mut faults = Faults::default();
    let mut managers = HashMap::new();
    if !table.header.has(Field::Manager) {
        let emails: HashMap<UserId, &Email> = present.people.iter().map(|it| (it.id, &it.email)).collect();
        for person in table.rows.iter().filter_map(|row| stored.get(&row.email)) {
            if let Some(manager) = person.manager.filter(|it| emails.get(it).is_some_and(|email| stays(email))) {
                managers.insert(person.id, manager);
            }
        }
        return Ok(managers);
    }
    for row in &table.rows {
        let Some(manager) = &row.manager else { continue };
        let mut refuse = |what: String| faults.add(row.line, manager_column(table), what);
        if *manager == row.email {
            refuse("nobody can be their own manager".to_owned());
        } else if stays(manager) {
            managers.insert(ids[&row.email], ids[manager]);
        } else if let Some(person) = stored.get(manager) {
            let why = if person.active { "is not in this file and would be removed" } else { "has left" };
            refuse(format!("{} {why}: add a line for this manager, or name another", manager.as_str()));
        } else {
            refuse(format!("nobody has the e-mail {}: add a line for this manager", manager.as_str()));
        }
    }
    faults.none_or(managers)
}

/// Everybody who is above themselves. Each person is walked over once, so a chain of thousands costs no more.
pub(super) fn has_circle_above(above: &HashMap<UserId, UserId>) -> HashSet<UserId> {
    let mut done: HashSet<UserId> = HashSet::new();
    let mut circles = HashSet::new();
    for start in above.keys() {
        let mut path: Vec<UserId> = Vec::new();
        let mut places: HashMap<UserId, usize> = HashMap::new();
        let mut next = Some(*start);
        while let Some(person) = next.filter(|person| !done.contains(person)) {
            if let Some(place) = places.get(&person) {
                circles.extend(&path[*place..]);
                break;
            }
            places.insert(person, path.len());
            path.push(person);
            next = above.get(&person).copied();
        }
        done.extend(path);
    }
    circles
}
