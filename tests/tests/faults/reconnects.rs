//! Thousands of connections that come and go, politely or not, while two people write: nobody notices, and nothing stays.

use std::{net::SocketAddr, time::Duration};

use futures_util::SinkExt;
use taiwa_shared::sync::wire::{Frame, PeerId, PeerMetadata};
use taiwa_tests::{
    eventually::{PATIENCE, eventually},
    turn::my_turn,
    world::World,
};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

/// As when a building's network comes back for a whole company, ten times over.
const RECONNECTS: usize = 5_000;
/// Clients that reconnect at the same time.
const CLIENTS: usize = 50;

/// Connects and introduces itself, or not, and goes, politely or not.
async fn come_and_go(address: SocketAddr, token: &str, n: usize) {
    let mut request = format!("ws://{address}/v1/sync").into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    if !n.is_multiple_of(5) {
        let metadata = PeerMetadata { storage_id: None, is_ephemeral: true, taiwa: n.is_multiple_of(2) };
        let sender = PeerId::new(format!("client {}", n % CLIENTS)).unwrap();
        let join = Frame::Join { sender, metadata, versions: vec!["1".to_owned()] };
        // Another connection of the same sign-in may have crowded this one out by now.
        let _ = socket.send(Message::Binary(join.encode().into())).await;
    }
    if n.is_multiple_of(3) {
        let _ = socket.close(None).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_reconnects_disturb_nobody_and_leave_nothing_behind() {
    let _turn = my_turn().await;
    let world = World::open("reconnects").await;
    let (member, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meeting = member.next_meeting_with(&manager).await;
    member.type_into_memo(meeting, 0, "始め。").await;
    manager.eventually_reads(meeting, "始め。").await;
    let (address, token) = (world.address(), world.access_token("abe").await);

    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let token = token.clone();
        clients.spawn(async move {
            for n in 0..RECONNECTS / CLIENTS {
                come_and_go(address, &token, client + n * CLIENTS).await;
            }
        });
    }
    let mut text = String::from("始め。");
    while !clients.is_empty() {
        member.type_into_memo(meeting, 0, "続").await;
        text.insert(0, '続');
        manager.eventually_reads(meeting, &text).await;
        // Whoever is through by now.
        while let Ok(Some(ended)) = tokio::time::timeout(Duration::from_millis(50), clients.join_next()).await {
            ended.unwrap();
        }
    }
    eventually("only the two phones are connected", PATIENCE, || async {
        world.metrics().await.text.contains("\ntaiwa_connections 2\n").then_some(())
    })
    .await;
    member.settled().await;
    member.eventually_same_heads(meeting, &[&manager]).await;
}
