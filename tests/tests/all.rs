//! Every test that crosses a crate, in one binary. Names are sentences; each module says what it holds.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod hub;
mod phone_session;
mod phone_sync;
mod same_seed;
mod server_edges;
mod store_suite;
