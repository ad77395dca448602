//! A minimal sync server around the crate samod: its file storage, one runtime thread, every document for everybody.
//!
//! Documents are not announced to peers that did not ask, which samod's default does and which costs it most of its speed.

use std::{net::SocketAddr, path::Path};

use anyhow::{Context, Result};
use axum::{
    Router,
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::get,
    serve::ListenerExt,
};
use futures_util::{SinkExt, StreamExt};
use samod::{AcceptorHandle, Repo, ShareConfig, Transport, storage::TokioFilesystemStorage};
use tokio::net::TcpListener;

/// Serves until the process ends.
///
/// # Errors
/// If nothing can listen there.
pub(crate) async fn serve(address: SocketAddr, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let repo = Repo::build_tokio()
        .with_storage(TokioFilesystemStorage::new(folder))
        .with_share_policy(ShareConfig::read_write().with_announce(false))
        .load()
        .await;
    let acceptor = repo.make_acceptor(format!("ws://{address}").parse().context("an address is a URL")?)?;
    let router = Router::new().route("/", get(open)).with_state(acceptor);
    let listener = TcpListener::bind(address).await?.tap_io(|stream| {
        // Without it every edit waits up to 40 ms.
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, router).await?)
}

async fn open(State(acceptor): State<AcceptorHandle>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |socket| attach(&acceptor, socket))
}

fn attach(acceptor: &AcceptorHandle, socket: WebSocket) {
    let (sink, stream) = socket.split();
    let stream = stream.filter_map(|message| {
        std::future::ready(match message {
            Ok(Message::Binary(bytes)) => Some(Ok(Vec::from(bytes))),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    });
    let sink = sink.with(|bytes: Vec<u8>| std::future::ready(Ok::<_, axum::Error>(Message::Binary(bytes.into()))));
    // An error means that the server stops. The socket lives on in the transport.
    let _ = acceptor.accept(Transport::new(stream, sink));
}
