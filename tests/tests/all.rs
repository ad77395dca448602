//! Every test that crosses a crate, in one binary. Names are sentences; each module says what it holds.

mod hub;
mod phone_session;
mod phone_sync;
mod same_seed;
mod server_edges;
mod store_suite;
