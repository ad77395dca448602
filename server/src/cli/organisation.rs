//! `organisation`: a new one, whether its people may be invited from phones, whether it exchanges tips with others; and finding
//! one by its short name.

use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use taiwa_shared::{domain::command::MAX_NAME_CHARS, time::Clock};

use super::person::print_link;
use crate::{
    auth::login::invite,
    clock::SystemClock,
    config::Config,
    records::people::{Founding, found_organisation},
    store::{
        Store,
        organisations::Organisation,
        people::{Email, PersonRow},
    },
    tips::review::let_exchange,
};

/// What to do with an organisation.
#[derive(Debug, Subcommand)]
pub(super) enum OrganisationCommand {
    /// Makes an organisation with its first person, and prints the link with which that person signs in.
    Add(AddArguments),
    /// Says whether people may be invited from phones: on in organisations made by `add`, off in those made by `import`.
    Invites {
        /// Short name of the organisation.
        #[arg(long)]
        organisation: String,
        /// Whether they may.
        state: Switch,
    },
    /// Says whether managers read tips of other companies and may offer theirs: off unless switched on.
    OutsideTips {
        /// Short name of the organisation.
        #[arg(long)]
        organisation: String,
        /// Whether they do.
        state: Switch,
    },
}

/// A new organisation and its first person, who may import people and invite them from the phone.
#[derive(Debug, Args)]
pub(super) struct AddArguments {
    /// Short name: lower-case letters, digits and hyphens.
    #[arg(long)]
    slug: String,
    /// Full name.
    #[arg(long)]
    name: String,
    /// Name of the first person.
    #[arg(long)]
    admin_name: String,
    /// E-mail of the first person.
    #[arg(long)]
    admin_email: String,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Switch {
    /// Allowed.
    On,
    /// Not allowed.
    Off,
}

pub(super) async fn run(config: &Config, command: &OrganisationCommand) -> Result<()> {
    match command {
        OrganisationCommand::Add(arguments) => add(config, arguments).await,
        OrganisationCommand::Invites { organisation, state } => invites(config, organisation, *state).await,
        OrganisationCommand::OutsideTips { organisation, state } => outside_tips(config, organisation, *state).await,
    }
}

async fn add(config: &Config, arguments: &AddArguments) -> Result<()> {
    let AddArguments { slug, name, admin_name, admin_email } = arguments;
    check_slug("--slug", slug)?;
    check_name("--name", name)?;
    check_name("--admin-name", admin_name)?;
    let email = Email::normalise(admin_email);
    if !email.is_plausible() {
        bail!("--admin-email {admin_email:?} is not an e-mail address");
    }
    let now = SystemClock.now();
    let store = Store::open(&config.database, now).await?;
    let founding = Founding { slug, name: name.trim(), admin_name: admin_name.trim(), admin_email: &email };
    let mut tx = store.begin().await?;
    let Some((organisation, person)) = found_organisation(&mut tx, &founding, now).await? else {
        bail!("there is an organisation {slug:?} already: choose another --slug, or use `import` for its people");
    };
    let secret = invite(&mut tx, organisation, person, now).await?;
    tx.commit().await?;
    store.close().await;
    print_link(config, &secret, admin_name.trim());
    Ok(())
}

async fn invites(config: &Config, slug: &str, state: Switch) -> Result<()> {
    let store = Store::open(&config.database, SystemClock.now()).await?;
    let organisation = find(&store, slug).await?;
    let mut tx = store.begin().await?;
    tx.allow_invites(organisation.id, state == Switch::On).await?;
    tx.commit().await?;
    store.close().await;
    match state {
        Switch::On => println!("people of {slug} may be invited from phones; who invites becomes their manager"),
        Switch::Off => println!("nobody of {slug} may be invited from phones; `import` and `invite` go on working"),
    }
    Ok(())
}

async fn outside_tips(config: &Config, slug: &str, state: Switch) -> Result<()> {
    let store = Store::open(&config.database, SystemClock.now()).await?;
    let organisation = find(&store, slug).await?;
    let gone = let_exchange(&store, organisation.id, state == Switch::On).await?;
    store.close().await;
    match state {
        Switch::On => println!("managers of {slug} read tips of other companies, and may offer theirs to a reviewer"),
        Switch::Off => println!("tips of {slug} stay there; {gone} that others could read are gone"),
    }
    Ok(())
}

/// The organisation of this short name.
pub(super) async fn find(store: &Store, slug: &str) -> Result<Organisation> {
    let Some(organisation) = store.organisation_by_slug(slug).await? else {
        bail!("there is no organisation {slug:?}: import it first, or check --organisation");
    };
    Ok(organisation)
}

/// The person of this e-mail, whether they have left or not.
pub(super) async fn find_person(store: &Store, organisation: &Organisation, email: &str) -> Result<PersonRow> {
    let Some(person) = store.person_by_email(organisation.id, &Email::normalise(email)).await? else {
        let slug = &organisation.slug;
        bail!("nobody in {slug} has the e-mail {email:?}: check the spelling, or import the person first");
    };
    Ok(person)
}

pub(super) fn check_slug(argument: &str, slug: &str) -> Result<()> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if slug.is_empty() || slug.len() > 40 || !slug.chars().all(fine) {
        bail!("{argument} {slug:?}: write 1 to 40 lower-case letters, digits and hyphens, as in aozora-mobile");
    }
    Ok(())
}

pub(super) fn check_name(argument: &str, name: &str) -> Result<()> {
    if name.trim().is_empty() || name.chars().count() > MAX_NAME_CHARS || name.contains(char::is_control) {
        bail!("{argument}: write a name in 1 to {MAX_NAME_CHARS} characters, in one line");
    }
    Ok(())
}
