//! `backlog`: what was written in two days without a network, and `cold`: a memo after the server's start.
//!
//! Round trips are those from the first word about a document on, over a line so long that nothing else takes time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use taiwa_tests::figures::Row;

use super::Bench;
use crate::{
    client::Client,
    house::{House, Size, Table},
    meter::{Meter, ROUND_TRIP, round_trips},
    peers::{Peer, Running},
    reader,
    replica::Replica,
    socket::Door,
};

/// Memos with something new.
const DOCUMENTS: usize = 20;
/// Changes of four letters in each: 5,000 characters together, and some more.
const CHANGES: usize = 63;
/// Changes of the memo that is opened.
const COLD_CHANGES: usize = 5_000;

/// Measures `backlog`.
///
/// # Errors
/// If a server does not start, or a client fails.
pub(super) async fn backlog(bench: &Bench) -> Result<Vec<Row>> {
    let house = House::open(Size { memos: DOCUMENTS, ..Size::of_pairs(1) }, bench.pinned).await?;
    let tables = (0..DOCUMENTS).map(|memo| house.table(0, memo, 2)).collect::<Result<Vec<_>>>()?;
    let mut rows = vec![catch_up("taiwa", &tables).await?];
    if bench.peers {
        for peer in [Peer::Samod, Peer::AutomergeRepo] {
            let running = peer.start(bench.pinned).await?;
            let tables: Vec<_> = (0..DOCUMENTS).map(|number| running.table(number, 2)).collect();
            rows.push(super::of_peer("backlog", &running, catch_up(peer.name(), &tables).await));
        }
    }
    Ok(rows)
}

async fn catch_up(peer: &str, tables: &[Table]) -> Result<Row> {
    let seat = &tables[0].seats[0];
    let mut client = Client::connect(&seat.door, &seat.name).await?;
    for table in tables {
        let mut replica = Replica::new(&table.key, seat.user)?;
        replica.connect();
        replica.type_text("来週の商談の準備")?;
        client.hold(replica);
    }
    client.settle().await?;
    let mut replicas = client.leave();
    let before: usize = replicas.iter().map(Replica::own_change_bytes).sum();
    for replica in &mut replicas {
        for _ in 0..CHANGES {
            replica.type_text("準備の話")?;
        }
        replica.reconnect();
    }
    let changes = replicas.iter().map(Replica::own_change_bytes).sum::<usize>() - before;
    let meter = Meter::open(seat.door.address).await?;
    meter.lengthen();
    let far = Door { address: meter.address(), ..seat.door.clone() };
    let mut client = Client::connect(&far, &seat.name).await?;
    let (sent, received) = (client.socket.sent, client.socket.received);
    replicas.into_iter().for_each(|replica| client.hold(replica));
    let started = Instant::now();
    client.settle().await?;
    let took = started.elapsed();
    let bytes = (client.socket.sent - sent) + (client.socket.received - received);
    Ok(Row::new("backlog", peer)
        .with("round trips", "", round_trips(took))
        .with("bytes both ways", "kB", bytes as f64 / 1e3)
        .with("change chunks", "kB", changes as f64 / 1e3)
        .with("overhead", "×", bytes as f64 / changes as f64)
        .with("work", "ms", took.as_secs_f64() * 1e3 % (ROUND_TRIP.as_secs_f64() * 1e3))
        .remark(format!("{DOCUMENTS} documents, {} changes", DOCUMENTS * CHANGES)))
}

/// Measures `cold`.
///
/// # Errors
/// If a server does not start, or a client fails.
pub(super) async fn cold(bench: &Bench) -> Result<Vec<Row>> {
    let mut house = House::open(Size { devices: 2, ..Size::of_pairs(1) }, bench.pinned).await?;
    let table = house.table(0, 0, 4)?;
    let written = write(&table).await?;
    house.stop()?;
    house.restart().await?;
    let mut rows = vec![open_twice("taiwa", &table, &written).await?];
    if bench.peers {
        for peer in [Peer::Samod, Peer::AutomergeRepo] {
            let mut running = peer.start(bench.pinned).await?;
            let measured = cold_of_peer(peer, &mut running).await;
            rows.push(super::of_peer("cold", &running, measured));
        }
    }
    Ok(rows)
}

async fn cold_of_peer(peer: Peer, running: &mut Running) -> Result<Row> {
    let table = running.table(0, 4);
    let written = write(&table).await?;
    // Both store some time after they have acknowledged.
    tokio::time::sleep(Duration::from_secs(2)).await;
    running.crash().await?;
    open_twice(peer.name(), &table, &written).await
}

async fn write(table: &Table) -> Result<Replica> {
    let seat = &table.seats[0];
    let mut client = Client::connect(&seat.door, &seat.name).await?;
    let mut replica = Replica::new(&table.key, seat.user)?;
    replica.connect();
    for _ in 0..COLD_CHANGES {
        replica.type_text("あ")?;
    }
    client.hold(replica);
    client.settle().await?;
    client.leave().pop().context("the memo that was held")
}

async fn open_twice(peer: &str, table: &Table, written: &Replica) -> Result<Row> {
    let heads = written.heads();
    let mut row = Row::new("cold", peer);
    let mut bytes = 0;
    for (seat, name) in table.seats[2..].iter().zip(["first", "again"]) {
        let read = reader::read(&seat.door, &seat.name, written.document, &heads).await?;
        row = row.with(name, "ms", read.took.as_secs_f64() * 1e3);
        row.sound &= read.letters == COLD_CHANGES;
        bytes = read.bytes;
    }
    Ok(row.with("bytes", "kB", bytes as f64 / 1e3).remark(format!("{COLD_CHANGES} changes, after a restart")))
}
