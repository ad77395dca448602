//! People, pairs, meetings and the existence of documents: the server's word on who may see what.
//!
//! Map: [`access`] what somebody may do with a document right now; [`feed`] the records pull; [`claims`] documents that
//! phones derived; [`commands`] what the outboxes of phones ask for; `slots` meetings that are no record yet; [`import`]
//! the CSV of an organisation; [`people`] its first person; [`leaving`] the end of somebody's access; [`ratings`] what
//! members say about 1on1s and its weekly count; [`upkeep`] what
//! happens by itself as time passes. Knows nothing of HTTP and of the contents of documents.

pub mod access;
pub mod claims;
pub mod commands;
pub mod feed;
pub mod import;
pub mod leaving;
pub mod people;
pub mod ratings;
mod slots;
pub mod upkeep;
