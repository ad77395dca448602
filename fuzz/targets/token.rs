//! See `tests/src/fuzz/token.rs`.
#![no_main]

taiwa_fuzz::target!("token");
