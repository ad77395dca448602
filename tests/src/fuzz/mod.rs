//! What must hold for any bytes at all, one function per kind of input: never a panic, never bytes that mean two things.
//!
//! `cargo xtask fuzz` drives them with libFuzzer (`fuzz/` at the top of the repository); the test `corpus` replays every
//! input that was ever found interesting. A function panics when something does not hold. Map: [`frame`], [`message`],
//! [`chunk`], [`people`], [`query`], [`token`] the targets; [`seeds`] inputs to begin with.

mod change;
mod chunk;
mod frame;
mod message;
mod people;
mod query;
pub mod seeds;
mod token;

/// A target and its name.
pub type Target = (&'static str, fn(&[u8]));

/// All targets; the corpus of each lies in `fuzz/corpus/` under its name.
pub const TARGETS: [Target; 6] = [
    ("frame", frame::frame),
    ("message", message::message),
    ("chunk", chunk::chunk),
    ("people", people::people),
    ("query", query::query),
    ("token", token::token),
];

/// Runs the target of this name.
///
/// # Panics
/// If something does not hold, or there is no such target.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS.into_iter().find(|(known, _)| *known == name).expect("a target of the list");
    target(data);
}
