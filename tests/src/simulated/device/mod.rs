//! A client on the simulated network: our engine on several documents over one socket, as a phone drives it.
//!
//! Connects anew by itself, keeps what it has, and notes what it made and what it was told. Knows no store: what was
//! received counts as stored at once. Decides nothing about when to edit. [`held`] is one document of it.

mod held;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use automerge::ChangeHash;
use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use rand::{RngExt, rngs::StdRng};
use taiwa_shared::{
    domain::ownership::DocumentKey,
    ids::DocumentId,
    sync::{
        document::SyncKind,
        wire::{Frame, PROTOCOL_VERSION, PeerId, PeerMetadata},
    },
};
use tokio::{
    io::DuplexStream,
    sync::Notify,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use super::network::Network;
use held::Held;

/// A server pings every 20 seconds; a line that is silent for longer than two of them is dead.
const SILENCE: Duration = Duration::from_secs(45);
/// Opening a socket and introducing oneself takes at most this long.
const OPENING: Duration = Duration::from_secs(15);
/// Between two tries to connect: the first time, and at last.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

struct State {
    name: String,
    documents: BTreeMap<DocumentId, Held>,
    /// Both names, while introduced.
    connected: Option<(PeerId, PeerId)>,
    carets: Vec<Frame>,
    carets_made: u64,
    carets_heard: u64,
    news_heard: u64,
    complaint: Option<String>,
}

/// A device; it lives until it is dropped.
pub struct Device {
    line: usize,
    state: Arc<Mutex<State>>,
    wake: Arc<Notify>,
    living: JoinHandle<()>,
}

impl Drop for Device {
    fn drop(&mut self) {
        self.living.abort();
    }
}

impl Device {
    /// A device with these documents from their first changes on, that connects at once.
    ///
    /// # Errors
    /// If a first change does not load.
    pub fn start(
        network: &Network,
        line: usize,
        token: &str,
        documents: &[DocumentKey],
        random: StdRng,
    ) -> Result<Self> {
        let documents = documents.iter().map(Held::begin).collect::<Result<_>>()?;
        let state = State {
            name: format!("device-{line}"),
            documents,
            connected: None,
            carets: Vec::new(),
            carets_made: 0,
            carets_heard: 0,
            news_heard: 0,
            complaint: None,
        };
        let (state, wake) = (Arc::new(Mutex::new(state)), Arc::new(Notify::new()));
        let life = Life {
            state: Arc::clone(&state),
            wake: Arc::clone(&wake),
            network: network.clone(),
            line,
            token: token.to_owned(),
        };
        Ok(Self { line, state, wake, living: tokio::spawn(life.run(random)) })
    }

    /// The number of its line.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Makes one change that brings one character which no other change brings.
    ///
    /// # Errors
    /// If the engine does not take it.
    pub fn edit(&self, document: DocumentId, random: &mut StdRng) -> Result<()> {
        let mut state = self.state();
        state.documents.get_mut(&document).context("the device has the document")?.edit(self.line, random)?;
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// Shows the others where the caret is, if it is connected.
    pub fn move_caret(&self, document: DocumentId) {
        let mut state = self.state();
        state.carets_made += 1;
        if let Some((sender, target)) = state.connected.clone() {
            let (session, count) = ("session".to_owned(), state.carets_made);
            let data = Bytes::from_static(&[0xa0]);
            state.carets.push(Frame::Ephemeral { sender, target, document, session, count, data });
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Access that was withdrawn is given again.
    pub fn allow(&self, document: DocumentId) {
        let mut state = self.state();
        let is_connected = state.connected.is_some();
        let withdrawn = state.documents.get_mut(&document).filter(|held| held.unavailable && is_connected);
        if let Some(held) = withdrawn {
            held.connect();
        }
        drop(state);
        self.wake.notify_one();
    }

    /// The documents it has.
    pub fn documents(&self) -> Vec<DocumentId> {
        self.state().documents.keys().copied().collect()
    }

    /// Whether the server said that there is no such document.
    pub fn is_unavailable(&self, document: DocumentId) -> bool {
        self.state().documents[&document].unavailable
    }

    /// Whether on every document that it may see both sides know that the other has everything, and nothing is left to say.
    pub fn is_settled(&self) -> bool {
        let state = self.state();
        let settled = |held: &Held| held.unavailable || held.is_settled();
        state.connected.is_some() && state.documents.values().all(settled)
    }

    /// Own changes, each with the character it brought.
    pub fn made(&self, document: DocumentId) -> Vec<(ChangeHash, String)> {
        self.state().documents[&document].made.clone()
    }

    /// What the server has said that it has, of own changes, and what it has sent.
    pub fn told(&self, document: DocumentId) -> BTreeSet<ChangeHash> {
        let state = self.state();
        let held = &state.documents[&document];
        held.acknowledged.union(&held.received).copied().collect()
    }

    /// The heads as the engine has them, sorted.
    pub fn heads(&self, document: DocumentId) -> Vec<ChangeHash> {
        self.state().documents[&document].heads()
    }

    /// What is on screen: the heads and the text, or the keys where there is no text.
    ///
    /// # Errors
    /// If the document is not readable.
    pub fn shown(&self, document: DocumentId) -> Result<(Vec<ChangeHash>, String)> {
        let mut state = self.state();
        let held = state.documents.get_mut(&document).context("the device has the document")?;
        held.shown()
    }

    /// Carets of others and news that came.
    pub fn heard(&self) -> (u64, u64) {
        let state = self.state();
        (state.carets_heard, state.news_heard)
    }

    /// What the server did that it must not do.
    pub fn complaint(&self) -> Option<String> {
        self.state().complaint.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What there is to say now.
    fn next_frames(&mut self) -> Result<Vec<Frame>> {
        let Some((me, server)) = self.connected.clone() else { return Ok(Vec::new()) };
        let mut frames = std::mem::take(&mut self.carets);
        for (document, held) in &mut self.documents {
            while let Some((kind, data)) = held.next_message()? {
                let (sender, target, document) = (me.clone(), server.clone(), *document);
                frames.push(match kind {
                    SyncKind::Request => Frame::Request { sender, target, document, data },
                    SyncKind::Sync => Frame::Sync { sender, target, document, data },
                });
            }
        }
        Ok(frames)
    }

    fn take(&mut self, frame: Frame) -> Result<()> {
        let (kind, document, data) = match frame {
            Frame::Request { document, data, .. } => (SyncKind::Request, document, data),
            Frame::Sync { document, data, .. } => (SyncKind::Sync, document, data),
            Frame::DocUnavailable { document, .. } => {
                let held = self.documents.get_mut(&document).context("a document that nobody asked for")?;
                held.unavailable = true;
                held.disconnect();
                return Ok(());
            }
            Frame::Ephemeral { .. } => {
                self.carets_heard += 1;
                return Ok(());
            }
            Frame::News { .. } => {
                self.news_heard += 1;
                return Ok(());
            }
            Frame::Error { .. } => return Ok(()),
            other => bail!("the server says {other:?}"),
        };
        let held = self.documents.get_mut(&document).context("a document that nobody asked for")?;
        held.take(kind, &data)
    }
}

/// The task of a device.
struct Life {
    state: Arc<Mutex<State>>,
    wake: Arc<Notify>,
    network: Network,
    line: usize,
    token: String,
}

impl Life {
    async fn run(self, mut random: StdRng) {
        let mut patience = SHORTEST_WAIT;
        loop {
            if let Ok(Ok(socket)) = timeout(OPENING, self.open()).await {
                patience = SHORTEST_WAIT;
                let (mut sink, mut stream) = socket.split();
                let ended = tokio::select! {
                    ended = self.speak(&mut sink) => ended,
                    ended = self.listen(&mut stream) => ended,
                };
                let mut state = self.state();
                if let Err(error) = ended {
                    state.complaint.get_or_insert(format!("{error:#}"));
                }
                state.connected = None;
                state.carets.clear();
                state.documents.values_mut().for_each(Held::disconnect);
            }
            sleep(patience.mul_f64(random.random_range(0.5..1.5))).await;
            patience = LONGEST_WAIT.min(patience * 2);
        }
    }

    /// Opens a socket and introduces itself.
    async fn open(&self) -> Result<WebSocketStream<DuplexStream>> {
        let stream = self.network.connect(self.line).await?;
        let mut request = "ws://taiwa.example.jp/v1/sync".into_client_request()?;
        request.headers_mut().insert("authorization", format!("Bearer {}", self.token).parse()?);
        let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await?;
        let me = PeerId::new(self.state().name.clone()).context("a short name")?;
        let metadata = PeerMetadata { storage_id: None, is_ephemeral: false, taiwa: true };
        let versions = vec![PROTOCOL_VERSION.to_owned()];
        let join = Frame::Join { sender: me.clone(), metadata, versions };
        socket.send(Message::Binary(join.encode().into())).await?;
        loop {
            let message = socket.next().await.context("the line broke")??;
            if let Message::Binary(bytes) = message
                && let Frame::Peer { sender, .. } = Frame::decode(&bytes)?
            {
                let mut state = self.state();
                state.connected = Some((me, sender));
                state.documents.values_mut().for_each(Held::connect);
                return Ok(socket);
            }
        }
    }

    /// An error is the fault of the other side; a broken line is none.
    async fn speak(&self, sink: &mut (impl Sink<Message, Error = Error> + Unpin)) -> Result<()> {
        loop {
            let frames = self.state().next_frames()?;
            let has_spoken = !frames.is_empty();
            for frame in frames {
                if sink.send(Message::Binary(frame.encode().into())).await.is_err() {
                    return Ok(());
                }
            }
            if !has_spoken {
                self.wake.notified().await;
            }
        }
    }

    async fn listen(&self, stream: &mut (impl Stream<Item = Result<Message, Error>> + Unpin)) -> Result<()> {
        loop {
            match timeout(SILENCE, stream.next()).await {
                Ok(Some(Ok(Message::Binary(bytes)))) => {
                    self.state().take(Frame::decode(&bytes)?)?;
                    self.wake.notify_one();
                }
                Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => return Ok(()),
                Ok(Some(Ok(_))) => {}
                Err(_) => {
                    self.network.count("client gave up a silent line");
                    return Ok(());
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
