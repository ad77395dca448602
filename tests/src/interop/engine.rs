//! Our engine as a phone drives it, on one memo and over a plain socket: [`DocumentSync`] decides what is said.
//!
//! Edits and texts are Automerge's own. Connects anew by itself when the line breaks, and keeps what it has. Knows no
//! store: what was received counts as stored at once.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use automerge::{AutoCommit, ChangeHash, ObjId, ROOT, ReadDoc, transaction::Transactable};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use taiwa_shared::{
    documents::genesis,
    domain::ownership::DocumentKey,
    ids::DocumentId,
    sync::{
        chunks::StoredChange,
        document::{Authors, DocumentSync, PeerAccess, PeerRole, SyncKind},
        wire::{Frame, PROTOCOL_VERSION, PeerId, PeerMetadata},
    },
};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use crate::eventually::PATIENCE;

/// How long a socket is listened to before conditions that lie elsewhere are looked at again.
const LISTEN_FOR: Duration = Duration::from_millis(20);

/// The one peer of a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Server;

/// As a phone sees its hub.
const SERVER_ROLE: PeerRole = PeerRole { access: PeerAccess::Write, authors: Authors::Relayed };

/// A connection that the other side has answered.
#[derive(Debug)]
struct Connection {
    socket: WebSocketStream<TcpStream>,
    me: PeerId,
    server: PeerId,
}

/// Our engine on one memo.
#[derive(Debug)]
pub struct EngineClient {
    address: SocketAddr,
    name: String,
    document: DocumentId,
    sync: DocumentSync<Server>,
    chunks: HashMap<ChangeHash, Bytes>,
    replica: AutoCommit,
    body: ObjId,
    connection: Option<Connection>,
    connections: u32,
    /// What the server was known to have when the connection broke.
    shared: Vec<ChangeHash>,
}

impl EngineClient {
    /// The first change of a memo, and no connection yet.
    ///
    /// # Errors
    /// If the key is no memo's.
    pub fn new(memo: &DocumentKey, address: SocketAddr, name: &str) -> Result<Self> {
        let first = genesis(memo, 0);
        let replica = AutoCommit::load(&first.bytes).context("load the first change")?;
        let (_, body) = replica.get(ROOT, "body")?.context("a memo has a body")?;
        let change = StoredChange::read(first.bytes.into())?;
        Ok(Self {
            address,
            name: name.to_owned(),
            document: first.document,
            chunks: HashMap::from([(change.header.hash, change.bytes.clone())]),
            sync: DocumentSync::open(change, [], [])?,
            replica,
            body,
            connection: None,
            connections: 0,
            shared: Vec::new(),
        })
    }

    /// The document.
    pub fn document(&self) -> DocumentId {
        self.document
    }

    /// Leads the next connections elsewhere and ends this one.
    pub fn lead_to(&mut self, address: SocketAddr) {
        self.address = address;
        self.disconnect();
    }

    /// Ends the connection; [`Self::until`] makes another.
    pub fn disconnect(&mut self) {
        if self.connection.take().is_some() {
            if self.sync.peer_has_all(Server) {
                self.shared = self.sync.heads();
            }
            self.sync.disconnect(Server);
        }
    }

    /// Connections so far.
    pub fn connections(&self) -> u32 {
        self.connections
    }

    /// Inserts a text at a place in characters, as one change.
    ///
    /// # Errors
    /// If the place is outside the text.
    pub fn insert(&mut self, at: usize, text: &str) -> Result<()> {
        self.replica.splice_text(&self.body, at, 0, text)?;
        let bytes = self.replica.get_last_local_change().context("a text is a change")?.raw_bytes().to_vec();
        let change = StoredChange::read(bytes.into())?;
        self.chunks.insert(change.header.hash, change.bytes.clone());
        self.sync.stage_local(change)?;
        self.sync.commit();
        Ok(())
    }

    /// The text as it is here.
    ///
    /// # Errors
    /// If the document is not readable.
    pub fn text(&self) -> Result<String> {
        Ok(self.replica.text(&self.body)?)
    }

    /// The heads as the engine has them, sorted.
    ///
    /// # Errors
    /// If Automerge's document has others.
    pub fn heads(&mut self) -> Result<Vec<ChangeHash>> {
        let mut applied = self.replica.get_heads();
        applied.sort_unstable();
        let heads = self.sync.heads();
        ensure!(heads == applied, "the engine has heads {heads:?}, the document {applied:?}");
        Ok(heads)
    }

    /// Whether both sides know that the other has everything and nothing is left to say: what a phone shows as 同期済み.
    pub fn is_settled(&self) -> bool {
        self.connection.is_some()
            && !self.sync.wants_to_send(Server)
            && self.sync.peer_has_all(Server)
            && self.sync.has_all_of(Server)
    }

