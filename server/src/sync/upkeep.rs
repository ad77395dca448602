//! What the hub does by the clock: expired tokens, quiet digests, packing, eviction, and what a crash left.
//!
//! Nothing here is needed for an edit to be stored or acknowledged; everything here may fail and is tried again.

use std::{sync::Arc, time::Duration};

use taiwa_shared::sync::{chunks::encode_pack, limits::MAX_ROW_BYTES};
use tokio::time::{MissedTickBehavior, interval};

use super::{
    Shared,
    document::OpenDocument,
    open::{Damage, body_bytes, log_bytes, off_the_loop, read_rows},
    state::{Condition, PLAIN},
};
use crate::store::{StoreError, chunks::ChunkRow};

/// A sweep looks at every open document; what it does is in no hurry.
const TICKS_PER_SWEEP: u32 = 4;
/// Digests renewed in one transaction.
const DIGESTS_PER_COMMIT: usize = 256;
/// A document in use is folded when it has this many times the rows of an idle one: some hours of writing.
const OFTEN: usize = 64;
/// 16 MiB of changes in one pack, a quarter of what a row may inflate to; what is older is not folded again.
const MAX_FOLDED_BYTES: usize = MAX_ROW_BYTES / 4;

/// Closes expired connections and has access checked from time to time, until the hub has halted.
pub(super) async fn watch(hub: Arc<Shared>) {
    let mut tick = interval(hub.limits.tick);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Each tick checks its share of the connections, so that thousands do not ask the records at once.
    let shares = hub.limits.access_recheck.as_millis() / hub.limits.tick.as_millis().max(1);
    let shares = u64::try_from(shares).unwrap_or(u64::MAX).max(1);
    let mut share = 0;
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = hub.halted.cancelled() => return,
        }
        hub.roster.close_expired(hub.clock.now());
        share = (share + 1) % shares;
        hub.roster.each(|connection| {
            if connection.id % shares == share {
                connection.outbox.check_access();
            }
        });
    }
}

/// Renews digests and evicts, until the hub has halted.
pub(super) async fn sweep(hub: Arc<Shared>) {
    let mut tick = interval(hub.limits.tick * TICKS_PER_SWEEP);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => sweep_once(&hub).await,
            () = hub.halted.cancelled() => return,
        }
    }
}

/// Renews the digests that a crash left stale.
pub(super) async fn recover(hub: Arc<Shared>) {
    let stale = match hub.store.stale_digests().await {
        Ok(stale) => stale,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "listing stale digests");
            return;
        }
    };
    for few in stale.chunks(DIGESTS_PER_COMMIT) {
        let mut opened = Vec::with_capacity(few.len());
        for stale in few {
            if hub.stopping.is_cancelled() {
                return;
            }
            let name = (stale.organisation, stale.document);
            match hub.registry.open(&hub.store, name, &stale.key, stale.generation).await {
                Ok(document) => opened.extend(document),
                Err(error) => tracing::error!(
                    document.id = %stale.document, error = &error as &dyn std::error::Error, "opening a document"
                ),
            }
        }
        renew(&hub, opened.clone()).await;
        for document in &opened {
            hub.registry.evict(document);
        }
    }
    if !stale.is_empty() {
        tracing::info!(documents = stale.len(), "digests renewed after an unclean stop");
    }
}

/// Renews the digests of all open documents that need it.
pub(super) async fn renew_all(hub: &Shared) {
    let stale: Vec<_> = conditions(hub).into_iter().filter(|(_, now)| now.digest_stale).collect();
    for few in stale.chunks(DIGESTS_PER_COMMIT) {
        renew(hub, few.iter().map(|(document, _)| Arc::clone(document)).collect()).await;
    }
}

