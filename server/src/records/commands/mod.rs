//! Commands: what the outbox of a phone asks for, applied exactly once.
//!
//! Map: [`take`] a batch; `decide` what becomes of a meeting or a cadence (pure); `invite` people added from phones. A
//! batch is one transaction under the organisation's counter, so that what was decided still holds when it is written,
//! whoever else writes or loses access. Every outcome is kept, conflicts and rejections too, and given again to whoever
//! sends the command again.

mod decide;
mod invite;

use std::{collections::HashSet, time::Duration};

use taiwa_shared::{
    domain::{
        command::Action,
        meeting::Meeting,
        people::{Pair, Side},
    },
    ids::{CommandId, PairId},
    protocol::commands::{
        Command, CommandOutcome, CommandsRequest, CommandsResponse, Current, Outcome, RejectionReason,
    },
    time::Timestamp,
};

use super::access::Principal;
use crate::{
    bus::{Bus, News},
    store::{Store, StoreError, Tx, commands::Commanded},
    tips::{self, commands::TipChange},
};
use invite::Invited;

/// New commands that are taken from one person in a day (UTC); a week offline makes less than a hundred.
pub const MAX_COMMANDS_PER_DAY: i64 = 1_000;
/// How many of them can invite somebody: a manager has some thirteen members, and this is how many links an account in
/// the wrong hands could make.
pub const MAX_INVITES_PER_DAY: i64 = 50;
/// Outcomes are kept so long; phones send a command again for thirty days.
pub const OUTCOME_MEMORY: Duration = Duration::from_secs(60 * 24 * 60 * 60);
/// A day of those counts.
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;

/// Commands of which none was taken.
#[derive(Debug, thiserror::Error)]
pub enum CommandsError {
    /// The person has given as many as a day allows.
    #[error("too many commands today")]
    TooMany {
        /// Until the next day.
        retry_after: Duration,
    },
    /// The sign-in ended since the request was let in.
    #[error("the sign-in is over")]
    SignedOut,
    /// The database could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is to be written for a command that is applied.
enum Change {
    Meeting(Meeting),
    Cadence(Pair),
    Invite(Invited),
    Tip(TipChange),
}

/// What becomes of a command.
struct Verdict {
    outcome: Outcome,
    change: Option<Change>,
}

impl Verdict {
    /// Applied, with nothing left to write.
    fn done() -> Self {
        Self { outcome: Outcome::Applied, change: None }
    }

    fn applied(change: Change) -> Self {
        Self { outcome: Outcome::Applied, change: Some(change) }
    }

    fn conflict(current: Current) -> Self {
        Self { outcome: Outcome::Conflict { current }, change: None }
    }

    fn rejected(reason: RejectionReason, current: Option<Current>) -> Self {
        Self { outcome: Outcome::Rejected { reason, current }, change: None }
    }

