//! Changes of one peer that wait for a dependency, filed under the first one that is missing.
//!
//! Orphans are not only hostile: a false positive in our Bloom filter makes an honest peer leave out one change and
//! send all that stand on it. They must be kept, because the peer will not send them twice.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    chunks::ChangeHash,
    guard::Inspected,
    limits::{MAX_MISSING, MAX_PARKED_BYTES, MAX_PARKED_CHANGES},
    rejection::Rejection,
};

#[derive(Debug, Default)]
pub(crate) struct Parked {
    waiting: HashMap<ChangeHash, Vec<Inspected>>,
    hashes: HashSet<ChangeHash>,
    /// What is waited for and not parked itself: to be asked for.
    missing: BTreeSet<ChangeHash>,
    total_bytes: usize,
}

impl Parked {
    /// Files a change under a dependency that is missing.
    pub(crate) fn park(&mut self, missing: ChangeHash, change: Inspected) -> Result<(), Rejection> {
        self.total_bytes += change.change.bytes.len();
        let hash = change.change.header.hash;
        self.missing.remove(&hash);
        if !self.hashes.contains(&missing) {
            self.missing.insert(missing);
        }
        let too_much = self.total_bytes > MAX_PARKED_BYTES
            || self.hashes.len() >= MAX_PARKED_CHANGES
            || self.missing.len() > MAX_MISSING;
        if too_much {
            return Err(Rejection::TooMuch("changes without their dependencies"));
        }
        self.hashes.insert(hash);
        self.waiting.entry(missing).or_default().push(change.without_operations());
        Ok(())
    }

    /// Takes out what waited for this change.
    pub(crate) fn take(&mut self, arrived: &ChangeHash) -> Vec<Inspected> {
        self.missing.remove(arrived);
        let released = self.waiting.remove(arrived).unwrap_or_default();
        for change in &released {
            self.hashes.remove(&change.change.header.hash);
            self.total_bytes -= change.change.bytes.len();
        }
        released
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether something waits for this change.
    pub(crate) fn awaits(&self, hash: &ChangeHash) -> bool {
        self.waiting.contains_key(hash)
    }

    /// Whether this change itself is parked.
    pub(crate) fn contains(&self, hash: &ChangeHash) -> bool {
        self.hashes.contains(hash)
    }

    /// The dependencies that are neither in the document nor parked themselves, sorted.
    pub(crate) fn missing(&self) -> impl Iterator<Item = ChangeHash> {
        self.missing.iter().copied()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn resident_bytes(&self) -> usize {
        self.total_bytes + self.hashes.len() * (size_of::<Inspected>() + 3 * size_of::<ChangeHash>())
    }
}
