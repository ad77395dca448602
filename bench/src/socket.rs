//! The client's end of a WebSocket (RFC 6455), as thin as it can be: the generator must not be what limits a run.
//!
//! One buffer in, one buffer out; pings are answered; frames are masked with zeros, which the standard allows and costs
//! nothing here. Knows nothing of what a message contains.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// How a socket is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    /// Where the server listens.
    pub(crate) address: SocketAddr,
    /// Path and query.
    pub(crate) path: String,
    /// The access token, for servers that want one.
    pub(crate) bearer: Option<String>,
}

/// What came.
#[derive(Debug)]
pub(crate) enum Message {
    /// A whole message.
    Binary(Bytes),
    /// The end, with the close code if one was given.
    Closed(Option<u16>),
}

/// An open socket.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    input: BytesMut,
    output: BytesMut,
    /// The parts of a message that came in several frames.
    parts: BytesMut,
    /// Bytes received since the start, headers included.
    pub(crate) received: u64,
    /// Bytes sent since the start, headers included.
    pub(crate) sent: u64,
}

impl Socket {
    /// Connects and upgrades.
    ///
    /// # Errors
    /// If the server refuses; the message holds its answer.
    pub(crate) async fn open(door: &Door) -> Result<Self> {
        let stream = TcpStream::connect(door.address).await.context("connect")?;
        stream.set_nodelay(true)?;
        let (input, output, parts) = (BytesMut::new(), BytesMut::new(), BytesMut::new());
        let mut socket = Self { stream, input, output, parts, received: 0, sent: 0 };
        let bearer = door.bearer.as_ref().map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        // The key of the example in RFC 6455, 1.3: nobody checks that it is fresh.
        let request = format!(
            "GET {} HTTP/1.1\r\nhost: {}\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{bearer}\r\n",
            door.path, door.address
        );
        socket.stream.write_all(request.as_bytes()).await?;
        let end = loop {
            if let Some(at) = socket.input.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            ensure!(socket.stream.read_buf(&mut socket.input).await? > 0, "closed instead of an answer");
        };
        let head = socket.input.split_to(end);
        ensure!(head.starts_with(b"HTTP/1.1 101"), "refused: {}", String::from_utf8_lossy(&head));
        socket.received = (head.len() + socket.input.len()) as u64;
        socket.sent = request.len() as u64;
        Ok(socket)
    }

    /// Puts a message behind those that wait for [`Self::flush`].
    pub(crate) fn queue(&mut self, payload: &[u8]) {
        self.frame(BINARY, payload);
    }

    fn frame(&mut self, opcode: u8, payload: &[u8]) {
        let before = self.output.len();
        self.output.extend_from_slice(&[0x80 | opcode]);
        match payload.len() {
            short @ ..126 => self.output.extend_from_slice(&[0x80 | short as u8]),
            medium @ ..=0xffff => {
                self.output.extend_from_slice(&[0x80 | 126]);
                self.output.extend_from_slice(&(medium as u16).to_be_bytes());
            }
            long => {
                self.output.extend_from_slice(&[0x80 | 127]);
                self.output.extend_from_slice(&(long as u64).to_be_bytes());
            }
        }
        self.output.extend_from_slice(&[0; 4]);
        self.output.extend_from_slice(payload);
        self.sent += (self.output.len() - before) as u64;
    }

    /// Whether something waits for [`Self::flush`].
    pub(crate) fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// Sends everything that was queued, in one write.
    ///
    /// # Errors
    /// If the connection is broken.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        while !self.output.is_empty() {
            let written = self.stream.write(&self.output).await.context("send")?;
            self.output.advance(written);
        }
        Ok(())
    }

    /// Waits until something has arrived and keeps it for [`Self::take`]; false at the end of the connection.
    ///
    /// # Errors
    /// If the connection is broken.
    ///
    /// # Cancellation
    /// Safe: nothing that arrived is lost.
    pub(crate) async fn fill(&mut self) -> Result<bool> {
        let count = self.stream.read_buf(&mut self.input).await.context("receive")?;
        self.received += count as u64;
        Ok(count > 0)
    }

    /// The next message that has arrived whole.
    ///
    /// # Errors
    /// If it is no frame that a server sends.
    pub(crate) fn take(&mut self) -> Result<Option<Message>> {
        while let Some((is_last, opcode, payload)) = self.take_frame()? {
            match opcode {
                BINARY | TEXT if is_last => return Ok(Some(Message::Binary(payload.freeze()))),
                BINARY | TEXT | CONTINUATION => {
                    self.parts.extend_from_slice(&payload);
                    if is_last {
                        return Ok(Some(Message::Binary(self.parts.split().freeze())));
                    }
                }
                PING => self.frame(PONG, &payload),
                PONG => {}
                CLOSE => {
                    let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                    return Ok(Some(Message::Closed(code)));
                }
                other => bail!("a frame with opcode {other}"),
            }
        }
        Ok(None)
    }

    fn take_frame(&mut self) -> Result<Option<(bool, u8, BytesMut)>> {
        let [first, second, rest @ ..] = &self.input[..] else { return Ok(None) };
        ensure!(second & 0x80 == 0, "a server that masks");
        let (header, length) = match (second & 0x7f, rest) {
            (126, [a, b, ..]) => (4, u64::from(u16::from_be_bytes([*a, *b]))),
            (127, [a, b, c, d, e, f, g, h, ..]) => (10, u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h])),
            (126 | 127, _) => return Ok(None),
            (short, _) => (2, u64::from(short)),
        };
        let length = usize::try_from(length)?;
        if self.input.len() < header + length {
            return Ok(None);
        }
        let (is_last, opcode) = (first & 0x80 != 0, first & 0x0f);
        self.input.advance(header);
        Ok(Some((is_last, opcode, self.input.split_to(length))))
    }

    /// Waits for the next message.
    ///
    /// # Errors
    /// If the connection is broken.
    ///
    /// # Cancellation
    /// Safe: nothing that arrived is lost.
    pub(crate) async fn next(&mut self) -> Result<Message> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(message);
            }
            if self.has_output() {
                self.flush().await?;
            }
            if !self.fill().await? {
                return Ok(Message::Closed(None));
            }
        }
    }
}
