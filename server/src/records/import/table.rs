//! The file itself: comma-separated, with a header; every fault is named with its line and column.
//!
//! Checks what can be said without the records. Whether managers exist is the business of `plan`.

use std::collections::HashMap;

use taiwa_shared::{
    domain::{command::MAX_NAME_CHARS, people::Role},
    protocol::people::{ImportColumn, TextEncoding},
};
use unicode_normalization::UnicodeNormalization;

use super::{
    ImportError,
    faults::Faults,
    header::{Field, Header},
    text::decode,
};
use crate::store::people::Email;

/// A larger file is not a list of employees; 100,000 rows have about 8 MiB.
pub const MAX_BYTES: usize = 10 * 1_024 * 1_024;
/// More rows than the largest single organisations have.
const MAX_ROWS: usize = 100_000;
/// A longer cell is a mistake with quotes or columns.
const MAX_CELL_CHARS: usize = 200;
/// What stands for each role.
const ROLES: [(&str, Role); 7] = [
    ("", Role::Member),
    ("member", Role::Member),
    ("メンバー", Role::Member),
    ("hr", Role::Hr),
    ("人事", Role::Hr),
    ("admin", Role::Admin),
    ("管理者", Role::Admin),
];

/// A person in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Line in the file, from 1.
    pub(super) line: u64,
    /// E-mail; names the person.
    pub(super) email: Email,
    /// Name.
    pub(super) name: String,
    /// Name of the workplace.
    pub(super) site: Option<String>,
    /// E-mail of the line manager.
    pub(super) manager: Option<Email>,
    /// What they may do.
    pub(super) role: Role,
}

/// The file, checked by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The people, in the order of the file.
    pub(super) rows: Vec<Row>,
    /// Where the columns are.
    pub(super) header: Header,
    /// How the characters were read.
    pub encoding: TextEncoding,
}

impl Table {
    /// Reads a file. Takes some 100 ms for the largest.
    ///
    /// # Errors
    /// [`ImportError::Faults`] with up to 20 faults.
    pub fn read(bytes: &[u8]) -> Result<Self, ImportError> {
        let mut faults = Faults::default();
        if bytes.len() > MAX_BYTES {
            faults.add(1, None, "the file is larger than 10 MiB: this is not a list of people");
            return faults.none_or(()).and(Err(ImportError::Faults(Vec::new())));
        }
        let (text, encoding) = decode(bytes).map_err(|fault| ImportError::Faults(vec![fault]))?;
        if let Some(before) = text.find('\0') {
            let line = text[..before].matches('\n').count() as u64 + 1;
            faults.add(line, None, "there is a NUL character: the file is not plain text");
        }
        let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(text.as_bytes());
        let header = match reader.headers() {
            Ok(record) => Header::read(record, &mut faults),
            Err(error) => {
                faults.add(1, None, csv_fault(&error));
                None
            }
        };
        let Some(header) = header else { return faults.none_or(()).and(Err(ImportError::Faults(Vec::new()))) };
        faults.none_or(())?;
        let rows = rows(&mut reader, &header)?;
        Ok(Self { rows, header, encoding })
    }

    /// The column of a field, as it is named in faults.
    pub(super) fn column(&self, field: Field) -> Option<ImportColumn> {
        self.header.column(field)
    }
}

fn rows(reader: &mut csv::Reader<&[u8]>, header: &Header) -> Result<Vec<Row>, ImportError> {
    let mut faults = Faults::default();
    let mut rows: Vec<Row> = Vec::new();
    let mut lines: HashMap<Email, u64> = HashMap::new();
    for record in reader.records() {
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
            faults.add(line, None, format!("there are more than {MAX_ROWS} people: this is not one organisation"));
            break;
        }
        if let Some(row) = row(&record, header, line, &mut faults) {
            if let Some(first) = lines.insert(row.email.clone(), line) {
                let what = format!("the same e-mail stands in line {first}: keep one of the two");
                faults.add(line, header.column(Field::Email), what);
            }
            rows.push(row);
        }
    }
    if rows.is_empty() && faults.count() == 0 {
        faults.add(1, None, "there is a header but nobody below it");
    }
    faults.none_or(rows)
}

fn csv_fault(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!(
                "there are {len} cells where the first line has {expected_len}: look for a missing or extra comma or \
                 quote"
            )
        }
        _ => "the line is not readable as CSV".to_owned(),
    }
}

fn row(record: &csv::StringRecord, header: &Header, line: u64, faults: &mut Faults) -> Option<Row> {
    let before = faults.count();
    let mut cell = |field: Field, limit: usize| {
        let text = header.cell(record, field);
        if let Some(what) = fault_in_cell(text, limit) {
            faults.add(line, header.column(field), what);
        }
        text
    };
    let email = cell(Field::Email, MAX_CELL_CHARS);
    let name = cell(Field::Name, MAX_NAME_CHARS);
    let site = cell(Field::Site, MAX_CELL_CHARS);
    let manager = cell(Field::Manager, MAX_CELL_CHARS);
    let role = cell(Field::Role, MAX_CELL_CHARS);
    if let Some(column) = header.nameless_cell(record) {
        faults.add(line, column, "the first line has no name for this column: name it, or empty the cell");
    }
    let address = Email::normalise(email);
    if !address.is_plausible() {
        faults.add(line, header.column(Field::Email), format!("{email:?} is not an e-mail address"));
    }
    if name.is_empty() {
        faults.add(line, header.column(Field::Name), "the name is missing");
    }
    let manager = Some(manager).filter(|text| !text.is_empty()).map(Email::normalise);
    if manager.as_ref().is_some_and(|manager| !manager.is_plausible()) {
        faults.add(line, header.column(Field::Manager), "this is not an e-mail address");
    }
    let word: String = role.nfkc().collect::<String>().to_lowercase();
    let known = ROLES.iter().find(|(known, _)| *known == word).map(|(_, role)| *role);
    if known.is_none() {
        let what = format!(
            "{role:?} is not a role: write member (メンバー), hr (人事) or admin (管理者), or nothing for member"
        );
        faults.add(line, header.column(Field::Role), what);
    }
    let site = Some(site.to_owned()).filter(|site| !site.is_empty());
    let role = known?;
    // A twenty-first fault is not counted: the file is refused for the others.
    (faults.count() == before).then(|| Row { line, email: address, name: name.to_owned(), site, manager, role })
}

fn fault_in_cell(text: &str, limit: usize) -> Option<String> {
    if text.chars().count() > limit {
        Some(format!("the cell has more than {limit} characters"))
    } else if text.contains(char::is_control) {
        Some("there is a line break or control character in the cell".to_owned())
    } else if text.contains('\u{fffd}') {
        Some("a character was lost when the file was saved (\u{fffd}): write it again".to_owned())
    } else if text.contains(|character| ('\u{e000}'..='\u{f8ff}').contains(&character)) {
        Some("there is a character that only the computer knows on which it was made (外字): use another".to_owned())
    } else {
        None
    }
}
