//! Synchronising one person's store with the server over one socket.
//!
//! Map: [`handle`] what the session holds; [`task`] the owner of everything, a loop that performs what the pure parts
//! decide: [`link`] when to connect (with [`lease`] and [`signals`]), [`plan`] which documents to exchange, [`quarantine`] which document a refusal was about;
//! [`effects`] and [`traffic`] its hands; [`exchanges`] and [`open_document`] drive the shared engine; [`socket`] is
//! the only place with the socket. Knows nothing of REST, passwords or what documents contain.

mod address;
mod config;
mod credentials;
mod effects;
mod event;
mod exchanges;
mod handle;
mod inbox;
mod lease;
mod link;
mod open_document;
mod outcome;
mod plan;
mod quarantine;
mod signals;
mod socket;
mod task;
mod traffic;

pub use address::{AddressError, SyncAddress};
pub use config::{Backoff, SyncConfig};
pub use credentials::{AccessToken, Credentials, CredentialsError, Freshness};
pub use event::{Connection, SyncEvent, SyncRun, SyncStatus, Waiting};
pub use handle::SyncHandle;
