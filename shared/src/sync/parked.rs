//! Changes of one peer that wait for a dependency, filed under the first one that is missing.
//!
//! Orphans are not only hostile: a false positive in our Bloom filter makes an honest peer leave out one change and
//! send all that stand on it. They must be kept, because the peer will not send them twice.

use std::collections::{HashMap, HashSet};

use super::{
    chunks::ChangeHash,
    guard::Inspected,
    limits::{MAX_PARKED_BYTES, MAX_PARKED_CHANGES},
    rejection::Rejection,
};

#[derive(Debug, Default)]
pub(crate) struct Parked {
    waiting: HashMap<ChangeHash, Vec<Inspected>>,
    hashes: HashSet<ChangeHash>,
    total_bytes: usize,
}

impl Parked {
    /// Files a change under a dependency that is missing.
    pub(crate) fn park(&mut self, missing: ChangeHash, change: Inspected) -> Result<(), Rejection> {
        self.total_bytes += change.change.bytes.len();
        if self.total_bytes > MAX_PARKED_BYTES || self.hashes.len() >= MAX_PARKED_CHANGES {
            return Err(Rejection::TooMuch("changes without their dependencies"));
        }
        self.hashes.insert(change.change.header.hash);
        self.waiting.entry(missing).or_default().push(change);
        Ok(())
    }

    /// Takes out what waited for this change.
    pub(crate) fn take(&mut self, arrived: &ChangeHash) -> Vec<Inspected> {
        let released = self.waiting.remove(arrived).unwrap_or_default();
        for change in &released {
            self.hashes.remove(&change.change.header.hash);
            self.total_bytes -= change.change.bytes.len();
        }
        released
    }

    /// Whether something waits for this change.
    pub(crate) fn awaits(&self, hash: &ChangeHash) -> bool {
        self.waiting.contains_key(hash)
    }

    /// Whether this change itself is parked.
    pub(crate) fn contains(&self, hash: &ChangeHash) -> bool {
        self.hashes.contains(hash)
    }

    /// The dependencies that are neither in the document (it would have released them) nor parked themselves.
    pub(crate) fn missing(&self) -> impl Iterator<Item = ChangeHash> {
        self.waiting.keys().filter(|hash| !self.hashes.contains(*hash)).copied()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn resident_bytes(&self) -> usize {
        self.total_bytes + self.hashes.len() * (size_of::<Inspected>() + 3 * size_of::<ChangeHash>())
    }
}
