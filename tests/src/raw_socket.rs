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
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Message, client::IntoClientRequest},
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
#[derive(Debug)]
pub struct RawSocket {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// What this client calls itself.
    pub me: PeerId,
    /// What the server calls itself; the client's own name until it has joined.
    pub server: PeerId,
    /// The bytes of the frame that was heard last.
    pub heard: Bytes,
}

/// A join frame.
pub fn join_frame(peer: &PeerId, taiwa: bool) -> Frame {
    let metadata = PeerMetadata { storage_id: None, is_ephemeral: true, taiwa };
    Frame::Join { sender: peer.clone(), metadata, versions: vec![PROTOCOL_VERSION.to_owned()] }
}

impl RawSocket {
    /// Opens a socket with an access token and says nothing.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn open(address: SocketAddr, token: &str, name: &str) -> Result<Self> {
        let mut request = format!("ws://{address}/v1/sync").into_client_request()?;
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse()?);
        Self::open_by(request, name).await
    }

    /// Opens a socket by any request and says nothing.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn open_by(request: impl IntoClientRequest + Unpin, name: &str) -> Result<Self> {
        let (socket, _) = connect_async_with_config(request, None, true).await?;
        let me = PeerId::new(name).context("a short name")?;
        Ok(Self { socket, server: me.clone(), me, heard: Bytes::new() })
    }

    /// Opens a socket and introduces itself as a stock client does.
    ///
    /// # Errors
    /// If the server refuses either.
    pub async fn join(address: SocketAddr, token: &str, name: &str) -> Result<Self> {
        let mut socket = Self::open(address, token, name).await?;
        socket.introduce(false).await?;
        Ok(socket)
    }

    /// Introduces itself, as one of taiwa's own peers or as a stock client, and waits for the answer.
    ///
    /// # Errors
    /// If the answer is another.
    pub async fn introduce(&mut self, taiwa: bool) -> Result<()> {
        self.say(&join_frame(&self.me, taiwa)).await?;
        let heard = self.hear().await;
        let Heard::Frame(Frame::Peer { sender, target, .. }) = heard else {
            anyhow::bail!("instead of a peer frame came {heard:?}");
        };
        ensure!(target == self.me, "the server answers {target:?}");
        self.server = sender;
        Ok(())
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
        self.say_message(Message::Binary(bytes.into())).await
    }

    /// Says any message.
    ///
    /// # Errors
    /// If the connection is over.
    pub async fn say_message(&mut self, message: Message) -> Result<()> {
        Ok(self.socket.send(message).await?)
    }

    /// Says a text message, which the protocol does not have.
    ///
    /// # Errors
    /// If the connection is over.
    pub async fn say_text(&mut self, text: &str) -> Result<()> {
        self.say_message(Message::Text(text.into())).await
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
                    let frame = Frame::decode(&bytes).unwrap_or(Frame::Unknown);
                    self.heard = bytes;
                    return Heard::Frame(frame);
                }
                Some(Ok(Message::Close(frame))) => return Heard::Closed(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Heard::Closed(None),
            }
        }
    }
}
