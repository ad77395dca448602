//! Every test that crosses a crate, in one binary. Names are sentences; each module says what it holds.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod access;
mod authors;
mod backup;
mod bad_bodies;
mod bad_frames;
mod bad_tokens;
mod commands;
mod convergence;
mod corpus;
mod damaged_files;
mod devices;
mod encrypted;
mod faults;
mod genesis;
mod hostile;
mod hub;
mod interop;
mod killed_phone;
mod killed_recovery;
mod killed_server;
mod local_edits;
mod login;
mod logs;
mod metrics;
mod migrations;
mod news;
mod openapi;
mod operating;
mod operating_manual;
mod organisations;
mod people;
mod performance;
mod phone_commands;
mod phone_session;
mod phone_sync;
mod privacy;
mod ratings;
mod route_matrix;
mod same_document;
mod same_seed;
mod server_edges;
mod simulated;
mod sources;
mod store_suite;
