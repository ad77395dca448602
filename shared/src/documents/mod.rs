//! The Automerge documents of section 3 of the design: the only code that opens or writes one.
//!
//! | module | what |
//! | --- | --- |
//! | `genesis` | the first change of every document, the same on every device |
//! | `replica` | one open document: apply what arrived, hand out what was written here |
//! | `history` | who wrote what and when, and how a text was |
//! | [`draft`], [`prep`], [`notebook`], [`memo`], [`comments`], [`private`] | typed reads and writes |
//! | [`composition`], [`caret`] | the text of an input method, and the other person's caret |
//!
//! Readers never fail: unknown keys are kept and ignored, a value of a wrong type counts as absent, and nothing recurses
//! into what it does not know. Writers make one change each. Knows nothing of storage, sockets or screens.

pub mod caret;
mod choices;
pub mod comments;
pub mod composition;
pub mod draft;
mod error;
mod fields;
mod genesis;
mod history;
pub mod memo;
pub mod notebook;
pub mod prep;
pub mod private;
mod replica;
mod text;

pub use choices::Preparation;
pub use error::DocumentError;
pub use genesis::{Genesis, genesis};
pub use history::{Paragraph, Version};
pub use replica::{Applied, Editor, Replica, TextSplice};

#[cfg(test)]
mod tests;
