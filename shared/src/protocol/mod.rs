//! REST bodies: what phone and server say to each other outside the sync socket.
//!
//! Map: [`login`] getting and renewing tokens; [`records`] the pull and document claims; [`commands`] what the outbox sends; [`devices`] a person's sign-ins;
//! [`people`] what an import of the list of people changes; [`ratings`] a member's own ratings, [`strengths`] a manager's own words, [`tips`] other managers' tips; [`problem`] errors.
//! Plain serde types; unknown fields are ignored so that an older phone understands a newer server.

pub mod commands;
pub mod devices;
pub mod login;
pub mod people;
pub mod problem;
pub mod ratings;
pub mod records;
pub mod strengths;
pub mod tips;
