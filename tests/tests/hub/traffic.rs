//! What goes over the sockets: edits both ways, carets, large texts, slow, silent and hostile peers.

use std::time::Duration;

use bytes::Bytes;
use taiwa_server::sync::HubLimits;
use taiwa_shared::sync::{
    limits::MAX_FRAME_BYTES,
    wire::{Frame, PeerId},
};
use taiwa_tests::{
    eventually::{PATIENCE, eventually},
    plain_client::PlainClient,
    raw_socket::{Heard, RawSocket, join_frame},
};
use tokio_tungstenite::tungstenite::Message;

use super::house::{House, MANAGER, MEMBER, STRANGER, patient};

use super::two_on_a_memo;

#[tokio::test(flavor = "multi_thread")]
async fn two_people_co_edit_and_converge() {
    let house = House::open(patient()).await;
    let (mut member, mut manager, _, memo) = two_on_a_memo(&house).await;
    for round in 0..50 {
        member.held(memo).type_text(&format!("部{round} "));
        manager.held(memo).type_text(&format!("上{round} "));
        member.flush().await;
        manager.flush().await;
    }
    // The genesis, the first text and fifty changes of each.
    let all = 102;
    member.until("everything", |member| member.held(memo).doc.get_changes(&[]).len() == all).await;
    manager.until("everything", |manager| manager.held(memo).doc.get_changes(&[]).len() == all).await;
    member.until_acknowledged(memo).await;
    manager.until_acknowledged(memo).await;
    let heads = manager.held(memo).doc.get_heads();
    assert_eq!(member.held(memo).doc.get_heads(), heads);
    assert_eq!(member.held(memo).body(), manager.held(memo).body());
    assert!(member.held(memo).body().contains("部49 ") && member.held(memo).body().contains("上49 "));

    let mut late = house.client(MEMBER, "late").await;
    late.want(memo);
    late.until("a fresh client gets everything", |late| late.held(memo).doc.get_heads() == heads).await;
    assert_eq!(house.hub.statistics().changes_stored, 101);
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_frames_close_only_their_own_socket() {
    let house = House::open(HubLimits { join_timeout: Duration::from_millis(300), ..patient() }).await;
    let (mut member, mut manager, _, memo) = two_on_a_memo(&house).await;
    let peer = |name: &str| PeerId::new(name).unwrap();
    let sync = |sender: &str, data: Vec<u8>| Frame::Sync {
        sender: peer(sender),
        target: peer("server"),
        document: memo,
        data: data.into(),
    };
    let empty_bloom = [
        vec![0x42, 0, 0, 1, 0, 10],
        // A Bloom filter with zero bits per entry divides by zero in Automerge 0.12.
        vec![3, 0, 7, 0],
        vec![0],
    ]
    .concat();
    let attacks: Vec<(&str, Message)> = vec![
        ("text", Message::text("hello")),
        ("no CBOR", Message::binary(vec![0xff; 40])),
        ("empty", Message::binary(Vec::new())),
        ("another sender", Message::binary(sync("somebody", vec![0x42, 0, 0, 0, 0]).encode())),
        ("no sync message", Message::binary(sync("attacker", vec![0x99; 100]).encode())),
        ("empty sync message", Message::binary(sync("attacker", Vec::new()).encode())),
        ("bloom of zero bits", Message::binary(sync("attacker", empty_bloom).encode())),
        ("huge counts", Message::binary(sync("attacker", vec![0x42, 0xff, 0xff, 0xff, 0xff, 0x0f]).encode())),
        ("another peer id", Message::binary(join_frame(&peer("member"), false).encode())),
        ("too large", Message::binary(vec![0; MAX_FRAME_BYTES + 1])),
    ];
    for (what, attack) in attacks {
        let mut attacker = RawSocket::open_by(house.sign_in(MANAGER).await.1, "attacker").await.unwrap();
        attacker.introduce(false).await.unwrap();
        // The server may close in the middle of what is too large.
        let _ = attacker.say_message(attack).await;
        let code = attacker.until_closed().await;
        assert!(matches!(code, Some(4400 | 4409 | 1000)) || what == "too large", "{what}: {code:?}");
    }
    for first in [Message::binary(sync("attacker", vec![0x42, 0, 0, 0, 0]).encode()), Message::binary(vec![1, 2, 3])] {
        let mut attacker = RawSocket::open_by(house.sign_in(MANAGER).await.1, "attacker").await.unwrap();
        attacker.say_message(first).await.unwrap();
        assert_eq!(attacker.until_closed().await, Some(4400));
    }
    let mut silent = RawSocket::open_by(house.sign_in(MANAGER).await.1, "attacker").await.unwrap();
    assert_eq!(silent.until_closed().await, Some(4400), "a client that never introduces itself");
    let mut impostor = RawSocket::open_by(house.sign_in(STRANGER).await.1, "attacker").await.unwrap();
    impostor.say(&join_frame(&member.peer, false)).await.unwrap();
    assert_eq!(impostor.until_closed().await, Some(4400), "somebody else's peer id");

    member.held(memo).type_text("平気");
    member.until_acknowledged(memo).await;
    manager.until("nobody else noticed", |manager| manager.held(memo).body() == "平気はじめ").await;
    let hub = house.hub.clone();
    eventually("only the two are left", PATIENCE, || async { (hub.statistics().connections == 2).then_some(()) }).await;
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_answers_no_pings_is_dropped() {
    let house = House::open(HubLimits { ping_interval: Duration::from_millis(50), ..patient() }).await;
    // A socket answers pings only while somebody reads it.
    let silent = house.client(MEMBER, "silent").await;
    let mut alive = house.client(MANAGER, "alive").await;
    let started = std::time::Instant::now();
    while house.hub.statistics().connections > 1 {
        assert!(started.elapsed() < PATIENCE, "the silent connection is still there");
        alive.settle().await;
    }
    alive.settle().await;
    drop(silent);
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_connects_again_replaces_its_broken_connection() {
    let house = House::open(patient()).await;
    let (_, key, memo) = house.memo().await;
    let (_, url) = house.sign_in(MEMBER).await;
    let mut first = PlainClient::connect(url.clone(), "phone", false).await;
    let mut second = PlainClient::connect(url, "phone", false).await;
    assert_eq!(first.socket.until_closed().await, Some(4409));
    second.begin(&key).type_text("x");
    second.until_acknowledged(memo).await;
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn carets_reach_the_other_readers_under_the_bound_name_only() {
    let house = House::open(patient()).await;
    let (mut member, mut manager, _, memo) = two_on_a_memo(&house).await;
    let mut outsider = house.client(STRANGER, "outsider").await;
    let (own, foreign) = (member.peer.clone(), manager.peer.clone());
    outsider.broadcast(&outsider.peer.clone(), memo, 1, b"outside".to_vec()).await;
    outsider.settle().await;
    member.broadcast(&foreign, memo, 1, b"forged".to_vec()).await;
    member.broadcast(&own, memo, 1, vec![0; 20_000]).await;
    member.broadcast(&own, memo, 2, b"caret".to_vec()).await;
    manager.until("the caret", |manager| !manager.ephemerals.is_empty()).await;
    member.settle().await;
    manager.settle().await;
    assert_eq!(manager.ephemerals, [(own, Bytes::from_static(b"caret"))]);
    assert!(member.ephemerals.is_empty() && member.closed.is_none());
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_costs_no_backlog() {
    let limits = HubLimits { ephemerals_per_second: 1_000_000, ..patient() };
    let house = House::open(limits).await;
    let (mut member, mut manager, key, memo) = two_on_a_memo(&house).await;
    let mut slow = house.client(MANAGER, "slow").await;
    slow.begin(&key);
    slow.until("it joined", |slow| slow.held(memo).body() == "はじめ").await;
    // From here on it reads nothing: 96 MB of carets and hundreds of edits pass by it.
    let before = resident_bytes();
    let own = member.peer.clone();
    for count in 0..6_000 {
        member.broadcast(&own, memo, count, vec![7; 16_000]).await;
        if count % 20 == 0 {
            member.held(memo).type_text("字");
            member.flush().await;
            manager.until("the other reader goes on", |manager| manager.held(memo).body().len() > 9).await;
            manager.ephemerals.clear();
        }
    }
    member.until_acknowledged(memo).await;
    let heads = member.held(memo).doc.get_heads();
    manager
        .until("everything", |manager| {
            manager.ephemerals.clear();
            manager.held(memo).doc.get_heads() == heads
        })
        .await;
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 48 << 20, "grown by {} MiB", grown >> 20);
    assert!(house.hub.statistics().resident_bytes < 1 << 20);
    slow.until("when it reads again it has everything", |slow| slow.held(memo).doc.get_heads() == heads).await;
    house.hub.stop().await;
}

fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_thousand_characters_travel_in_parts() {
    let house = House::open(patient()).await;
    let (_, key, memo) = house.memo().await;
    let mut member = house.client(MEMBER, "member").await;
    member.begin(&key);
    for _ in 0..100 {
        // A writer splits a long paste, as the guard asks.
        member.held(memo).type_text(&"対話と沈黙と".repeat(300));
        member.flush().await;
    }
    member.until_acknowledged(memo).await;
    let heads = member.held(memo).doc.get_heads();
    let mut fresh = house.client(MANAGER, "manager").await;
    fresh.want(memo);
    fresh.until("all parts", |fresh| fresh.held(memo).doc.get_heads() == heads).await;
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_between_the_handshake_and_the_join_is_news() {
    let house = House::open(patient()).await;
    let open = async |name| RawSocket::open_by(house.sign_in(MEMBER).await.1, name).await.unwrap();
    let news = async |socket: &mut RawSocket| match socket.hear().await {
        Heard::Frame(Frame::News { cursor_hint, .. }) => cursor_hint,
        other => panic!("instead of news came {other:?}"),
    };
    let (mut early, mut late) = (open("early").await, open("late").await);
    early.introduce(true).await.unwrap();
    house.pair().await;
    let told = news(&mut early).await;
    // What late pulled right after its handshake may lack the pair, and it was no phone yet when the others were told.
    late.introduce(true).await.unwrap();
    assert_eq!(news(&mut late).await, told);
    house.hub.stop().await;
}
