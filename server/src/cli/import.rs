//! `import`: people, workplaces and managers from a CSV file.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use taiwa_shared::time::Clock;

use super::{difference::in_words, organisation};
use crate::{
    clock::SystemClock,
    config::Config,
    records::import::{self, Import, ImportError, Imported, Missing, Run, Sender, Table},
    store::Store,
};

/// A list of people to bring an organisation in line with.
#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// Short name of the organisation: lower-case letters, digits and hyphens.
    #[arg(long)]
    organisation: String,
    /// Its full name, needed when it is new.
    #[arg(long)]
    name: Option<String>,
    /// Prints what would change, and changes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Allows that so many people lose their access; exactly the number that a refused import named.
    #[arg(long, value_name = "NUMBER", conflicts_with = "keep_missing")]
    allow_removing: Option<usize>,
    /// The file is a part of the list: people who are not in it stay as they are.
    #[arg(long)]
    keep_missing: bool,
    /// CSV in UTF-8 or Shift_JIS with a first line: email,name and if wanted site,manager_email,role; or in Japanese
    /// メールアドレス,氏名,部署/勤務地,上司のメールアドレス,役割.
    file: PathBuf,
}

pub(super) async fn import(config: &Config, arguments: &ImportArguments) -> Result<()> {
    let ImportArguments { organisation: slug, name, dry_run, allow_removing, keep_missing, file } = arguments;
    organisation::check_slug("--organisation", slug)?;
    if let Some(name) = name {
        organisation::check_name("--name", name)?;
    }
    let bytes = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let table = Table::read(&bytes).with_context(|| file.display().to_string())?;
    let missing = if *keep_missing { Missing::Keep } else { Missing::Remove { allowed: *allow_removing } };
    let now = SystemClock.now();
    let store = Store::open(&config.database, now).await?;
    let sender = Sender::Operator { slug, name: name.as_deref().map(str::trim) };
    let run = if *dry_run { Run::Dry } else { Run::Write };
    let outcome = import::run(&store, &Import { sender, table: &table, missing, run }, now).await;
    store.close().await;
    let Imported { organisation_added, difference, .. } =
        outcome.map_err(way_forward).context(file.display().to_string())?;
    if *dry_run {
        println!("This is a dry run: nothing has been changed.");
    }
    println!("{} was read as {}.", file.display(), table.encoding);
    print!("{}", in_words(slug, organisation_added, &difference));
    if let Some(number) = difference.removal_to_allow.filter(|number| u32_of(*allow_removing) != Some(*number)) {
        println!(
            "So many people are missing from the file that it would be refused. If that is right, add --allow-removing \
             {number}; if the file is a part of the list, add --keep-missing."
        );
    }
    Ok(())
}

fn u32_of(number: Option<usize>) -> Option<u32> {
    number.and_then(|number| u32::try_from(number).ok())
}

/// Says which words of the command line go on from a refusal.
fn way_forward(error: ImportError) -> anyhow::Error {
    let more = match &error {
        ImportError::TooManyRemoved { removed, .. } => {
            format!("--dry-run shows who they are; --allow-removing {removed} or --keep-missing goes on")
        }
        ImportError::UnknownOrganisation(_) => "add --name to make it".to_owned(),
        _ => return error.into(),
    };
    anyhow::anyhow!("{error} ({more})")
}
