//! The outbox of a session: what the person asks of the records, decided against what they see, kept, and sent later.
//!
//! Map: this file the owner task, which decides and keeps one after another; `sending` what goes to the server in what
//! order; `cards` answers that wait for the person, in `words`; `invitations` links to hand over. Everything here is
//! instant and works offline; a caller who goes away does not break it off.

mod cards;
mod invitations;
mod sending;
mod words;

use std::sync::{Arc, OnceLock};

use taiwa_shared::{domain::command::Action, ids::CommandId, protocol::login::Secret, time::Timestamp};
use tokio::sync::{mpsc, oneshot};

pub use cards::{CardKind, CommandCard};
pub use invitations::{Invitation, InvitationState};
pub(super) use sending::{LONGEST_REST, Sent, rest_after};

use super::{
    SessionError,
    core::{Core, Waits},
    notebook::random,
    roster::Roster,
    status::sleep_until,
};
use crate::{
    store::{CommandAbout, NewCommand},
    sync::SyncHandle,
};

/// Jobs that wait; a caller waits when it is full.
const MAX_WAITING: usize = 32;

/// A command to give.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) action: Action,
    pub(super) about: CommandAbout,
    pub(super) secret: Option<Secret>,
}

/// What a decision comes to.
#[derive(Debug, Default)]
pub(super) struct Decision {
    /// Answers that the person has seen to.
    pub(super) seen: Vec<CommandId>,
    /// The command to give; none if there is nothing to do.
    pub(super) order: Option<Order>,
}

impl Decision {
    pub(super) fn give(action: Action, about: CommandAbout) -> Self {
        Self { seen: Vec::new(), order: Some(Order { action, about, secret: None }) }
    }
}

type Decide = Box<dyn FnOnce(&Roster, Timestamp) -> Result<Decision, SessionError> + Send>;

struct Job {
    decide: Decide,
    answer: oneshot::Sender<Result<(), SessionError>>,
}

/// Asks the owner task.
#[derive(Clone)]
pub(super) struct Outbox {
    jobs: mpsc::Sender<Job>,
}

impl Outbox {
    /// Starts the owner task; `sync` is filled right after.
    pub(super) fn start(
        core: Arc<Core>,
        sync: Arc<OnceLock<SyncHandle>>,
        tasks: &tokio_util::task::TaskTracker,
    ) -> Self {
        let (jobs, received) = mpsc::channel(MAX_WAITING);
        tasks.spawn(Owner { core, sync }.run(received));
        Self { jobs }
    }

    /// Decides with what the person sees now, and keeps the command; when this returns it is on the disk and on screen.
    pub(super) async fn decide(
        &self,
        decide: impl FnOnce(&Roster, Timestamp) -> Result<Decision, SessionError> + Send + 'static,
    ) -> Result<(), SessionError> {
        let (answer, answered) = oneshot::channel();
        let job = Job { decide: Box::new(decide), answer };
        self.jobs.send(job).await.map_err(|_| SessionError::Ended)?;
        answered.await.map_err(|_| SessionError::Ended)?
    }
}

struct Owner {
    core: Arc<Core>,
    sync: Arc<OnceLock<SyncHandle>>,
}

impl Owner {
    async fn run(self, mut jobs: mpsc::Receiver<Job>) {
        let ended = self.core.ended.clone();
        if let Err(error) = self.core.store.forget_old_commands(self.core.now()).await {
            tracing::warn!(%error, "old commands could not be removed");
        }
        if let Err(error) = self.core.store.forget_old_ratings(self.core.now()).await {
            tracing::warn!(%error, "old ratings could not be removed");
        }
        let mut rests = self.core.outbox_rests.subscribe();
        loop {
            let until = *rests.borrow_and_update();
            tokio::select! {
                biased;
                () = ended.cancelled() => return,
                job = jobs.recv() => {
                    let Some(Job { decide, answer }) = job else { return };
                    let done = self.perform(decide).await;
                    // Whoever asked may have gone; what was asked is done.
                    let _ = answer.send(done);
                }
                changed = rests.changed() => if changed.is_err() { return },
                () = sleep_until(until) => {
                    self.core.outbox_rests.send_replace(None);
                    self.wake();
                }
            }
        }
    }

    async fn perform(&self, decide: Decide) -> Result<(), SessionError> {
        let (roster, now) = (self.core.roster(), self.core.now());
        let Decision { seen, order } = decide(&roster, now)?;
        let command = order.map(|Order { action, about, secret }| NewCommand {
            id: CommandId::new(now, random()),
            made: now,
            builds_on: roster.seen_result(&action),
            action,
            about,
            secret,
        });
        let is_new = command.is_some();
        if !seen.is_empty() {
            if !self.core.store.see_to_commands(&seen, command).await? {
                return Err(SessionError::NotFound);
            }
        } else if let Some(command) = command {
            self.core.store.add_command(command).await?;
        }
        if let Err(error) = self.core.read_roster().await {
            // It is kept all the same, and the next reading shows it.
            tracing::error!(%error, "what waits in the outbox cannot be shown");
        }
        if is_new {
            self.core.note_waiting(Waits::Something);
            self.wake();
        }
        self.core.changes.happened();
        Ok(())
    }

    fn wake(&self) {
        if let Some(sync) = self.sync.get() {
            sync.commands_wait();
        }
    }
}

#[cfg(test)]
mod tests;
