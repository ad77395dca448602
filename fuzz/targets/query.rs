//! See `tests/src/fuzz/query.rs`.
#![no_main]

taiwa_fuzz::target!("query");
