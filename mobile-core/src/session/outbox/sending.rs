//! Sends the outbox: the oldest commands first, at most so many at a time, none twice without need.
//!
//! Called on every contact after the records were pulled. What to send is a pure function; dropping a call half way
//! loses nothing, as a command that is sent again gets the answer it had before.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use taiwa_shared::{
    ids::{CommandId, StoreEpoch},
    protocol::{
        commands::{Command, CommandsRequest, CommandsResponse, MAX_COMMANDS, Outcome, RejectionReason},
        login::Secret,
        problem::ProblemCode,
    },
    time::Timestamp,
};
use tokio::time::Instant;

use super::super::{SessionError, contact::Contact, core::Core};
use crate::{
    http::HttpError,
    store::{CommandState, KEPT, StoredCommand},
};

/// How long the outbox rests if the server cannot take commands and does not say for how long.
const REST: Duration = Duration::from_secs(60);
/// How long it rests at most; the server says how long a day's quota lasts, which may be hours.
pub(in crate::session) const LONGEST_REST: Duration = Duration::from_secs(60 * 60);

/// Whether the server has answered any command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::session) enum Sent {
    Something,
    Nothing,
}

/// What to do next with the commands that are due.
#[derive(Debug, Default, PartialEq)]
struct Plan {
    /// Commands that build on a refused one: they get its answer, since the person meant them together.
    settled_here: Vec<(CommandId, Outcome)>,
    /// The oldest others, up to the first that builds on one before it and so waits for that one's answer.
    batch: Vec<Command>,
}

/// Whether a command goes to a server whose store has not answered it: a new one does, and of those that an earlier
/// epoch answered what took effect there in the last 30 days, however long ago it was given. A refused one changed
/// nothing, so nothing is missing.
fn is_due(command: &StoredCommand, now: Timestamp) -> bool {
    let is_recent = command.first_answered.is_some_and(|at| now.since(at) < KEPT);
    command.state == CommandState::Waiting || (command.refusal().is_none() && is_recent)
}

fn plan(due: &[StoredCommand], refused: &HashMap<CommandId, Outcome>) -> Plan {
    let (mut plan, mut refused) = (Plan::default(), refused.clone());
    let mut in_batch = HashSet::new();
    let mut is_full = false;
    for command in due {
        if let Some(outcome) = command.builds_on.and_then(|before| refused.get(&before)).cloned() {
            refused.insert(command.id, outcome.clone());
            plan.settled_here.push((command.id, outcome));
            continue;
        }
        is_full |= plan.batch.len() == MAX_COMMANDS || command.builds_on.is_some_and(|it| in_batch.contains(&it));
        if !is_full {
            in_batch.insert(command.id);
            plan.batch.push(command.to_send());
        }
    }
    plan
}

impl Core {
    /// How many commands the server's store does not have: those that wait, and in a new epoch those to be sent again.
    pub(in crate::session) async fn unsent_commands(&self) -> Result<u32, SessionError> {
        let Some(cursor) = self.store.cursor().await? else { return Ok(self.store.waiting_commands().await?) };
        let now = self.now();
        let unanswered = self.store.commands_unanswered_in(cursor.epoch).await?;
        Ok(u32::try_from(unanswered.iter().filter(|command| is_due(command, now)).count()).unwrap_or(u32::MAX))
    }
}

