//! Randomness that can be repeated: one number per test, printed, and given back by an environment variable.
//!
//! Every random choice of a test comes from a generator made here. What the machine's scheduler does is not seeded.

use std::fmt;

use rand::{SeedableRng, rngs::StdRng};

/// Name of the environment variable that repeats a run.
const VARIABLE: &str = "TAIWA_SEED";

/// The seed of one test run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(u64);

impl Seed {
    /// The seed given by `TAIWA_SEED`, or a new one; prints it, so that a failure can be repeated.
    ///
    /// # Panics
    /// If the variable is set to something that is no number.
    pub fn of_this_run(test: &str) -> Self {
        let seed = match std::env::var(VARIABLE) {
            Ok(text) => Self(text.parse().expect("TAIWA_SEED is a whole number")),
            Err(_) => Self(rand::random()),
        };
        println!("{test}: repeat with {VARIABLE}={seed}");
        seed
    }

    /// A seed known beforehand, for the demo.
    pub const fn fixed(seed: u64) -> Self {
        Self(seed)
    }

    /// This seed and those after it, for tests of many runs.
    pub fn following(self) -> impl Iterator<Item = Self> {
        (0..).map(move |further| Self(self.0.wrapping_add(further)))
    }

    /// Which of `count` turns this seed has: seeds in a row take turns.
    pub const fn turn(self, count: u64) -> u64 {
        self.0 % count
    }

    /// A generator for one purpose; the same purpose gives the same numbers.
    pub fn generator(self, purpose: &str) -> StdRng {
        // FNV-1a: stable across versions of the standard library, unlike its own hasher.
        let hash = purpose
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        StdRng::seed_from_u64(self.0 ^ hash)
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
