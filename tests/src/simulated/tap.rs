//! What the server wrote into a connection, frame by frame, at the moment it wrote it.
//!
//! Sits at the server's own end, so that nothing that the network does to the bytes afterwards matters. Servers do not
//! mask their WebSocket frames (RFC 6455, section 5.1) and ours does not split them.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use taiwa_shared::sync::wire::Frame;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// Opcode of a binary message that is not continued.
const BINARY: u8 = 0x82;

/// The frames that the server wrote on one line, over all its connections. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Said(Arc<Mutex<Vec<Frame>>>);

impl Said {
    /// How many so far.
    pub fn len(&self) -> usize {
        self.frames().len()
    }

    /// Whether it said nothing yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those after the first `from`.
    pub fn since(&self, from: usize) -> Vec<Frame> {
        self.frames()[from..].to_vec()
    }

    fn frames(&self) -> MutexGuard<'_, Vec<Frame>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server's end of a connection.
#[derive(Debug)]
pub struct Tapped {
    stream: DuplexStream,
    said: Said,
    /// Bytes that are no whole frame yet.
    begun: Vec<u8>,
    upgraded: bool,
}

impl Tapped {
    /// Listens to what is written.
    pub fn new(stream: DuplexStream, said: Said) -> Self {
        Self { stream, said, begun: Vec::new(), upgraded: false }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.begun.extend_from_slice(bytes);
        if !self.upgraded {
            let Some(end) = self.begun.windows(4).position(|four| four == b"\r\n\r\n") else { return };
            self.begun.drain(..end + 4);
            self.upgraded = true;
        }
        while let Some((head, length)) = header_of(&self.begun) {
            if self.begun.len() < head + length {
                return;
            }
            if self.begun[0] == BINARY {
                let frame = Frame::decode(&self.begun[head..head + length]).expect("the server writes frames");
                self.said.frames().push(frame);
            }
            self.begun.drain(..head + length);
        }
    }
}

/// Length of the header and of what follows.
fn header_of(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes.get(1)? & 0x7f {
        126 => Some((4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)))),
        127 => Some((10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?)),
        length => Some((2, usize::from(length))),
    }
}

impl AsyncRead for Tapped {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = written {
            self.take(&bytes[..count]);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