impl Contact {
    /// Sends what this epoch of the server's store has not answered.
    pub(in crate::session) async fn send_commands(&self) -> Result<Sent, SessionError> {
        let mut sent = Sent::Nothing;
        loop {
            if self.core.outbox_rests.borrow().is_some_and(|until| until > Instant::now()) {
                return Ok(sent);
            }
            let Some(epoch) = self.core.store.cursor().await?.map(|cursor| cursor.epoch) else { return Ok(sent) };
            let now = self.core.now();
            let mut due = self.core.store.commands_unanswered_in(epoch).await?;
            due.retain(|command| is_due(command, now));
            if due.is_empty() {
                return Ok(sent);
            }
            let all = self.core.store.commands().await?;
            let refused = all.iter().filter_map(|it| Some((it.id, it.refusal()?.clone()))).collect();
            let Plan { settled_here, batch } = plan(&due, &refused);
            self.keep(epoch, &settled_here).await?;
            if batch.is_empty() {
                continue;
            }
            match self.send(epoch, &batch).await? {
                Answered::Here => sent = Sent::Something,
                // Another epoch: the records come first, and then what it lacks.
                Answered::Elsewhere => return Ok(Sent::Something),
                Answered::Later(rest) => {
                    self.core.outbox_rests.send_replace(Some(Instant::now() + rest.min(LONGEST_REST)));
                    return Ok(sent);
                }
            }
        }
    }

    async fn send(&self, epoch: StoreEpoch, batch: &[Command]) -> Result<Answered, SessionError> {
        match self.post(batch).await? {
            Err(error) if is_not_understood(&error) && batch.len() > 1 => {
                for command in batch {
                    match Box::pin(self.send(epoch, std::slice::from_ref(command))).await? {
                        Answered::Here => {}
                        other => return Ok(other),
                    }
                }
                Ok(Answered::Here)
            }
            Err(error) if is_not_understood(&error) => {
                let rejected = Outcome::Rejected { reason: RejectionReason::NotUnderstood, current: None };
                let outcomes: Vec<_> = batch.iter().map(|command| (command.id, rejected.clone())).collect();
                self.keep(epoch, &outcomes).await?;
                Ok(Answered::Here)
            }
            Err(error) => match rest_after(&error) {
                Some(rest) => {
                    tracing::warn!(%error, "the server takes no commands now");
                    Ok(Answered::Later(rest))
                }
                None => Err(error.into()),
            },
            Ok(response) => self.take(epoch, batch, response).await,
        }
    }

    async fn take(
        &self,
        epoch: StoreEpoch,
        batch: &[Command],
        response: CommandsResponse,
    ) -> Result<Answered, SessionError> {
        let asked: HashSet<CommandId> = batch.iter().map(|command| command.id).collect();
        let outcomes = response.outcomes.into_iter().filter(|it| asked.contains(&it.id));
        let outcomes: Vec<_> = outcomes.map(|it| (it.id, it.outcome)).collect();
        if outcomes.is_empty() {
            return Ok(Answered::Later(REST));
        }
        self.keep(response.epoch, &outcomes).await?;
        self.core.note_taken(batch);
        Ok(if response.epoch == epoch { Answered::Here } else { Answered::Elsewhere })
    }

    async fn keep(&self, epoch: StoreEpoch, outcomes: &[(CommandId, Outcome)]) -> Result<(), SessionError> {
        if !outcomes.is_empty() {
            self.core.store.answer_commands(epoch, self.core.now(), outcomes).await?;
            self.core.read_roster().await?;
        }
        Ok(())
    }

    async fn post(&self, batch: &[Command]) -> Result<Result<CommandsResponse, HttpError>, SessionError> {
        let request = CommandsRequest { commands: batch.to_vec() };
        self.try_ask(|token| self.send_batch(token, &request)).await
    }

    async fn send_batch(&self, token: Secret, request: &CommandsRequest) -> Result<CommandsResponse, HttpError> {
        self.http.commands(&token, request).await
    }
}

enum Answered {
    /// In the epoch that the records are of.
    Here,
    Elsewhere,
    Later(Duration),
}

fn is_not_understood(error: &HttpError) -> bool {
    matches!(error.code(), Some(ProblemCode::InvalidRequest | ProblemCode::TooLarge))
}

