//! The ceiling: a WebSocket server that forwards each frame to the others in the room and does nothing else.
//!
//! Built of the same parts as taiwa's socket (axum, one runtime thread, small buffers), so that what is left between the
//! two is what taiwa does with a frame: check it, store it, acknowledge it.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Result;
use axum::{
    Router,
    extract::{
        Path, State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::get,
    serve::ListenerExt,
};
use futures_util::{SinkExt, StreamExt};
use tokio::{net::TcpListener, sync::mpsc};

/// Messages that wait for a slow reader before the sender does.
const MAX_WAITING: usize = 64;
/// As taiwa's sockets.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// Somebody in a room: a number of their own, and the way to them.
type Member = (u64, mpsc::Sender<Message>);

#[derive(Clone, Default)]
struct Rooms {
    members: Arc<Mutex<HashMap<String, Vec<Member>>>>,
    numbers: Arc<AtomicU64>,
}

/// Serves until the process ends.
///
/// # Errors
/// If nothing can listen there.
pub(crate) async fn serve(address: SocketAddr) -> Result<()> {
    let router = Router::new().route("/{room}", get(open)).with_state(Rooms::default());
    let listener = TcpListener::bind(address).await?.tap_io(|stream| {
        // Without it the ceiling would be lower than it is.
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, router).await?)
}

async fn open(State(rooms): State<Rooms>, Path(room): Path<String>, upgrade: WebSocketUpgrade) -> Response {
    let upgrade = upgrade.read_buffer_size(READ_BUFFER_BYTES).write_buffer_size(0);
    upgrade.on_upgrade(async move |socket| forward(&rooms, room, socket).await)
}

async fn forward(rooms: &Rooms, room: String, socket: WebSocket) {
    let (sender, mut waiting) = mpsc::channel(MAX_WAITING);
    let own = rooms.numbers.fetch_add(1, Ordering::Relaxed);
    let members = || rooms.members.lock().unwrap_or_else(PoisonError::into_inner);
    members().entry(room.clone()).or_default().push((own, sender));
    let (mut sink, mut stream) = socket.split();
    let write = async {
        while let Some(message) = waiting.recv().await {
            if sink.send(message).await.is_err() {
                return;
            }
        }
    };
    let read = async {
        while let Some(Ok(message)) = stream.next().await {
            if !matches!(message, Message::Binary(_)) {
                continue;
            }
            let others: Vec<_> =
                members().get(&room).into_iter().flatten().filter(|(id, _)| *id != own).cloned().collect();
            for (_, other) in others {
                // Who has left needs nothing.
                let _ = other.send(message.clone()).await;
            }
        }
    };
    tokio::select! {
        () = write => {}
        () = read => {}
    }
    if let Some(room) = members().get_mut(&room) {
        room.retain(|(id, _)| *id != own);
    }
}
