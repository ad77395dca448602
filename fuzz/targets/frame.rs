//! See `tests/src/fuzz/frame.rs`.
#![no_main]

taiwa_fuzz::target!("frame");
