//! `co-edit`: how many pairs a server on one core sustains when both type twice a second into a memo of 80 characters.

use std::time::Duration;

use anyhow::{Context, Result};
use taiwa_tests::figures::Row;

use super::Bench;
use crate::{
    crowd::{Base, Crowd},
    house::{House, Size, Table},
    ladder::{Found, Search},
    peers::{Peer, Running},
};

/// Edits per second of one client: somebody who types without a pause.
const EDITS_PER_SECOND: f64 = 2.0;

/// Memos that are read anew from each server at the end.
const SAMPLE: usize = 5;

/// Measures.
///
/// # Errors
/// If a server does not start, or a client fails.
pub(super) async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = vec![of_taiwa(bench).await?];
    if bench.peers {
        // Where to begin: what a trial found on a machine like this. The search goes down as well as up.
        for (peer, first) in
            [(Peer::Relay, 8_000), (Peer::Hocuspocus, 1_000), (Peer::Samod, 50), (Peer::AutomergeRepo, 10)]
        {
            let running = peer.start(bench.pinned).await?;
            let measured = of_peer(bench, peer, &running, first).await;
            rows.push(super::of_peer("co-edit", &running, measured));
        }
    }
    Ok(rows)
}

fn search(bench: &Bench, first: usize, most: usize, tries: usize) -> Search {
    let (seconds, tries) = if bench.quick { (4, tries) } else { (15, 9) };
    Search { first, most, factor: 1.5, step: Duration::from_secs(seconds), tries }
}

async fn of_taiwa(bench: &Bench) -> Result<Row> {
    eprintln!("   taiwa");
    let search = search(bench, 1_500, 8_000, 5);
    let house = House::open(Size::of_pairs(search.most), bench.pinned).await?;
    climb(&search, "taiwa", |pair| house.table(pair, 0, 2), house.server()?.pid).await
}

async fn of_peer(bench: &Bench, peer: Peer, running: &Running, first: usize) -> Result<Row> {
    eprintln!("   {}", peer.name());
    // The relay is no goal: what counts is its CPU per edit.
    let most = if peer == Peer::Relay { first } else { 8_000 };
    climb(&search(bench, first, most, 3), peer.name(), |pair| Ok(running.table(pair, 2)), running.server()?.pid).await
}

/// Lets a crowd grow with the search.
async fn climb(search: &Search, peer: &str, table: impl Fn(usize) -> Result<Table>, server: u32) -> Result<Row> {
    let mut crowd = Crowd::new()?;
    let found = search
        .run(async |pairs| {
            if pairs > crowd.len() {
                let tables = (crowd.len()..pairs).map(&table).collect::<Result<_>>()?;
                crowd.grow(tables, Base::SHORT).await?;
            }
            crowd.measure(pairs, EDITS_PER_SECOND, search.step, server).await
        })
        .await?;
    let agrees = crowd.leave(SAMPLE).await?;
    row(peer, &found, agrees)
}

fn row(peer: &str, found: &Found, agrees: bool) -> Result<Row> {
    let best = found.best.as_ref().context("not even the smallest load was sustained")?;
    let [p50, p99, max] = best.latency_ms;
    let mut remark = match &found.failed {
        Some(failed) if failed.converged() => format!("p99 {:.0} ms at {}", failed.latency_ms[1], failed.load),
        Some(failed) => format!("not converged at {}", failed.load),
        None => "more was not tried".to_owned(),
    };
    if found.by_generator {
        remark.push_str("; the generator was the limit");
    }
    Ok(Row::new("co-edit", peer)
        .with("pairs", "", best.load as f64)
        .with("edits", "/s", best.edits_per_second)
        .with("p50", "ms", p50)
        .with("p99", "ms", p99)
        .with("max", "ms", max)
        .with("server CPU", "µs/edit", best.server_us)
        .with("server core", "%", best.server_core * 100.0)
        .with("server waited", "%", best.server_waited * 100.0)
        .with("generator core", "%", best.generator_core * 100.0)
        .sound(best.converged() && agrees)
        .remark(remark))
}
