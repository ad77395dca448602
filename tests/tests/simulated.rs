//! The real server on a simulated network and in simulated time, from a seed: whatever happens, replicas converge and fall
//! silent, what was acknowledged is stored, and nobody gets what they may not see.
//!
//! A failure prints its seed and what happened until then; `TAIWA_SEED=<n>` repeats it, `TAIWA_SEEDS=<n>` runs as many.
//! Map: [`story`] what people, lines and servers do; [`checks`] what must hold.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod checks;
mod story;

use std::time::Instant;

use taiwa_tests::{
    postgres::Postgres, seed::Seed, simulated::network::Counts, simulated::time, skip::skip, turn::my_turn,
};
use tokio::runtime::Runtime;

use story::Story;

/// Seeds on SQLite unless `TAIWA_SEEDS` says otherwise, as `cargo xtask test --long` does; 1.1 s each.
const SEEDS_ON_SQLITE: u64 = 10;
/// Likewise on PostgreSQL, a tenth of `TAIWA_SEEDS`; 2.5 s each, and each leaves a database behind until the end.
const SEEDS_ON_POSTGRES: u64 = 3;
/// What has to happen to somebody in any run of [`SEEDS_ON_SQLITE`] or more.
const ACCIDENTS: [&str; 23] = [
    "access given back",
    "access withdrawn",
    "caret heard",
    "client gave up a silent line",
    "client's bytes held",
    "connection breaks at a byte",
    "connection broken at a byte",
    "connection lost in silence",
    "connection refused",
    "connections cut",
    "documents evicted",
    "documents packed",
    "edit",
    "line healed",
    "line refuses",
    "line slow",
    "news heard",
    "packet lost",
    "partition",
    "server asked to stop",
    "server crashed",
    "server crashed while its database worked",
    "server's bytes held",
];

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a whole number"))
}

/// Names the seed if the simulation fails.
struct NameSeed<'a>(Seed, &'a str);

impl Drop for NameSeed<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("TAIWA_SEED={} cargo test -p taiwa-tests --test all simulated::{}", self.0, self.1);
        }
    }
}

fn simulate(seed: Seed, test: &str, postgres: Option<&Postgres>) -> Counts {
    let _name = NameSeed(seed, test);
    let database = postgres.map(|postgres| postgres.database().unwrap());
    time::run(|gate| async move {
        let mut story = Story::begin(seed, gate, database).await;
        story.storm().await;
        story.calm_down().await;
        story.end().await
    })
}

fn simulate_all(test: &str, seeds: u64, postgres: Option<&Postgres>) {
    if number("TAIWA_SEED").is_some() {
        simulate(Seed::of_this_run(test), test, postgres);
        return;
    }
    let started = Instant::now();
    let mut following = Seed::of_this_run(test).following();
    let (mut counts, mut made) = (Counts::new(), 0);
    // What happens by chance may not happen in a few: then some more.
    while made < seeds || (seeds >= SEEDS_ON_SQLITE && made < 4 * seeds && !missing(&counts).is_empty()) {
        for (what, often) in simulate(following.next().unwrap(), test, postgres) {
            *counts.entry(what).or_default() += often;
        }
        made += 1;
    }
    println!("{test}: {made} seeds in {:.1} s: {counts:?}", started.elapsed().as_secs_f64());
    if seeds >= SEEDS_ON_SQLITE {
        assert_eq!(missing(&counts), Vec::<&str>::new(), "never happened in {made} simulations");
    }
}

/// The accidents that happened to nobody yet.
fn missing(counts: &Counts) -> Vec<&'static str> {
    ACCIDENTS.into_iter().filter(|accident| !counts.contains_key(accident)).collect()
}

#[test]
fn sqlite_replicas_converge_and_nothing_acknowledged_is_lost_whatever_happens() {
    let _turn = Runtime::new().unwrap().block_on(my_turn());
    simulate_all("sqlite", number("TAIWA_SEEDS").unwrap_or(SEEDS_ON_SQLITE), None);
}

#[test]
fn postgres_replicas_converge_and_nothing_acknowledged_is_lost_whatever_happens() {
    let runtime = Runtime::new().unwrap();
    let Some(postgres) = runtime.block_on(Postgres::shared()).unwrap() else {
        return skip("simulated::postgres", "no PostgreSQL server is installed");
    };
    let _turn = runtime.block_on(my_turn());
    let seeds = number("TAIWA_SEEDS").map_or(SEEDS_ON_POSTGRES, |seeds| seeds.div_ceil(10));
    simulate_all("postgres", seeds, Some(&postgres));
}
