//! What happens by itself: news of other processes' changes, the end of sight of closed pairs, the count of ratings,
//! tidying.
//!
//! One task, woken every second. It moves nothing that a request waits for.

use std::{collections::HashMap, sync::Arc, time::Duration};

use taiwa_shared::{
    domain::ownership::CLOSED_PAIR_READABLE,
    ids::OrganisationId,
    time::{Clock, Timestamp},
};
use tokio::{
    sync::broadcast::{Receiver, error::TryRecvError},
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{
    bus::{Bus, News},
    store::{Store, StoreError, pairs::Sight},
};

use super::{
    commands::OUTCOME_MEMORY,
    ratings::{key::RatingKey, weekly},
};

/// An import in another process is felt this soon.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the server looks for pairs whose thirty days are over, for expired sign-in rows and for a count that is due,
/// by the clock.
const TIDY_EVERY: Duration = Duration::from_secs(60);
/// Failed sign-ins are forgotten after a day without another.
const LOCK_MEMORY: Duration = Duration::from_secs(24 * 60 * 60);

/// Runs until cancelled.
pub async fn run(
    store: Store,
    bus: Bus,
    clock: Arc<dyn Clock>,
    rating_key: Arc<RatingKey>,
    cancelled: CancellationToken,
) {
    let mut news = bus.subscribe();
    let mut known: HashMap<OrganisationId, i64> = HashMap::new();
    let mut tidied = None;
    let mut tick = interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancelled.cancelled() => return,
            _ = tick.tick() => {}
        }
        let now = clock.now();
        if tidied.is_none_or(|at| now.since(at) >= TIDY_EVERY || now < at) {
            tidied = Some(now);
            report("tidying", tidy(&store, &bus, now).await);
            report("counting ratings", weekly::count_due(&store, &rating_key, now).await);
        }
        report("looking for changes", announce(&store, &bus, &mut news, &mut known).await);
        report("moving the log", store.checkpoint().await);
    }
}

fn report(what: &str, outcome: Result<(), StoreError>) {
    if let Err(error) = outcome {
        tracing::warn!(error = &error as &dyn std::error::Error, "{what} failed; tried again later");
    }
}

/// Publishes news of counters that moved and that nobody in this process has announced.
async fn announce(
    store: &Store,
    bus: &Bus,
    news: &mut Receiver<News>,
    known: &mut HashMap<OrganisationId, i64>,
) -> Result<(), StoreError> {
    let counters = store.counters().await?;
    loop {
        match news.try_recv() {
            Ok(News::Records { organisation, counter }) => {
                let last = known.entry(organisation).or_insert(counter);
                *last = counter.max(*last);
            }
            Ok(News::Revoked { .. }) | Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    for (organisation, counter) in counters {
        if known.insert(organisation, counter).is_none_or(|last| counter > last) {
            bus.publish(News::Records { organisation, counter });
        }
    }
    Ok(())
}

async fn tidy(store: &Store, bus: &Bus, now: Timestamp) -> Result<(), StoreError> {
    store.forget_expired_logins(now, now.minus(LOCK_MEMORY)).await?;
    store.forget_outcomes(now.minus(OUTCOME_MEMORY)).await?;
    lose_sight_of_closed_pairs(store, bus, now).await
}

/// Takes away former managers' sight of pairs that were closed thirty days ago; their phones are told to drop them.
///
/// # Errors
/// [`StoreError`] if the records could not be read or written.
pub async fn lose_sight_of_closed_pairs(store: &Store, bus: &Bus, now: Timestamp) -> Result<(), StoreError> {
    loop {
        let over = store.sights_to_lose(now.minus(CLOSED_PAIR_READABLE)).await?;
        // In the order of organisations, as counters are taken.
        for organisation in over.chunk_by(|one, other| one.0 == other.0) {
            let id = organisation[0].0;
            let mut tx = store.begin().await?;
            let counter = tx.next_rev(id).await?;
            for (_, person, pair) in organisation {
                tx.set_sight(id, *person, *pair, Sight::Lost, counter).await?;
            }
            tx.commit().await?;
            bus.publish(News::Records { organisation: id, counter });
        }
        if over.is_empty() {
            return Ok(());
        }
    }
}
