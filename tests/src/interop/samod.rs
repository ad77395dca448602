//! The crate samod as a client of our hub, with a bearer token, and as a sync server, both in this process.
//!
//! Only the transports are ours. Its documents count characters where ours count UTF-16 units; the verbs convert.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use automerge::{Automerge, AutomergeError, ChangeHash, ObjId, ObjType, ROOT, ReadDoc, transaction::Transactable};
use futures_util::{SinkExt, StreamExt, future::BoxFuture};
use reqwest::Url;
use samod::{BackoffConfig, DialError, Dialer, DialerHandle, DocHandle, Repo, ShareConfig, Transport};
use taiwa_shared::{documents::caret::Caret, ids::DocumentId};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message, client::IntoClientRequest},
};

use super::{Guest, Host};
use crate::eventually::PATIENCE;

/// Short, so that tests need not wait.
const BACKOFF: BackoffConfig = BackoffConfig {
    initial_delay: Duration::from_millis(20),
    max_delay: Duration::from_millis(200),
    max_retries: None,
};

/// A repo with the documents it was asked for.
#[derive(Debug)]
struct Documents {
    repo: Repo,
    found: HashMap<DocumentId, DocHandle>,
}

impl Documents {
    fn of(repo: Repo) -> Self {
        Self { repo, found: HashMap::new() }
    }

    fn handle(&self, document: DocumentId) -> Result<&DocHandle> {
        self.found.get(&document).context("the document was not found before")
    }

    async fn find(&mut self, document: DocumentId) -> Result<Option<String>> {
        let theirs = samod::DocumentId::try_from(document.as_bytes().to_vec()).context("16 bytes are an id")?;
        let found = timeout(PATIENCE, self.repo.find(theirs)).await.context("samod finds it in time or not")??;
        let Some(handle) = found else { return Ok(None) };
        self.found.insert(document, handle);
        self.text(document).await.map(Some)
    }

    async fn text(&self, document: DocumentId) -> Result<String> {
        self.handle(document)?.with_document_async(|doc| body_of(doc).map(|(_, text)| text)).await?
    }

    async fn splice(&self, document: DocumentId, at_utf16: usize, delete: usize, insert: &str) -> Result<()> {
        let insert = insert.to_owned();
        let splice = move |doc: &mut Automerge| {
            let (body, text) = body_of(doc)?;
            let body = body.context("only a document with a body is written in")?;
            let at = characters(&text, at_utf16);
            let delete = isize::try_from(characters(&text, at_utf16 + delete) - at)?;
            let spliced = doc.transact(|tx| tx.splice_text(&body, at, delete, &insert));
            spliced.map(drop).map_err(|failure| anyhow::Error::from(failure.error))
        };
        self.handle(document)?.with_document_async(splice).await?
    }

    async fn heads(&self, document: DocumentId) -> Result<Vec<ChangeHash>> {
        let heads = |doc: &mut Automerge| {
            let mut heads = doc.get_heads();
            heads.sort_unstable();
            heads
        };
        Ok(self.handle(document)?.with_document_async(heads).await?)
    }
}

/// The text object of a document and what it says, if there is one.
fn body_of(doc: &Automerge) -> Result<(Option<ObjId>, String)> {
    let Some((_, body)) = doc.get(ROOT, "body")? else { return Ok((None, String::new())) };
    let text = doc.text(&body)?;
    Ok((Some(body), text))
}

/// How many characters lie before a place in UTF-16 units.
fn characters(text: &str, at_utf16: usize) -> usize {
    let mut units = 0;
    let before = |it: &char| {
        units += it.len_utf16();
        units <= at_utf16
    };
    text.chars().take_while(before).count()
}

/// A samod client.
#[derive(Debug)]
pub struct SamodClient {
    documents: Documents,
    dialer: Arc<BearerDialer>,
    dialing: DialerHandle<tungstenite::Error>,
    carets: Arc<Mutex<HashMap<DocumentId, Vec<Caret>>>>,
    listening: Vec<JoinHandle<()>>,
}

