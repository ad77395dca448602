//! Commands, as stored: the outcome of each, how far each device has come, and how many a person gave in a day.
//!
//! An outcome names its command by organisation, person and id; what is in it was decided by `records::commands`.

use sqlx::types::Json;
use taiwa_shared::{
    ids::{CommandId, DeviceId, OrganisationId, UserId},
    protocol::commands::Outcome,
    time::Timestamp,
};

use super::{Store, StoreError, Tx};

statements! {
    OUTCOME = "select outcome from command where organisation = $1 and person = $2 and id = $3";
    ADD_OUTCOME = "insert into command (organisation, person, id, outcome, taken) values ($1, $2, $3, $4, $5)";
    FORGET_OUTCOMES = "delete from command where taken < $1";
    LAST_SEQUENCE = "select d.last_sequence from device d
        join person p on p.organisation = d.organisation and p.id = d.person
        where d.organisation = $1 and d.id = $2 and d.person = $3 and d.revoked is null and p.active";
    SET_LAST_SEQUENCE = "update device set last_sequence = $3 where organisation = $1 and id = $2";
    COMMANDED = "select commands, invites from commanded where organisation = $1 and person = $2 and day = $3";
    SET_COMMANDED = "insert into commanded (organisation, person, day, commands, invites) values ($1, $2, $3, $4, $5)
        on conflict (organisation, person)
        do update set day = excluded.day, commands = excluded.commands, invites = excluded.invites";
}

/// How many commands were taken from somebody on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Commanded {
    /// All of them.
    pub commands: i64,
    /// Those that invite somebody.
    pub invites: i64,
}

impl Store {
    /// Forgets outcomes of commands that were taken before `before`; returns how many.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn forget_outcomes(&self, before: Timestamp) -> Result<u64, StoreError> {
        let before = before.as_millis();
        let mut tx = self.begin().await?;
        let forgotten = on!(tx tx, |c| sqlx::query(FORGET_OUTCOMES)
            .bind(before)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        tx.commit().await?;
        Ok(forgotten)
    }
}

impl Tx {
    /// What became of a person's command, if it was taken.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed or the row is unreadable.
    pub async fn outcome(
        &mut self,
        organisation: OrganisationId,
        person: UserId,
        command: CommandId,
    ) -> Result<Option<Outcome>, StoreError> {
        let (organisation, person, id) = (organisation.as_uuid(), person.as_uuid(), command.as_uuid());
        let outcome: Option<Json<Outcome>> = on!(tx self, |c| sqlx::query_scalar(OUTCOME)
            .bind(organisation)
            .bind(person)
            .bind(id)
            .fetch_optional(c)
            .await)?;
        Ok(outcome.map(|Json(outcome)| outcome))
    }

    /// Keeps what became of a person's command.
    ///
    /// # Errors
    /// [`StoreError`]; a unique violation if the command was taken before.
    pub async fn add_outcome(
        &mut self,
        organisation: OrganisationId,
        person: UserId,
        command: CommandId,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (organisation, person, id) = (organisation.as_uuid(), person.as_uuid(), command.as_uuid());
        let (outcome, now) = (Json(outcome), now.as_millis());
        on!(tx self, |c| sqlx::query(ADD_OUTCOME)
            .bind(organisation)
            .bind(person)
            .bind(id)
            .bind(outcome)
            .bind(now)
            .execute(c)
            .await
            .map(drop))?;
        Ok(())
    }

    /// The greatest sequence taken from a device, -1 before the first; none if the sign-in is over, the person is not
    /// active, or the device is somebody else's.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn last_sequence(
        &mut self,
        organisation: OrganisationId,
        device: DeviceId,
        person: UserId,
    ) -> Result<Option<i64>, StoreError> {
        let (organisation, device, person) = (organisation.as_uuid(), device.as_uuid(), person.as_uuid());
        Ok(on!(tx self, |c| sqlx::query_scalar(LAST_SEQUENCE)
            .bind(organisation)
            .bind(device)
            .bind(person)
            .fetch_optional(c)
            .await)?)
    }

    /// Notes the greatest sequence taken from a device.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn set_last_sequence(
        &mut self,
        organisation: OrganisationId,
        device: DeviceId,
        sequence: i64,
    ) -> Result<(), StoreError> {
        let (organisation, device) = (organisation.as_uuid(), device.as_uuid());
        on!(tx self, |c| sqlx::query(SET_LAST_SEQUENCE)
            .bind(organisation)
            .bind(device)
            .bind(sequence)
            .execute(c)
            .await
            .map(drop))?;
        Ok(())
    }

    /// How many commands were taken from somebody on a day.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn commanded_by(
        &mut self,
        organisation: OrganisationId,
        person: UserId,
        day: i64,
    ) -> Result<Commanded, StoreError> {
        let (organisation, person) = (organisation.as_uuid(), person.as_uuid());
        let row: Option<(i64, i64)> = on!(tx self, |c| sqlx::query_as(COMMANDED)
            .bind(organisation)
            .bind(person)
            .bind(day)
            .fetch_optional(c)
            .await)?;
        Ok(row.map_or(Commanded::default(), |(commands, invites)| Commanded { commands, invites }))
    }

    /// Notes how many commands were taken from somebody on a day; other days are forgotten.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn set_commanded_by(
        &mut self,
        organisation: OrganisationId,
        person: UserId,
        day: i64,
        commanded: Commanded,
    ) -> Result<(), StoreError> {
        let (organisation, person) = (organisation.as_uuid(), person.as_uuid());
        on!(tx self, |c| sqlx::query(SET_COMMANDED)
            .bind(organisation)
            .bind(person)
            .bind(day)
            .bind(commanded.commands)
            .bind(commanded.invites)
            .execute(c)
            .await
            .map(drop))?;
        Ok(())
    }
}
