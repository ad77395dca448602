//! People, pairs, meetings and the existence of documents: the server's word on who may see what.
//!
//! Map: [`access`] what somebody may do with a document right now. Knows nothing of HTTP and of the contents of
//! documents.

pub mod access;
