//! `guard`: which part of an edit's cost is checking it: the frames of a run, checked once more by themselves.
//!
//! Everything between the frame's bytes and the staged change counts as guard: reading the message, inspecting each
//! change, its place in the graph, and what its operations refer to. The run is one of pairs that type, as in `co-edit`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use taiwa_shared::{
    documents::genesis,
    sync::{
        chunks::StoredChange,
        document::{Authors, DocumentSync, PeerAccess, PeerRole, UncheckedMessage},
    },
};
use taiwa_tests::figures::Row;

use super::Bench;
use crate::{
    crowd::{Base, Crowd, Said},
    house::{House, Size, Table},
};

/// Pairs: as many as keep the server busy without overloading it.
const PAIRS: usize = 1_000;
/// Memos whose messages are kept.
const RECORDED: usize = 200;

/// How often each memo's messages are checked.
const REPEATED: usize = 5;

/// Measures.
///
/// # Errors
/// If a server does not start, or a client fails.
pub(super) async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let house = House::open(Size::of_pairs(PAIRS), bench.pinned).await?;
    let tables = (0..PAIRS).map(|pair| house.table(pair, 0, 2)).collect::<Result<Vec<_>>>()?;
    let mut crowd = Crowd::new()?;
    crowd.record(RECORDED);
    crowd.grow(tables.clone(), Base::SHORT).await?;
    let length = Duration::from_secs(if bench.quick { 4 } else { 10 });
    let measured = crowd.measure(PAIRS, 2.0, length, house.server()?.pid).await?;
    let said = crowd.said();
    let agrees = crowd.leave(1).await?;
    let (mut guard, mut edits, mut messages) = (Duration::ZERO, 0, 0);
    for (table, said) in tables.iter().zip(&said) {
        let mut checked = check(table, said)?;
        for _ in 1..REPEATED {
            // The quickest of several: what else the machine does is no part of the guard.
            checked.took = checked.took.min(check(table, said)?.took);
        }
        guard += checked.took;
        edits += checked.edits;
        messages += checked.messages;
    }
    let each = guard.as_secs_f64() * 1e6 / f64::from(edits.max(1));
    Ok(vec![
        Row::new("guard", "taiwa")
            .with("messages", "", f64::from(messages))
            .with("edits", "", f64::from(edits))
            .with("guard", "µs/edit", each)
            .with("server CPU", "µs/edit", measured.server_us)
            .with("share", "%", 100.0 * each / measured.server_us)
            .sound(measured.converged() && agrees),
    ])
}

struct Checked {
    took: Duration,
    edits: u32,
    messages: u32,
}

/// Checks the messages of one memo as the hub did.
fn check(table: &Table, said: &[Said]) -> Result<Checked> {
    let first = StoredChange::read(Bytes::from(genesis(&table.key, 0).bytes)).context("the first change")?;
    let mut hub: DocumentSync<usize> = DocumentSync::open(first, [], [])?;
    for (number, seat) in table.seats.iter().enumerate() {
        hub.connect(number, PeerRole { access: PeerAccess::Write, authors: Authors::Only(seat.user) });
    }
    let mut checked = Checked { took: Duration::ZERO, edits: 0, messages: 0 };
    for Said { seat, kind, data, is_base } in said {
        let started = Instant::now();
        let message = UncheckedMessage::read(*kind, data, true)?;
        let message = message.inspect(|hash| hub.knows(*seat, hash))?;
        let accepted = hub.admit(*seat, message)?;
        let took = started.elapsed();
        // The text that was there before the run does not count.
        if !is_base {
            checked.took += took;
            checked.edits += u32::try_from(accepted.len())?;
            checked.messages += 1;
        }
        hub.commit();
        for number in 0..table.seats.len() {
            while hub.next_message(number).is_some() {}
        }
    }
    Ok(checked)
}
