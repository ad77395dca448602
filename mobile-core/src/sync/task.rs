//! The task that owns connection, documents in exchange and errands: one loop, no locks held, no other owner.
//!
//! Feeds the [`Link`] with what happens; `effects` performs what it answers, `traffic` handles what the socket
//! carries. Reads the socket only when the store and the session have taken what was read before.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use rand::{SeedableRng, rngs::StdRng};
use taiwa_shared::{ids::DocumentId, sync::wire::PeerId, time::Clock};
use tokio::{
    sync::{
        mpsc::{self, OwnedPermit},
        watch,
    },
    task::{AbortHandle, JoinSet},
    time::Instant,
};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::{
    config::SyncConfig,
    credentials::Credentials,
    effects::Errand,
    event::{SyncEvent, SyncRun, SyncStatus, Waiting},
    inbox::{Attention, Inbox, Requests, RunRequest, Shown},
    link::Link,
    outcome::Outcome,
    quarantine::Quarantine,
    signals::{Closing, Event, Exchange, Now},
    socket::Arrival,
    traffic::Contact,
};
use crate::store::{Store, StoreError};

/// How long a polite goodbye may take.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);
/// A task without a deadline looks around now and then all the same.
const IDLE_TICK: Duration = Duration::from_secs(3600);

/// The task's ends of what it shares with handles and session.
pub(super) struct Ends {
    pub(super) inbox: Arc<Inbox>,
    pub(super) events: mpsc::Sender<SyncEvent>,
    pub(super) report: watch::Sender<SyncStatus>,
    pub(super) cancel: CancellationToken,
}

pub(super) struct Task<C> {
    pub(super) config: SyncConfig,
    pub(super) me: PeerId,
    pub(super) store: Store,
    pub(super) credentials: Arc<C>,
    pub(super) clock: Arc<dyn Clock>,
    began: Instant,
    pub(super) rng: StdRng,
    pub(super) ends: Ends,

    link: Link,
    happened: VecDeque<Event>,
    pub(super) contact: Option<Contact>,
    pub(super) errands: JoinSet<(u64, Errand)>,
    pub(super) running: Vec<AbortHandle>,
    /// Tells answers to errands of this connection from those of earlier ones.
    pub(super) connection_number: u64,
    pub(super) quarantine: Quarantine,

    pub(super) on_screen: HashMap<DocumentId, u32>,
    pub(super) wanted: HashSet<DocumentId>,
    pub(super) refused: HashSet<DocumentId>,
    runs: Vec<RunRequest>,
    pub(super) replan: bool,
    waiting: Waiting,
    pub(super) waiting_changed: bool,
}

impl<C: Credentials> Task<C> {
    pub(super) fn new(
        config: SyncConfig,
        store: Store,
        credentials: Arc<C>,
        clock: Arc<dyn Clock>,
        ends: Ends,
        refused: HashSet<DocumentId>,
    ) -> Self {
        let me = PeerId::new(format!("taiwa-{}", config.device)).expect("a device id is shorter than a peer id may be");
        Self {
            me,
            store,
            credentials,
            clock,
            began: Instant::now(),
            rng: StdRng::seed_from_u64(config.seed),
            ends,
            link: Link::new(config.backoff),
            config,
            happened: VecDeque::new(),
            contact: None,
            errands: JoinSet::new(),
            running: Vec::new(),
            connection_number: 0,
            quarantine: Quarantine::default(),
            on_screen: HashMap::new(),
            wanted: HashSet::new(),
            refused,
            runs: Vec::new(),
            replan: false,
            waiting: Waiting::default(),
            waiting_changed: true,
        }
    }

    /// Runs until cancelled.
    pub(super) async fn run(mut self) {
        self.feed(Event::Tick);
        while !self.ends.cancel.is_cancelled() {
            self.take_requests().await;
            self.settle().await;
            let contact = self.contact.as_mut();
            let queue = contact.and_then(|contact| contact.has_to_speak().then(|| contact.socket.queue()));
            let deadline = self.deadline();
            tokio::select! {
                () = self.ends.cancel.cancelled() => {}
                () = self.ends.inbox.asked() => {}
                Some(done) = self.errands.join_next() => self.errand_done(done),
                arrival = next_arrival(&mut self.contact) => self.arrived(arrival).await,
                Some(place) = place_in(queue) => self.send(place).await,
                () = tokio::time::sleep_until(deadline) => self.feed(Event::Tick),
            }
        }
        self.running.drain(..).for_each(|errand| errand.abort());
        if let Some(contact) = self.contact.take() {
            contact.say_goodbye(&self.me).await;
        }
    }

    /// Something happened; the link hears of it in [`Self::settle`].
    pub(super) fn feed(&mut self, event: Event) {
        self.happened.push_back(event);
    }

    /// Lets the link decide and performs its effects, until nothing more follows.
    async fn settle(&mut self) {
        loop {
            while let Some(event) = self.happened.pop_front() {
                let now = self.now();
                for effect in self.link.step(event, now, &mut self.rng) {
                    self.perform(effect).await;
                }
            }
            if self.link.is_online() {
                if let Err(error) = self.exchange().await {
                    self.storage_failed(&error);
                    continue;
                }
                let exchange = match &self.contact {
                    Some(contact) if contact.is_busy() => Exchange::Busy,
                    _ => Exchange::Settled,
                };
                if !self.happened.is_empty() {
                    continue;
                }
                let now = self.now();
                for effect in self.link.step(Event::Documents(exchange), now, &mut self.rng) {
                    self.perform(effect).await;
                }
            }
            if self.happened.is_empty() {
                break;
            }
        }
        self.answer_runs();
        self.publish().await;
    }

