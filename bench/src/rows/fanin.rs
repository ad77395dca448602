//! `fan-in`: many clients on one memo, all typing: every edit goes to all others.

use std::time::Duration;

use anyhow::Result;
use taiwa_tests::figures::Row;

use super::Bench;
use crate::{
    crowd::{Base, Crowd, Measured},
    house::{House, Size, Table},
    peers::Peer,
};

/// Edits per second of one client.
const EDITS_PER_SECOND: f64 = 2.0;
/// Clients at the memo, for everybody.
const CLIENTS: usize = 10;
/// Clients at the memo, for taiwa and the relay also.
const MANY: usize = 50;

/// Measures.
///
/// # Errors
/// If a server does not start, or a client fails.
pub(super) async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for clients in [CLIENTS, MANY] {
        let house = House::open(Size { devices: clients.div_ceil(2), ..Size::of_pairs(1) }, bench.pinned).await?;
        rows.push(of(bench, "taiwa", house.table(0, 0, clients)?, house.server()?.pid).await?);
    }
    if bench.peers {
        for (peer, clients) in
            [(Peer::Relay, CLIENTS), (Peer::Relay, MANY), (Peer::Samod, CLIENTS), (Peer::AutomergeRepo, CLIENTS)]
        {
            let running = peer.start(bench.pinned).await?;
            let measured = of(bench, peer.name(), running.table(0, clients), running.server()?.pid).await;
            rows.push(super::of_peer("fan-in", &running, measured));
        }
    }
    Ok(rows)
}

async fn of(bench: &Bench, peer: &str, table: Table, server: u32) -> Result<Row> {
    let clients = table.seats.len();
    eprintln!("   {peer}, {clients} clients");
    let mut crowd = Crowd::new()?;
    crowd.grow(vec![table], Base::SHORT).await?;
    let length = Duration::from_secs(if bench.quick { 3 } else { 15 });
    let measured = crowd.measure(1, EDITS_PER_SECOND, length, server).await?;
    let agrees = crowd.leave(1).await?;
    let Measured { edits_per_second, latency_ms: [p50, p99, max], server_us, .. } = measured;
    let others = (clients - 1) as f64;
    Ok(Row::new("fan-in", peer)
        .with("clients", "", clients as f64)
        .with("deliveries", "/s", edits_per_second * others)
        .with("p50", "ms", p50)
        .with("p99", "ms", p99)
        .with("max", "ms", max)
        .with("server CPU", "µs/delivery", server_us / others)
        .sound(measured.converged() && agrees))
}
