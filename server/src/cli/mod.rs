//! What an operator types: `serve`, `organisation`, `import`, `invite`, `person`, `tips`, `backup`, `restore`,
//! `check`, `restored`, `openapi`, `configuration`.
//!
//! Settings come from the defaults, then a TOML file, then `TAIWA_*` variables. Prints results to standard output and
//! everything else to standard error; an error says which key it is about and what to write.

mod count;
mod database;
mod difference;
mod import;
mod organisation;
mod person;
mod serve;
mod tips;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::config::Config;
use import::ImportArguments;
use organisation::OrganisationCommand;
use person::{PersonCommand, Who};
use tips::TipsCommand;

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
    /// Makes an organisation, or says whether its people may be invited from phones.
    #[command(subcommand)]
    Organisation(OrganisationCommand),
    /// Brings the people, workplaces and managers of an organisation in line with a CSV file, which is the whole list.
    Import(ImportArguments),
    /// Prints a one-use link with which somebody signs in for the first time; it works for 7 days.
    Invite(Who),
    /// Ends somebody's access, resets their password, or lists and ends their sign-ins.
    #[command(subcommand)]
    Person(PersonCommand),
    /// Lists tips that wait for a reviewer or were reported, and decides on them.
    #[command(subcommand)]
    Tips(TipsCommand),
    /// Copies everything into one file while the server runs, and checks the copy.
    Backup {
        /// Give up no copy because something in it is damaged.
        #[arg(long)]
        even_if_damaged: bool,
        /// The new file.
        file: PathBuf,
    },
    /// Makes a backup the database, so that phones bring back what it lacks. The server stands still meanwhile.
    Restore {
        /// Replace a database that has people; it is kept under another name.
        #[arg(long)]
        replace: bool,
        /// Bring back what can be read of a damaged backup.
        #[arg(long)]
        even_if_damaged: bool,
        /// What `backup` wrote.
        file: PathBuf,
    },
    /// Verifies every hash, reference and counter and names what is damaged; the server may run meanwhile.
    Check {
        /// Prints the report as JSON.
        #[arg(long)]
        json: bool,
        /// A backup, instead of the database.
        file: Option<PathBuf>,
    },
    /// Tells a database that it comes from a backup, so that phones bring back what it lacks. Run it before `serve`.
    Restored,
    /// Prints the OpenAPI document of the REST routes.
    Openapi,
    /// Prints the reference of all settings.
    Configuration,
}

/// Runs the command line.
///
/// # Errors
/// Whatever kept the command from its work, in words for an operator.
pub async fn run(cli: Cli) -> Result<()> {
    if matches!(cli.command, Command::Openapi) {
        print!("{}", crate::openapi_text());
        return Ok(());
    }
    if matches!(cli.command, Command::Configuration) {
        print!("{}", crate::config_table::reference());
        return Ok(());
    }
    let config = Config::load(cli.config.as_deref(), &|name| std::env::var(name).ok())?;
    match cli.command {
        Command::Serve => serve::serve(config).await,
        Command::Organisation(command) => organisation::run(&config, &command).await,
        Command::Import(arguments) => import::import(&config, &arguments).await,
        Command::Invite(who) => person::print_invitation(&config, &who).await,
        Command::Person(command) => person::run(&config, &command).await,
        Command::Tips(command) => tips::run(&config, &command).await,
        Command::Backup { even_if_damaged, file } => database::backup(&config, &file, even_if_damaged).await,
        Command::Restore { replace, even_if_damaged, file } => {
            database::restore(&config, &file, replace, even_if_damaged).await
        }
        Command::Check { json, file } => database::check(&config, file.as_deref(), json).await,
        Command::Restored => database::restored(&config).await,
        Command::Openapi | Command::Configuration => Ok(()),
    }
}
