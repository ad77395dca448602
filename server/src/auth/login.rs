//! Signing in: once with an invitation, later with e-mail and password.
//!
//! Every refusal of credentials looks alike and takes as long, whether the person exists or not; locks as well.

use std::time::Duration;

use sha2::{Digest, Sha256};
use taiwa_shared::{
    domain::people::Role,
    ids::{DeviceId, OrganisationId, UserId},
    protocol::login::{InvitationRequest, LoginResponse, PasswordRequest, Secret, Tokens},
    time::Timestamp,
};

use super::{
    Auth, AuthError,
    password::check_strength,
    refresh::token_expiry,
    secret::{hash_of, new_secret},
};
use crate::{
    bus::News,
    entropy::random,
    store::{Tx, login::SecretHash, organisations::Organisation, people::Email},
};

/// So many failures lock an account for a minute; each further one doubles the time.
const FREE_FAILURES: i64 = 5;
/// The longest lock.
const LONGEST_LOCK: Duration = Duration::from_secs(60 * 60);
/// Longest name of a device that is kept.
const DEVICE_NAME_CHARS: usize = 60;

/// Makes a one-use invitation for somebody; the secret is shown once and stored as a hash.
///
/// # Errors
/// [`StoreError`](crate::store::StoreError) if it could not be stored.
pub async fn invite(
    tx: &mut Tx,
    organisation: OrganisationId,
    person: UserId,
    now: Timestamp,
) -> Result<Secret, crate::store::StoreError> {
    let (secret, hash) = new_secret();
    tx.add_invitation(&hash, organisation, person, now).await?;
    Ok(secret)
}

impl Auth {
    /// Signs in with an invitation, which is used up, and sets the password. Earlier sign-ins of the person are over:
    /// whoever needed a new invitation has lost the old way in, perhaps to somebody else. So are their other invitations:
    /// a link that somebody kept would set another password.
    ///
    /// # Errors
    /// [`AuthError::CredentialsRefused`], [`AuthError::PasswordTooWeak`] (the invitation stays good),
    /// [`AuthError::Busy`], [`AuthError::Store`].
    pub async fn sign_in_with_invitation(&self, request: &InvitationRequest) -> Result<LoginResponse, AuthError> {
        let invitation = hash_of(request.invitation.expose());
        let known = self.store.invitation(&invitation, self.clock.now()).await?;
        let (organisation, person) = known.ok_or(AuthError::CredentialsRefused)?;
        check_strength(&request.password)?;
        let password = self.passwords.hash(&request.password).await?;
        let now = self.clock.now();
        // The counter first, as everywhere: of two who come at once with two invitations, or with one that is being made
        // void, the second finds what the first has done.
        let mut tx = self.store.begin().await?;
        let rev = tx.next_rev(organisation).await?;
        tx.use_invitation(&invitation, now).await?.ok_or(AuthError::CredentialsRefused)?;
        tx.void_invitations(organisation, person).await?;
        let ended = tx.revoke_devices(organisation, person, now).await?;
        if !ended.is_empty() {
            tx.touch_person(organisation, person, rev).await?;
        }
        tx.set_password(organisation, person, &password, now).await?;
        let signed_in = self.finish(tx, organisation, person, &request.device_name, now).await?;
        if !ended.is_empty() {
            for device in ended {
                self.bus.publish(News::Revoked { device });
            }
            self.bus.publish(News::Records { organisation, counter: rev });
        }
        Ok(signed_in)
    }

