//! What a taiwa phone and a taiwa server agree on.
//!
//! Everything here is a pure function of its arguments: no async, no files, no sockets, no clock and no
//! randomness of its own; the time and random bytes are passed in. Knows nothing of HTTP, SQL or user interfaces.

pub mod documents;
pub mod domain;
pub mod ids;
pub mod protocol;
pub mod sync;
pub mod time;
