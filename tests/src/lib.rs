//! What the tests and the demo share: the real server, real phones, and lines between them that fail.
//!
//! Map: [`process`] the server as a process that can be killed; [`link`] a line that delays, loses and is cut; [`tls`]
//! a certificate authority and a terminator; [`rest`] plain requests; [`inspect`] what a store really holds; [`clock`]
//! a time that tests move; [`plain_client`] a client without our engine; [`eventually`] waiting for a condition; [`seed`] randomness that can be repeated; [`turn`]
//! heavy tests one after another; [`skip`] saying loudly that a tool is missing; [`stock_client`] a JavaScript client; [`demo`] the demo company and its
//! story. Knows nothing of private modules.

pub mod clock;
pub mod demo;
pub mod eventually;
pub mod inspect;
pub mod link;
pub mod plain_client;
pub mod postgres;
pub mod process;
pub mod rest;
pub mod seed;
pub mod skip;
pub mod stock_client;
pub mod tls;
pub mod turn;