    /// Exchanges until `condition` holds.
    ///
    /// # Errors
    /// If it does not in time; if the engine refuses what comes, or the other side says what it must not.
    pub async fn until(&mut self, what: &str, mut condition: impl FnMut(&mut Self) -> bool) -> Result<()> {
        let started = Instant::now();
        while !condition(self) {
            ensure!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
            self.exchange().await?;
        }
        Ok(())
    }

    /// Says what there is to say, and takes what comes within a moment.
    ///
    /// # Errors
    /// As [`Self::until`].
    pub async fn exchange(&mut self) -> Result<()> {
        if self.connection.is_none() && !self.connect().await {
            // Nobody there, or the line broke at once.
            tokio::task::yield_now().await;
            return Ok(());
        }
        while let Some(message) = self.sync.next_message(Server) {
            let kind = message.kind;
            let chunk = |hash| self.chunks.get(hash).cloned().context("every change has its bytes");
            let chunks = message.changes().iter().map(chunk).collect::<Result<Vec<_>>>()?;
            self.say(kind, message.encode(&chunks)).await?;
        }
        let Some(connection) = &mut self.connection else { return Ok(()) };
        match timeout(LISTEN_FOR, connection.socket.next()).await {
            Ok(Some(Ok(Message::Binary(frame)))) => self.take(Frame::decode(&frame)?),
            Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => {
                self.disconnect();
                Ok(())
            }
            Ok(Some(Ok(_))) | Err(_) => Ok(()),
        }
    }

    async fn connect(&mut self) -> bool {
        // A name of its own for each connection: under the old one a JavaScript server goes on with the state of the broken
        // connection, and says nothing where that has everything. What it keeps on disk it finds by the storage.
        let me = PeerId::new(format!("{}-{}", self.name, self.connections)).expect("tests give short names");
        let Ok(Some(connection)) = timeout(PATIENCE, join(self.address, me, &self.name)).await else { return false };
        self.connection = Some(connection);
        self.connections += 1;
        self.sync.connect(Server, SERVER_ROLE);
        self.sync.seed_shared_heads(Server, &self.shared);
        true
    }

    async fn say(&mut self, kind: SyncKind, data: Vec<u8>) -> Result<()> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let (sender, target, document) = (connection.me.clone(), connection.server.clone(), self.document);
        let data = Bytes::from(data);
        let frame = match kind {
            SyncKind::Request => Frame::Request { sender, target, document, data },
            SyncKind::Sync => Frame::Sync { sender, target, document, data },
        };
        if connection.socket.send(Message::Binary(frame.encode().into())).await.is_err() {
            self.disconnect();
        }
        Ok(())
    }

    fn take(&mut self, frame: Frame) -> Result<()> {
        let (kind, document, data) = match frame {
            Frame::Request { document, data, .. } => (SyncKind::Request, document, data),
            Frame::Sync { document, data, .. } => (SyncKind::Sync, document, data),
            Frame::DocUnavailable { .. } => bail!("the server says it has no document, which was brought to it"),
            Frame::Error { message, .. } => bail!("the server complains: {message}"),
            _ => return Ok(()),
        };
        ensure!(document == self.document, "a message about {document}, which nobody asked for");
        for accepted in self.sync.receive_from_server(Server, kind, &data)? {
            self.replica.load_incremental(&accepted.change.bytes)?;
            self.chunks.insert(accepted.change.header.hash, accepted.change.bytes);
        }
        self.sync.commit();
        Ok(())
    }
}

/// Opens a socket and introduces itself; none if that broke off.
async fn join(address: SocketAddr, me: PeerId, storage: &str) -> Option<Connection> {
    let stream = TcpStream::connect(address).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let (mut socket, _) = tokio_tungstenite::client_async(format!("ws://{address}/"), stream).await.ok()?;
    // With a storage, so that the server remembers what it has in common with us.
    let storage_id = Some(format!("storage-of-{storage}"));
    let metadata = PeerMetadata { storage_id, is_ephemeral: false, taiwa: true };
    let versions = vec![PROTOCOL_VERSION.to_owned()];
    let frame = Frame::Join { sender: me.clone(), metadata, versions };
    socket.send(Message::Binary(frame.encode().into())).await.ok()?;
    loop {
        if let Message::Binary(bytes) = socket.next().await?.ok()?
            && let Ok(Frame::Peer { sender, .. }) = Frame::decode(&bytes)
        {
            return Some(Connection { socket, me, server: sender });
        }
    }
}
