//! `invite` and `person`: one person's way in and out, and the devices they are signed in on.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use taiwa_shared::{
    domain::command::INVITATION_LIFE,
    ids::DeviceId,
    protocol::login::Secret,
    time::{Clock, Timestamp, Zone},
};

use super::{
    count::count,
    organisation::{find, find_person},
};
use crate::{
    auth::{
        devices::{Reset, devices, end_device, reset_password},
        login::invite,
    },
    clock::SystemClock,
    config::Config,
    records::leaving::{self, Leaving},
    store::{Store, organisations::Organisation, people::PersonRow},
};

/// What to do about a person.
#[derive(Debug, Subcommand)]
pub(super) enum PersonCommand {
    /// Ends somebody's access: sign-ins and invitations stop working, and their pairs are closed. Nothing is deleted.
    Deactivate(Who),
    /// Forgets somebody's password, ends their sign-ins and prints a new link; for accounts in the wrong hands.
    ResetPassword(Who),
    /// Lists the devices on which somebody is signed in.
    Devices(Who),
    /// Ends somebody's sign-in on one device, such as a lost phone.
    RevokeDevice {
        #[command(flatten)]
        who: Who,
        /// Which, as `person devices` prints it.
        device: DeviceId,
    },
}

/// A person.
#[derive(Debug, Args)]
pub(super) struct Who {
    /// Short name of the organisation.
    #[arg(long)]
    organisation: String,
    /// E-mail of the person.
    email: String,
}

impl Who {
    async fn find(&self, store: &Store) -> Result<(Organisation, PersonRow)> {
        let organisation = find(store, &self.organisation).await?;
        let person = find_person(store, &organisation, &self.email).await?;
        Ok((organisation, person))
    }

    async fn find_active(&self, store: &Store) -> Result<(Organisation, PersonRow)> {
        let (organisation, person) = self.find(store).await?;
        if !person.active {
            bail!("{} has left {}: import the person again first", person.name, organisation.slug);
        }
        Ok((organisation, person))
    }
}

pub(super) async fn run(config: &Config, command: &PersonCommand) -> Result<()> {
    let now = SystemClock.now();
    let store = Store::open(&config.database, now).await?;
    match command {
        PersonCommand::Deactivate(who) => deactivate(&store, who, now).await?,
        PersonCommand::ResetPassword(who) => reset(config, &store, who, now).await?,
        PersonCommand::Devices(who) => list_devices(&store, who, now).await?,
        PersonCommand::RevokeDevice { who, device } => revoke_device(&store, who, *device, now).await?,
    }
    store.close().await;
    Ok(())
}

pub(super) async fn print_invitation(config: &Config, who: &Who) -> Result<()> {
    let now = SystemClock.now();
    let store = Store::open(&config.database, now).await?;
    let (organisation, person) = who.find_active(&store).await?;
    let mut tx = store.begin().await?;
    let secret = invite(&mut tx, organisation.id, person.id, now).await?;
    tx.commit().await?;
    store.close().await;
    print_link(config, &secret, &person.name);
    Ok(())
}

/// The link alone on standard output, so that it can be passed on; for whom it is on standard error.
pub(super) fn print_link(config: &Config, secret: &Secret, name: &str) {
    println!("{}/invite/{}", config.public_url, secret.expose());
    eprintln!("for {name}; works once, within {} days", INVITATION_LIFE.as_secs() / (24 * 60 * 60));
}

async fn deactivate(store: &Store, who: &Who, now: Timestamp) -> Result<()> {
    let (organisation, person) = who.find(store).await?;
    let Some(leaving) = leaving::deactivate(store, organisation.id, &person.email, now).await? else {
        bail!("{} is not there any more", person.name);
    };
    let Leaving { name, was_active, devices_ended, invitations_voided, pairs_closed } = leaving;
    let state = if was_active { "has no access any more" } else { "had no access already" };
    println!(
        "{name} {state}: {} ended, {} void, {} closed",
        count(devices_ended, "sign-in", "sign-ins"),
        count(invitations_voided, "invitation", "invitations"),
        count(pairs_closed, "pair", "pairs"),
    );
    Ok(())
}

async fn reset(config: &Config, store: &Store, who: &Who, now: Timestamp) -> Result<()> {
    let (organisation, person) = who.find_active(store).await?;
    let Reset { invitation, devices_ended, invitations_voided } =
        reset_password(store, organisation.id, person.id, now).await?;
    eprintln!(
        "the password of {} is forgotten: {} ended, {} void; what they wrote stays",
        person.name,
        count(devices_ended, "sign-in", "sign-ins"),
        count(invitations_voided, "invitation", "invitations"),
    );
    print_link(config, &invitation, &person.name);
    Ok(())
}

async fn list_devices(store: &Store, who: &Who, now: Timestamp) -> Result<()> {
    let (organisation, person) = who.find(store).await?;
    let devices = devices(store, organisation.id, person.id, now).await?;
    if devices.is_empty() {
        println!("{} is signed in nowhere", person.name);
    }
    let shown = |at: Timestamp| at.in_zone(&Zone::tokyo()).strftime("%Y-%m-%d %H:%M").to_string();
    for device in devices {
        println!(
            "{}  {}  signed in {}, last used {} (Japan)",
            device.id,
            device.name,
            shown(device.made),
            shown(device.refreshed)
        );
    }
    Ok(())
}

async fn revoke_device(store: &Store, who: &Who, device: DeviceId, now: Timestamp) -> Result<()> {
    let (organisation, person) = who.find(store).await?;
    if end_device(store, organisation.id, person.id, device, now).await?.is_none() {
        bail!("{} is not signed in on {device}: `person devices` lists where", person.name);
    }
    println!("{} is signed out on {device}; what was not sent from it stays on it", person.name);
    Ok(())
}
