//! The real server on a simulated network in simulated time: its router, hub and records over a real database, behind a
//! door of ours instead of a port. Why so and not with turmoil: docs/adr/0005.
//!
//! Map: [`time`] time that passes only while neither the program nor the database has anything to do; [`network`] lines
//! that delay, stall, split, hold, break and refuse, all from a seed; [`tap`] what the server wrote, frame by frame;
//! [`device`] a client made of our engine; [`house`] the server, its people and its database, crashed and started again.

pub mod device;
pub mod house;
pub mod network;
pub mod tap;
pub mod time;
