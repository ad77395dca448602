//! What the tests and the demo share: real processes, real sockets, real phones.

pub mod demo;
