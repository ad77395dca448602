//! `connect` and `idle`: what a connection costs when it comes, while it says nothing, and after it has gone.
//!
//! Every connection has signed in and joined. Measured twice: with nothing open, and with a memo of its own pair open. An
//! idle document leaves taiwa's memory a minute after its last reader has gone, so the last figure is taken at the end of
//! the whole run.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use taiwa_tests::figures::Row;

use super::Bench;
use crate::{
    client::Client,
    house::{House, Seat, Size, Table},
    peers::{Peer, Running},
    replica::Replica,
    served::Served,
};

/// The server evicts what nobody uses after a minute, and looks four times a second.
const EVICTED_AFTER: Duration = Duration::from_secs(65);
/// What memory is asked for when everybody has just left.
const AT_ONCE: Duration = Duration::from_secs(2);

/// A server whose clients have left, to be looked at again later.
#[derive(Debug)]
pub(crate) struct Left {
    host: Host,
    row: Row,
    at: Instant,
}

/// Either kind of server.
#[derive(Debug)]
enum Host {
    House(Box<House>),
    Peer(Box<Running>),
}

impl Host {
    fn server(&self) -> Result<&Served> {
        match self {
            Self::House(house) => house.server(),
            Self::Peer(running) => running.server(),
        }
    }

    fn table(&self, number: usize) -> Result<Table> {
        match self {
            Self::House(house) => house.table(number, 0, 2),
            Self::Peer(running) => Ok(running.table(number, 2)),
        }
    }
}

/// Measures; what has left is in the second list.
///
/// # Errors
/// If a server does not start, or a client fails.
pub(super) async fn measure(bench: &Bench) -> Result<(Vec<Row>, Vec<Left>)> {
    let (mut rows, mut left) = (Vec::new(), Vec::new());
    let connections = if bench.quick { 2_000 } else { 6_000 };
    let house = House::open(Size::of_pairs(connections / 2), bench.pinned).await?;
    let mut hosts = vec![("taiwa", connections, Host::House(Box::new(house)))];
    if bench.peers {
        for (peer, connections) in [(Peer::Samod, 100), (Peer::AutomergeRepo, 200)] {
            hosts.push((peer.name(), connections, Host::Peer(Box::new(peer.start(bench.pinned).await?))));
        }
    }
    for (peer, connections, host) in hosts {
        eprintln!("   {peer}, {connections} connections");
        let (connect, gone) = of(peer, connections, host).await.with_context(|| format!("connections of {peer}"))?;
        rows.push(connect);
        left.push(gone);
    }
    Ok((rows, left))
}

async fn of(peer: &str, connections: usize, host: Host) -> Result<(Row, Left)> {
    let server = host.server()?;
    let resident = || server.resident_bytes().map(|bytes| bytes as f64);
    let before = resident()?;
    let mut clients: Vec<(Client, Seat, Table)> = Vec::with_capacity(connections);
    // CPU of each tenth.
    let (mut tenths, started) = (Vec::new(), Instant::now());
    for tenth in 0..10 {
        let cpu = server.times()?;
        let numbers = (connections * tenth / 10)..(connections * (tenth + 1) / 10);
        let count = numbers.len() as f64;
        for number in numbers {
            let table = host.table(number / 2)?;
            let seat = table.seats[number % 2].clone();
            clients.push((Client::connect(&seat.door, &seat.name).await?, seat, table));
        }
        tenths.push(server.times()?.since(cpu).ran.as_secs_f64() * 1e6 / count);
    }
    let took = started.elapsed().as_secs_f64();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let alone = resident()?;
    for (client, seat, table) in &mut clients {
        let mut replica = Replica::new(&table.key, seat.user)?;
        replica.connect();
        // The second of a pair does not write, so that its first message is a question.
        if seat.name.ends_with("-0") {
            replica.type_text("あ")?;
        }
        client.hold(replica);
        client.settle().await?;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let open = resident()?;
    drop(clients);
    tokio::time::sleep(AT_ONCE).await;
    let each = |with: f64| (with - before) / connections as f64 / 1_000.0;
    let row = Row::new("idle", peer)
        .with("connections", "", connections as f64)
        .with("per connection", "kB", each(alone))
        .with("with an open memo", "kB", each(open))
        .with("before", "MB", before / 1e6)
        .with("everybody there", "MB", open / 1e6)
        .with("2 s after leaving", "MB", resident()? / 1e6);
    let connect = Row::new("connect", peer)
        .with("connections", "", connections as f64)
        .with("first tenth", "µs CPU", tenths[0])
        .with("last tenth", "µs CPU", tenths[9])
        .with("rate", "/s", connections as f64 / took);
    Ok((connect, Left { host, row, at: Instant::now() }))
}

/// Looks again at servers whose clients have left.
///
/// # Errors
/// If one has ended.
pub(super) async fn look_again(left: Vec<Left>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for Left { host, row, at } in left {
        tokio::time::sleep(EVICTED_AFTER.saturating_sub(at.elapsed())).await;
        let seconds = at.elapsed().as_secs();
        let row = row.with("after leaving", "MB", host.server()?.resident_bytes()? as f64 / 1e6);
        rows.push(row.remark(format!("looked at again after {seconds} s")));
    }
    Ok(rows)
}
