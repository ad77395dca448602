//! Small organisations, imported and invited through the server's own commands, as an operator does.
//!
//! A person is named by the local part of an address: `tanaka` is `tanaka@sample.example.jp`. Knows nothing of phones.

use std::path::Path;

use anyhow::{Context, Result};

use crate::process::run_server_command;

/// An organisation as its import file says.
#[derive(Debug, Clone)]
pub struct Company {
    slug: String,
    people: Vec<Row>,
}

#[derive(Debug, Clone)]
struct Row {
    person: String,
    name: String,
    manager: Option<String>,
    hr: bool,
}

impl Company {
    /// Two teams and HR: manager `sato` with members `tanaka` and `ito`, manager `mori` with member `abe`; `kudo` is HR.
    pub fn small(slug: &str) -> Self {
        let mut company = Self { slug: slug.to_owned(), people: Vec::new() };
        company.add("sato", "佐藤 健一", None, false);
        company.add("mori", "森 由美", None, false);
        company.add("kudo", "工藤 彩", None, true);
        company.add("tanaka", "田中 花子", Some("sato"), false);
        company.add("ito", "伊藤 大輔", Some("sato"), false);
        company.add("abe", "阿部 翔", Some("mori"), false);
        company
    }

    fn add(&mut self, person: &str, name: &str, manager: Option<&str>, hr: bool) {
        let manager = manager.map(str::to_owned);
        self.people.push(Row { person: person.to_owned(), name: name.to_owned(), manager, hr });
    }

    /// Its short name.
    pub fn slug(&self) -> &str {
        &self.slug
    }

    /// The address of a person.
    pub fn email(&self, person: &str) -> String {
        format!("{person}@{}.example.jp", self.slug)
    }

    /// Gives a person another manager; felt after the next [`Self::import`].
    ///
    /// # Panics
    /// If there is no such person.
    pub fn move_to(&mut self, person: &str, manager: &str) {
        let row = self.people.iter_mut().find(|row| row.person == person).expect("the person is in the company");
        row.manager = Some(manager.to_owned());
    }

    /// The file that `taiwa-server import` reads.
    pub fn csv(&self) -> String {
        let mut csv = String::from("email,name,site,manager_email,role\n");
        for row in &self.people {
            let manager = row.manager.as_deref().map(|manager| self.email(manager)).unwrap_or_default();
            let role = if row.hr { "hr" } else { "member" };
            csv.push_str(&format!("{},{},東京,{manager},{role}\n", self.email(&row.person), row.name));
        }
        csv
    }

    /// Imports it into the server whose data lie in `folder`; the server may be running.
    ///
    /// # Errors
    /// If the import is refused.
    pub async fn import(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        let file = folder.join(format!("{}.csv", self.slug));
        std::fs::write(&file, self.csv())?;
        let file = file.to_str().context("temporary folders have plain names")?;
        run_server_command(folder, &["import", "--organisation", &self.slug, "--name", &self.slug, file]).await?;
        Ok(())
    }

    /// An ordinary one-use invitation: the link as printed.
    ///
    /// # Errors
    /// If the server knows no such person.
    pub async fn invite(&self, folder: &Path, person: &str) -> Result<String> {
        let email = self.email(person);
        let printed = run_server_command(folder, &["invite", "--organisation", &self.slug, &email]).await?;
        let link = printed.split_whitespace().find(|word| word.starts_with("http")).context("no link was printed")?;
        Ok(link.to_owned())
    }
}
