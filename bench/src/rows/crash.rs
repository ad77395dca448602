//! `crash`: the server is killed with -9 at the moment of its last acknowledgement, and asked what it still has.

use anyhow::{Context, Result};
use taiwa_shared::sync::chunks::ChangeHash;
use taiwa_tests::figures::Row;

use super::Bench;
use crate::{
    client::Client,
    house::{House, Size, Table},
    peers::{Peer, Running},
    reader,
    replica::Replica,
};

/// Edits of a round, one message each.
const EDITS: usize = 200;
/// Edits that may be under way at the same time.
const AHEAD: usize = 10;

/// Measures.
///
/// # Errors
/// If a server does not start, or a client fails.
pub(super) async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let rounds = if bench.quick { 10 } else { 40 };
    let mut house = House::open(Size { devices: 2, ..Size::of_pairs(rounds) }, bench.pinned).await?;
    let mut taiwa = Losses::default();
    for round in 0..rounds {
        let table = house.table(round, 0, 4)?;
        let acknowledged = type_until_acknowledged(&table).await?;
        house.kill()?;
        house.restart().await?;
        taiwa.count(&table, &acknowledged).await?;
    }
    let mut rows = vec![taiwa.row("taiwa", rounds)];
    if bench.peers {
        let rounds = if bench.quick { 2 } else { 8 };
        for peer in [Peer::Samod, Peer::AutomergeRepo] {
            let mut running = peer.start(bench.pinned).await?;
            let measured = of_peer(peer, &mut running, rounds).await;
            rows.push(super::of_peer("crash", &running, measured));
        }
    }
    Ok(rows)
}

async fn of_peer(peer: Peer, running: &mut Running, rounds: usize) -> Result<Row> {
    let mut losses = Losses::default();
    for round in 0..rounds {
        let table = running.table(round, 4);
        let acknowledged = type_until_acknowledged(&table).await?;
        running.crash().await?;
        losses.count(&table, &acknowledged).await?;
    }
    // A peer that loses edits is what is measured here, not a run that failed.
    Ok(losses.row(peer.name(), rounds).sound(true))
}

#[derive(Default)]
struct Losses {
    acknowledged: usize,
    lost: usize,
    rounds: usize,
}

impl Losses {
    async fn count(&mut self, table: &Table, acknowledged: &[ChangeHash]) -> Result<()> {
        let seat = &table.seats[2];
        let there = reader::read_what_is_there(&seat.door, &seat.name, table.key.document_id(0)).await?;
        let lost = acknowledged.iter().filter(|hash| !there.contains(*hash)).count();
        self.acknowledged += acknowledged.len();
        self.lost += lost;
        self.rounds += usize::from(lost > 0);
        Ok(())
    }

    fn row(&self, peer: &str, rounds: usize) -> Row {
        Row::new("crash", peer)
            .with("rounds", "", rounds as f64)
            .with("acknowledged", "edits", self.acknowledged as f64)
            .with("lost", "edits", self.lost as f64)
            .with("rounds with a loss", "", self.rounds as f64)
            .sound(self.lost == 0)
    }
}

/// Types one edit after the other and returns at the acknowledgement of the last.
async fn type_until_acknowledged(table: &Table) -> Result<Vec<ChangeHash>> {
    let seat = &table.seats[0];
    let mut client = Client::connect(&seat.door, &seat.name).await?;
    let mut replica = Replica::new(&table.key, seat.user)?;
    replica.connect();
    let document = replica.document;
    client.hold(replica);
    client.settle().await?;
    let (mut made, mut acknowledged) = (Vec::with_capacity(EDITS), 0);
    while acknowledged < EDITS {
        while made.len() < EDITS && made.len() - acknowledged < AHEAD {
            made.push(client.replica(document)?.type_text("あ")?);
            client.speak(document)?;
        }
        client.listen().await.context("the server goes on")?;
        let replica = client.replica(document)?;
        acknowledged += made[acknowledged..].iter().take_while(|hash| replica.is_acknowledged(hash)).count();
    }
    Ok(made)
}
