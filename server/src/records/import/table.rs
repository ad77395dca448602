//! The file itself: UTF-8, comma-separated, with a header; every fault is named with its line and column.
//!
//! Columns, in any order: `email`, `name`, and if wanted `site`, `manager_email`, `role` (member or hr).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use taiwa_shared::domain::people::Role;

use super::ImportError;
use crate::store::people::{Email, PersonRow};

/// A larger file is not a list of employees; 100,000 rows have about 8 MiB.
const MAX_BYTES: usize = 10 * 1_024 * 1_024;
/// More rows than the largest single organisations have.
const MAX_ROWS: usize = 100_000;
/// A longer cell is a mistake with quotes or columns.
const MAX_CELL_CHARS: usize = 200;
/// Faults reported at once; the rest shows up the next time.
const MAX_FAULTS: usize = 20;

/// What is wrong with the file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Line in the file, from 1.
    pub line: u64,
    /// Name of the column, if it is about one.
    pub column: Option<&'static str>,
    /// What is wrong and what to write instead.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            Some(column) => write!(f, "line {}, column {column}: {}", self.line, self.what),
            None => write!(f, "line {}: {}", self.line, self.what),
        }
    }
}

/// A person in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Line in the file, from 1.
    pub line: u64,
    /// E-mail; names the person.
    pub email: Email,
    /// Name.
    pub name: String,
    /// Name of the workplace.
    pub site: Option<String>,
    /// E-mail of the line manager.
    pub manager: Option<Email>,
    /// What they may do.
    pub role: Role,
}

/// The file, checked by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The people, in the order of the file.
    pub rows: Vec<Row>,
}

#[derive(Clone, Copy)]
struct Columns {
    email: usize,
    name: usize,
    site: Option<usize>,
    manager: Option<usize>,
    role: Option<usize>,
}

#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, line: u64, column: impl Into<Option<&'static str>>, what: impl Into<String>) {
        if self.0.len() < MAX_FAULTS {
            self.0.push(Fault { line, column: column.into(), what: what.into() });
        }
    }

    fn none_or<T>(self, value: T) -> Result<T, ImportError> {
        if self.0.is_empty() { Ok(value) } else { Err(ImportError::Faults(self.0)) }
    }
}

