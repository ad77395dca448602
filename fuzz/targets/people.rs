//! See `tests/src/fuzz/people.rs`.
#![no_main]

taiwa_fuzz::target!("people");
