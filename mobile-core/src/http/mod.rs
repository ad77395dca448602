//! REST towards one server: login, records, commands, claims, tickets.
//!
//! Map: `address` where the server is; `tls` whom to trust; `client` the requests; `error` why one failed.
//! Called by the session. Keeps no state, tries nothing twice, and knows nothing of the store.

mod address;
mod client;
mod error;
mod tls;

pub use address::{AddressError, ServerUrl};
pub use client::HttpClient;
pub use error::HttpError;
pub use tls::{TlsError, client_config};