impl Table {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ImportError::Faults`] with up to 20 faults.
    pub fn read(bytes: &[u8]) -> Result<Self, ImportError> {
        let mut faults = Faults::default();
        let Some((text, columns)) = head(bytes, &mut faults) else { return Err(ImportError::Faults(faults.0)) };
        let mut rows: Vec<Row> = Vec::new();
        let mut lines: HashMap<Email, u64> = HashMap::new();
        for record in reader(text).records() {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    let line = error.position().map_or(1, csv::Position::line);
                    faults.add(line, None, csv_fault(&error));
                    continue;
                }
            };
            let line = record.position().map_or(1, csv::Position::line);
            if record.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            if rows.len() == MAX_ROWS {
                faults.add(line, None, format!("there are more than {MAX_ROWS} people: split the file"));
                break;
            }
            if let Some(row) = row(&record, columns, line, &mut faults) {
                if let Some(first) = lines.insert(row.email.clone(), line) {
                    faults.add(line, "email", format!("the same e-mail stands in line {first}: keep one of the two"));
                }
                rows.push(row);
            }
        }
        if rows.is_empty() && faults.0.is_empty() {
            faults.add(1, None, "there is a header but nobody below it");
        }
        faults.none_or(Self { rows })
    }

    /// Who manages whom after this file, as e-mails; checked against the people who are stored already.
    pub(super) fn managers(&self, stored: &BTreeMap<Email, PersonRow>) -> Result<HashMap<Email, Email>, ImportError> {
        let in_file: HashSet<&Email> = self.rows.iter().map(|row| &row.email).collect();
        let mut faults = Faults::default();
        let mut managers: HashMap<Email, Email> = HashMap::new();
        for row in &self.rows {
            let Some(manager) = &row.manager else { continue };
            if *manager == row.email {
                faults.add(row.line, "manager_email", "nobody can be their own manager");
            } else if !in_file.contains(manager) && !stored.contains_key(manager) {
                let what = format!("nobody has the e-mail {}: add a line for this manager", manager.as_str());
                faults.add(row.line, "manager_email", what);
            } else {
                managers.insert(row.email.clone(), manager.clone());
            }
        }
        let by_id: HashMap<_, _> = stored.values().map(|person| (person.id, &person.email)).collect();
        let mut all = managers.clone();
        for person in stored.values().filter(|person| !in_file.contains(&person.email)) {
            if let Some(manager) = person.manager.and_then(|id| by_id.get(&id)) {
                all.insert(person.email.clone(), (*manager).clone());
            }
        }
        for row in &self.rows {
            if is_in_circle(&row.email, &all) {
                faults.add(row.line, "manager_email", "the managers go in a circle: this person is above themselves");
            }
        }
        faults.none_or(managers)
    }
}

fn is_in_circle(person: &Email, managers: &HashMap<Email, Email>) -> bool {
    // Brent's bound: a walk longer than the number of people has met somebody twice, perhaps in another circle.
    let mut above = managers.get(person);
    for _ in 0..managers.len() {
        match above {
            None => return false,
            Some(email) if email == person => return true,
            Some(email) => above = managers.get(email),
        }
    }
    false
}

/// The text without its byte order mark, and where the columns are.
fn head<'a>(bytes: &'a [u8], faults: &mut Faults) -> Option<(&'a str, Columns)> {
    if bytes.len() > MAX_BYTES {
        faults.add(1, None, "the file is larger than 10 MiB: split it");
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
            faults.add(line, None, "the file is not UTF-8: save it as \"CSV UTF-8\" (Excel offers it when saving)");
            return None;
        }
    };
    if let Some(before) = text.find('\0') {
        let line = text[..before].matches('\n').count() as u64 + 1;
        faults.add(line, None, "there is a NUL character: the file is not plain text");
        return None;
    }
    let mut reader = reader(text);
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => {
            faults.add(1, None, csv_fault(&error));
            return None;
        }
    };
    let mut places: HashMap<&'static str, usize> = HashMap::new();
    for (place, name) in header.iter().enumerate() {
        let known = ["email", "name", "site", "manager_email", "role"];
        match known.iter().find(|known| name.trim().eq_ignore_ascii_case(known)) {
            Some(known) if places.insert(known, place).is_some() => {
                faults.add(1, *known, "the column stands there twice");
            }
            Some(_) => {}
            None => {
                let name: String = name.chars().take(40).collect();
                let what = format!("column {} is called {name:?}; known are {}", place + 1, known.join(", "));
                faults.add(1, None, what);
            }
        }
    }
    for needed in ["email", "name"] {
        if !places.contains_key(needed) {
            faults.add(
                1,
                needed,
                "the column is missing: the first line must name the columns, as in email,name,site,manager_email,role",
            );
        }
    }
    if !faults.0.is_empty() {
        return None;
    }
    let place = |name| places.get(name).copied();
    Some((
        text,
        Columns {
            email: place("email")?,
            name: place("name")?,
            site: place("site"),
            manager: place("manager_email"),
            role: place("role"),
        },
    ))
}

fn reader(text: &str) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().flexible(false).from_reader(text.as_bytes())
}

fn csv_fault(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!(
                "there are {len} cells where the header has {expected_len}: look for a missing or extra comma or quote"
            )
        }
        _ => "the line is not readable as CSV".to_owned(),
    }
}

fn row(record: &csv::StringRecord, columns: Columns, line: u64, faults: &mut Faults) -> Option<Row> {
    let before = faults.0.len();
    let mut cell = |place: Option<usize>, column: &'static str| {
        let text = place.and_then(|place| record.get(place)).unwrap_or_default().trim();
        if text.chars().count() > MAX_CELL_CHARS {
            faults.add(line, column, format!("the cell has more than {MAX_CELL_CHARS} characters"));
        } else if text.contains(char::is_control) {
            faults.add(line, column, "there is a line break or control character in the cell");
        }
        text
    };
    let email = cell(Some(columns.email), "email");
    let name = cell(Some(columns.name), "name");
    let site = cell(columns.site, "site");
    let manager = cell(columns.manager, "manager_email");
    let role = cell(columns.role, "role");
    let address = Email::normalise(email);
    if !address.is_plausible() {
        faults.add(line, "email", format!("{email:?} is not an e-mail address"));
    }
    if name.is_empty() {
        faults.add(line, "name", "the name is missing");
    }
    let manager = Some(manager).filter(|text| !text.is_empty()).map(Email::normalise);
    if manager.as_ref().is_some_and(|manager| !manager.is_plausible()) {
        faults.add(line, "manager_email", "this is not an e-mail address");
    }
    let role = match role.to_ascii_lowercase().as_str() {
        "" | "member" => Role::Member,
        "hr" => Role::Hr,
        _ => {
            faults.add(line, "role", format!("{role:?} is not a role: write member or hr, or nothing for member"));
            Role::Member
        }
    };
    let site = Some(site.to_owned()).filter(|site| !site.is_empty());
    (faults.0.len() == before).then(|| Row { line, email: address, name: name.to_owned(), site, manager, role })
}