impl SamodClient {
    /// Starts a client that connects to this address with a token.
    ///
    /// # Errors
    /// If the server does not take it.
    pub async fn start(address: SocketAddr, access_token: &str) -> Result<Self> {
        let repo = Repo::build_tokio().load().await;
        let dialer = Arc::new(BearerDialer { address, token: access_token.to_owned() });
        let dialing = dial(&repo, &dialer).await?;
        Ok(Self { documents: Documents::of(repo), dialer, dialing, carets: Arc::default(), listening: Vec::new() })
    }

    fn listen(&mut self, document: DocumentId) -> Result<()> {
        let mut messages = self.documents.handle(document)?.ephemera();
        let carets = Arc::clone(&self.carets);
        self.listening.push(tokio::spawn(async move {
            while let Some(message) = messages.next().await {
                if let Some(caret) = Caret::decode(&message) {
                    let mut carets = carets.lock().unwrap_or_else(PoisonError::into_inner);
                    carets.entry(document).or_default().push(caret);
                }
            }
        }));
        Ok(())
    }
}

impl Drop for SamodClient {
    fn drop(&mut self) {
        self.dialing.close();
        for task in &self.listening {
            task.abort();
        }
    }
}

async fn dial(repo: &Repo, dialer: &Arc<BearerDialer>) -> Result<DialerHandle<tungstenite::Error>> {
    let dialing = repo.dial(BACKOFF, Arc::clone(dialer))?;
    timeout(PATIENCE, dialing.established()).await.context("samod connects in time")??;
    Ok(dialing)
}

impl Guest for SamodClient {
    async fn find(&mut self, document: DocumentId) -> Result<Option<String>> {
        let is_new = !self.documents.found.contains_key(&document);
        let text = self.documents.find(document).await?;
        if is_new && text.is_some() {
            self.listen(document)?;
        }
        Ok(text)
    }

    async fn text(&mut self, document: DocumentId) -> Result<String> {
        self.documents.text(document).await
    }

    async fn splice(&mut self, document: DocumentId, at_utf16: usize, delete: usize, insert: &str) -> Result<()> {
        self.documents.splice(document, at_utf16, delete, insert).await
    }

    async fn put(&mut self, document: DocumentId, key: &str, value: &str) -> Result<()> {
        let (key, value) = (key.to_owned(), value.to_owned());
        let put = move |doc: &mut Automerge| {
            let put = doc.transact(|tx| tx.put(ROOT, key.as_str(), value.as_str()));
            put.map(drop).map_err(|failure| failure.error)
        };
        Ok(self.documents.handle(document)?.with_document_async(put).await??)
    }

    async fn heads(&mut self, document: DocumentId) -> Result<Vec<ChangeHash>> {
        self.documents.heads(document).await
    }

    async fn is_acknowledged(&mut self, document: DocumentId) -> Result<bool> {
        let mut ours = Some(self.documents.heads(document).await?);
        let (peers, _) = self.documents.handle(document)?.peers();
        let mut theirs = self.dialing.connection_id().and_then(|hub| peers.get(&hub)?.their_heads.clone());
        for heads in [&mut ours, &mut theirs] {
            heads.iter_mut().for_each(|heads| heads.sort_unstable());
        }
        Ok(ours == theirs)
    }

    async fn show_caret(&mut self, document: DocumentId, caret: &Caret) -> Result<()> {
        self.documents.handle(document)?.broadcast(caret.encode());
        Ok(())
    }

    async fn carets(&mut self, document: DocumentId) -> Result<Vec<Caret>> {
        let carets = self.carets.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(carets.get(&document).cloned().unwrap_or_default())
    }

    async fn invent(&mut self, body: &str) -> Result<DocumentId> {
        let mut doc = Automerge::new();
        let written = doc.transact(|tx| {
            let text = tx.put_object(ROOT, "body", ObjType::Text)?;
            tx.splice_text(&text, 0, 0, body)?;
            Ok::<_, AutomergeError>(())
        });
        written.map_err(|failure| failure.error)?;
        let handle = self.documents.repo.create(doc).await?;
        let document = DocumentId::from_base58check(&handle.document_id().to_string())?;
        self.documents.found.insert(document, handle);
        Ok(document)
    }

