//! What a host may set about synchronising, with the numbers that hold otherwise.

use std::{sync::Arc, time::Duration};

use rand::{Rng, RngExt};
use taiwa_shared::ids::DeviceId;

use super::address::SyncAddress;

/// Where and as whom to synchronise.
#[derive(Debug, Clone)]
pub struct SyncConfig {
    /// The server's sync socket.
    pub address: SyncAddress,
    /// This sign-in; names the peer and its storage towards the server.
    pub device: DeviceId,
    /// Which certificates are trusted; the same as for REST.
    pub tls: Arc<rustls::ClientConfig>,
    /// How long to wait before trying again.
    pub backoff: Backoff,
    /// Seeds the jitter and the ephemeral session ids; random in products, fixed in tests.
    pub seed: u64,
}

/// Waiting times between attempts: exponential with full jitter.
///
/// Full jitter (a uniform draw between zero and the bound) spreads the phones of a company over the whole interval when a
/// server comes back (Brooker, "Exponential Backoff And Jitter", 2015).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Bound of the first wait.
    pub first: Duration,
    /// Bound of every later wait.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(500), longest: Duration::from_secs(60) }
    }
}

impl Backoff {
    /// How long to wait after `failures` failures in a row.
    pub(super) fn wait(&self, failures: u32, rng: &mut impl Rng) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        let bound = self.first.saturating_mul(1 << doublings).min(self.longest);
        let bound_micros = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(rng.random_range(0..=bound_micros))
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn waits_spread_over_a_growing_interval_up_to_a_minute() {
        let mut rng = StdRng::seed_from_u64(1);
        let backoff = Backoff::default();
        for (failures, bound) in [(1, 500), (2, 1_000), (4, 4_000), (8, 60_000), (4_000_000_000, 60_000)] {
            let waits: Vec<_> = (0..200).map(|_| backoff.wait(failures, &mut rng).as_millis()).collect();
            let (shortest, longest) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
            assert!(*longest <= bound, "{failures} failures waited {longest} ms");
            assert!(
                *longest > bound * 9 / 10 && *shortest < bound / 10,
                "{failures} failures: {shortest}..{longest} ms"
            );
        }
    }
}
