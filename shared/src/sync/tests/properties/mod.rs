//! What must hold whatever happens, over a network and disks that are simulated from a seed.
//!
//! Several phones of several people and a hostile peer talk with one server about one document. Lines break, are
//! doubled (an old connection still delivers after the new one) and stay down for long; phones and the server die between
//! receiving, storing and sending; documents are evicted and their rows folded; access comes and goes; a backup is
//! restored. The names P1 to P11 are those of ARCHITECTURE.md, "Properties". `SYNC_SEED=<n>` repeats one run,
//! `SYNC_RUNS=<n>` makes more of them.

mod phone;
mod server;
mod world;

use std::collections::BTreeMap;

use super::{Hub, Phone, Seeded, document, relay, simulation::NameSeed, user, writer};
use world::World;

/// Worlds per test run; a change to the engine is worth `SYNC_RUNS=3000` once.
const RUNS: u64 = 25;

fn run(seed: u64) -> BTreeMap<&'static str, u64> {
    let _seed = NameSeed(seed);
    let mut world = World::new(seed);
    for _ in 0..1 + seed % 3 {
        for _ in 0..400 {
            world.step();
        }
        world.settle();
        world.assert_at_rest();
    }
    world.counts
}

#[test]
fn every_property_holds_through_every_accident() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("SYNC_SEED") {
        run(seed);
        return;
    }
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in 1..=number("SYNC_RUNS").unwrap_or(RUNS) {
        for (what, count) in run(seed) {
            *counts.entry(what).or_default() += count;
        }
    }
    println!("{counts:?}");
    for what in world::ACCIDENTS {
        assert!(counts.get(what).is_some_and(|count| *count >= 5), "{what} happened too rarely: {counts:?}");
    }
}

/// P9: whoever connects and then neither reads nor answers costs the same whatever the others write.
#[test]
fn a_silent_peer_costs_no_memory() {
    let mut rng = Seeded(9);
    let (mut alone, mut watched) = (Hub::new(), Hub::new());
    for hub in [&mut alone, &mut watched] {
        hub.sync.connect(1, writer(1));
    }
    watched.sync.connect(2, writer(2));
    let hello = Phone::new(document(&mut rng, Some(user(2)))).hello();
    watched.receive(2, &hello).unwrap();
    let before = watched.sync.resident_bytes() - alone.sync.resident_bytes();
    let mut phone = Phone::new(document(&mut rng, Some(user(1))));
    phone.sync.connect((), relay());
    for _ in 0..500 {
        phone.key();
        while let Some(data) = phone.send() {
            for hub in [&mut alone, &mut watched] {
                hub.receive(1, &data).unwrap();
                hub.commit();
            }
        }
        while let Some(data) = alone.send(1) {
            drop(watched.send(1));
            phone.receive(&data).unwrap();
        }
    }
    let after = watched.sync.resident_bytes() - alone.sync.resident_bytes();
    assert!(alone.sync.len() > 400, "the control: something was written");
    assert!(after <= before + 1_024, "a silent peer cost {before} bytes and costs {after} after 500 keys");
}
