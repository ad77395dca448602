//! A client of the sync socket that shares no engine with the product: automerge's own documents and sync states.
//!
//! Speaks plain frames over a [`RawSocket`], so that a test can also send what no client would, look at raw bytes, or stop
//! reading. It decides nothing by itself: a test pumps it until what it waits for has come.

use std::{collections::HashMap, time::Duration};

use automerge::{
    ActorId, AutoCommit, ChangeHash, ROOT, ReadDoc,
    sync::{Have, Message as SyncMessage, State, SyncDoc},
    transaction::{CommitOptions, Transactable},
};
use bytes::Bytes;
use taiwa_shared::{
    documents,
    domain::ownership::DocumentKey,
    ids::DocumentId,
    sync::wire::{Frame, PeerId},
};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::{
    eventually::PATIENCE,
    raw_socket::{Heard, RawSocket},
};

/// A document as this client holds it.
#[derive(Debug, Default)]
pub struct Held {
    /// Automerge's own document.
    pub doc: AutoCommit,
    state: State,
    /// Whether the server said that there is no such document.
    pub unavailable: bool,
    has_asked: bool,
}

impl Held {
    /// Whether the server has told that it has all that is here.
    pub fn is_acknowledged(&mut self) -> bool {
        let mut ours = self.doc.get_heads();
        ours.sort_unstable();
        self.state.their_heads.clone().is_some_and(|mut theirs| {
            theirs.sort_unstable();
            theirs == ours
        })
    }

    /// The heads the server has told of.
    pub fn told_heads(&self) -> Option<Vec<ChangeHash>> {
        self.state.their_heads.clone()
    }

    /// The text of the memo.
    pub fn body(&self) -> String {
        let Ok(Some((_, body))) = self.doc.get(ROOT, "body") else {
            return String::new();
        };
        self.doc.text(&body).unwrap_or_default()
    }

    /// Types at the start of the memo.
    ///
    /// One change in a hundred would match the Bloom filter by which the server has last told what it has, and not be
    /// sent until the server asks for it, which a client that a test does not pump never hears: such a change is made again.
    ///
    /// # Panics
    /// If the document is no memo.
    pub fn type_text(&mut self, text: &str) {
        let (_, body) = self.doc.get(ROOT, "body").expect("readable").expect("a memo has a body");
        for time in 0.. {
            let mut doc = self.doc.clone();
            doc.splice_text(&body, 0, 0, text).expect("a splice at the start is in range");
            let hash = doc.commit_with(CommitOptions::default().with_time(time));
            let is_mistaken = |have: &Have| hash.is_some_and(|hash| have.bloom.contains_hash(&hash));
            if !self.state.their_have.iter().flatten().any(is_mistaken) {
                self.doc = doc;
                return;
            }
        }
    }
}

/// A client with documents.
#[derive(Debug)]
pub struct PlainClient {
    /// The socket.
    pub socket: RawSocket,
    /// Its own name.
    pub peer: PeerId,
    /// The server's name.
    pub server: PeerId,
    /// What it holds.
    pub documents: HashMap<DocumentId, Held>,
    /// Ephemeral messages of others, in order.
    pub ephemerals: Vec<(PeerId, Bytes)>,
    /// News of records.
    pub news: Vec<u64>,
    /// Frames that only taiwa's own peers understand, news among them.
    pub own_frames: usize,
    /// Set when the server closed, with its code.
    pub closed: Option<Option<u16>>,
    /// What the server complained about.
    pub complaints: Vec<String>,
    /// Bytes of frames about each document.
    pub heard_bytes: HashMap<DocumentId, usize>,
}

impl PlainClient {
    /// Connects and introduces itself.
    ///
    /// # Panics
    /// If the server refuses either.
    pub async fn connect(request: impl IntoClientRequest + Unpin, peer: &str, taiwa: bool) -> Self {
        let mut socket = RawSocket::open_by(request, peer).await.expect("the server takes the socket");
        socket.introduce(taiwa).await.expect("the answer to join is peer");
        Self {
            peer: socket.me.clone(),
            server: socket.server.clone(),
            socket,
            documents: HashMap::new(),
            ephemerals: Vec::new(),
            news: Vec::new(),
            own_frames: 0,
            closed: None,
            complaints: Vec::new(),
            heard_bytes: HashMap::new(),
        }
    }

    /// Holds a document from its genesis on.
    pub fn begin(&mut self, key: &DocumentKey) -> &mut Held {
        let genesis = documents::genesis(key, 0);
        let mut doc = AutoCommit::new().with_actor(ActorId::random());
        doc.load_incremental(&genesis.bytes).expect("the genesis loads");
        self.hold(genesis.document, doc)
    }

    /// Holds a document as it is, with a fresh sync state.
    pub fn hold(&mut self, document: DocumentId, doc: AutoCommit) -> &mut Held {
        self.documents.insert(document, Held { doc, ..Held::default() });
        self.held(document)
    }

    /// Holds nothing of a document yet and asks for it.
    pub fn want(&mut self, document: DocumentId) -> &mut Held {
        self.hold(document, AutoCommit::new().with_actor(ActorId::random()))
    }

    /// A document.
    ///
    /// # Panics
    /// If it is not held.
    pub fn held(&mut self, document: DocumentId) -> &mut Held {
        self.documents.get_mut(&document).expect("the document is held")
    }