    fn not_found() -> Self {
        Self::rejected(RejectionReason::NotFound, None)
    }
}

/// Takes the commands of `request`, which has at most [`MAX_COMMANDS`](taiwa_shared::protocol::commands::MAX_COMMANDS).
///
/// # Errors
/// [`CommandsError`]; none of the commands is taken then.
/// # Cancellation
/// Dropping the future takes none of them, or all; sending them again tells which.
pub async fn take(
    store: &Store,
    bus: &Bus,
    principal: &Principal,
    request: &CommandsRequest,
    now: Timestamp,
) -> Result<CommandsResponse, CommandsError> {
    let mut outcomes = known(store, principal, &request.commands).await?;
    if outcomes.len() < request.commands.len() {
        outcomes = take_new(store, bus, principal, &request.commands, now).await?;
    }
    Ok(CommandsResponse { epoch: store.epoch(), outcomes })
}

/// The outcomes of the commands that were taken before; no writer is asked for those.
async fn known(store: &Store, principal: &Principal, commands: &[Command]) -> Result<Vec<CommandOutcome>, StoreError> {
    let mut reading = store.begin_reading().await?;
    let mut outcomes = Vec::with_capacity(commands.len());
    for Command { id, .. } in commands {
        let outcome = reading.outcome(principal.organisation, principal.user, *id).await?;
        outcomes.extend(outcome.map(|outcome| CommandOutcome { id: *id, outcome }));
    }
    Ok(outcomes)
}

/// Takes a batch with at least one command that looked new; all are looked up again, as the counter is held only now.
async fn take_new(
    store: &Store,
    bus: &Bus,
    principal: &Principal,
    commands: &[Command],
    now: Timestamp,
) -> Result<Vec<CommandOutcome>, CommandsError> {
    let Principal { organisation, user, device, .. } = *principal;
    let mut tx = store.begin().await?;
    let rev = tx.next_rev(organisation).await?;
    let mut last = tx.last_sequence(organisation, device, user).await?.ok_or(CommandsError::SignedOut)?;
    count(&mut tx, principal, commands, now).await?;

    let mut outcomes = Vec::with_capacity(commands.len());
    let mut changed = false;
    for command in commands {
        let id = command.id;
        if let Some(outcome) = tx.outcome(organisation, user, id).await? {
            outcomes.push(CommandOutcome { id, outcome });
            continue;
        }
        let sequence = i64::try_from(command.sequence).unwrap_or(i64::MAX);
        let verdict = if sequence > last {
            last = sequence;
            judge(&mut tx, principal, &command.action, now).await?
        } else {
            Verdict::rejected(RejectionReason::OutOfOrder, None)
        };
        if let Some(change) = verdict.change {
            // Tips are no records: nobody's pull has anything new.
            changed |= !matches!(change, Change::Tip(_));
            write(&mut tx, principal, change, rev, now).await?;
        }
        tx.add_outcome(organisation, user, id, &verdict.outcome, now).await?;
        outcomes.push(CommandOutcome { id, outcome: verdict.outcome });
    }
    tx.set_last_sequence(organisation, device, last).await?;
    tx.commit().await?;
    if changed {
        bus.publish(News::Records { organisation, counter: rev });
    }
    Ok(outcomes)
}

/// Adds the new commands of a batch to the day's count.
async fn count(tx: &mut Tx, principal: &Principal, commands: &[Command], now: Timestamp) -> Result<(), CommandsError> {
    let Principal { organisation, user, .. } = *principal;
    let day = now.as_millis().div_euclid(DAY_MILLIS);
    let mut counted = tx.commanded_by(organisation, user, day).await?;
    let mut seen: HashSet<CommandId> = HashSet::new();
    for command in commands {
        if seen.insert(command.id) && tx.outcome(organisation, user, command.id).await?.is_none() {
            let invites = i64::from(matches!(command.action, Action::Invite { .. }));
            counted = Commanded { commands: counted.commands + 1, invites: counted.invites + invites };
        }
    }
    if counted.commands > MAX_COMMANDS_PER_DAY || counted.invites > MAX_INVITES_PER_DAY {
        let tomorrow = Timestamp::from_millis((day + 1).saturating_mul(DAY_MILLIS));
        return Err(CommandsError::TooMany { retry_after: tomorrow.since(now) });
    }
    Ok(tx.set_commanded_by(organisation, user, day, counted).await?)
}

/// Decides on one new command; writes nothing.
async fn judge(tx: &mut Tx, principal: &Principal, action: &Action, now: Timestamp) -> Result<Verdict, StoreError> {
    let Principal { organisation, user, .. } = *principal;
    match action {
        Action::Invite { .. } => invite::judge(tx, principal, action, now).await,
        Action::SetCadence { pair, base, cadence } => {
            let pair = visible_pair(tx, principal, *pair).await?;
            Ok(pair.map_or_else(Verdict::not_found, |(pair, _)| decide::cadence(&pair, *base, cadence, now)))
        }
        Action::WriteTip { .. } | Action::WithdrawTip { .. } | Action::TipHelped { .. } | Action::ReportTip { .. } => {
            Ok(match tips::commands::judge(tx, principal, action).await? {
                Ok(Some(change)) => Verdict::applied(Change::Tip(change)),
                Ok(None) => Verdict::done(),
                Err(reason) => Verdict::rejected(reason, None),
            })
        }
        Action::Unknown => Ok(Verdict::rejected(RejectionReason::NotUnderstood, None)),
        Action::Schedule { meeting, .. }
        | Action::Move { meeting, .. }
        | Action::Cancel { meeting, .. }
        | Action::Finish { meeting, .. }
        | Action::BriefSeen { meeting, .. } => {
            let Some((pair, side)) = visible_pair(tx, principal, meeting.pair).await? else {
                return Ok(Verdict::not_found());
            };
            let record = tx.meeting(organisation, meeting.id).await?;
            Ok(decide::meeting(&pair, side, record, meeting, action, user, now))
        }
    }
}

/// The pair and the sender's side, if the sender belongs to it and sees it.
async fn visible_pair(tx: &mut Tx, principal: &Principal, pair: PairId) -> Result<Option<(Pair, Side)>, StoreError> {
    let Principal { organisation, user, .. } = *principal;
    let Some(pair) = tx.pair(organisation, pair).await? else { return Ok(None) };
    let Some(side) = pair.side_of(user) else { return Ok(None) };
    Ok(tx.sees(organisation, user, pair.id).await?.then_some((pair, side)))
}

async fn write(tx: &mut Tx, principal: &Principal, change: Change, rev: i64, now: Timestamp) -> Result<(), StoreError> {
    let organisation = principal.organisation;
    match change {
        Change::Meeting(meeting) => {
            tx.add_meeting(organisation, &meeting, rev).await?;
            tx.change_meeting(organisation, &meeting, rev).await
        }
        Change::Cadence(pair) => {
            // It was open a moment ago, under the same counter.
            let is_open = tx.set_cadence(organisation, &pair, rev).await?;
            if is_open { Ok(()) } else { Err(StoreError::row("pair", format!("{} closed by itself", pair.id))) }
        }
        Change::Invite(invited) => invite::write(tx, organisation, &invited, rev, now).await,
        Change::Tip(change) => tips::commands::write(tx, principal, &change, now).await,
    }
}
