//! Somebody with Automerge's own document and sync state who has nothing yet and reads a memo: the judge at the end of a
//! run, and the measure of a cold open.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use automerge::{
    AutoCommit, ChangeHash, ROOT, ReadDoc,
    sync::{Message as SyncMessage, State, SyncDoc},
};
use taiwa_shared::{
    ids::DocumentId,
    sync::wire::{Frame, PROTOCOL_VERSION, PeerId, PeerMetadata},
};
use tokio::time::timeout;

use crate::socket::{Door, Message, Socket};

/// A memo that takes longer will not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was read.
#[derive(Debug)]
pub(crate) struct Read {
    /// Heads of the memo, sorted.
    pub(crate) heads: Vec<ChangeHash>,
    /// Letters of its text.
    pub(crate) letters: usize,
    /// From the first word about the memo to the text.
    pub(crate) took: Duration,
    /// Bytes that came for it.
    pub(crate) bytes: u64,
}

/// Somebody who reads.
struct Reader {
    socket: Socket,
    me: PeerId,
    server: PeerId,
    document: DocumentId,
    memo: AutoCommit,
    state: State,
    has_asked: bool,
}

/// Reads a memo until it has these heads.
///
/// # Errors
/// If the server refuses, says something wrong, or does not have them in time.
pub(crate) async fn read(door: &Door, name: &str, document: DocumentId, heads: &[ChangeHash]) -> Result<Read> {
    let reading = async {
        let mut reader = Reader::open(door, name, document).await?;
        let (started, before) = (Instant::now(), reader.socket.received);
        while reader.heads() != heads {
            ensure!(reader.listen().await?, "the server has no such memo");
        }
        let Some((_, body)) = reader.memo.get(ROOT, "body")? else { bail!("the memo has no body") };
        let letters = reader.memo.text(&body)?.chars().count();
        let (took, bytes) = (started.elapsed(), reader.socket.received - before);
        Ok(Read { heads: reader.heads(), letters, took, bytes })
    };
    timeout(PATIENCE, reading).await.context("the memo did not come in time")?
}

/// Reads all changes that the server has of a memo; none if it knows no such memo.
///
/// # Errors
/// If the server refuses, says something wrong, or nothing in time.
pub(crate) async fn read_what_is_there(door: &Door, name: &str, document: DocumentId) -> Result<HashSet<ChangeHash>> {
    let reading = async {
        let mut reader = Reader::open(door, name, document).await?;
        loop {
            if !reader.listen().await? {
                return Ok(HashSet::new());
            }
            let mut theirs = reader.state.their_heads.clone().unwrap_or_default();
            theirs.sort_unstable();
            if !theirs.is_empty() && theirs == reader.heads() {
                return Ok(reader.memo.get_changes(&[]).iter().map(automerge::Change::hash).collect());
            }
        }
    };
    timeout(PATIENCE, reading).await.context("the memo did not come in time")?
}

impl Reader {
    /// Connects, introduces itself and asks.
    async fn open(door: &Door, name: &str, document: DocumentId) -> Result<Self> {
        let mut socket = Socket::open(door).await?;
        let me = PeerId::new(name).context("a short name")?;
        let metadata = PeerMetadata { storage_id: None, is_ephemeral: true, taiwa: false };
        let join = Frame::Join { sender: me.clone(), metadata, versions: vec![PROTOCOL_VERSION.to_owned()] };
        socket.queue(&join.encode());
        let server = loop {
            if let Frame::Peer { sender, .. } = hear(&mut socket).await? {
                break sender;
            }
        };
        let (memo, state) = (AutoCommit::new(), State::new());
        let mut reader = Self { socket, me, server, document, memo, state, has_asked: false };
        reader.speak();
        Ok(reader)
    }

    fn heads(&mut self) -> Vec<ChangeHash> {
        let mut heads = self.memo.get_heads();
        heads.sort_unstable();
        heads
    }

    fn speak(&mut self) {
        while let Some(message) = self.memo.sync().generate_sync_message(&mut self.state) {
            let (sender, target, document) = (self.me.clone(), self.server.clone(), self.document);
            let data = message.encode().into();
            let frame = match std::mem::replace(&mut self.has_asked, true) {
                false => Frame::Request { sender, target, document, data },
                true => Frame::Sync { sender, target, document, data },
            };
            self.socket.queue(&frame.encode());
        }
    }

    /// Takes one thing from the server and answers; false if there is no such memo.
    async fn listen(&mut self) -> Result<bool> {
        match hear(&mut self.socket).await? {
            Frame::Sync { document, data, .. } | Frame::Request { document, data, .. } if document == self.document => {
                self.memo.sync().receive_sync_message(&mut self.state, SyncMessage::decode(&data)?)?;
                self.speak();
            }
            Frame::DocUnavailable { document, .. } if document == self.document => return Ok(false),
            Frame::Error { message, .. } => bail!("the server complains: {message}"),
            _ => {}
        }
        Ok(true)
    }
}

async fn hear(socket: &mut Socket) -> Result<Frame> {
    match socket.next().await? {
        Message::Binary(bytes) => Frame::decode(&bytes).context("the server sends frames"),
        Message::Closed(code) => bail!("the server closed with {code:?}"),
    }
}