    async fn leave(&mut self) -> Result<()> {
        self.dialing.close();
        Ok(())
    }

    async fn come_back(&mut self) -> Result<()> {
        self.dialing = dial(&self.documents.repo, &self.dialer).await?;
        Ok(())
    }
}

/// Opens a socket with a bearer token for each connection.
#[derive(Debug)]
struct BearerDialer {
    address: SocketAddr,
    token: String,
}

impl Dialer for BearerDialer {
    type Error = tungstenite::Error;

    fn url(&self) -> Url {
        Url::parse(&format!("ws://{}/v1/sync", self.address)).expect("an address makes a URL")
    }

    fn connect(&self) -> BoxFuture<'static, Result<Transport, DialError<Self::Error>>> {
        let (url, token, address) = (self.url(), self.token.clone(), self.address);
        let open = async move {
            let mut request = url.as_str().into_client_request()?;
            let bearer = format!("Bearer {token}").parse().expect("a token is a header's value");
            request.headers_mut().insert("authorization", bearer);
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (socket, _) = tokio_tungstenite::client_async(request, stream).await?;
            Ok::<_, tungstenite::Error>(transport(socket))
        };
        Box::pin(async move { open.await.map_err(DialError::transient) })
    }
}

/// Frames are binary messages; whatever else comes is no frame.
fn transport<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(socket: WebSocketStream<S>) -> Transport {
    let (sink, stream) = socket.split();
    let stream = stream.filter_map(|message| {
        std::future::ready(match message {
            Ok(Message::Binary(bytes)) => Some(Ok(Vec::from(bytes))),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    });
    let frame = |bytes: Vec<u8>| std::future::ready(Ok::<_, tungstenite::Error>(Message::Binary(bytes.into())));
    Transport::new(stream, sink.with(frame))
}

/// A samod sync server that keeps everything in memory.
#[derive(Debug)]
pub struct SamodServer {
    documents: Documents,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl SamodServer {
    /// Starts a server.
    ///
    /// # Errors
    /// If no loopback port can be had.
    pub async fn start() -> Result<Self> {
        // As the JavaScript server: it tells nobody of documents that they did not ask for.
        let policy = ShareConfig::read_write().with_announce(false);
        let repo = Repo::build_tokio().with_share_policy(policy).load().await;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let acceptor = repo.make_acceptor(Url::parse(&format!("ws://{address}"))?)?;
        let accepting = tokio::spawn(async move {
            loop {
                let accepted = async {
                    let (stream, _) = listener.accept().await?;
                    stream.set_nodelay(true)?;
                    let socket = tokio_tungstenite::accept_async(stream).await.map_err(io::Error::other)?;
                    // The socket lives on in the transport; an error means that the repo stops.
                    acceptor.accept(transport(socket)).map(drop).map_err(io::Error::other)
                };
                if let Err(error) = accepted.await {
                    tracing::debug!(%error, "a connection to samod broke before it began");
                }
            }
        });
        Ok(Self { documents: Documents::of(repo), address, accepting })
    }
}

impl Drop for SamodServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Host for SamodServer {
    fn address(&self) -> SocketAddr {
        self.address
    }

    async fn find(&mut self, document: DocumentId) -> Result<Option<String>> {
        self.documents.find(document).await
    }

    async fn text(&mut self, document: DocumentId) -> Result<String> {
        self.documents.text(document).await
    }

    async fn splice(&mut self, document: DocumentId, at_utf16: usize, delete: usize, insert: &str) -> Result<()> {
        self.documents.splice(document, at_utf16, delete, insert).await
    }

    async fn heads(&mut self, document: DocumentId) -> Result<Vec<ChangeHash>> {
        self.documents.heads(document).await
    }
}
