//! A WebSocket to the sync route that says whatever a test wants, frame by frame or byte by byte.
//!
//! No phone would behave like this. Synchronises nothing by itself.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use automerge::{
    AutoCommit,
    sync::{State, SyncDoc},
};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use taiwa_shared::{
    ids::DocumentId,
    sync::wire::{Frame, PROTOCOL_VERSION, PeerId, PeerMetadata},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest, protocol::WebSocketConfig},
};

use crate::eventually::PATIENCE;

/// What came from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A frame of the protocol.
    Frame(Frame),
    /// The end, with the close code; none if the connection just broke.
    Closed(Option<u16>),
}

/// An open socket.
pub struct RawSocket {
    socket: WebSocketStream<TcpStream>,
    /// What this client calls itself.
    pub me: PeerId,
    /// What the server calls itself; the client's own name until it has joined.
    pub server: PeerId,
}

impl RawSocket {
    /// Opens a socket with an access token and says nothing.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn open(address: SocketAddr, token: &str, name: &str) -> Result<Self> {
        let mut request = format!("ws://{address}/v1/sync").into_client_request()?;
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse()?);
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let config = WebSocketConfig::default();
        let (socket, _) = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await?;
        let me = PeerId::new(name).context("a short name")?;
        Ok(Self { socket, server: me.clone(), me })
    }

    /// Opens a socket and introduces itself as a stock client does.
    ///
    /// # Errors
    /// If the server refuses either.
    pub async fn join(address: SocketAddr, token: &str, name: &str) -> Result<Self> {
        let mut socket = Self::open(address, token, name).await?;
        let metadata = PeerMetadata { storage_id: None, is_ephemeral: true, taiwa: false };
        let versions = vec![PROTOCOL_VERSION.to_owned()];
        socket.say(&Frame::Join { sender: socket.me.clone(), metadata, versions }).await?;
        let heard = socket.hear().await;
        let Heard::Frame(Frame::Peer { sender, target, .. }) = heard else {
            anyhow::bail!("instead of a peer frame came {heard:?}");
        };
        ensure!(target == socket.me, "the server answers {target:?}");
        socket.server = sender;
        Ok(socket)
    }

    /// Asks for a document as a stock client does that has nothing of it.
    ///
    /// # Errors
    /// If the connection is over.
    pub async fn ask_for(&mut self, document: DocumentId) -> Result<()> {
        let mut nothing = AutoCommit::new();
        let message = nothing.sync().generate_sync_message(&mut State::new()).context("the first message")?;
        let (sender, target) = (self.me.clone(), self.server.clone());
        self.say(&Frame::Request { sender, target, document, data: message.encode().into() }).await
    }

    /// Says a frame.
    ///
    /// # Errors
    /// If the connection is over.
    pub async fn say(&mut self, frame: &Frame) -> Result<()> {
        self.say_bytes(frame.encode()).await
    }

    /// Says any bytes in a binary message.
    ///
    /// # Errors
    /// If the connection is over.
    pub async fn say_bytes(&mut self, bytes: impl Into<Bytes>) -> Result<()> {
        Ok(self.socket.send(Message::Binary(bytes.into())).await?)
    }

    /// Says a text message, which the protocol does not have.
    ///
    /// # Errors
    /// If the connection is over.
    pub async fn say_text(&mut self, text: &str) -> Result<()> {
        Ok(self.socket.send(Message::Text(text.into())).await?)
    }

    /// The next thing from the server.
    ///
    /// # Panics
    /// If nothing comes for long.
    pub async fn hear(&mut self) -> Heard {
        timeout(PATIENCE, self.next()).await.expect("the server says something")
    }

    /// What the server says within a time.
    pub async fn hear_within(&mut self, time: Duration) -> Option<Heard> {
        timeout(time, self.next()).await.ok()
    }

    /// Hears until the server closes, and returns the code.
    ///
    /// # Panics
    /// If it does not.
    pub async fn until_closed(&mut self) -> Option<u16> {
        loop {
            if let Heard::Closed(code) = self.hear().await {
                return code;
            }
        }
    }

    /// The next thing from the server, however long that takes.
    ///
    /// # Cancellation
    /// Loses nothing.
    pub async fn next(&mut self) -> Heard {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Binary(bytes))) => {
                    return Heard::Frame(Frame::decode(&bytes).unwrap_or(Frame::Unknown));
                }
                Some(Ok(Message::Close(frame))) => return Heard::Closed(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Heard::Closed(None),
            }
        }
    }
}
