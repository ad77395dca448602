//! Repositories of others that meet our hub or our engine: the interop oracles.
//!
//! Map: [`javascript`] automerge-repo in Node; [`samod`] the crate of that name; [`engine`] our engine as a phone drives
//! it, without a phone. A [`Guest`] is a client of our hub, a [`Host`] a sync server that our engine talks to.

pub mod engine;
pub mod javascript;
pub mod samod;

use std::net::SocketAddr;

use anyhow::Result;
use automerge::ChangeHash;
use taiwa_shared::{documents::caret::Caret, ids::DocumentId};

pub use javascript::interop_folder;

/// A client of others at our hub. Texts are those of memos; places count UTF-16 units.
#[expect(async_fn_in_trait, reason = "tests wait for it where they stand, no other thread does")]
pub trait Guest {
    /// Opens a document and returns its text; none if the hub says that it is unavailable.
    ///
    /// # Errors
    /// If the client ended.
    async fn find(&mut self, document: DocumentId) -> Result<Option<String>>;

    /// The text of a found document, empty if it has none.
    ///
    /// # Errors
    /// If the client ended.
    async fn text(&mut self, document: DocumentId) -> Result<String>;

    /// Deletes and inserts in a found document.
    ///
    /// # Errors
    /// If the client ended or refused.
    async fn splice(&mut self, document: DocumentId, at_utf16: usize, delete: usize, insert: &str) -> Result<()>;

    /// Sets a value at the root of a found document.
    ///
    /// # Errors
    /// If the client ended or refused.
    async fn put(&mut self, document: DocumentId, key: &str, value: &str) -> Result<()>;

    /// The heads of a found document, sorted.
    ///
    /// # Errors
    /// If the client ended.
    async fn heads(&mut self, document: DocumentId) -> Result<Vec<ChangeHash>>;

    /// Whether the hub has said that it has exactly what is here.
    ///
    /// # Errors
    /// If the client ended.
    async fn is_acknowledged(&mut self, document: DocumentId) -> Result<bool>;

    /// Shows a caret to whoever has the document open.
    ///
    /// # Errors
    /// If the client ended.
    async fn show_caret(&mut self, document: DocumentId, caret: &Caret) -> Result<()>;

    /// The carets of others since the document was found, in order.
    ///
    /// # Errors
    /// If the client ended.
    async fn carets(&mut self, document: DocumentId) -> Result<Vec<Caret>>;

    /// Makes up a document with a body, and returns its id.
    ///
    /// # Errors
    /// If the client ended.
    async fn invent(&mut self, body: &str) -> Result<DocumentId>;

    /// Leaves the network and stays away.
    ///
    /// # Errors
    /// If the client ended.
    async fn leave(&mut self) -> Result<()>;

    /// Comes back to the network.
    ///
    /// # Errors
    /// If the client ended.
    async fn come_back(&mut self) -> Result<()>;
}

/// A sync server of others, with a user of its own.
#[expect(async_fn_in_trait, reason = "tests wait for it where they stand, no other thread does")]
pub trait Host {
    /// Where it listens.
    fn address(&self) -> SocketAddr;

    /// Opens a document and returns its text; none if no peer has it.
    ///
    /// # Errors
    /// If the server ended.
    async fn find(&mut self, document: DocumentId) -> Result<Option<String>>;

    /// The text of a found document.
    ///
    /// # Errors
    /// If the server ended.
    async fn text(&mut self, document: DocumentId) -> Result<String>;

    /// Deletes and inserts in a found document, in UTF-16 units.
    ///
    /// # Errors
    /// If the server ended or refused.
    async fn splice(&mut self, document: DocumentId, at_utf16: usize, delete: usize, insert: &str) -> Result<()>;

    /// The heads of a found document, sorted.
    ///
    /// # Errors
    /// If the server ended.
    async fn heads(&mut self, document: DocumentId) -> Result<Vec<ChangeHash>>;
}
