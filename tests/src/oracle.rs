//! A client made of Automerge's own document and sync protocol, that knows exactly what it sent and what the server
//! has acknowledged.
//!
//! Independent of the product's engine, and much faster than a person: for tests that kill. Keeps nothing on disk.

use std::{collections::BTreeSet, net::SocketAddr};

use anyhow::{Context, Result, bail};
use automerge::{
    AutoCommit, ChangeHash, ObjId, ROOT, ReadDoc,
    sync::{Message, State, SyncDoc},
    transaction::Transactable,
};
use taiwa_shared::{documents::genesis, domain::ownership::DocumentKey, ids::DocumentId, sync::wire::Frame};

use crate::raw_socket::{Heard, RawSocket};

/// A client of one document.
pub struct Oracle {
    document: DocumentId,
    replica: AutoCommit,
    body: ObjId,
    session: State,
    socket: Option<RawSocket>,
    /// Own changes in the order of their making.
    made: Vec<ChangeHash>,
    /// Own changes that were ever sent.
    sent: BTreeSet<ChangeHash>,
    /// Of [`Self::made`], how many from the front the server has ever acknowledged.
    acknowledged: usize,
}

impl Oracle {
    /// A client that has the first change of a memo and no connection.
    ///
    /// # Errors
    /// If the key is no memo's.
    pub fn new(memo: &DocumentKey) -> Result<Self> {
        let first = genesis(memo, 0);
        let replica = AutoCommit::load(&first.bytes).context("load the first change")?;
        let (_, body) = replica.get(ROOT, "body")?.context("a memo has a body")?;
        Ok(Self {
            document: first.document,
            replica,
            body,
            session: State::new(),
            socket: None,
            made: Vec::new(),
            sent: BTreeSet::new(),
            acknowledged: 0,
        })
    }

    /// Connects and begins to synchronise.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn connect(&mut self, address: SocketAddr, token: &str, name: &str) -> Result<()> {
        self.session = State::new();
        self.socket = Some(RawSocket::join(address, token, name).await?);
        self.flush().await
    }

    /// Appends a text as one change, and sends what the protocol lets it send.
    ///
    /// # Errors
    /// If the connection is over; the change stays.
    pub async fn append(&mut self, text: &str) -> Result<()> {
        let end = self.replica.length(&self.body);
        self.replica.splice_text(&self.body, end, 0, text)?;
        self.made.push(self.replica.commit().context("a text that is not empty is a change")?);
        self.flush().await
    }

    /// Takes one thing from the server and answers it. False: the connection is over.
    ///
    /// # Errors
    /// If the server says what it must not.
    ///
    /// # Cancellation
    /// Nothing that was read is lost: reading is the only wait before the answer is sent.
    pub async fn step(&mut self) -> Result<bool> {
        let socket = self.socket.as_mut().context("not connected")?;
        let heard = socket.next().await;
        self.take(heard).await
    }

    /// Own changes that the server has said it has.
    pub fn acknowledged(&self) -> &[ChangeHash] {
        &self.made[..self.acknowledged]
    }

    /// Own changes.
    pub fn made(&self) -> &[ChangeHash] {
        &self.made
    }

    /// Own changes that were sent and never acknowledged: under way, or received and not committed.
    pub fn in_flight(&self) -> usize {
        self.made[self.acknowledged..].iter().filter(|hash| self.sent.contains(hash)).count()
    }

    /// Whether the server has said that it has exactly what this client has.
    pub fn agrees_with_server(&mut self) -> bool {
        let heads = self.heads();
        self.session.their_heads.as_ref().is_some_and(|theirs| {
            let theirs: BTreeSet<_> = theirs.iter().copied().collect();
            theirs.into_iter().eq(heads.iter().copied())
        })
    }

    /// The document's heads here, sorted.
    pub fn heads(&mut self) -> Vec<ChangeHash> {
        let mut heads = self.replica.get_heads();
        heads.sort();
        heads
    }

    /// The memo's text here.
    ///
    /// # Errors
    /// If the document is not readable.
    pub fn text(&self) -> Result<String> {
        Ok(self.replica.text(&self.body)?)
    }

    /// Everything this client has.
    pub fn replica(&self) -> &AutoCommit {
        &self.replica
    }

    /// The document.
    pub fn document(&self) -> DocumentId {
        self.document
    }

    async fn take(&mut self, heard: Heard) -> Result<bool> {
        match heard {
            Heard::Frame(Frame::Sync { document, data, .. }) if document == self.document => {
                self.replica.sync().receive_sync_message(&mut self.session, Message::decode(&data)?)?;
                self.note_acknowledged();
                // A server killed in the meantime is met at the next read.
                let _ = self.flush().await;
                Ok(true)
            }
            Heard::Frame(Frame::Ephemeral { .. } | Frame::Unknown) => Ok(true),
            Heard::Frame(frame) => bail!("the server says {frame:?}"),
            Heard::Closed(_) => {
                self.socket = None;
                Ok(false)
            }
        }
    }

    /// The server names heads only when it has stored them and all before them.
    fn note_acknowledged(&mut self) {
        let Some(theirs) = &self.session.their_heads else { return };
        let known: Vec<_> =
            theirs.iter().copied().filter(|hash| self.replica.get_change_by_hash(hash).is_some()).collect();
        let beyond: BTreeSet<_> = self.replica.get_changes(&known).iter().map(automerge::Change::hash).collect();
        let has = self.made.iter().take_while(|hash| !beyond.contains(hash)).count();
        self.acknowledged = self.acknowledged.max(has);
    }

    async fn flush(&mut self) -> Result<()> {
        while let Some(message) = self.replica.sync().generate_sync_message(&mut self.session) {
            self.sent.extend(&self.session.sent_hashes);
            let socket = self.socket.as_mut().context("not connected")?;
            let (sender, target, document) = (socket.me.clone(), socket.server.clone(), self.document);
            socket.say(&Frame::Sync { sender, target, document, data: message.encode().into() }).await?;
        }
        Ok(())
    }
}
