//! The outbox: what this person asked of the records, until the server has answered and the answer is of no more use.
//!
//! A command is sealed under its id; the number that orders it is counted in the transaction that keeps it. Decides
//! nothing about what is sent: that is the session's.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use taiwa_shared::{
    domain::{command::Action, meeting::MeetingTime},
    ids::{CommandId, StoreEpoch},
    protocol::{
        commands::{Command, Outcome, RejectionReason},
        login::Secret,
    },
    time::Timestamp,
};

use super::{Store, StoreError, Write, seal::Place};

/// How long a command is kept after its first answer, for a server that comes back from a backup: 30 days.
pub const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

const INSERT: &str = "insert into command (id, state, sealed) values ($1, 1, x'') returning sequence";
const SEAL: &str = "update command set sealed = $2 where id = $1";
const READ_ALL: &str = "select sequence, id, state, sealed from command order by sequence";
const READ_UNSETTLED: &str = "select sequence, id, state, sealed from command where state < 3 order by sequence";
const READ_DUE: &str = "select sequence, id, state, sealed from command
    where state = 1 or epoch is not $1 order by sequence";
const READ_ONE: &str = "select sequence, id, state, sealed from command where id = $1";
const COUNT_WAITING: &str = "select count(*) from command where state = 1";
const ANSWERED: &str = "select sequence from command where state = 2";
const ANSWER: &str = "update command set state = 2, epoch = $2, sealed = $3 where id = $1";
const SETTLE: &str = "update command set state = 3 where sequence = $1 and state = 2";
const DELETE: &str = "delete from command where id = $1";

/// How far a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CommandState {
    /// The server has not answered.
    Waiting,
    /// The server has answered; the records of this phone may not show it yet.
    Answered,
    /// The records have been pulled since.
    Settled,
}

/// What a command was about in the eyes of whoever gave it, so that it can be said when the records are gone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CommandAbout {
    /// Name of the other person.
    pub partner_name: String,
    /// When the meeting was to be before.
    pub time: Option<MeetingTime>,
}

/// A command before it has a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCommand {
    /// Names it for ever.
    pub id: CommandId,
    /// When the person gave it.
    pub made: Timestamp,
    /// What to do.
    pub action: Action,
    /// What it is about.
    pub about: CommandAbout,
    /// The earlier command whose result the person saw when they gave this one.
    pub builds_on: Option<CommandId>,
    /// The secret in the link of an invitation.
    pub secret: Option<Secret>,
}

/// The server's answer to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandAnswer {
    /// When it arrived.
    pub at: Timestamp,
    /// What became of the command.
    pub outcome: Outcome,
}

/// A command in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCommand {
    /// Names it for ever.
    pub id: CommandId,
    /// Its place in the order of this phone.
    pub sequence: u64,
    /// How far it has come.
    pub state: CommandState,
    /// When the person gave it.
    pub made: Timestamp,
    /// What to do.
    pub action: Action,
    /// What it is about.
    pub about: CommandAbout,
    /// The earlier command whose result the person saw when they gave this one; without that one it makes no sense.
    pub builds_on: Option<CommandId>,
    /// The secret in the link of an invitation.
    pub secret: Option<Secret>,
    /// The server's answer.
    pub answer: Option<CommandAnswer>,
    /// When the first answer arrived; a later epoch may have answered again.
    pub first_answered: Option<Timestamp>,
    /// Whether the person has seen to an answer that needs a decision.
    pub seen_to: bool,
}

impl StoredCommand {
    /// As it is sent.
    pub fn to_send(&self) -> Command {
        Command { id: self.id, sequence: self.sequence, made: self.made, action: self.action.clone() }
    }

    /// The answer, if what the person asked for was not done.
    pub fn refusal(&self) -> Option<&Outcome> {
        let outcome = &self.answer.as_ref()?.outcome;
        matches!(outcome, Outcome::Conflict { .. } | Outcome::Rejected { .. }).then_some(outcome)
    }

