//! What the tests and the demo share: the real server, real phones, and lines between them that fail.
//!
//! Map: [`link`] a line that delays, loses and is cut; [`tls`] a certificate authority and a terminator; [`rest`] plain
//! requests; [`clock`] a time that tests move; [`eventually`] waiting for a condition; [`seed`] randomness that can be
//! repeated; [`turn`] heavy tests one after another; [`skip`] saying loudly that a tool is missing; [`demo`] the demo
//! company and its story. Knows nothing of private modules.

pub mod clock;
pub mod demo;
pub mod eventually;
pub mod link;
pub mod rest;
pub mod seed;
pub mod skip;
pub mod tls;
pub mod turn;
