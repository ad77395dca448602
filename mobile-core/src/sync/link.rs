//! The life of the connection as a pure state machine: when to connect, when to give up, when to renew the token.
//!
//! The task feeds events and performs the effects. Nothing here reads a clock, draws a random number by itself or knows
//! what a document is.

use std::time::Duration;

use rand::Rng;

use super::{
    config::Backoff,
    credentials::{AccessToken, CredentialsError, Freshness},
    event::Connection,
    lease::Lease,
    signals::{AttemptFailure, Closing, Effect, Event, Exchange, Now},
};

/// Without any frame for this long the connection is dead: the server pings every 20 s, so two were missed.
pub(super) const SILENCE: Duration = Duration::from_secs(45);
/// Silence after which the phone asks: shortly after the server's own ping is overdue.
const ASK_AFTER: Duration = Duration::from_secs(25);
/// How long the peer may take to answer a ping that was sent because the network changed.
const PROBE: Duration = Duration::from_secs(5);
/// How long the server may take to answer `join`.
const JOIN: Duration = Duration::from_secs(10);
/// How long an attempt may hang after the network came back: one begun in a tunnel answers nothing for 45 s, and a
/// handshake on a poor line takes less than this.
const HANG: Duration = Duration::from_secs(3);
/// News come in bursts (an import changes hundreds of records); one pull serves all of a burst.
const NEWS_DEBOUNCE: Duration = Duration::from_millis(300);
/// How long the exchange under way may go on in the background; iOS gives about 30 s.
const FINISH: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nobody needs a connection, or only the person can bring it back.
    Resting,
    Waiting {
        retry_at: Duration,
    },
    Attempting,
    /// The first exchange of records goes on beside it: the server tells what changes after its handshake.
    Joining {
        until: Duration,
    },
    /// Joined before the records were there.
    Preparing,
    Online,
}

/// State of the connection.
#[derive(Debug)]
pub(super) struct Link {
    backoff: Backoff,
    phase: Phase,
    /// Shown instead of `Offline` while resting or waiting.
    trouble: Option<Connection>,
    foreground: bool,
    run_until: Duration,
    /// Until when the exchange under way may go on in the background.
    finish_by: Duration,
    failures: u32,
    freshness: Freshness,
    /// The host announced a network while an attempt was under way.
    hurried: bool,
    attempted_at: Duration,
    lease: Option<Lease>,
    arrived_at: Duration,
    pinged: bool,
    probe_until: Option<Duration>,
    preparing: bool,
    news_at: Option<Duration>,
    exchange: Exchange,
}

impl Link {
    pub(super) fn new(backoff: Backoff) -> Self {
        Self {
            backoff,
            phase: Phase::Waiting { retry_at: Duration::ZERO },
            trouble: None,
            foreground: true,
            run_until: Duration::ZERO,
            finish_by: Duration::ZERO,
            failures: 0,
            freshness: Freshness::Cached,
            hurried: false,
            attempted_at: Duration::ZERO,
            lease: None,
            arrived_at: Duration::ZERO,
            pinged: false,
            probe_until: None,
            preparing: false,
            news_at: None,
            exchange: Exchange::Settled,
        }
    }

    /// What people are told.
    pub(super) fn connection(&self) -> Connection {
        match self.phase {
            Phase::Resting | Phase::Waiting { .. } => self.trouble.unwrap_or(Connection::Offline),
            Phase::Attempting | Phase::Joining { .. } | Phase::Preparing => Connection::Connecting,
            Phase::Online => Connection::Online,
        }
    }

    /// Whether documents may be exchanged.
    pub(super) fn is_online(&self) -> bool {
        self.phase == Phase::Online
    }

    /// Whether records and documents are exchanged and nothing is under way.
    pub(super) fn is_settled(&self) -> bool {
        self.is_online() && !self.preparing && self.news_at.is_none() && self.exchange == Exchange::Settled
    }

    /// Whether only the person can bring the connection back.
    pub(super) fn is_blocked(&self) -> bool {
        self.phase == Phase::Resting && matches!(self.trouble, Some(Connection::SignInAgain | Connection::UpdateApp))
    }

    /// When [`Event::Tick`] is due at the latest.
    pub(super) fn next_tick(&self) -> Option<Duration> {
        let live = match self.phase {
            Phase::Resting => return None,
            Phase::Attempting => return self.hurried.then_some(self.attempted_at + HANG),
            Phase::Waiting { retry_at } => return Some(retry_at),
            Phase::Joining { until } => return Some(until),
            Phase::Preparing | Phase::Online => self.arrived_at + if self.pinged { SILENCE } else { ASK_AFTER },
        };
        let renew = self.lease.filter(|lease| !lease.fetching).map(|lease| lease.renew_at);
        let news = self.news_at.filter(|_| !self.preparing);
        let stay = (!self.foreground).then_some(self.run_until.max(self.finish_by));
        [Some(live), renew, news, stay, self.probe_until].into_iter().flatten().min()
    }