async fn sweep_once(hub: &Shared) {
    let limits = &hub.limits;
    let documents = conditions(hub);
    let resident: usize = documents.iter().map(|(_, now)| now.resident_bytes).sum();
    let mut spare = resident.saturating_sub(limits.resident_budget_bytes);

    let mut unused: Vec<(Duration, &Arc<OpenDocument>, &Condition)> = documents
        .iter()
        .filter(|(_, now)| !now.waiting)
        .filter_map(|(document, now)| now.unused_for.map(|since| (since, document, now)))
        .collect();
    unused.sort_by_key(|(since, ..)| std::cmp::Reverse(*since));
    let leaving: Vec<(&Arc<OpenDocument>, &Condition)> = unused
        .into_iter()
        .filter(|(since, _, now)| {
            let over_budget = spare > 0;
            if over_budget {
                spare = spare.saturating_sub(now.resident_bytes);
            }
            over_budget || *since >= limits.evict_after
        })
        .map(|(_, document, now)| (document, now))
        .collect();

    // What slow readers wait for is read again when they take it; the whole server is not to run out of memory for them.
    let mut awaited: Vec<_> = documents.iter().filter(|(_, now)| now.unused_for.is_none()).collect();
    awaited.sort_by_key(|(_, now)| std::cmp::Reverse(now.archive_bytes));
    for (document, now) in awaited.into_iter().take_while(|(_, now)| now.archive_bytes > 0) {
        if spare == 0 {
            break;
        }
        spare = spare.saturating_sub(now.archive_bytes);
        // A retired document has no memory.
        let _ = hub.enter(document, |state| state.set_archive(None));
    }

    let quiet = documents.iter().filter(|(_, now)| now.quiet_for >= limits.quiet_after).map(|(d, now)| (d, now));
    let mut stale: Vec<Arc<OpenDocument>> = Vec::new();
    for (document, now) in quiet.chain(leaving.iter().copied()) {
        if now.digest_stale && !stale.iter().any(|listed| Arc::ptr_eq(listed, document)) {
            stale.push(Arc::clone(document));
        }
    }
    for few in stale.chunks(DIGESTS_PER_COMMIT) {
        renew(hub, few.to_vec()).await;
    }
    // A document that somebody always has open is folded too, only later.
    let often = |now: &Condition| now.unused_for.is_none() && now.rows > OFTEN * limits.pack_rows;
    for (document, _) in documents.iter().filter(|(_, now)| now.quiet_for >= limits.quiet_after && often(now)) {
        fold(hub, document).await;
    }
    for (document, now) in leaving {
        if now.rows > limits.pack_rows || (now.rows > 0 && now.log_bytes > limits.pack_log_bytes) {
            fold(hub, document).await;
        }
        hub.registry.evict(document);
    }
}

fn conditions(hub: &Shared) -> Vec<(Arc<OpenDocument>, Condition)> {
    let documents = hub.registry.documents().into_iter();
    documents
        .filter_map(|document| {
            hub.enter(&document, |state| state.condition(hub.limits.quiet_after)).ok().map(|now| (document, now))
        })
        .collect()
}

async fn renew(hub: &Shared, documents: Vec<Arc<OpenDocument>>) {
    if documents.is_empty() {
        return;
    }
    if let Err(error) = hub.committer.renew_digests(documents).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "renewing digests");
    }
}

/// Puts one deflated row in the place of the document's newest rows.
async fn fold(hub: &Shared, document: &Arc<OpenDocument>) {
    match try_fold(hub, document).await {
        Ok(Ok(())) => {}
        Ok(Err(damage)) => {
            tracing::error!(document.id = %document.id, damage = %damage, "document quarantined: its rows are left as they are");
            hub.quarantine(document);
        }
        Err(error) => {
            tracing::warn!(document.id = %document.id, error = &error as &dyn std::error::Error, "folding rows");
        }
    }
}

/// Damage is what the store has and cannot be read; a pack that cannot be made is no damage.
async fn try_fold(hub: &Shared, document: &Arc<OpenDocument>) -> Result<Result<(), Damage>, StoreError> {
    let rows = hub.store.chunks(document.organisation, document.id).await?;
    let folding = match off_the_loop(body_bytes(&rows), move || pack_newest(&rows, MAX_FOLDED_BYTES)).await {
        Ok(Some(folding)) => folding,
        Ok(None) => return Ok(Ok(())),
        Err(damage) => return Ok(Err(damage)),
    };
    let Folding { first, count, logged, row } = folding;
    if hub.committer.fold(Arc::clone(document), first, count as u64, row).await? {
        // Retired meanwhile: whoever opens it next counts the rows.
        let _ = hub.enter(document, |state| state.folded(count, logged));
    }
    Ok(Ok(()))
}