    /// Sends everything there is to send.
    pub async fn flush(&mut self) {
        let documents: Vec<DocumentId> = self.documents.keys().copied().collect();
        for document in documents {
            loop {
                let held = self.held(document);
                let is_empty = held.doc.get_heads().is_empty();
                let Some(message) = held.doc.sync().generate_sync_message(&mut held.state) else {
                    break;
                };
                let is_request = is_empty && !held.has_asked;
                held.has_asked = true;
                let data = Bytes::from(message.encode());
                let (sender, target) = (self.peer.clone(), self.server.clone());
                let frame = if is_request {
                    Frame::Request { sender, target, document, data }
                } else {
                    Frame::Sync { sender, target, document, data }
                };
                self.say(&frame).await;
            }
        }
    }

    /// Says a frame. What the server closed meanwhile is heard later.
    pub async fn say(&mut self, frame: &Frame) {
        let _ = self.socket.say(frame).await;
    }

    /// Sends an ephemeral message under any name.
    pub async fn broadcast(&mut self, sender: &PeerId, document: DocumentId, count: u64, data: Vec<u8>) {
        let (sender, target, session) = (sender.clone(), self.server.clone(), "session".to_owned());
        self.say(&Frame::Ephemeral { sender, target, document, session, count, data: data.into() }).await;
    }

    /// Takes in the next thing the server says.
    pub async fn listen(&mut self) -> Heard {
        let heard = self.socket.hear().await;
        self.take(&heard);
        heard
    }

    /// Sends and listens until `condition` holds.
    ///
    /// # Panics
    /// If it does not in time, or the server closes first; the message says `what`.
    pub async fn until(&mut self, what: &str, mut condition: impl FnMut(&mut Self) -> bool) {
        let started = tokio::time::Instant::now();
        loop {
            self.flush().await;
            if condition(self) {
                return;
            }
            assert!(self.closed.is_none(), "closed with {:?} {:?} before: {what}", self.closed, self.complaints);
            assert!(started.elapsed() < PATIENCE, "not in time: {what}\n{}", self.describe());
            match timeout(Duration::from_secs(1), self.socket.next()).await {
                Ok(heard) => self.take(&heard),
                // Conditions may also look elsewhere than at this socket.
                Err(_) => continue,
            }
        }
    }

    /// What is held of each document and what the server was heard to have, for whoever waited in vain.
    fn describe(&mut self) -> String {
        let mut described = String::new();
        for (document, held) in &mut self.documents {
            let (changes, missing) = (held.doc.get_changes(&[]).len(), held.doc.get_missing_deps(&[]));
            let (heads, state) = (held.doc.get_heads(), &held.state);
            described += &format!("{document}: {changes} changes, heads {heads:?}, missing {missing:?}, {state:?}\n");
        }
        described
    }

    /// Waits until the server has acknowledged everything held of a document.
    pub async fn until_acknowledged(&mut self, document: DocumentId) {
        self.until("the server has everything", |client| client.held(document).is_acknowledged()).await;
    }

    /// Waits until the server has said everything it had to say before this call: it answers in order.
    pub async fn settle(&mut self) {
        // A document that nobody has: the answer marks the place.
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let mut id = [0xee; 16];
        id[..8].copy_from_slice(&NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_be_bytes());
        let marker = DocumentId::from_bytes(id);
        self.ask(marker).await;
        loop {
            match self.listen().await {
                Heard::Frame(Frame::DocUnavailable { document, .. }) if document == marker => return,
                Heard::Closed(code) => panic!("closed with {code:?} instead of an answer"),
                Heard::Frame(..) => {}
            }
        }
    }

    /// Asks for a document without holding it.
    pub async fn ask(&mut self, document: DocumentId) {
        let mut state = State::new();
        let message = AutoCommit::new().sync().generate_sync_message(&mut state).expect("the first message");
        let (sender, target, data) = (self.peer.clone(), self.server.clone(), Bytes::from(message.encode()));
        self.say(&Frame::Request { sender, target, document, data }).await;
    }

    fn take(&mut self, heard: &Heard) {
        let frame = match heard {
            Heard::Closed(code) => {
                self.closed = Some(*code);
                return;
            }
            Heard::Frame(Frame::Unknown) => panic!("the server sends frames, not {:?}", self.socket.heard),
            Heard::Frame(frame) => frame,
        };
        match frame {
            Frame::Sync { document, data, .. } | Frame::Request { document, data, .. } => {
                *self.heard_bytes.entry(*document).or_default() += self.socket.heard.len();
                if let Some(held) = self.documents.get_mut(document) {
                    let message = SyncMessage::decode(data).expect("the server sends sync messages");
                    let applied = held.doc.sync().receive_sync_message(&mut held.state, message);
                    applied.expect("what the server sends applies");
                }
            }
            Frame::DocUnavailable { document, .. } => {
                if let Some(held) = self.documents.get_mut(document) {
                    held.unavailable = true;
                }
            }
            Frame::Ephemeral { sender, data, .. } => self.ephemerals.push((sender.clone(), data.clone())),
            Frame::Error { message, .. } => self.complaints.push(message.clone()),
            Frame::News { cursor_hint, .. } => {
                self.news.push(*cursor_hint);
                self.own_frames += 1;
            }
            Frame::Renew { .. } => self.own_frames += 1,
            _ => {}
        }
    }
}
