//! Tries per address and minute on the routes that check a secret.
//!
//! In memory, so per process; the lock per account is in the database (`auth::login`).

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZero,
    sync::Arc,
    time::Duration,
};

use governor::{Quota, RateLimiter, clock, middleware::NoOpMiddleware, state::keyed::HashMapStateStore};
use taiwa_shared::time::Clock;

/// Addresses remembered before the ones that have rested are forgotten.
const MAX_REMEMBERED: usize = 10_000;

/// The server's clock in the words of the limiter.
#[derive(Clone)]
struct ServerClock(Arc<dyn Clock>);

impl clock::Clock for ServerClock {
    type Instant = Duration;
    fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.now().as_millis()).unwrap_or(0))
    }
}

type Limiter = RateLimiter<IpAddr, HashMapStateStore<IpAddr>, ServerClock, NoOpMiddleware<Duration>>;

/// A limit that each address has for itself.
pub(crate) struct AddressLimit {
    limiter: Limiter,
    clock: ServerClock,
}

impl AddressLimit {
    pub(crate) fn per_minute(tries: u32, clock: Arc<dyn Clock>) -> Self {
        let clock = ServerClock(clock);
        let quota = Quota::per_minute(NonZero::new(tries).unwrap_or(NonZero::<u32>::MIN));
        Self { limiter: RateLimiter::hashmap_with_clock(quota, clock.clone()), clock }
    }

    /// Counts a try; an error says how long to wait.
    pub(super) fn count(&self, address: IpAddr) -> Result<(), Duration> {
        if self.limiter.len() > MAX_REMEMBERED {
            self.limiter.retain_recent();
        }
        let outcome = self.limiter.check_key(&subscriber(address));
        outcome.map_err(|until| until.wait_time_from(clock::Clock::now(&self.clock)))
    }
}

/// A subscriber of IPv6 has at least a /64 of addresses.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use taiwa_shared::time::Timestamp;

    use super::*;

    struct Still;
    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_800_000_000_000)
        }
    }

    #[test]
    fn an_address_has_its_own_count_and_a_network_of_ipv6_one_for_all() {
        let limit = AddressLimit::per_minute(2, Arc::new(Still));
        let count = |address: &str| limit.count(address.parse().unwrap());
        assert!(count("192.0.2.1").is_ok() && count("::ffff:192.0.2.1").is_ok());
        assert!(count("192.0.2.1").unwrap_err() <= Duration::from_secs(60));
        assert!(count("192.0.2.2").is_ok());
        assert!(count("2001:db8::1").is_ok() && count("2001:db8::2").is_ok());
        assert!(count("2001:db8::3").is_err());
        assert!(count("2001:db8:0:1::3").is_ok());
    }
}