    /// Whether the answer waits for the person: what they asked for was not done.
    pub fn needs_decision(&self) -> bool {
        // A receipt is noted by the phone, not asked for by a person; and of a tip that is gone nothing is left to decide.
        let is_noted = match (&self.action, self.refusal()) {
            (Action::BriefSeen { .. }, _) => true,
            (
                Action::WithdrawTip { .. } | Action::TipHelped { .. } | Action::ReportTip { .. },
                Some(Outcome::Rejected { reason, .. }),
            ) => *reason == RejectionReason::TipGone,
            _ => false,
        };
        self.refusal().is_some() && !self.seen_to && !is_noted
    }
}

/// The sealed part of a row.
#[derive(Serialize, Deserialize)]
struct CommandRow {
    made: Timestamp,
    action: Action,
    about: CommandAbout,
    builds_on: Option<CommandId>,
    secret: Option<Secret>,
    answer: Option<CommandAnswer>,
    #[serde(default)]
    first_answered: Option<Timestamp>,
    seen_to: bool,
}

type Columns = (i64, Vec<u8>, i64, Vec<u8>);

impl Store {
    /// Keeps a command and gives it the next number; when this returns it is on the disk.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was kept then.
    pub async fn add_command(&self, command: NewCommand) -> Result<StoredCommand, StoreError> {
        let mut tx = self.begin().await?;
        let stored = self.insert_command(&mut tx, command).await?;
        self.commit(tx).await?;
        Ok(stored)
    }

