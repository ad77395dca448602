//! The offline-first phone core of taiwa.
//!
//! Map: [`store`] the sealed SQLite file of one person; [`http`] REST; [`sync`] the socket; [`session`] one signed-in person,
//! which joins them; [`api`] what Kotlin and Swift see. A local edit never waits for the network.

pub mod api;
pub mod http;
pub mod session;
pub mod store;
pub mod sync;

uniffi::setup_scaffolding!();
