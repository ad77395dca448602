//! `invite` and `deactivate`: one person's way in and out.

use anyhow::{Result, bail};
use taiwa_shared::time::Clock;

use crate::{
    auth::login::invite,
    clock::SystemClock,
    config::Config,
    records::leaving::{self, Leaving},
    store::{Store, login::INVITATION_LIFE, people::Email},
};

pub(super) async fn print_invitation(config: &Config, slug: &str, email: &str) -> Result<()> {
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

pub(super) async fn deactivate(config: &Config, slug: &str, email: &str) -> Result<()> {
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
