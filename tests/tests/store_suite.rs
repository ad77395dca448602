//! One body per promise of the store and the records, run on SQLite and on PostgreSQL.
//!
//! Everything goes through public functions of the server; nothing here knows a table, but `news`,
//! which makes commits fail.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod chunks;
mod claims;
mod commands;
mod feed;
mod fixture;
mod import;
mod invites;
mod login;
mod news;
mod orders;
mod organisations;
mod races;
mod ratings;
mod refresh;
mod scheduling;
mod sql;
mod tip_races;
mod tip_search;
mod tips;

/// Declares each body as a test on both databases.
macro_rules! on_both {
    ($($(#[$meta:meta])* $name:ident;)*) => {
        mod sqlite {
            $($(#[$meta])* #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::store_suite::fixture::Fixture::sqlite().await).await;
            })*
        }
        mod postgres {
            $($(#[$meta])* #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let name = concat!(module_path!(), "::", stringify!($name));
                if let Some(fixture) = crate::store_suite::fixture::Fixture::postgres(name).await {
                    super::$name(fixture).await;
                }
            })*
        }
    };
}
use on_both;