    /// The person has seen to these answers, and gave another command instead if they did; all of it or nothing.
    ///
    /// False if one of them does not wait for the person any more: then nothing is done.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn see_to_commands(&self, seen: &[CommandId], instead: Option<NewCommand>) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        for id in seen {
            let Some(mut stored) = self.command_in(&mut tx, *id).await?.filter(StoredCommand::needs_decision) else {
                return Ok(false);
            };
            stored.seen_to = true;
            self.seal_command(&mut tx, &stored).await?;
        }
        if let Some(command) = instead {
            self.insert_command(&mut tx, command).await?;
        }
        self.commit(tx).await?;
        Ok(true)
    }

    /// Every command that is kept, in order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commands(&self) -> Result<Vec<StoredCommand>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(READ_ALL).fetch_all(&self.0.read).await.map_err(|e| self.failed(e))?;
        rows.into_iter().map(|row| self.open_command(row)).collect()
    }

    /// The commands that the records of this phone may not show yet, in order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unsettled_commands(&self) -> Result<Vec<StoredCommand>, StoreError> {
        let rows: Vec<Columns> =
            sqlx::query_as(READ_UNSETTLED).fetch_all(&self.0.read).await.map_err(|e| self.failed(e))?;
        rows.into_iter().map(|row| self.open_command(row)).collect()
    }

    /// The commands that this epoch of the server's store has not answered, in order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commands_unanswered_in(&self, epoch: StoreEpoch) -> Result<Vec<StoredCommand>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(READ_DUE)
            .bind(&epoch.as_bytes()[..])
            .fetch_all(&self.0.read)
            .await
            .map_err(|e| self.failed(e))?;
        rows.into_iter().map(|row| self.open_command(row)).collect()
    }

    /// How many commands wait for the server.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn waiting_commands(&self) -> Result<u32, StoreError> {
        let count: i64 = sqlx::query_scalar(COUNT_WAITING).fetch_one(&self.0.read).await.map_err(|e| self.failed(e))?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Keeps what the server answered, in one transaction; an answer to a command that is not kept is ignored.
    ///
    /// # Errors
    /// [`StoreError`]; the commands are sent again then and get the same answers.
    pub async fn answer_commands(
        &self,
        epoch: StoreEpoch,
        at: Timestamp,
        outcomes: &[(CommandId, Outcome)],
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for (id, outcome) in outcomes {
            let Some(mut stored) = self.command_in(&mut tx, *id).await? else { continue };
            stored.first_answered = Some(stored.first_answered.unwrap_or(at));
            stored.answer = Some(CommandAnswer { at, outcome: outcome.clone() });
            let query = sqlx::query(ANSWER).bind(&id.as_bytes()[..]).bind(&epoch.as_bytes()[..]);
            let query = query.bind(self.sealed_command(&stored));
            query.execute(&mut *tx).await.map_err(|e| self.failed(e))?;
        }
        self.commit(tx).await
    }

    /// The numbers of the commands whose answers the records may not show yet.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn answered_commands(&self) -> Result<Vec<i64>, StoreError> {
        sqlx::query_scalar(ANSWERED).fetch_all(&self.0.read).await.map_err(|e| self.failed(e))
    }

    /// The records have been pulled since these commands were answered.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn settle_commands(&self, sequences: &[i64]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for sequence in sequences {
            sqlx::query(SETTLE).bind(sequence).execute(&mut *tx).await.map_err(|e| self.failed(e))?;
        }
        self.commit(tx).await
    }

    /// Removes commands that were first answered more than [`KEPT`] ago and do not wait for the person.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_old_commands(&self, now: Timestamp) -> Result<(), StoreError> {
        let is_old = |stored: &StoredCommand| {
            stored.state == CommandState::Settled
                && !stored.needs_decision()
                && stored.first_answered.is_some_and(|at| now.since(at) > KEPT)
        };
        let old: Vec<CommandId> = self.commands().await?.iter().filter(|it| is_old(it)).map(|it| it.id).collect();
        if old.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        for id in old {
            sqlx::query(DELETE).bind(&id.as_bytes()[..]).execute(&mut *tx).await.map_err(|e| self.failed(e))?;
        }
        self.commit(tx).await
    }

    async fn insert_command(&self, tx: &mut Write, command: NewCommand) -> Result<StoredCommand, StoreError> {
        let NewCommand { id, made, action, about, builds_on, secret } = command;
        let query = sqlx::query_scalar(INSERT).bind(&id.as_bytes()[..]);
        let sequence: i64 = query.fetch_one(&mut **tx).await.map_err(|e| self.failed(e))?;
        let sequence = u64::try_from(sequence).unwrap_or_default();
        let state = CommandState::Waiting;
        let (answer, first_answered, seen_to) = (None, None, false);
        let stored = StoredCommand {
            id,
            sequence,
            state,
            made,
            action,
            about,
            builds_on,
            secret,
            answer,
            first_answered,
            seen_to,
        };
        self.seal_command(tx, &stored).await?;
        Ok(stored)
    }

    async fn seal_command(&self, tx: &mut Write, stored: &StoredCommand) -> Result<(), StoreError> {
        let query = sqlx::query(SEAL).bind(&stored.id.as_bytes()[..]).bind(self.sealed_command(stored));
        query.execute(&mut **tx).await.map_err(|e| self.failed(e))?;
        Ok(())
    }

    async fn command_in(&self, tx: &mut Write, id: CommandId) -> Result<Option<StoredCommand>, StoreError> {
        let query = sqlx::query_as(READ_ONE).bind(&id.as_bytes()[..]);
        let row: Option<Columns> = query.fetch_optional(&mut **tx).await.map_err(|e| self.failed(e))?;
        row.map(|row| self.open_command(row)).transpose()
    }

    fn sealed_command(&self, stored: &StoredCommand) -> Vec<u8> {
        let StoredCommand { id, made, action, about, builds_on, secret, answer, first_answered, seen_to, .. } =
            stored.clone();
        let row = CommandRow { made, action, about, builds_on, secret, answer, first_answered, seen_to };
        self.0.sealer.seal_json(Place("command", id.as_bytes()), &row)
    }

    fn open_command(&self, (sequence, id, state, sealed): Columns) -> Result<StoredCommand, StoreError> {
        let cut_off = |_| StoreError::damaged(&self.0.path, "a command's id is cut off");
        let id = CommandId::from_bytes(id.try_into().map_err(cut_off)?);
        let row: CommandRow =
            self.0.sealer.open_json(Place("command", id.as_bytes()), &sealed).map_err(self.not_opened("command"))?;
        let CommandRow { made, action, about, builds_on, secret, answer, first_answered, seen_to } = row;
        // Rows written before this was kept say when the last answer arrived.
        let first_answered = first_answered.or_else(|| answer.as_ref().map(|answer| answer.at));
        let state = match state {
            1 => CommandState::Waiting,
            2 => CommandState::Answered,
            _ => CommandState::Settled,
        };
        let sequence = u64::try_from(sequence).unwrap_or_default();
        Ok(StoredCommand {
            id,
            sequence,
            state,
            made,
            action,
            about,
            builds_on,
            secret,
            answer,
            first_answered,
            seen_to,
        })
    }
}

#[cfg(test)]
mod tests;
