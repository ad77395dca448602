//! What the hub does by the clock: expired tokens, quiet digests, packing, eviction, and what a crash left.
//!
//! Nothing here is needed for an edit to be stored or acknowledged; everything here may fail and is tried again.

use std::{sync::Arc, time::Duration};

use taiwa_shared::sync::chunks::encode_pack;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    Shared,
    document::OpenDocument,
    open::{Damage, body_bytes, log_bytes, off_the_loop, read_rows},
    state::{Condition, PLAIN},
};
use crate::store::{StoreError, chunks::ChunkRow};

/// Digests renewed in one transaction.
const DIGESTS_PER_COMMIT: usize = 256;
/// A document in use is folded when it has this many times the rows of an idle one: some hours of writing.
const OFTEN: usize = 64;
/// 16 MiB: rows of a document beyond this, counted from the newest, are not folded again.
const MAX_FOLDED_BYTES: usize = 16 * 1024 * 1024;

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
    let mut tick = interval(hub.limits.tick);
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

/// Puts one deflated row in the place of the document's rows.
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

async fn try_fold(hub: &Shared, document: &Arc<OpenDocument>) -> Result<Result<(), Damage>, StoreError> {
    let mut rows = hub.store.chunks(document.organisation, document.id).await?;
    let mut bytes = 0;
    let newest = rows.iter().rev().take_while(|row| {
        bytes += row.body.len();
        bytes <= MAX_FOLDED_BYTES
    });
    let count = newest.count();
    rows.drain(..rows.len() - count);
    let (Some(first), Some(last)) = (rows.first().map(|row| row.n), rows.last().map(|row| row.n)) else {
        return Ok(Ok(()));
    };
    if first == last && log_bytes(&rows) == 0 {
        return Ok(Ok(()));
    }
    let logged = log_bytes(&rows);
    let size = body_bytes(&rows);
    let packed = off_the_loop(size, move || {
        let changes = read_rows(&rows)?;
        let chunks: Vec<_> = changes.iter().map(|change| change.bytes.clone()).collect();
        let mut body = vec![PLAIN];
        body.append(&mut encode_pack(&chunks));
        // Nothing is removed before its replacement was read back, hash by hash.
        let again = read_rows(&[ChunkRow { n: last, body: body.clone() }])?;
        let same = again.iter().map(|change| &change.bytes).eq(changes.iter().map(|change| &change.bytes));
        if same { Ok(body) } else { Err(Damage::Packing) }
    });
    let body = match packed.await {
        Ok(body) => body,
        Err(damage) => return Ok(Err(damage)),
    };
    let row = ChunkRow { n: last, body };
    if hub.committer.fold(Arc::clone(document), first, count as u64, row).await? {
        // Retired meanwhile: whoever opens it next counts the rows.
        let _ = hub.enter(document, |state| state.folded(count, logged));
    }
    Ok(Ok(()))
}
