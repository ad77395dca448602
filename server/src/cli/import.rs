//! `import`: people, workplaces and managers from a CSV file.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};
use taiwa_shared::time::Clock;

use crate::{
    clock::SystemClock,
    config::Config,
    records::import::{self, Summary, Table},
    store::Store,
};

pub(super) async fn import(config: &Config, slug: &str, name: &str, file: &Path) -> Result<()> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if slug.is_empty() || slug.len() > 40 || !slug.chars().all(fine) {
        bail!("--organisation {slug:?}: write 1 to 40 lower-case letters, digits and hyphens, as in aozora-mobile");
    }
    if name.trim().is_empty() || name.chars().count() > 100 {
        bail!("--name: write the name of the organisation in 1 to 100 characters");
    }
    let bytes = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let table = Table::read(&bytes).with_context(|| file.display().to_string())?;
    let now = SystemClock.now();
    let store = Store::open(&config.database, now).await?;
    let outcome = import::apply(&store, slug, name.trim(), &table, now).await;
    store.close().await;
    println!("{}", in_words(slug, outcome.with_context(|| file.display().to_string())?));
    Ok(())
}

fn in_words(slug: &str, summary: Summary) -> String {
    let Summary { people_added, people_changed, people_unchanged, sites_added, pairs_opened, pairs_closed, .. } =
        summary;
    let organisation = if summary.organisation_added { "new organisation" } else { "organisation" };
    format!(
        "{organisation} {slug}: {people_added} people added, {people_changed} changed, {people_unchanged} unchanged; \
         {sites_added} workplaces added; {pairs_opened} pairs opened, {pairs_closed} closed"
    )
}
