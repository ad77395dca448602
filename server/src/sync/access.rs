//! How fresh the access of a session has to be: a version per organisation that moves when records may have changed it.
//!
//! A session remembers the version at which it was checked. When the version has moved, the session asks the records
//! again before anything else happens on it, unless it is known by then that the change does not concern its person.
//! The hub's own writes (digests, authors) change no access and do not move the version.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use taiwa_shared::ids::{OrganisationId, UserId};

/// Own counters that are remembered until the news of them come round.
const MAX_OWN_COUNTERS: usize = 1_024;
/// Versions whose people are remembered; a session that was checked before them asks the records.
const MAX_VERSIONS: usize = 64;

/// The access version of every organisation that had connections.
#[derive(Debug, Default)]
pub(super) struct AccessVersions {
    organisations: Mutex<HashMap<OrganisationId, Arc<OrganisationAccess>>>,
}

impl AccessVersions {
    /// That of one organisation.
    pub(super) fn of(&self, organisation: OrganisationId) -> Arc<OrganisationAccess> {
        let mut organisations = self.organisations.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(organisations.entry(organisation).or_default())
    }
}

/// What news of the records mean to the sessions of an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Known already.
    Old,
    /// Only what this hub wrote itself.
    Own,
    /// Access may have changed.
    Access,
}

/// The access version of one organisation.
#[derive(Debug, Default)]
pub(super) struct OrganisationAccess {
    version: AtomicU64,
    history: Mutex<History>,
}

#[derive(Debug, Default)]
struct History {
    /// The newest counter heard of.
    seen: i64,
    own: BTreeSet<i64>,
    /// The newest version whose people are known.
    resolved: u64,
    /// The people whom the latest versions concern, oldest first, without gaps up to `resolved`.
    concerned: VecDeque<(u64, Arc<HashSet<UserId>>)>,
    /// Sessions checked before this version cannot be told from `concerned`.
    floor: u64,
}

impl OrganisationAccess {
    /// The version now. Read it before the records, so that a change in between is noticed.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Notes that this hub moved the organisation's counter to `counter` without touching anybody's access.
    pub(super) fn note_own(&self, counter: i64) {
        let mut history = self.history();
        if counter > history.seen {
            history.own.insert(counter);
            if history.own.len() > MAX_OWN_COUNTERS {
                history.own.pop_first();
            }
        }
    }

    /// Takes news of the records and moves the version if access may have changed.
    pub(super) fn take_news(&self, counter: i64) -> Meaning {
        let mut history = self.history();
        if counter <= history.seen {
            return Meaning::Old;
        }
        let own = history.own.range(history.seen + 1..=counter).count();
        let steps = counter - history.seen;
        history.seen = counter;
        history.own = history.own.split_off(&(counter + 1));
        if i64::try_from(own) == Ok(steps) {
            return Meaning::Own;
        }
        self.version.fetch_add(1, Ordering::AcqRel);
        Meaning::Access
    }

    /// The version and the counter that it stands for. Read it before asking whom the change concerns, and ask for
    /// everything after the counter of the last time: what is counted twice is only asked twice.
    pub(super) fn point(&self) -> (u64, i64) {
        let history = self.history();
        (self.version(), history.seen)
    }

    /// Tells whom all changes up to `version` concern that were not resolved before; `None` if that is not known.
    pub(super) fn resolve(&self, version: u64, people: Option<Arc<HashSet<UserId>>>) {
        let mut history = self.history();
        if version <= history.resolved {
            return;
        }
        history.resolved = version;
        match people {
            Some(people) => history.concerned.push_back((version, people)),
            None => {
                history.concerned.clear();
                history.floor = version;
            }
        }
        if history.concerned.len() > MAX_VERSIONS
            && let Some((oldest, _)) = history.concerned.pop_front()
        {
            history.floor = oldest;
        }
    }

    /// Whether a session of `user` that was checked at one version has to ask the records at another.
    pub(super) fn concerns(&self, user: UserId, checked: u64, version: u64) -> bool {
        let history = self.history();
        if checked < history.floor || history.resolved < version {
            return true;
        }
        history.concerned.iter().rev().take_while(|(at, _)| *at > checked).any(|(_, people)| people.contains(&user))
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: UserId = UserId::from_bytes([1; 16]);
    const BEN: UserId = UserId::from_bytes([2; 16]);

    fn only(user: UserId) -> Option<Arc<HashSet<UserId>>> {
        Some(Arc::new(HashSet::from([user])))
    }

    #[test]
    fn only_foreign_changes_of_the_records_move_the_version() {
        let access = OrganisationAccess::default();
        assert_eq!((access.take_news(5), access.version()), (Meaning::Access, 1));
        assert_eq!((access.take_news(5), access.version()), (Meaning::Old, 1));
        access.note_own(6);
        access.note_own(7);
        assert_eq!((access.take_news(7), access.version()), (Meaning::Own, 1));
        access.note_own(9);
        assert_eq!((access.take_news(9), access.version()), (Meaning::Access, 2), "8 was somebody else's");
        access.note_own(9);
        assert_eq!((access.take_news(10), access.version()), (Meaning::Access, 3));
    }

    #[test]
    fn whoever_is_not_concerned_need_not_ask_and_the_unknown_concerns_everybody() {
        let access = OrganisationAccess::default();
        access.take_news(1);
        assert!(access.concerns(BEN, 0, 1), "not resolved yet");
        access.resolve(1, only(ANNA));
        assert!(access.concerns(ANNA, 0, 1));
        assert!(!access.concerns(BEN, 0, 1));
        assert!(!access.concerns(ANNA, 1, 1));
        access.take_news(2);
        access.resolve(2, None);
        assert!(access.concerns(BEN, 1, 2));
        assert!(!access.concerns(BEN, 2, 2));
    }

    #[test]
    fn a_session_checked_before_what_is_remembered_asks() {
        let access = OrganisationAccess::default();
        for counter in 1..=2 * MAX_VERSIONS as i64 {
            access.take_news(counter);
            access.resolve(access.version(), only(ANNA));
        }
        let now = access.version();
        assert!(access.concerns(BEN, 0, now));
        assert!(!access.concerns(BEN, now - 1, now));
    }
}
