//! `memos`: whether a long memo is dearer than a short one: the edits per second that are sustained in some hundred memos
//! of 80 and of 25,000 characters.
//!
//! The memos are fewer than the pairs of `co-edit` and their people type faster, so that the long ones can be made in a
//! reasonable time; both lengths are measured in the same way, and their ratio counts.

use std::time::Duration;

use anyhow::{Context, Result};
use taiwa_tests::figures::Row;

use super::Bench;
use crate::{
    crowd::{Base, Crowd},
    house::{House, Size},
    ladder::Search,
};

/// Memos that are read anew from the server at the end.
const SAMPLE: usize = 2;

/// Measures.
///
/// # Errors
/// If a server does not start, or a client fails.
pub(super) async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let short = of_length(bench, "memos of 80", Base::SHORT, 6_000).await?;
    // The search for the long ones begins where the short ones ended.
    let first = short.figure("edits").map_or(6_000, |edits| (edits * 0.9) as usize);
    let long = of_length(bench, "memos of 25,000", Base::LONG, first).await?;
    Ok(vec![short, long])
}

async fn of_length(bench: &Bench, name: &str, base: Base, first: usize) -> Result<Row> {
    eprintln!("   {name} characters");
    let memos = if bench.quick { 40 } else { 200 };
    let (seconds, tries) = if bench.quick { (3, 4) } else { (10, 8) };
    let search = Search { first, most: 40_000, factor: 1.5, step: Duration::from_secs(seconds), tries };
    let house = House::open(Size::of_pairs(memos), bench.pinned).await?;
    let tables = (0..memos).map(|pair| house.table(pair, 0, 2)).collect::<Result<_>>()?;
    let mut crowd = Crowd::new()?;
    crowd.grow(tables, base).await?;
    let server = house.server()?.pid;
    let found = search
        .run(async |edits| {
            let of_one = edits as f64 / (2 * memos) as f64;
            crowd.measure(memos, of_one, search.step, server).await
        })
        .await?;
    let agrees = crowd.leave(SAMPLE).await?;
    let best = found.best.context("not even the smallest load was sustained")?;
    Ok(Row::new(name, "taiwa")
        .with("memos", "", memos as f64)
        .with("edits", "/s", best.edits_per_second)
        .with("p50", "ms", best.latency_ms[0])
        .with("p99", "ms", best.latency_ms[1])
        .with("server CPU", "µs/edit", best.server_us)
        .sound(best.converged() && agrees)
        .remark(if found.by_generator { "the generator was the limit" } else { "" }))
}
