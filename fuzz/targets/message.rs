//! See `tests/src/fuzz/message.rs`.
#![no_main]

taiwa_fuzz::target!("message");
