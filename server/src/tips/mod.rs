//! Tips: what managers tell other managers, in the order in which it helped.
//!
//! Map: [`commands`] writing, withdrawing, trying and reporting; [`feed`] the pages and the shelf of a phone; [`score`]
//! the order; [`grams`] tokens of the search; [`review`] what goes to other companies, and what is taken down. Readers and
//! writers are managers; whoever is not one finds nothing here. Never says who a tip helped.

pub mod commands;
pub mod feed;
pub mod grams;
pub mod review;
pub mod score;

use taiwa_shared::time::{Timestamp, Zone};

use crate::store::Store;

/// The beginning of the day in Japan, where people write: a time of day would say more than they mean to.
fn day_of(moment: Timestamp) -> Timestamp {
    let zone = Zone::tokyo();
    zone.at(moment.in_zone(&zone).date().at(0, 0, 0, 0))
}

/// Indexes what the search lacks, as after a restore: a backup holds no index. A server without a database that can be
/// read says so elsewhere.
pub async fn index_missing(store: &Store) {
    match store.index_missing_tips(grams::of_text).await {
        Ok(0) => {}
        Ok(tips) => tracing::info!(tips, "tips indexed for the search"),
        Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "indexing tips for the search"),
    }
}
