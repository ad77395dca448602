//! A client: one socket and the memos that it exchanges over it, in the network protocol of automerge-repo.
//!
//! Answers what has to be answered and nothing more; whoever holds it decides when it types and when it listens.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use taiwa_shared::{
    ids::DocumentId,
    sync::{
        chunks::ChangeHash,
        document::{Due, SyncKind},
        limits::CLIENT_ACKNOWLEDGES_WITHIN,
        wire::{Frame, PROTOCOL_VERSION, PeerId, PeerMetadata},
    },
};
use tokio::time::Instant;

use crate::{
    replica::Replica,
    socket::{Door, Message, Socket},
};

/// A connected client.
#[derive(Debug)]
pub(crate) struct Client {
    /// The socket.
    pub(crate) socket: Socket,
    me: PeerId,
    server: PeerId,
    replicas: HashMap<DocumentId, Replica>,
    /// Until when an acknowledgement may wait for a message that goes anyway, if one is owed: as on a phone.
    pub(crate) acknowledge_at: Option<Instant>,
    /// Sync messages sent, kept if somebody wants them.
    pub(crate) said: Option<Vec<(SyncKind, Bytes)>>,
}

impl Client {
    /// Connects and introduces itself under a name of its own.
    ///
    /// # Errors
    /// If the server refuses.
    pub(crate) async fn connect(door: &Door, name: &str) -> Result<Self> {
        let mut socket = Socket::open(door).await?;
        let me = PeerId::new(name).context("a short name")?;
        let metadata = PeerMetadata { storage_id: None, is_ephemeral: true, taiwa: true };
        let join = Frame::Join { sender: me.clone(), metadata, versions: vec![PROTOCOL_VERSION.to_owned()] };
        socket.queue(&join.encode());
        socket.flush().await?;
        loop {
            match frame_in(socket.next().await?)? {
                Frame::Peer { sender, .. } => {
                    let (server, replicas) = (sender, HashMap::new());
                    return Ok(Self { socket, me, server, replicas, acknowledge_at: None, said: None });
                }
                // The JavaScript server sends this first.
                Frame::RemoteSubscriptionChange | Frame::Unknown => {}
                other => bail!("the answer to join is {other:?}"),
            }
        }
    }

    /// Takes a memo that is connected anew; [`Self::speak`] says the first word about it.
    pub(crate) fn hold(&mut self, replica: Replica) {
        self.replicas.insert(replica.document, replica);
    }

    /// Gives all memos back and closes.
    pub(crate) fn leave(self) -> Vec<Replica> {
        self.replicas.into_values().collect()
    }

    /// A memo.
    ///
    /// # Errors
    /// If it is not held.
    pub(crate) fn replica(&mut self, document: DocumentId) -> Result<&mut Replica> {
        self.replicas.get_mut(&document).context("the memo is held")
    }

    /// Queues everything there is to say about a memo.
    ///
    /// # Errors
    /// If it is not held.
    pub(crate) fn speak(&mut self, document: DocumentId) -> Result<()> {
        self.acknowledge_at = None;
        while let Some((kind, data)) = self.replicas.get_mut(&document).context("the memo is held")?.next_message()? {
            let (sender, target, data) = (self.me.clone(), self.server.clone(), Bytes::from(data));
            if let Some(said) = &mut self.said {
                said.push((kind, data.clone()));
            }
            let frame = match kind {
                SyncKind::Request => Frame::Request { sender, target, document, data },
                SyncKind::Sync => Frame::Sync { sender, target, document, data },
            };
            self.socket.queue(&frame.encode());
        }
        Ok(())
    }

    /// Queues everything there is to say.
    ///
    /// # Errors
    /// As [`Self::speak`].
    pub(crate) fn speak_of_all(&mut self) -> Result<()> {
        let documents: Vec<_> = self.replicas.keys().copied().collect();
        documents.into_iter().try_for_each(|document| self.speak(document))
    }

    /// Takes everything that has arrived, queues the answers, and returns the changes that are new here.
    ///
    /// # Errors
    /// If the server closed or says something wrong.
    pub(crate) fn take(&mut self) -> Result<Vec<(DocumentId, ChangeHash)>> {
        let mut new = Vec::new();
        while let Some(message) = self.socket.take()? {
            let (kind, document, data) = match frame_in(message)? {
                Frame::Sync { document, data, .. } => (SyncKind::Sync, document, data),
                Frame::Request { document, data, .. } => (SyncKind::Request, document, data),
                Frame::DocUnavailable { document, .. } => bail!("the server has no document {document}"),
                Frame::Error { message, .. } => bail!("the server complains: {message}"),
                _ => continue,
            };
            // Servers that tell everybody of every document are not answered.
            let Some(replica) = self.replicas.get_mut(&document) else { continue };
            new.extend(replica.receive(kind, &data)?.into_iter().map(|hash| (document, hash)));
            match replica.due() {
                Due::Now => self.speak(document)?,
                Due::Later => {
                    self.acknowledge_at.get_or_insert_with(|| Instant::now() + CLIENT_ACKNOWLEDGES_WITHIN);
                }
                Due::Nothing => {}
            }
        }
        Ok(new)
    }

    /// Waits for the next bytes, then does as [`Self::take`] and sends the answers.
    ///
    /// # Errors
    /// If the server closed or says something wrong.
    pub(crate) async fn listen(&mut self) -> Result<Vec<(DocumentId, ChangeHash)>> {
        if self.socket.has_output() {
            self.socket.flush().await?;
        }
        let is_open = self.socket.fill().await?;
        let new = self.take()?;
        self.socket.flush().await?;
        if is_open { Ok(new) } else { bail!("the server closed") }
    }

    /// Sends and listens until the server has everything and everything is here.
    ///
    /// # Errors
    /// If the server closed or says something wrong.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        self.speak_of_all()?;
        self.socket.flush().await?;
        while !self.replicas.values().all(Replica::is_settled) {
            self.listen().await?;
        }
        Ok(())
    }
}

fn frame_in(message: Message) -> Result<Frame> {
    match message {
        Message::Binary(bytes) => Frame::decode(&bytes).context("the server sends frames"),
        Message::Closed(code) => bail!("the server closed with {code:?}"),
    }
}
