//! How fresh the access of a session has to be: a version per organisation that moves when records may have changed it.
//!
//! A session remembers the version at which it was checked and asks the records again when the version moved, before
//! anything else happens on it. The hub's own writes (digests, authors) change no access and do not move the version.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use taiwa_shared::ids::OrganisationId;

/// Own counters that are remembered until the news of them come round.
const MAX_OWN_COUNTERS: usize = 1_024;

/// The access version of every organisation with connections.
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

    /// Makes every session ask the records again.
    pub(super) fn renew_all(&self) {
        for access in self.organisations.lock().unwrap_or_else(PoisonError::into_inner).values() {
            access.renew();
        }
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
    counters: Mutex<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    seen: i64,
    own: BTreeSet<i64>,
}

impl OrganisationAccess {
    /// The version now. Read it before the records, so that a change in between is noticed.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Makes every session of the organisation ask again.
    pub(super) fn renew(&self) {
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// Notes that this hub moved the organisation's counter to `counter` without touching anybody's access.
    pub(super) fn note_own(&self, counter: i64) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        if counter > counters.seen {
            counters.own.insert(counter);
            if counters.own.len() > MAX_OWN_COUNTERS {
                counters.own.pop_first();
            }
        }
    }

    /// Takes news of the records and moves the version if access may have changed.
    pub(super) fn take_news(&self, counter: i64) -> Meaning {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        if counter <= counters.seen {
            return Meaning::Old;
        }
        let own = counters.own.range(counters.seen + 1..=counter).count();
        let steps = counter - counters.seen;
        counters.seen = counter;
        counters.own = counters.own.split_off(&(counter + 1));
        if i64::try_from(own) == Ok(steps) {
            return Meaning::Own;
        }
        self.renew();
        Meaning::Access
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