    /// Signs in with e-mail and password.
    ///
    /// # Errors
    /// [`AuthError::CredentialsRefused`], [`AuthError::OrganisationNeeded`], [`AuthError::TooManyTries`],
    /// [`AuthError::Busy`], [`AuthError::Store`].
    pub async fn sign_in_with_password(&self, request: &PasswordRequest) -> Result<LoginResponse, AuthError> {
        let organisation = self.organisation_meant(request.organisation.as_deref()).await?;
        let email = Email::normalise(&request.email);
        let account = account_key(organisation.as_ref(), request.organisation.as_deref(), &email);
        self.count_try(&account).await?;

        let person = match &organisation {
            Some(organisation) => self.store.person_by_email(organisation.id, &email).await?,
            None => None,
        };
        let person = person.filter(|person| person.active).zip(organisation.map(|organisation| organisation.id));
        let hash = match &person {
            Some((person, organisation)) => self.store.password(*organisation, person.id).await?,
            None => None,
        };
        let matches = self.passwords.verify(&request.password, hash.clone()).await?;
        let (person, organisation) = person.filter(|_| matches).ok_or(AuthError::CredentialsRefused)?;

        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        // Verifying takes its time: a password that was reset meanwhile, or whose person had to leave, opens nothing.
        tx.next_rev(organisation).await?;
        if tx.password(organisation, person.id).await? != hash {
            return Err(AuthError::CredentialsRefused);
        }
        tx.unlock_login(&account).await?;
        self.finish(tx, organisation, person.id, &request.device_name, now).await
    }

    /// None stands for an organisation that does not exist: the attempt goes on and fails like a wrong password.
    async fn organisation_meant(&self, slug: Option<&str>) -> Result<Option<Organisation>, AuthError> {
        if let Some(slug) = slug {
            return Ok(self.store.organisation_by_slug(slug).await?);
        }
        let mut all = self.store.first_organisations().await?;
        if all.len() > 1 { Err(AuthError::OrganisationNeeded) } else { Ok(all.pop()) }
    }

    /// Counts the attempt before the password is checked, so that parallel guesses do not escape the count.
    async fn count_try(&self, account: &SecretHash) -> Result<(), AuthError> {
        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        let (tries, locked_until) = tx.count_login_try(account, now).await?;
        if now < locked_until {
            // Dropped, not committed: waiting people who knock are not locked for longer.
            return Err(AuthError::TooManyTries { retry_after: locked_until.since(now) });
        }
        if tries >= FREE_FAILURES {
            tx.lock_login(account, now.plus(lock_after(tries))).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn finish(
        &self,
        mut tx: Tx,
        organisation: OrganisationId,
        person: UserId,
        device_name: &str,
        now: Timestamp,
    ) -> Result<LoginResponse, AuthError> {
        let device = DeviceId::new(now, random());
        let name: String =
            device_name.chars().filter(|character| !character.is_control()).take(DEVICE_NAME_CHARS).collect();
        let (refresh_token, hash) = new_secret();
        tx.add_device(organisation, device, person, &name, now).await?;
        tx.add_token(&hash, organisation, device, None, now, token_expiry(now, now)).await?;
        tx.commit().await?;

        let (user, role) = self.store.device(organisation, device).await?.ok_or(AuthError::CredentialsRefused)?;
        let organisation = self.store.organisation(organisation).await?.ok_or(AuthError::CredentialsRefused)?;
        tracing::info!(target: "taiwa::audit", { user.id = %user, device.id = %device }, "signed in");
        Ok(LoginResponse {
            user,
            organisation: organisation.id,
            organisation_slug: organisation.slug,
            organisation_name: organisation.name,
            device,
            tokens: self.tokens_for(organisation.id, user, device, role, refresh_token, now),
        })
    }

    pub(super) fn tokens_for(
        &self,
        organisation: OrganisationId,
        user: UserId,
        device: DeviceId,
        role: Role,
        refresh_token: Secret,
        now: Timestamp,
    ) -> Tokens {
        let (access_token, access_expires) = self.tokens.sign(organisation, user, device, role, now);
        Tokens { access_token, access_expires, server_time: now, refresh_token }
    }
}

/// One, two, four … minutes from the fifth failure on, at most an hour.
fn lock_after(failures: i64) -> Duration {
    let doublings = u32::try_from(failures - FREE_FAILURES).unwrap_or(0).min(6);
    Duration::from_secs(60 << doublings).min(LONGEST_LOCK)
}

/// Names what was typed; organisations and people that do not exist lock as those that do.
fn account_key(organisation: Option<&Organisation>, slug: Option<&str>, email: &Email) -> SecretHash {
    let slug = organisation.map(|organisation| organisation.slug.as_str()).or(slug).unwrap_or_default();
    Sha256::new()
        .chain_update(slug.len().to_be_bytes())
        .chain_update(slug)
        .chain_update(email.as_str())
        .finalize()
        .into()
}
