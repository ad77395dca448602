//! `storm`: the server is killed and started again, and everybody comes back at once with an edit made meanwhile.

use std::time::Instant;

use anyhow::{Context, Result};
use taiwa_tests::figures::Row;
use tokio::task::JoinSet;

use super::Bench;
use crate::{
    client::Client,
    house::{House, Seat, Size, Table},
    replica::Replica,
};

/// First edits that are under way at the same time.
const WRITING: usize = 64;

/// Measures `storm`.
///
/// # Errors
/// If a server does not start, or a client fails.
pub(super) async fn storm(bench: &Bench) -> Result<Vec<Row>> {
    let connections = if bench.quick { 2_000 } else { 5_000 };
    let mut house = House::open(Size::of_pairs(connections / 2), bench.pinned).await?;
    let mut writing = JoinSet::new();
    let mut replicas = Vec::with_capacity(connections);
    for number in 0..connections {
        let table = house.table(number / 2, 0, 2)?;
        writing.spawn_local(first_edit(table, number % 2));
        if writing.len() == WRITING {
            replicas.extend(writing.join_next().await.transpose()?.transpose()?);
        }
    }
    for written in writing.join_all().await {
        replicas.push(written?);
    }
    house.kill()?;
    house.restart().await?;
    let (started, cpu) = (Instant::now(), house.server()?.times()?);
    let mut coming = JoinSet::new();
    for (seat, mut replica) in replicas {
        coming.spawn_local(async move {
            replica.reconnect();
            replica.type_text("あ")?;
            let mut client = Client::connect(&seat.door, &seat.name).await?;
            client.hold(replica);
            client.settle().await?;
            anyhow::Ok((started.elapsed(), client))
        });
    }
    let (mut took, mut clients) = (Vec::with_capacity(connections), Vec::with_capacity(connections));
    while let Some(came) = coming.join_next().await {
        let (after, client) = came??;
        took.push(after.as_secs_f64() * 1e3);
        clients.push(client);
    }
    let cpu = house.server()?.times()?.since(cpu).ran.as_secs_f64();
    took.sort_by(f64::total_cmp);
    Ok(vec![
        Row::new("storm", "taiwa")
            .with("connections", "", connections as f64)
            .with("half of them back", "ms", took[took.len() / 2])
            .with("all of them back", "ms", took[took.len() - 1])
            .with("server CPU", "µs/connection", cpu * 1e6 / connections as f64)
            .remark("after kill -9; each brings an edit, and is back when that is on disk"),
    ])
}

/// Connects once and writes the first line, which is on the server's disk at the end.
async fn first_edit(table: Table, seat: usize) -> Result<(Seat, Replica)> {
    let seat = table.seats[seat].clone();
    let mut replica = Replica::new(&table.key, seat.user)?;
    replica.connect();
    replica.type_text("来週の商談")?;
    let mut client = Client::connect(&seat.door, &seat.name).await?;
    client.hold(replica);
    client.settle().await?;
    Ok((seat, client.leave().pop().context("the memo that was held")?))
}
