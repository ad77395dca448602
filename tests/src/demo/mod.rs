//! The demo: a generated company, and the story that `cargo xtask demo --once` plays with real phones.
//!
//! Uses the product as its users do: the server's commands, the phone core's public API, real sockets.

pub mod company;
mod names;
mod phone;
mod serve;
mod story;
mod timeline;

pub use serve::serve;
pub use story::play_once;
