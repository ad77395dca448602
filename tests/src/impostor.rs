//! A server in between: hands everything on to the real one, and says to phones whatever a test wants.
//!
//! What a phone would hear from a server that was taken over. Requests pass as they are; the sync socket is opened on
//! both sides, so that frames can be put in. Ends with its owner.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context, Result};
use futures_util::{SinkExt, StreamExt};
use taiwa_shared::{
    ids::DocumentId,
    sync::wire::{Frame, PeerId},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::broadcast,
    task::JoinSet,
};
use tokio_tungstenite::{
    accept_hdr_async, connect_async,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        handshake::server::{ErrorResponse, Request, Response},
        http::{HeaderMap, header::AUTHORIZATION},
    },
};
use tokio_util::sync::CancellationToken;

/// How the request for a sync socket begins.
const SYNC: &[u8] = b"GET /v1/sync ";
/// Messages put in that wait for a socket.
const WAITING: usize = 64;

/// What to do with every open sync socket.
#[derive(Debug, Clone)]
enum Order {
    /// A sync message about a document, in the server's name.
    Sync(DocumentId, Vec<u8>),
    /// Anything.
    Message(Message),
    /// The end, without a word.
    Cut,
}

/// A server in between.
#[derive(Debug)]
pub struct Impostor {
    address: SocketAddr,
    orders: broadcast::Sender<Order>,
    sockets: Arc<AtomicU64>,
    stop: CancellationToken,
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Impostor {
    /// Listens, and hands on to `target`.
    ///
    /// # Errors
    /// If no loopback port can be had.
    pub async fn open(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (orders, stop, sockets) = (broadcast::Sender::new(WAITING), CancellationToken::new(), Arc::default());
        let house = House { target, orders: orders.clone(), sockets: Arc::clone(&sockets) };
        tokio::spawn(stop.clone().run_until_cancelled_owned(house.accept(listener)));
        Ok(Self { address, orders, sockets, stop })
    }

    /// Where phones connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sync sockets that were ever opened, up to the server's answer to `join`.
    pub fn sockets(&self) -> u64 {
        self.sockets.load(Ordering::SeqCst)
    }

    /// Says a sync message to every connected phone.
    pub fn say(&self, document: DocumentId, data: Vec<u8>) {
        self.give(Order::Sync(document, data));
    }

    /// Says anything to every connected phone.
    pub fn say_message(&self, message: Message) {
        self.give(Order::Message(message));
    }

    /// Breaks every sync socket.
    pub fn cut(&self) {
        self.give(Order::Cut);
    }

    fn give(&self, order: Order) {
        // Without a socket there is nobody to hear it.
        let _ = self.orders.send(order);
    }
}

#[derive(Debug, Clone)]
struct House {
    target: SocketAddr,
    orders: broadcast::Sender<Order>,
    sockets: Arc<AtomicU64>,
}

impl House {
    async fn accept(self, listener: TcpListener) {
        // Dropped with this future, and all connections with it.
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(self.clone().carry(stream));
            while connections.try_join_next().is_some() {}
        }
    }

    async fn carry(self, mut phone: TcpStream) -> Result<()> {
        phone.set_nodelay(true)?;
        let mut start = [0; SYNC.len()];
        loop {
            let seen = phone.peek(&mut start).await?;
            if seen == 0 || start[..seen] != SYNC[..seen] {
                let mut server = TcpStream::connect(self.target).await?;
                server.set_nodelay(true)?;
                copy_bidirectional(&mut phone, &mut server).await?;
                return Ok(());
            }
            if seen == SYNC.len() {
                return self.sync_socket(phone).await;
            }
        }
    }

    #[expect(clippy::result_large_err, reason = "the type of the handshake's callback")]
    async fn sync_socket(self, phone: TcpStream) -> Result<()> {
        let headers = Mutex::new(HeaderMap::new());
        let keep = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            headers.lock().unwrap_or_else(PoisonError::into_inner).clone_from(request.headers());
            Ok(response)
        };
        let mut phone = accept_hdr_async(phone, keep).await?;
        let mut request = format!("ws://{}/v1/sync", self.target).into_client_request()?;
        let bearer = headers.into_inner().unwrap_or_else(PoisonError::into_inner).remove(AUTHORIZATION);
        request.headers_mut().insert(AUTHORIZATION, bearer.context("a phone brings a bearer")?);
        let (mut server, _) = connect_async(request).await?;
        let mut orders = self.orders.subscribe();
        let mut names: Option<(PeerId, PeerId)> = None;
        loop {
            tokio::select! {
                biased;
                message = server.next() => {
                    let Some(Ok(message)) = message else { return Ok(()) };
                    if names.is_none()
                        && let Message::Binary(bytes) = &message
                        && let Ok(Frame::Peer { sender, target, .. }) = Frame::decode(bytes)
                    {
                        names = Some((sender, target));
                        self.sockets.fetch_add(1, Ordering::SeqCst);
                    }
                    phone.send(message).await?;
                }
                message = phone.next() => {
                    let Some(Ok(message)) = message else { return Ok(()) };
                    server.send(message).await?;
                }
                order = orders.recv(), if names.is_some() => match (order, &names) {
                    (Ok(Order::Sync(document, data)), Some((server, phone_name))) => {
                        let (sender, target) = (server.clone(), phone_name.clone());
                        let frame = Frame::Sync { sender, target, document, data: data.into() };
                        phone.send(Message::Binary(frame.encode().into())).await?;
                    }
                    (Ok(Order::Message(message)), _) => phone.send(message).await?,
                    (Ok(Order::Cut), _) => return Ok(()),
                    _ => {}
                },
            }
        }
    }
}
