//! The socket: opened with a bearer token, split into a reader and a writer that cannot block each other.
//!
//! Frames wait in a short queue for the writer, so that a slow network holds back what is generated, never what is
//! read. Knows nothing of documents.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, stream::SplitStream};
use taiwa_shared::{
    protocol::login::Secret,
    sync::{
        limits::MAX_FRAME_BYTES,
        rejection::{CLOSE_BAD_DATA, CLOSE_DOCUMENT_FULL, CLOSE_OVER_QUOTA},
    },
};
use tokio::{net::TcpStream, sync::mpsc, task::JoinSet};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        http::{HeaderValue, StatusCode, header},
        protocol::{CloseFrame, WebSocketConfig},
    },
};

use super::{
    address::SyncAddress,
    signals::{AttemptFailure, Closing},
};

/// Resolving, connecting, TLS and upgrade together; a train tunnel answers nothing at all.
const OPEN_TIMEOUT: Duration = Duration::from_secs(15);
/// Frames waiting for the network: enough to keep it busy, few enough that what is generated is fresh.
const FRAMES_WAITING: usize = 4;
/// tungstenite keeps its buffers at this size for the life of the connection; a keystroke's frame is 200 bytes.
const BUFFER_BYTES: usize = 16 * 1024;

/// Close code for an access token that ended.
const CLOSE_TOKEN_EXPIRED: u16 = 4401;
/// Close code for a sign-in that was revoked.
const CLOSE_FORBIDDEN: u16 = 4403;
/// Close codes for frames that the server refused: private use, policy violation, unacceptable data, too big.
const CLOSE_REJECTED: [u16; 5] = [CLOSE_BAD_DATA, 1003, 1007, 1008, 1009];

/// What the socket delivered.
#[derive(Debug)]
pub(super) enum Arrival {
    /// A protocol frame.
    Frame(Bytes),
    /// A ping, a pong: the peer lives.
    Sign,
    /// The end.
    Closed(Closing),
}

/// An open socket; dropping it closes it.
#[derive(Debug)]
pub(super) struct Socket {
    reader: SplitStream<WebSocketStream<MaybeTlsStream<TcpStream>>>,
    frames: mpsc::Sender<Message>,
    /// Ends with the socket.
    writer: JoinSet<()>,
}

impl Socket {
    /// Opens the socket as the holder of `token`.
    pub(super) async fn open(
        address: &SyncAddress,
        tls: Arc<rustls::ClientConfig>,
        token: &Secret,
    ) -> Result<Self, AttemptFailure> {
        let mut request = address.uri().clone().into_client_request().map_err(|_| AttemptFailure::Unreachable)?;
        let bearer = format!("Bearer {}", token.expose());
        let mut bearer = HeaderValue::try_from(bearer).map_err(|_| AttemptFailure::Unauthorized)?;
        bearer.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, bearer);

        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(4 * MAX_FRAME_BYTES)
            .max_message_size(Some(MAX_FRAME_BYTES))
            .max_frame_size(Some(MAX_FRAME_BYTES));
        let without_delay = true;
        let opening = connect_async_tls_with_config(request, Some(config), without_delay, Some(Connector::Rustls(tls)));
        let (stream, _) = tokio::time::timeout(OPEN_TIMEOUT, opening)
            .await
            .map_err(|_| AttemptFailure::Unreachable)?
            .map_err(|error| failure_of(&error))?;

        let (mut sink, reader) = stream.split();
        let (frames, mut waiting) = mpsc::channel(FRAMES_WAITING);
        let mut writer = JoinSet::new();
        writer.spawn(async move {
            while let Some(frame) = waiting.recv().await {
                // The reader learns of a broken connection as well, and is the one who reports it.
                if sink.send(frame).await.is_err() {
                    return;
                }
            }
            let _ = sink.close().await;
        });
        Ok(Self { reader, frames, writer })
    }

    /// The next thing that arrives.
    ///
    /// # Cancellation
    /// Safe: a frame is either returned or still in the stream.
    pub(super) async fn next(&mut self) -> Arrival {
        match self.reader.next().await {
            Some(Ok(message)) => arrival_of(message),
            Some(Err(error)) => {
                tracing::debug!(%error, "the sync socket broke");
                Arrival::Closed(Closing::Lost)
            }
            None => Arrival::Closed(Closing::Lost),
        }
    }

    /// The writer's queue, to wait for a place in it.
    pub(super) fn queue(&self) -> mpsc::Sender<Message> {
        self.frames.clone()
    }

    /// Sends what waits, a last frame and the close frame.
    ///
    /// # Cancellation
    /// Closes the connection without further words.
    pub(super) async fn close(self, last: Option<Message>) {
        let Self { frames, mut writer, .. } = self;
        if let Some(last) = last {
            // The writer is gone if the connection broke.
            let _ = frames.send(last).await;
        }
        drop(frames);
        while writer.join_next().await.is_some() {}
    }
}

/// A frame as the socket carries it.
pub(super) fn message_of(frame: Vec<u8>) -> Message {
    Message::Binary(frame.into())
}

/// An empty ping.
pub(super) fn ping() -> Message {
    Message::Ping(Bytes::new())
}

fn arrival_of(message: Message) -> Arrival {
    match message {
        Message::Binary(bytes) => Arrival::Frame(bytes),
        Message::Ping(_) | Message::Pong(_) => Arrival::Sign,
        Message::Close(frame) => Arrival::Closed(closing_of(frame.as_ref())),
        // Text is an error in this protocol; a server that sends it is not ours.
        Message::Text(_) | Message::Frame(_) => Arrival::Closed(Closing::Lost),
    }
}

fn closing_of(frame: Option<&CloseFrame>) -> Closing {
    match frame.map(|frame| u16::from(frame.code)) {
        Some(CLOSE_TOKEN_EXPIRED) => Closing::TokenExpired,
        Some(CLOSE_FORBIDDEN) => Closing::Forbidden,
        Some(CLOSE_DOCUMENT_FULL) => Closing::Full,
        Some(CLOSE_OVER_QUOTA) => Closing::Later,
        Some(code) if CLOSE_REJECTED.contains(&code) => Closing::Rejected,
        _ => Closing::Lost,
    }
}

fn failure_of(error: &tungstenite::Error) -> AttemptFailure {
    match error {
        tungstenite::Error::Http(response) => match response.status() {
            StatusCode::UNAUTHORIZED => AttemptFailure::Unauthorized,
            StatusCode::UPGRADE_REQUIRED => AttemptFailure::UpdateApp,
            _ => AttemptFailure::Unreachable,
        },
        _ => AttemptFailure::Unreachable,
    }
}
