//! A client of the relay: frames as long as an edit's, without any protocol.

use anyhow::{Result, bail};
use taiwa_shared::sync::chunks::ChangeHash;

use crate::socket::{Door, Message, Socket};

/// As long as the frame with one key of taiwa's clients.
const FRAME_BYTES: usize = 330;

/// A connected client.
#[derive(Debug)]
pub(crate) struct LineClient {
    /// The socket.
    pub(crate) socket: Socket,
    /// All marks sent and received, folded together.
    pub(crate) seen: [u8; 32],
}

impl LineClient {
    /// Connects.
    ///
    /// # Errors
    /// If the server refuses.
    pub(crate) async fn connect(door: &Door) -> Result<Self> {
        Ok(Self { socket: Socket::open(door).await?, seen: [0; 32] })
    }

    /// Queues a frame and returns what marks it.
    pub(crate) fn type_key(&mut self) -> ChangeHash {
        let mark: [u8; 32] = rand::random();
        let mut frame = [0; FRAME_BYTES];
        frame[..32].copy_from_slice(&mark);
        self.socket.queue(&frame);
        self.note(mark)
    }

    /// Takes everything that has arrived.
    ///
    /// # Errors
    /// If the server closed.
    pub(crate) fn take(&mut self) -> Result<Vec<ChangeHash>> {
        let mut marks = Vec::new();
        while let Some(message) = self.socket.take()? {
            match message {
                Message::Binary(bytes) => marks.extend(bytes.first_chunk().map(|mark| self.note(*mark))),
                Message::Closed(code) => bail!("the relay closed with {code:?}"),
            }
        }
        Ok(marks)
    }

    fn note(&mut self, mark: [u8; 32]) -> ChangeHash {
        self.seen.iter_mut().zip(mark).for_each(|(seen, byte)| *seen ^= byte);
        ChangeHash(mark)
    }
}
