//! The first line of the file: which column holds what, in English or Japanese, in any order.

use csv::StringRecord;
use taiwa_shared::protocol::people::ImportColumn;
use unicode_normalization::UnicodeNormalization;

use super::faults::Faults;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// E-mail; names the person.
    Email,
    /// Name.
    Name,
    /// Workplace or department.
    Site,
    /// E-mail of the line manager.
    Manager,
    /// What they may do.
    Role,
}

/// What each may be called, the English word first.
const NAMES: [(Field, &[&str]); 5] = [
    (Field::Email, &["email", "メールアドレス"]),
    (Field::Name, &["name", "氏名"]),
    (Field::Site, &["site", "部署", "勤務地", "部署/勤務地"]),
    (Field::Manager, &["manager_email", "上司のメールアドレス"]),
    (Field::Role, &["role", "役割"]),
];
/// Longest part of an unknown name that is shown.
const SHOWN_CHARS: usize = 40;

/// Where the columns are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// In the order of the file; none for one without a name, which has to be empty.
    columns: Vec<(Option<Field>, String)>,
}

impl Header {
    /// Reads the first line; none if it has faults.
    pub(super) fn read(record: &StringRecord, faults: &mut Faults) -> Option<Self> {
        let before = faults.count();
        let mut columns: Vec<(Option<Field>, String)> = Vec::new();
        for (place, written) in record.iter().enumerate() {
            let name = written.trim();
            let column = ImportColumn { number: number(place), name: name.chars().take(SHOWN_CHARS).collect() };
            let field = field_of(name);
            if field.is_none() && !name.is_empty() {
                let known: Vec<String> = NAMES.iter().map(|(_, names)| names.join(" or ")).collect();
                let what =
                    format!("this column is not known; known are {}: take it out or rename it", known.join(", "));
                faults.add(1, column, what);
            } else if field.is_some_and(|field| columns.iter().any(|(other, _)| *other == Some(field))) {
                faults.add(1, column, "there is a column for this already: keep one of the two");
            }
            columns.push((field, name.to_owned()));
        }
        for (needed, names) in &NAMES[..2] {
            if !columns.iter().any(|(field, _)| field == &Some(*needed)) {
                let what = format!(
                    "there is no column {}: the first line must name the columns, as in \
                     email,name,site,manager_email,role",
                    names.join(" or ")
                );
                faults.add(1, None, what);
            }
        }
        (faults.count() == before).then_some(Self { columns })
    }

    /// Whether the file has a column for this.
    pub(super) fn has(&self, field: Field) -> bool {
        self.place(field).is_some()
    }

    /// The column of a field, as it is named in faults.
    pub(super) fn column(&self, field: Field) -> Option<ImportColumn> {
        let place = self.place(field)?;
        Some(ImportColumn { number: number(place), name: self.columns[place].1.clone() })
    }

    /// The cell of a field, trimmed; empty if there is no column for it.
    pub(super) fn cell<'a>(&self, record: &'a StringRecord, field: Field) -> &'a str {
        self.place(field).and_then(|place| record.get(place)).unwrap_or_default().trim()
    }

    /// The first column without a name in which a line has something.
    pub(super) fn nameless_cell(&self, record: &StringRecord) -> Option<ImportColumn> {
        let nameless = self.columns.iter().enumerate().filter(|(_, (field, _))| field.is_none());
        let filled = |place: usize| record.get(place).is_some_and(|cell| !cell.trim().is_empty());
        let (place, _) = nameless.into_iter().find(|(place, _)| filled(*place))?;
        Some(ImportColumn { number: number(place), name: String::new() })
    }

    fn place(&self, field: Field) -> Option<usize> {
        self.columns.iter().position(|(known, _)| *known == Some(field))
    }
}

/// Full-width letters, half-width kana, case and spaces make no difference.
fn field_of(name: &str) -> Option<Field> {
    let name: String = name.nfkc().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
    NAMES.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(field, _)| *field)
}

fn number(place: usize) -> u32 {
    u32::try_from(place + 1).unwrap_or(u32::MAX)
}
