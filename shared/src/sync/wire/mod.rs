//! Frames of the automerge-repo network protocol, version "1": CBOR maps in binary WebSocket messages.
//!
//! Called by both ends' connection code. The reader is tolerant where JavaScript clients are loose; the writer writes
//! what cbor-x writes with `tagUint8Array: false, useRecords: false`. Knows nothing of what a sync message contains.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::{fmt, sync::Arc};

use bytes::Bytes;

use super::limits::MAX_PEER_ID_BYTES;
use crate::ids::DocumentId;

/// The protocol version we speak.
pub const PROTOCOL_VERSION: &str = "1";

/// The bytes are no frame that we accept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Larger than [`super::limits::MAX_FRAME_BYTES`].
    #[error("frame of {0} bytes is too large")]
    TooLarge(usize),
    /// Not a CBOR map with a `type`.
    #[error("frame is not a CBOR map with a type: {0}")]
    NotAFrame(&'static str),
    /// A field that this type of frame needs is missing or of the wrong kind.
    #[error("field {field} of a {kind} frame is missing or wrong")]
    Field {
        /// The frame's type.
        kind: &'static str,
        /// The field.
        field: &'static str,
    },
}

/// The name a peer gives itself; the connection binds it to whoever signed in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(Arc<str>);

impl PeerId {
    /// A peer id of 1 to 128 bytes; `None` if the text is empty or longer.
    pub fn new(text: impl Into<Arc<str>>) -> Option<Self> {
        let text = text.into();
        (1..=MAX_PEER_ID_BYTES).contains(&text.len()).then_some(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a peer says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerMetadata {
    /// Names its storage: the server has a stable one, so that stock clients keep their sync state between connections.
    pub storage_id: Option<String>,
    /// Whether it keeps nothing.
    pub is_ephemeral: bool,
    /// Whether it understands taiwa's own frames ([`Frame::News`], [`Frame::Renew`]).
    pub taiwa: bool,
}

/// An access token in a frame; prints as `[redacted]`.
#[derive(Clone, PartialEq, Eq)]
pub struct RenewalToken(String);

impl RenewalToken {
    /// Wraps a token.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }
    /// The token itself, to verify it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RenewalToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A client introduces itself; the first frame of a connection.
    Join {
        /// The client.
        sender: PeerId,
        /// What it says about itself.
        metadata: PeerMetadata,
        /// Protocol versions it speaks; never empty, as version "1" is assumed when it names none.
        versions: Vec<String>,
    },
    /// The server's answer to [`Frame::Join`].
    Peer {
        /// The server.
        sender: PeerId,
        /// The client.
        target: PeerId,
        /// What the server says about itself.
        metadata: PeerMetadata,
        /// The version to speak.
        selected_version: String,
    },
    /// Something went wrong; stock JavaScript clients only log it.
    Error {
        /// Who says so.
        sender: PeerId,
        /// To whom.
        target: PeerId,
        /// In words.
        message: String,
    },
    /// The sender goes away.
    Leave {
        /// Who.
        sender: PeerId,
    },
    /// As [`Frame::Sync`], and the sender has nothing of the document.
    Request {
        /// From.
        sender: PeerId,
        /// To.
        target: PeerId,
        /// About.
        document: DocumentId,
        /// A sync message.
        data: Bytes,
    },
    /// A sync message of one document.
    Sync {
        /// From.
        sender: PeerId,
        /// To.
        target: PeerId,
        /// About.
        document: DocumentId,
        /// A sync message.
        data: Bytes,
    },
    /// The document is unknown, or forbidden, which looks the same.
    DocUnavailable {
        /// From.
        sender: PeerId,
        /// To.
        target: PeerId,
        /// About.
        document: DocumentId,
    },
    /// A message that is not stored: carets, typing.
    Ephemeral {
        /// The author, also across hops.
        sender: PeerId,
        /// To.
        target: PeerId,
        /// About.
        document: DocumentId,
        /// Names the author's session, for de-duplication.
        session: String,
        /// Rises within a session.
        count: u64,
        /// Opaque.
        data: Bytes,
    },
    /// Wishes to hear of other storages' heads; read and ignored.
    RemoteSubscriptionChange,
    /// Another storage's heads; read and ignored.
    RemoteHeadsChanged,
    /// Something in the records changed: pull. Only to peers with [`PeerMetadata::taiwa`].
    News {
        /// The server.
        sender: PeerId,
        /// The phone.
        target: PeerId,
        /// The organisation's counter, as a hint: a phone that is past it need not pull.
        cursor_hint: u64,
    },
    /// A fresh access token for this connection. Only from peers with [`PeerMetadata::taiwa`].
    Renew {
        /// The phone.
        sender: PeerId,
        /// The server.
        target: PeerId,
        /// The token.
        access_token: RenewalToken,
    },
    /// A frame of a type we do not know; ignored, as automerge-repo does.
    Unknown,
}

impl Frame {
    /// Reads a frame.
    ///
    /// # Errors
    /// [`WireError`]; never panics, and allocates no more than the frame's own size.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        read::frame(bytes)
    }

    /// Writes a frame; [`Frame::Unknown`] and the remote-heads frames are written with their type alone.
    pub fn encode(&self) -> Vec<u8> {
        write::frame(self)
    }
}
