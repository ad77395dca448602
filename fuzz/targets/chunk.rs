//! See `tests/src/fuzz/chunk.rs`.
#![no_main]

taiwa_fuzz::target!("chunk");
