//! What an operator types: `serve`, `import`, `invite`, `deactivate`, `restored`.
//!
//! Settings come from the defaults, then a TOML file, then `TAIWA_*` variables. Prints results to standard output and
//! everything else to standard error; an error says which key it is about and what to write.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use taiwa_shared::time::Clock;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::{
    auth::login::{INVITATION_LIFE, invite},
    clock::SystemClock,
    config::{Config, LogFormat},
    records::{
        import::{self, Summary, Table},
        leaving::{self, Leaving},
    },
    server::Server,
    store::{ServerLock, Store, people::Email},
};

/// The taiwa server.
#[derive(Debug, Parser)]
#[command(name = "taiwa-server", version, about = "The taiwa server: records, document hub, sign-in.")]
pub struct Cli {
    /// TOML file with settings; `TAIWA_*` variables come before it.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves phones until SIGTERM or Ctrl-C.
    Serve,
    /// Brings the people, workplaces and managers of an organisation in line with a CSV file.
    Import {
        /// Short name of the organisation: lower-case letters, digits and hyphens.
        #[arg(long)]
        organisation: String,
        /// Its full name, used when it is new.
        #[arg(long)]
        name: String,
        /// UTF-8 with a header: email,name and if wanted site,manager_email,role.
        file: PathBuf,
    },
    /// Prints a one-use link with which somebody signs in for the first time; it works for 7 days.
    Invite {
        /// Short name of the organisation.
        #[arg(long)]
        organisation: String,
        /// E-mail of the person.
        email: String,
    },
    /// Ends somebody's access: sign-ins and invitations stop working, and their pairs are closed.
    Deactivate {
        /// Short name of the organisation.
        #[arg(long)]
        organisation: String,
        /// E-mail of the person.
        email: String,
    },
    /// Tells a database that it comes from a backup, so that phones bring back what it lacks. Run it before `serve`.
    Restored,
}

/// Runs the command line.
///
/// # Errors
/// Whatever kept the command from its work, in words for an operator.
pub async fn run(cli: Cli) -> Result<()> {
    let config = Config::load(cli.config.as_deref(), &|name| std::env::var(name).ok())?;
    match cli.command {
        Command::Serve => serve(config).await,
        Command::Import { organisation, name, file } => import(&config, &organisation, &name, &file).await,
        Command::Invite { organisation, email } => print_invitation(&config, &organisation, &email).await,
        Command::Deactivate { organisation, email } => deactivate(&config, &organisation, &email).await,
        Command::Restored => restored(&config).await,
    }
}

async fn serve(config: Config) -> Result<()> {
    start_log(config.log);
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
    let server = Server::start(config, Arc::new(SystemClock)).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    server.stop().await;
    Ok(())
}

/// What is logged holds no contents, addresses or names; `TAIWA_LOG_FILTER` sets levels, as in `info,taiwa_server=debug`.
fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_env("TAIWA_LOG_FILTER").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => log.json().init(),
    }
}

async fn import(config: &Config, slug: &str, name: &str, file: &Path) -> Result<()> {
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

async fn print_invitation(config: &Config, slug: &str, email: &str) -> Result<()> {
    let now = SystemClock.now();
    let store = Store::open(&config.database, now).await?;
    let Some(organisation) = store.organisation_by_slug(slug).await? else {
        bail!("there is no organisation {slug:?}: import it first, or check --organisation");
    };
    let person = store.person_by_email(organisation.id, &Email::normalise(email)).await?;
    let Some(person) = person.filter(|person| person.active) else {
        bail!("nobody in {slug} has the e-mail {email:?}: check the spelling, or import the person first");
    };
    let mut tx = store.begin().await?;
    let secret = invite(&mut tx, organisation.id, person.id, now).await?;
    tx.commit().await?;
    store.close().await;
    println!("{}/invite/{}", config.public_url, secret.expose());
    eprintln!("for {}; works once, within {} days", person.name, INVITATION_LIFE.as_secs() / (24 * 60 * 60));
    Ok(())
}

async fn deactivate(config: &Config, slug: &str, email: &str) -> Result<()> {
    let now = SystemClock.now();
    let store = Store::open(&config.database, now).await?;
    let Some(organisation) = store.organisation_by_slug(slug).await? else {
        bail!("there is no organisation {slug:?}: check --organisation");
    };
    let Some(leaving) = leaving::deactivate(&store, organisation.id, &Email::normalise(email), now).await? else {
        bail!("nobody in {slug} has the e-mail {email:?}: check the spelling");
    };
    store.close().await;
    let Leaving { name, was_active, devices_ended, invitations_voided, pairs_closed } = leaving;
    let state = if was_active { "has no access any more" } else { "had no access already" };
    println!(
        "{name} {state}: {devices_ended} sign-ins ended, {invitations_voided} invitations void, {pairs_closed} pairs closed"
    );
    Ok(())
}

async fn restored(config: &Config) -> Result<()> {
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
