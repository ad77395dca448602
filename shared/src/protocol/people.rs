//! What an import of the list of people changes, or would change, and what is wrong with a file.
//!
//! Answers of `POST /v1/people/import`, and what the operator's command prints. For people who keep the list: names
//! and e-mails of one organisation, nothing of what is said in 1on1s.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{domain::people::Role, protocol::problem::Problem};

/// Answer to an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportResponse {
    /// Whether the difference was written; false in a dry run.
    pub applied: bool,
    /// How the file was read.
    pub encoding: TextEncoding,
    /// What was or would be changed.
    pub difference: Difference,
}

/// The characters of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TextEncoding {
    /// UTF-8, with or without a byte order mark.
    Utf8,
    /// Shift_JIS with the additions of Windows (CP932), as Japanese Excel writes "CSV".
    ShiftJis,
}

impl fmt::Display for TextEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf8 => "UTF-8",
            Self::ShiftJis => "Shift_JIS",
        })
    }
}

/// What an import changes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Difference {
    /// New people, in the order of the file.
    pub added: Vec<AddedPerson>,
    /// People whose record differs, in the order of the file.
    pub changed: Vec<ChangedPerson>,
    /// People who are not in the file and lose their access.
    pub removed: Vec<NamedPerson>,
    /// People of the file whose record is the same.
    pub unchanged: u32,
    /// New workplaces.
    pub sites_added: Vec<String>,
    /// Pairs that begin.
    pub pairs_opened: Vec<NamedPair>,
    /// Pairs that are closed: the member reads on, the former manager for thirty days.
    pub pairs_closed: Vec<NamedPair>,
    /// So many people are removed that whoever imports has to name this number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removal_to_allow: Option<u32>,
}

impl Difference {
    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        let Self { added, changed, removed, sites_added, pairs_opened, pairs_closed, .. } = self;
        added.is_empty()
            && changed.is_empty()
            && removed.is_empty()
            && sites_added.is_empty()
            && pairs_opened.is_empty()
            && pairs_closed.is_empty()
    }
}

/// Somebody by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NamedPerson {
    /// Name.
    pub name: String,
    /// E-mail.
    pub email: String,
}

/// A new person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddedPerson {
    /// Name.
    pub name: String,
    /// E-mail.
    pub email: String,
    /// Name of the workplace.
    pub site: Option<String>,
    /// Name of the line manager.
    pub manager: Option<String>,
    /// What they may do.
    pub role: Role,
}

/// A person whose record differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangedPerson {
    /// Name, the new one if it changes.
    pub name: String,
    /// E-mail.
    pub email: String,
    /// Whether they had left and come back.
    pub returns: bool,
    /// What differs.
    pub fields: Vec<ChangedField>,
}

/// One field of a person that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangedField {
    /// Which.
    pub field: PersonField,
    /// What it was; none if there was nothing.
    pub old: Option<String>,
    /// What it becomes.
    pub new: Option<String>,
}

/// A field of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PersonField {
    /// Name.
    Name,
    /// Workplace, by name.
    Site,
    /// Line manager, by name.
    Manager,
    /// What they may do.
    Role,
}

impl PersonField {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Site => "site",
            Self::Manager => "manager",
            Self::Role => "role",
        }
    }
}

/// A pair by the names of its people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NamedPair {
    /// Name of the member.
    pub member: String,
    /// Name of the manager.
    pub manager: String,
}

/// Something wrong in a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportFault {
    /// Line in the file, from 1.
    pub line: u64,
    /// The column, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<ImportColumn>,
    /// What is wrong and what to write instead.
    pub what: String,
}

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportColumn {
    /// Counted from 1.
    pub number: u32,
    /// As the file's first line says.
    pub name: String,
}

impl fmt::Display for ImportFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.column {
            Some(ImportColumn { number, name }) => {
                write!(f, "line {}, column {number} ({name}): {}", self.line, self.what)
            }
            None => write!(f, "line {}: {}", self.line, self.what),
        }
    }
}

/// Error answer to an import that was refused: a problem with the faults of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportProblem {
    /// The problem.
    #[serde(flatten)]
    pub problem: Problem,
    /// What is wrong in the file, at most 20; empty if the file is fine and refused all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<ImportFault>,
}
