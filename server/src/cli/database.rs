//! What an operator does to the database as a whole: `backup`, `restore`, `restored`, `check`.
//!
//! Results go to standard output, how far the work has come to standard error if that is a terminal.

use std::{
    io::{IsTerminal, Write, stderr},
    path::Path,
};

use anyhow::{Context, Result, bail};
use taiwa_shared::time::Clock;

use super::count::count;
use crate::{
    clock::SystemClock,
    config::Config,
    operate::{
        Step,
        backup::{self, Damaged},
        check::{self, Damage, Report},
        restore::{self, Replace},
        written,
    },
    store::{ServerLock, Store},
};

pub(super) async fn backup(config: &Config, file: &Path, even_if_damaged: bool) -> Result<()> {
    let made = backup::backup(&config.database, file, accepted(even_if_damaged), SystemClock.now(), &show).await;
    clear_line();
    let made = made?;
    println!("{}: {}", file.display(), held(&made.report));
    let (size, at) = (megabytes(made.file_bytes), written(made.label.made));
    println!("made {at} from {}, epoch {}; {size}, checked", made.label.engine, made.label.epoch);
    warn_of(&made.report.damage);
    Ok(())
}

pub(super) async fn restore(config: &Config, file: &Path, replace: bool, even_if_damaged: bool) -> Result<()> {
    let replace = if replace { Replace::KeepAside } else { Replace::Refuse };
    let (damaged, now) = (accepted(even_if_damaged), SystemClock.now());
    let done = restore::restore(&config.database, file, replace, damaged, now, &show).await;
    clear_line();
    let done = done?;
    println!("restored: {}", held(&done.report));
    println!("the backup was made {}; phones bring back what came later", written(done.label.made));
    if let Some(aside) = done.aside {
        println!("the database that was there before is kept as {aside}");
    }
    warn_of(&done.report.damage);
    println!("the database has a new store epoch, {}; start the server now", done.epoch);
    eprintln!("Do again what was done since the backup: imports, deactivations, ended sign-ins.");
    Ok(())
}

pub(super) async fn check(config: &Config, file: Option<&Path>, json: bool) -> Result<()> {
    let url = file.map_or_else(|| config.database.clone(), |file| format!("sqlite:{}", file.display()));
    let store = Store::open_existing(&url).await?;
    let report = check::check(&store, &show).await;
    store.close().await;
    clear_line();
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{}", held(&report));
        for row in &report.relayed {
            let author = row.author.map_or("nobody named".to_owned(), |author| author.to_string());
            println!(
                "relayed: document {}, by {author}, brought by {} since {}",
                row.document, row.brought_by, row.since
            );
        }
        report.damage.iter().for_each(|damage| println!("{}", in_words(damage)));
    }
    match report.damage.len() {
        0 => Ok(()),
        number => bail!(
            "{} damaged: restore the last backup that `check FILE` finds whole",
            count(number, "thing is", "things are")
        ),
    }
}

pub(super) async fn restored(config: &Config) -> Result<()> {
    let now = SystemClock.now();
    let _lock = match config.database_file() {
        Some(path) => ServerLock::take(&path).context("the server still runs on this database: stop it first")?,
        None => match ServerLock::take_session(&config.database).await? {
            Some(lock) => lock,
            None => bail!("the server still runs on this database: stop it first"),
        },
    };
    let store = Store::open(&config.database, now).await?;
    let epoch = store.renew_epoch(now).await?;
    store.close().await;
    println!("the database has a new store epoch, {epoch}; start the server now");
    Ok(())
}

fn accepted(even_if_damaged: bool) -> Damaged {
    if even_if_damaged { Damaged::Accept } else { Damaged::Refuse }
}

fn held(report: &Report) -> String {
    let Report { organisations, people, active, pairs, open_pairs, meetings, documents, changes, bytes, .. } = report;
    format!(
        "{}, {} ({active} active), {} ({open_pairs} open), {}, {} with {} ({})",
        count(*organisations, "organisation", "organisations"),
        count(*people, "person", "people"),
        count(*pairs, "pair", "pairs"),
        count(*meetings, "meeting", "meetings"),
        count(*documents, "document", "documents"),
        count(*changes, "change", "changes"),
        megabytes(*bytes)
    )
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

fn in_words(damage: &Damage) -> String {
    let Damage { kind, organisation, id, detail } = damage;
    let kind = format!("{kind:?}").to_lowercase();
    let id = id.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
    let organisation = organisation.map(|id| format!(" of organisation {id}")).unwrap_or_default();
    format!("damaged {kind}{id}{organisation}: {detail}")
}

fn warn_of(damage: &[Damage]) {
    damage.iter().for_each(|damage| eprintln!("{}", in_words(damage)));
}

/// One line that changes in place; nothing where nobody looks.
fn show(step: Step<'_>) {
    let mut out = stderr();
    if out.is_terminal() {
        let text = match step {
            Step::Copied { table, rows } => format!("copied {table}: {}", count(rows, "row", "rows")),
            Step::Checked { documents, of } => format!("checked {documents} of {}", count(of, "document", "documents")),
        };
        // Whoever closed their terminal does not read it.
        let _ = write!(out, "\r\x1b[K{text}").and_then(|()| out.flush());
    }
}

fn clear_line() {
    let mut out = stderr();
    if out.is_terminal() {
        let _ = write!(out, "\r\x1b[K");
    }
}