/// How long to rest after a refusal that is nothing the person or the app can change; documents go on meanwhile.
pub(in crate::session) fn rest_after(error: &HttpError) -> Option<Duration> {
    let problem = match error {
        HttpError::Refused(problem) => problem,
        // The records came from the server just before: something between takes offence at commands alone.
        HttpError::Unexpected { .. } => return Some(REST),
        HttpError::Offline(_) => return None,
    };
    match problem.code {
        ProblemCode::TokenInvalid | ProblemCode::SignInAgain | ProblemCode::UpdateApp => None,
        _ => {
            let said = problem.retry_after_seconds.map(|seconds| Duration::from_secs(seconds.into()));
            Some(said.unwrap_or(REST).max(Duration::from_secs(1)))
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use taiwa_shared::{
        domain::{
            command::Action,
            meeting::{MeetingName, MeetingTime},
        },
        ids::{MeetingId, PairId},
        time::Zone,
    };

    use super::*;
    use crate::store::{CommandAbout, CommandAnswer};

    fn command(number: u8, builds_on: Option<u8>) -> StoredCommand {
        let meeting = MeetingName { id: MeetingId::from_bytes([1; 16]), pair: PairId::from_bytes([2; 16]), slot: None };
        let starts = date(2026, 4, 20).at(10, 0, 0, 0);
        let time = MeetingTime { starts, zone: Zone::tokyo(), length_minutes: 30 };
        StoredCommand {
            id: id(number),
            sequence: number.into(),
            state: CommandState::Waiting,
            made: Timestamp::from_millis(0),
            action: Action::Move { meeting, base: 0, time },
            about: CommandAbout::default(),
            builds_on: builds_on.map(id),
            secret: None,
            answer: None,
            first_answered: None,
            seen_to: false,
        }
    }

    fn id(number: u8) -> CommandId {
        CommandId::from_bytes([number; 16])
    }

    fn sent(plan: &Plan) -> Vec<u64> {
        plan.batch.iter().map(|command| command.sequence).collect()
    }

    #[test]
    fn a_batch_holds_the_oldest_and_ends_before_what_builds_on_it() {
        let many: Vec<_> = (1..=60).map(|number| command(number, None)).collect();
        assert_eq!(sent(&plan(&many, &HashMap::new())), (1..=50).collect::<Vec<u64>>());
        let due = [command(1, None), command(2, None), command(3, Some(1)), command(4, None)];
        assert_eq!(sent(&plan(&due, &HashMap::new())), [1, 2]);
        // Once the first is answered, nothing holds the others back.
        assert_eq!(sent(&plan(&due[1..], &HashMap::new())), [2, 3, 4]);
    }

    #[test]
    fn what_builds_on_a_refused_command_gets_its_answer_and_is_never_sent() {
        let outcome = Outcome::Rejected { reason: RejectionReason::NotFound, current: None };
        let refused = HashMap::from([(id(1), outcome.clone())]);
        let due = [command(2, Some(1)), command(3, None), command(4, Some(2))];
        let plan = plan(&due, &refused);
        assert_eq!(plan.settled_here, [(id(2), outcome.clone()), (id(4), outcome)]);
        assert_eq!(sent(&plan), [3]);
    }

    #[test]
    fn an_answer_that_is_not_the_servers_lets_the_outbox_rest_and_holds_up_no_document() {
        assert_eq!(rest_after(&HttpError::Unexpected { status: 403 }), Some(REST));
        assert_eq!(rest_after(&HttpError::Offline("no line".into())), None, "the connection is tried again");
    }

    #[test]
    fn in_a_new_epoch_what_took_effect_in_the_last_thirty_days_is_sent_again() {
        let answered = |outcome| {
            let at = Timestamp::from_millis(0);
            let (answer, first_answered) = (Some(CommandAnswer { at, outcome }), Some(at));
            StoredCommand { state: CommandState::Settled, answer, first_answered, ..command(1, None) }
        };
        let rejected = Outcome::Rejected { reason: RejectionReason::NotFound, current: None };
        let (soon, late) = (Timestamp::default().plus(KEPT / 2), Timestamp::default().plus(KEPT));
        assert!(is_due(&answered(Outcome::Applied), soon));
        assert!(!is_due(&answered(Outcome::Applied), late));
        assert!(!is_due(&answered(rejected), soon));
        assert!(is_due(&command(1, None), late), "what was never answered waits as long as it takes");
    }
}
