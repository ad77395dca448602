//! The sans-IO sync engine: one for the phone (one peer per document) and the hub (many).
//!
//! Sync moves changes; documents give them meaning. Nothing here opens an Automerge document, does IO, reads a clock
//! or knows what a document contains. [`wire`] frames, [`document`] one document's state with all its peers,
//! [`chunks`] what is stored of a change, [`rejection`] why a peer's bytes were refused, [`limits`] the numbers.

pub mod chunks;
pub mod document;
pub mod limits;
pub mod rejection;
pub mod wire;

mod exchange;
mod graph;
mod guard;
mod message;
mod op_index;
mod parked;
mod runs;
#[cfg(test)]
mod tests;
