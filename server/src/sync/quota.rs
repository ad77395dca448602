//! What one person may cost: bytes in a day, and work in a second, over all of their connections.
//!
//! Somebody who has sent a day's worth is asked to come back later (4429). Somebody who makes work faster than it is
//! granted is only made to wait: their connections are read no further, and TCP holds them up. Refused messages count
//! too, so that connecting anew wins nothing. Kept in memory; a restart forgets it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use taiwa_shared::{
    ids::{OrganisationId, UserId},
    time::Timestamp,
};
use tokio::time::Instant;

use super::limits::HubLimits;

/// The least that a refused message counts as, in the bytes of [`Quota::spend`]: it ends the connection, and a new one
/// costs a handshake.
pub(super) const REFUSED_MESSAGE: usize = 1024 * 1024;
/// What walking through one change of a document counts as, in those bytes: inspecting 200 bytes takes about 4 µs, a
/// step about 80 ns.
const WALKED_CHANGE: usize = 4;
/// People that are remembered before those who have everything left are looked for.
const FIRST_SWEEP: usize = 1_024;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A token bucket that may go into debt, since what a message costs is known only when it has been inspected; that of
/// `governor` cannot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    full: f64,
    per_second: f64,
    left: f64,
    filled: Instant,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(full: f64, per_second: f64) -> Self {
        Self { full, per_second, left: full, filled: Instant::now() }
    }

    /// Takes some if there is as much.
    pub(super) fn take(&mut self, amount: f64) -> bool {
        self.refill();
        let is_granted = self.left >= amount;
        if is_granted {
            self.left -= amount;
        }
        is_granted
    }

    fn owe(&mut self, amount: f64) {
        self.refill();
        self.left -= amount;
    }

    /// How long until nothing is owed.
    fn debt(&mut self) -> Duration {
        self.refill();
        Duration::try_from_secs_f64((-self.left / self.per_second).max(0.0)).unwrap_or(DAY)
    }

    fn refill(&mut self) {
        self.left = (self.left + self.filled.elapsed().as_secs_f64() * self.per_second).min(self.full);
        self.filled = Instant::now();
    }
}

/// What one person has left.
#[derive(Debug)]
pub(super) struct Quota {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    work: Bucket,
    /// Bytes of well-formed new changes that count against the day, also if the document or its disk had no room for
    /// them.
    sent: f64,
    /// When these were right.
    at: Timestamp,
}

impl Quota {
    pub(super) fn new(limits: &HubLimits, now: Timestamp) -> Self {
        let work = Bucket::new(limits.person_work_burst as f64, limits.person_work_per_second as f64);
        Self { state: Mutex::new(State { work, sent: 0.0, at: now }) }
    }

    /// Counts bytes of new changes; false if they are more than the person may send in a day. What was sent is
    /// forgotten evenly over the day that follows.
    pub(super) fn take_bytes(&self, bytes: usize, limits: &HubLimits, now: Timestamp) -> bool {
        let mut state = self.state();
        state.forget(limits, now);
        let is_granted = state.sent + bytes as f64 <= limits.person_bytes_per_day as f64;
        if is_granted {
            state.sent += bytes as f64;
        }
        is_granted
    }

    /// Counts the work that a message made, in bytes of ordinary changes.
    pub(super) fn spend(&self, work: usize) {
        self.state().work.owe(work as f64);
    }

    /// Counts changes that had to be walked through for what somebody said or is told.
    pub(super) fn spend_walk(&self, changes: usize) {
        self.spend(changes.saturating_mul(WALKED_CHANGE));
    }

    /// How long the person's connections have to wait.
    pub(super) fn pause(&self) -> Duration {
        self.state().work.debt()
    }