    /// Plans anew if need be, and gives turns.
    async fn exchange(&mut self) -> Result<(), StoreError> {
        if std::mem::take(&mut self.replan) {
            self.plan().await?;
        }
        let Some(contact) = &mut self.contact else { return Ok(()) };
        let outcome = contact.exchanges.fill().await?;
        self.follow(outcome).await;
        Ok(())
    }

    /// What a step with documents led to.
    pub(super) async fn follow(&mut self, outcome: Outcome) {
        self.waiting_changed |= outcome.waiting_changed;
        if outcome.ask_for_records {
            self.feed(Event::News);
        }
        for document in outcome.taken {
            self.replan |= self.quarantine.acquit(document);
        }
        for event in outcome.events {
            if let SyncEvent::Refused { document, .. } = &event {
                self.refused.insert(*document);
            }
            self.emit(event).await;
        }
    }

    pub(super) fn storage_failed(&mut self, error: &StoreError) {
        tracing::error!(%error, "the store failed while synchronising");
        self.feed(Event::Closed(Closing::StorageFailed));
    }

    /// Hands an event to the session; waits for it, and with it the socket.
    pub(super) async fn emit(&self, event: SyncEvent) {
        tokio::select! {
            // Nobody to tell is no failure: the store has everything.
            _ = self.ends.events.send(event) => {}
            () = self.ends.cancel.cancelled() => {}
        }
    }

    pub(super) fn now(&self) -> Now {
        Now { elapsed: self.began.elapsed(), wall: self.clock.now() }
    }

    async fn take_requests(&mut self) {
        let Requests { screen, local, wanted, ephemeral, network, attention, runs, commands } = self.ends.inbox.take();
        for (document, shown) in screen {
            let count = self.on_screen.entry(document).or_default();
            match shown {
                Shown::Opened => *count += 1,
                Shown::Closed => *count = count.saturating_sub(1),
            }
            if *count == 0 {
                self.on_screen.remove(&document);
            }
            self.replan = true;
        }
        if !wanted.is_empty() {
            self.wanted.extend(wanted);
            self.replan = true;
        }
        for (document, changes) in local {
            self.waiting_changed = true;
            // Nobody writes while a refusal stands; if both happened at once, the next plan knows.
            self.refused.remove(&document);
            if let Some(contact) = &mut self.contact {
                self.replan |= contact.exchanges.is_unplanned(document);
                if self.quarantine.admits(document) {
                    contact.exchanges.take_local(document, changes);
                }
            }
        }
        if let Some(contact) = &mut self.contact {
            contact.broadcast(&self.me, ephemeral);
        }
        if commands.is_some() {
            // Sent where records are pulled: on every contact, so that no command waits for another connection.
            self.feed(Event::News);
        }
        if network.is_some() {
            self.feed(Event::NetworkAvailable);
        }
        match attention {
            Some(Attention::Foreground) => self.feed(Event::Foreground),
            Some(Attention::Background) => self.feed(Event::Background),
            None => {}
        }
        for run in runs {
            let until = run.until.saturating_duration_since(self.began);
            self.runs.push(run);
            self.feed(Event::RunUntil(until));
        }
    }

    /// Answers bounded runs that are complete, hopeless or out of time.
    fn answer_runs(&mut self) {
        if self.runs.is_empty() {
            return;
        }
        let now = Instant::now();
        let outcome = if self.link.is_settled() { SyncRun::Complete } else { SyncRun::Unfinished };
        let over = outcome == SyncRun::Complete || self.link.is_blocked();
        let (answered, open) = self.runs.drain(..).partition(|run| over || run.until <= now);
        self.runs = open;
        let answered: Vec<RunRequest> = answered;
        for run in answered {
            // The host may have given up waiting.
            let _ = run.done.send(outcome);
        }
        if self.runs.is_empty() {
            self.feed(Event::RunOver);
        }
    }

    fn deadline(&self) -> Instant {
        if !self.happened.is_empty() {
            return Instant::now();
        }
        let link = self.link.next_tick().map(|elapsed| self.began + elapsed);
        let runs = self.runs.iter().map(|run| run.until);
        // What is due already waits for room, not for time.
        let owed = self.contact.as_ref().and_then(Contact::speaks_at).filter(|at| *at > Instant::now());
        link.into_iter().chain(runs).chain(owed).min().unwrap_or_else(|| Instant::now() + IDLE_TICK)
    }

    /// Tells the status if it changed.
    async fn publish(&mut self) {
        if std::mem::take(&mut self.waiting_changed) {
            match self.store.unacknowledged().await {
                Ok(rows) => {
                    let rows = rows.into_iter().filter(|(document, _)| !self.refused.contains(document));
                    self.waiting = rows.fold(Waiting::default(), |sum, (_, changes)| Waiting {
                        documents: sum.documents + 1,
                        changes: sum.changes.saturating_add(changes),
                    });
                }
                Err(error) => tracing::error!(%error, "unsent changes could not be counted"),
            }
        }
        let status = SyncStatus { connection: self.link.connection(), waiting: self.waiting };
        let is_new = self.ends.report.send_if_modified(|current| std::mem::replace(current, status) != status);
        if is_new {
            self.emit(SyncEvent::Status(status)).await;
        }
    }
}

/// A place in the writer's queue; never, if there is nothing to say. The reader reports a broken connection.
async fn place_in(queue: Option<mpsc::Sender<Message>>) -> Option<OwnedPermit<Message>> {
    match queue {
        Some(queue) => queue.reserve_owned().await.ok(),
        None => std::future::pending().await,
    }
}

/// The next thing that the socket delivers; never, without one.
async fn next_arrival(contact: &mut Option<Contact>) -> Arrival {
    match contact {
        Some(contact) => contact.socket.next().await,
        None => std::future::pending().await,
    }
}