    /// One step.
    pub(super) fn step(&mut self, event: Event, now: Now, rng: &mut impl Rng) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::NetworkAvailable => self.hurry(now, &mut effects),
            Event::Foreground => {
                self.foreground = true;
                self.hurry(now, &mut effects);
            }
            Event::Background => {
                self.foreground = false;
                self.finish_by = now.elapsed + FINISH;
            }
            Event::RunUntil(until) => {
                self.run_until = self.run_until.max(until);
                self.hurry(now, &mut effects);
                if self.phase == Phase::Online {
                    self.news_at = Some(now.elapsed);
                }
            }
            Event::Attempted(Ok(token)) => self.opened(&token, now, &mut effects),
            Event::Attempted(Err(failure)) => self.attempt_failed(failure, now, rng),
            Event::Joined if matches!(self.phase, Phase::Joining { .. }) => {
                self.phase = Phase::Preparing;
                self.go_online(&mut effects);
            }
            Event::Prepared(result) => self.prepared(result, now, rng, &mut effects),
            Event::Renewed(result) => self.renewed(result, now, rng, &mut effects),
            Event::Arrived => {
                self.arrived_at = now.elapsed;
                self.pinged = false;
                self.probe_until = None;
            }
            Event::News if self.has_socket() => {
                self.news_at.get_or_insert(now.elapsed + NEWS_DEBOUNCE);
            }
            Event::Documents(exchange) => self.exchange = exchange,
            Event::RunOver => self.run_until = Duration::ZERO,
            Event::Closed(closing) if self.has_socket() => self.close(closing, now, rng, &mut effects),
            // Time has passed, or what comes is of a connection that is over.
            Event::Tick | Event::Joined | Event::News | Event::Closed(_) => {}
        }
        self.advance(now, rng, &mut effects);
        effects
    }

    /// Whatever time and state ask for, after any event.
    fn advance(&mut self, now: Now, rng: &mut impl Rng, effects: &mut Vec<Effect>) {
        match self.phase {
            Phase::Waiting { .. } if !self.is_wanted(now) => self.phase = Phase::Resting,
            Phase::Waiting { retry_at } if retry_at <= now.elapsed => self.attempt(now, effects),
            Phase::Attempting if self.hurried && self.attempted_at + HANG <= now.elapsed => {
                self.disconnect(Phase::Resting, effects);
                self.attempt(now, effects);
            }
            Phase::Joining { until } if until <= now.elapsed => self.close(Closing::Lost, now, rng, effects),
            Phase::Preparing | Phase::Online => self.keep_alive(now, rng, effects),
            Phase::Resting | Phase::Waiting { .. } | Phase::Attempting | Phase::Joining { .. } => {}
        }
        if self.is_settled() {
            // Only now: a server that takes connections and then fails must not be hammered.
            self.failures = 0;
            self.trouble = None;
        }
        if self.has_socket() && !self.is_wanted(now) && (self.is_settled() || self.finish_by <= now.elapsed) {
            self.disconnect(Phase::Resting, effects);
        }
    }

    fn keep_alive(&mut self, now: Now, rng: &mut impl Rng, effects: &mut Vec<Effect>) {
        let silent = now.elapsed.saturating_sub(self.arrived_at);
        if silent >= SILENCE || self.probe_until.is_some_and(|until| until <= now.elapsed) {
            return self.close(Closing::Lost, now, rng, effects);
        }
        if silent >= ASK_AFTER && !self.pinged {
            self.pinged = true;
            effects.push(Effect::Ping);
        }
        if self.news_at.is_some_and(|at| at <= now.elapsed) && !self.preparing {
            self.prepare(effects);
        }
        if let Some(lease) = &mut self.lease
            && lease.is_due(now)
        {
            lease.fetching = true;
            effects.push(Effect::FetchToken);
        }
    }

    fn is_wanted(&self, now: Now) -> bool {
        self.foreground || now.elapsed < self.run_until
    }

    fn has_socket(&self) -> bool {
        matches!(self.phase, Phase::Joining { .. } | Phase::Preparing | Phase::Online)
    }

    /// Tries at once, or finds out whether the connection still lives.
    fn hurry(&mut self, now: Now, effects: &mut Vec<Effect>) {
        match self.phase {
            Phase::Resting | Phase::Waiting { .. } => self.phase = Phase::Waiting { retry_at: now.elapsed },
            Phase::Preparing | Phase::Online if self.probe_until.is_none() => {
                self.probe_until = Some(now.elapsed + PROBE);
                effects.push(Effect::Ping);
            }
            Phase::Attempting => self.hurried = true,
            Phase::Joining { .. } | Phase::Preparing | Phase::Online => {}
        }
    }

    fn attempt(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.phase = Phase::Attempting;
        self.hurried = false;
        self.attempted_at = now.elapsed;
        effects.push(Effect::Attempt(self.freshness));
    }

    fn opened(&mut self, token: &AccessToken, now: Now, effects: &mut Vec<Effect>) {
        if self.phase != Phase::Attempting {
            return;
        }
        self.freshness = Freshness::Cached;
        self.hurried = false;
        self.lease = Some(Lease::of(token, now));
        self.arrived_at = now.elapsed;
        self.pinged = false;
        self.phase = Phase::Joining { until: now.elapsed + JOIN };
        effects.push(Effect::Join);
        self.prepare(effects);
    }

    fn attempt_failed(&mut self, failure: AttemptFailure, now: Now, rng: &mut impl Rng) {
        if self.phase != Phase::Attempting {
            return;
        }
        match failure {
            AttemptFailure::Unreachable => {
                self.wait(now, rng);
                if std::mem::take(&mut self.hurried) {
                    self.phase = Phase::Waiting { retry_at: now.elapsed };
                }
            }
            AttemptFailure::SignInAgain => self.block(Connection::SignInAgain),
            AttemptFailure::UpdateApp => self.block(Connection::UpdateApp),
            // A token that was made just now is over when a clock jumped meanwhile. Whether the sign-in is over, only the
            // request for a token tells.
            AttemptFailure::Unauthorized if self.freshness == Freshness::Renewed => self.wait(now, rng),
            AttemptFailure::Unauthorized => {
                self.freshness = Freshness::Renewed;
                self.phase = Phase::Waiting { retry_at: now.elapsed };
            }
        }
    }

    fn prepare(&mut self, effects: &mut Vec<Effect>) {
        self.news_at = None;
        self.preparing = true;
        effects.push(Effect::Prepare);
    }

    fn prepared(
        &mut self,
        result: Result<(), CredentialsError>,
        now: Now,
        rng: &mut impl Rng,
        effects: &mut Vec<Effect>,
    ) {
        if !self.has_socket() || !self.preparing {
            return;
        }
        self.preparing = false;
        match result {
            Ok(()) => self.go_online(effects),
            Err(error) => self.credentials_failed(&error, now, rng, effects),
        }
    }

    /// Plans what to exchange, as soon as the server has answered `join` and the records are there.
    fn go_online(&mut self, effects: &mut Vec<Effect>) {
        if self.preparing || matches!(self.phase, Phase::Joining { .. }) {
            return;
        }
        self.phase = Phase::Online;
        // Until the plan is made nobody can know that there is nothing to exchange.
        self.exchange = Exchange::Busy;
        effects.push(Effect::Plan);
    }

    fn renewed(
        &mut self,
        result: Result<AccessToken, CredentialsError>,
        now: Now,
        rng: &mut impl Rng,
        effects: &mut Vec<Effect>,
    ) {
        let Some(lease) = self.lease.as_mut().filter(|lease| lease.fetching) else {
            return;
        };
        match result {
            Ok(token) => {
                *lease = Lease::of(&token, now);
                effects.push(Effect::Renew(token));
            }
            Err(CredentialsError::TryLater(_)) => lease.postpone(now),
            Err(error) => self.credentials_failed(&error, now, rng, effects),
        }
    }

    fn credentials_failed(
        &mut self,
        error: &CredentialsError,
        now: Now,
        rng: &mut impl Rng,
        effects: &mut Vec<Effect>,
    ) {
        self.disconnect(Phase::Resting, effects);
        match error {
            CredentialsError::SignInAgain => self.block(Connection::SignInAgain),
            CredentialsError::UpdateApp => self.block(Connection::UpdateApp),
            CredentialsError::TryLater(_) => self.wait(now, rng),
        }
    }

    fn close(&mut self, closing: Closing, now: Now, rng: &mut impl Rng, effects: &mut Vec<Effect>) {
        let worked = self.failures == 0 && self.phase == Phase::Online;
        self.disconnect(Phase::Resting, effects);
        match closing {
            Closing::UpdateApp => return self.block(Connection::UpdateApp),
            Closing::StorageFailed => self.trouble = Some(Connection::StorageFailed),
            Closing::TokenExpired | Closing::Forbidden => self.freshness = Freshness::Renewed,
            // The longest wait: what is sent before then is refused as well.
            Closing::Later => self.failures = u32::MAX,
            Closing::Lost | Closing::Rejected | Closing::Full => {}
        }
        self.wait(now, rng);
        // A token that ended under a working connection says nothing about the server: no reason to wait.
        if closing == Closing::TokenExpired && worked {
            self.phase = Phase::Waiting { retry_at: now.elapsed };
        }
    }

    fn wait(&mut self, now: Now, rng: &mut impl Rng) {
        self.failures = self.failures.saturating_add(1);
        self.phase = Phase::Waiting { retry_at: now.elapsed + self.backoff.wait(self.failures, rng) };
    }

    fn block(&mut self, trouble: Connection) {
        self.trouble = Some(trouble);
        self.phase = Phase::Resting;
    }

    fn disconnect(&mut self, then: Phase, effects: &mut Vec<Effect>) {
        self.phase = then;
        self.lease = None;
        self.probe_until = None;
        self.preparing = false;
        self.news_at = None;
        self.exchange = Exchange::Settled;
        effects.push(Effect::Disconnect);
    }
}

#[cfg(test)]
mod tests;