    fn is_untouched(&self, limits: &HubLimits, now: Timestamp) -> bool {
        let mut state = self.state();
        state.forget(limits, now);
        state.work.refill();
        state.sent == 0.0 && state.work.left >= state.work.full
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget(&mut self, limits: &HubLimits, now: Timestamp) {
        let passed = (now.as_millis() - self.at.as_millis()).max(0) as f64 / DAY.as_millis() as f64;
        self.sent = (self.sent - passed * limits.person_bytes_per_day as f64).max(0.0);
        self.at = self.at.max(now);
    }
}

/// Everybody's.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    people: Mutex<People>,
}

#[derive(Debug, Default)]
struct People {
    quotas: HashMap<(OrganisationId, UserId), Arc<Quota>>,
    sweep_at: usize,
}

impl Quotas {
    /// That of one person.
    pub(super) fn of(
        &self,
        organisation: OrganisationId,
        user: UserId,
        limits: &HubLimits,
        now: Timestamp,
    ) -> Arc<Quota> {
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        if people.quotas.len() >= people.sweep_at.max(FIRST_SWEEP) {
            people.quotas.retain(|_, quota| Arc::strong_count(quota) > 1 || !quota.is_untouched(limits, now));
            people.sweep_at = 2 * people.quotas.len();
        }
        let quota = people.quotas.entry((organisation, user)).or_insert_with(|| Arc::new(Quota::new(limits, now)));
        Arc::clone(quota)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(n: u64) -> Timestamp {
        Timestamp::from_millis(1_760_000_000_000).plus(Duration::from_secs(n * 3_600))
    }

    #[test]
    fn what_was_sent_is_forgotten_over_a_day() {
        let limits = HubLimits { person_bytes_per_day: 24_000, ..HubLimits::default() };
        let quota = Quota::new(&limits, hours(0));
        assert!(quota.take_bytes(20_000, &limits, hours(0)));
        assert!(!quota.take_bytes(5_000, &limits, hours(0)), "more than a day's worth");
        assert!(quota.take_bytes(4_000, &limits, hours(0)), "what was refused does not count");
        assert!(!quota.take_bytes(3_000, &limits, hours(2)));
        assert!(quota.take_bytes(3_000, &limits, hours(3)));
        assert!(!quota.take_bytes(1, &limits, hours(1)), "a clock that goes back gives nothing");
        assert!(quota.take_bytes(24_000, &limits, hours(27)));
    }

    #[test]
    fn work_is_owed_by_the_person_and_not_by_the_connection() {
        let limits = HubLimits { person_work_burst: 1_000, person_work_per_second: 100, ..HubLimits::default() };
        let (quotas, organisation) = (Quotas::default(), OrganisationId::from_bytes([1; 16]));
        let [mine, other] = [1, 2].map(|n| UserId::from_bytes([n; 16]));
        let of = |user| quotas.of(organisation, user, &limits, hours(0));
        of(mine).spend(1_000);
        assert_eq!(of(mine).pause(), Duration::ZERO, "the first burst is free");
        of(mine).spend(1_000);
        let pause = of(mine).pause();
        assert!(pause > Duration::from_secs(9) && pause <= Duration::from_secs(10), "{pause:?}");
        assert_eq!(of(other).pause(), Duration::ZERO);
    }

    #[test]
    fn whoever_has_everything_left_is_forgotten() {
        let (quotas, limits) = (Quotas::default(), HubLimits::default());
        let organisation = OrganisationId::from_bytes([1; 16]);
        let user = |n: u32| UserId::from_bytes([n.to_be_bytes(); 4].concat().try_into().unwrap());
        let spender = quotas.of(organisation, user(0), &limits, hours(0));
        assert!(spender.take_bytes(1, &limits, hours(0)));
        drop(spender);
        for n in 1..=FIRST_SWEEP as u32 {
            quotas.of(organisation, user(n), &limits, hours(0));
        }
        let people = quotas.people.lock().unwrap();
        assert!(people.quotas.contains_key(&(organisation, user(0))), "a day's amount is not given twice");
        assert_eq!(people.quotas.len(), 2);
    }
}