/// A row in the place of `count` others, the first of which is `first`.
#[derive(Debug, PartialEq, Eq)]
struct Folding {
    first: i64,
    count: usize,
    /// Bytes of them that were not packed.
    logged: usize,
    row: ChunkRow,
}

/// Packs the newest rows whose changes have up to `most` bytes together; none if there is nothing to gain. Bytes of
/// changes, not of rows: what deflates well would make a pack that is too large to be read.
fn pack_newest(rows: &[ChunkRow], most: usize) -> Result<Option<Folding>, Damage> {
    let mut bytes = 0;
    let mut parts = Vec::new();
    for row in rows.iter().rev() {
        let changes = read_rows(std::slice::from_ref(row))?;
        bytes += changes.iter().map(|change| change.bytes.len()).sum::<usize>();
        if bytes > most {
            break;
        }
        parts.push(changes);
    }
    let newest = &rows[rows.len() - parts.len()..];
    let logged = log_bytes(newest);
    let (Some(first), Some(last)) = (newest.first(), newest.last()) else { return Ok(None) };
    if first.n == last.n && logged == 0 {
        return Ok(None);
    }
    let chunks: Vec<_> = parts.into_iter().rev().flatten().map(|change| change.bytes).collect();
    let mut body = vec![PLAIN];
    body.append(&mut encode_pack(&chunks));
    let row = ChunkRow { n: last.n, body };
    // Nothing is removed before its replacement was read back, hash by hash.
    let is_whole =
        read_rows(std::slice::from_ref(&row)).is_ok_and(|again| again.iter().map(|change| &change.bytes).eq(&chunks));
    if !is_whole {
        tracing::error!(rows = newest.len(), "a pack does not hold what was packed: the rows stay");
        return Ok(None);
    }
    Ok(Some(Folding { first: first.n, count: newest.len(), logged, row }))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use taiwa_shared::{
        documents::{Editor, Replica, genesis, memo},
        domain::ownership::DocumentKey,
        ids::{MeetingId, PairId, UserId},
        sync::chunks::encode_log,
        time::Timestamp,
    };

    use super::*;

    /// Log rows of one change each, all of which deflate to next to nothing together.
    fn compressible(count: usize) -> Vec<ChunkRow> {
        let key = DocumentKey::Memo { pair: PairId::from_bytes([1; 16]), meeting: MeetingId::from_bytes([2; 16]) };
        let genesis = genesis(&key, 0);
        let editor = Editor { user: UserId::from_bytes([3; 16]), actor: [4; 16] };
        let mut replica = Replica::open(key, 0, [&genesis.bytes[..]], editor).unwrap();
        (0..count as i64)
            .map(|n| {
                memo::splice_utf16(&mut replica, 0, 0, "あ", Timestamp::from_millis(1_000)).unwrap();
                let log: Vec<Bytes> = replica.take_changes().into_iter().map(Bytes::from).collect();
                ChunkRow { n, body: [vec![PLAIN], encode_log(&log)].concat() }
            })
            .collect()
    }

    #[test]
    fn packs_are_bounded_by_what_they_inflate_to_however_small_they_are() {
        let mut rows = compressible(40);
        let most = body_bytes(&rows[20..]);
        let folding = pack_newest(&rows, most).unwrap().unwrap();
        assert!(folding.count >= 20 && folding.count < 25, "{}", folding.count);
        assert!(folding.row.body.len() < most / 2, "small as a row");
        assert_eq!((folding.first, folding.row.n), (40 - folding.count as i64, 39));
        let packed = read_rows(std::slice::from_ref(&folding.row)).unwrap();
        assert_eq!(packed, read_rows(&rows[40 - folding.count..]).unwrap());

        // The pack is as large as may be: the older rows are left alone, and it is never packed with them again.
        rows.truncate(40 - folding.count);
        rows.push(folding.row);
        assert_eq!(pack_newest(&rows, most).unwrap(), None);
        assert_eq!(pack_newest(&rows, 0).unwrap(), None);
    }

    #[test]
    fn only_what_is_stored_can_be_damaged() {
        let mut rows = compressible(3);
        *rows[1].body.last_mut().unwrap() ^= 1;
        assert!(matches!(pack_newest(&rows, usize::MAX), Err(Damage::Row { n: 1, .. })));
    }
}
