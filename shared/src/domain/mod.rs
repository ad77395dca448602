//! The 1on1 domain: people, pairs, meetings, what may be talked about, and what the manager reads just before.
//!
//! Map: [`people`] who there is; [`meeting`], [`cadence`] and [`holidays`] when they meet, [`command`] what people
//! ask of the records and [`scheduling`] what becomes of it; [`ownership`] which document belongs to
//! whom and who may read it; [`catalog`] topics, responses and hints; [`brief`] the screen of ten seconds; [`proposal`] the next
//! date, [`reminders`] a phone's notices, [`search`] finding a line again; [`rating`] what a member says afterwards,
//! [`strengths`] the words that a manager gets from it; [`tip`] what a manager tells others,
//! [`tip_warning`] what in one names somebody.
//! Knows nothing of Automerge, SQL or the network.

pub mod brief;
pub mod cadence;
pub mod catalog;
pub mod command;
pub mod holidays;
pub mod meeting;
pub mod ownership;
pub mod people;
pub mod proposal;
pub mod rating;
pub mod reminders;
pub mod scheduling;
pub mod search;
pub mod strengths;
pub mod suggestion;
pub mod tip;
pub mod tip_warning;
