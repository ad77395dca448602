//! The taiwa server: records, document hub, sign-in.
//!
//! Map: [`store`] the only place with SQL; [`records`] people, pairs, documents and who may see them; [`auth`] tokens
//! and passwords; `http` routes; [`cli`] what an operator types and [`operate`] what it does to whole databases; [`metrics`] figures
//! for monitoring; [`Server`] joins them. It stores and forwards the bytes of documents and never looks into one.

pub mod auth;
pub mod bus;
pub mod cli;
pub mod clock;
pub mod config;
pub mod config_table;
pub mod metrics;
pub mod operate;
pub mod records;
pub mod store;
pub mod sync;
pub mod tips;

mod entropy;
mod http;
mod key_file;
mod server;

pub use http::{Door, openapi_text};
pub use server::{Server, StartError};
