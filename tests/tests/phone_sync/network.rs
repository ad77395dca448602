//! Networks that come, go and fall silent: nothing is lost, and nothing is said to be stored that is not.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use taiwa_mobile_core::sync::{Connection, SyncEvent, SyncRun, Waiting};
use taiwa_tests::{
    eventually::{PATIENCE, eventually, eventually_equals},
    link::Direction,
};

use super::{MANAGER, MEMBER, World, lines};

#[tokio::test]
async fn edits_made_offline_arrive_when_the_network_is_back() {
    let world = World::new("edits_made_offline").await;
    let (manager, member) = (world.phone(MANAGER).await, world.phone(MEMBER).await);
    let (_, key) = manager.notebook().await;
    member.notebook().await;
    member.online().await;

    member.link.go_down();
    for n in 0..30 {
        member.write(key, &format!("トンネルの中 {n}")).await;
    }
    manager.write(key, "資料を見せる").await;
    manager.everything_is_acknowledged().await;
    eventually_equals("thirty edits wait", &Waiting { documents: 1, changes: 30 }, || async {
        member.sync.status().waiting
    })
    .await;
    assert_eq!(manager.lines(key).await, lines(["資料を見せる"]));

    member.link.heal();
    member.sync.network_available();
    member.everything_is_acknowledged().await;
    let mut all: BTreeSet<_> = (0..30).map(|n| format!("トンネルの中 {n}")).collect();
    all.insert("資料を見せる".to_owned());
    manager.shows(key, &all).await;
    member.shows(key, &all).await;
    assert!(member.saw(&SyncEvent::Acknowledged { document: key.document_id(0) }));
}

#[tokio::test]
async fn nothing_counts_as_acknowledged_before_the_server_has_committed_it() {
    let world = World::new("acknowledged_after_commit").await;
    let member = world.phone(MEMBER).await;
    let (_, key) = member.notebook().await;
    member.write(key, "最初").await;
    member.everything_is_acknowledged().await;

    // The server's only writer is taken: it receives, and cannot store.
    let blocked = world.server().store().begin().await.unwrap();
    member.write(key, "まだ").await;
    eventually("the server holds the change uncommitted", PATIENCE, || async {
        (world.server().hub().statistics().changes_uncommitted > 0).then_some(())
    })
    .await;
    // A round trip behind it on the same socket, which would have brought an early acknowledgement.
    let before = member.link.delivered_bytes(Direction::Down);
    member.sync.network_available();
    eventually("the pong arrives", PATIENCE, || async {
        (member.link.delivered_bytes(Direction::Down) > before).then_some(())
    })
    .await;
    assert_eq!(member.sync.status().waiting, Waiting { documents: 1, changes: 1 });

    drop(blocked);
    member.everything_is_acknowledged().await;
    assert_eq!(world.server().hub().statistics().changes_uncommitted, 0);
}

#[tokio::test]
async fn a_line_cut_in_the_middle_again_and_again_loses_nothing() {
    let world = World::new("cut_in_the_middle").await;
    let (manager, member) = (world.phone(MANAGER).await, world.phone(MEMBER).await);
    let (_, key) = manager.notebook().await;
    member.notebook().await;
    let mut all = BTreeSet::new();
    let mut connections = 0;
    for n in 0..40 {
        if n % 4 == 0 {
            let again = || async { (member.link.connections() > connections).then_some(()) };
            eventually("the phone tries again", PATIENCE, again).await;
            connections = member.link.connections();
        }
        for (phone, who) in [(&manager, "佐藤"), (&member, "田中")] {
            let text = format!("{who} {n}");
            phone.write(key, &text).await;
            all.insert(text);
        }
        match n % 4 {
            1 => member.link.cut(),
            2 => {
                member.link.hold(Direction::Down);
                manager.link.cut();
            }
            3 => {
                member.link.cut();
                member.link.heal();
            }
            _ => {}
        }
    }
    for phone in [&manager, &member] {
        phone.link.heal();
        phone.sync.network_available();
    }
    for phone in [&manager, &member] {
        phone.everything_is_acknowledged().await;
        phone.shows(key, &all).await;
    }
}

#[tokio::test]
async fn a_socket_that_fell_silent_is_replaced_when_the_host_says_that_the_network_changed() {
    let world = World::new("silent_socket").await;
    let member = world.phone(MEMBER).await;
    let (_, key) = member.notebook().await;
    member.online().await;
    member.link.lose();
    member.write(key, "別の電波で").await;
    member.sync.network_available();
    member.everything_is_acknowledged().await;
}

#[tokio::test]
async fn a_bounded_run_in_the_background_sends_what_waits_and_lets_go_of_the_network() {
    let world = World::new("bounded_run").await;
    let (manager, member) = (world.phone(MANAGER).await, world.phone(MEMBER).await);
    let (id, key) = member.notebook().await;
    member.everything_is_acknowledged().await;
    member.sync.close_document(id);
    member.sync.enter_background();
    let connections = || async { world.server().hub().statistics().connections };
    manager.online().await;
    eventually_equals("only the manager's phone is connected", &1, connections).await;

    member.write(key, "閉じる前に書いた").await;
    assert_eq!(member.sync.sync_until(PATIENCE).await, SyncRun::Complete);
    assert_eq!(member.store.unacknowledged().await.unwrap(), []);
    eventually_equals("it lets go", &1, connections).await;
    manager.notebook().await;
    manager.shows(key, &lines(["閉じる前に書いた"])).await;

    member.link.go_down();
    assert_eq!(member.sync.sync_until(Duration::from_millis(50)).await, SyncRun::Unfinished);
}

#[tokio::test]
async fn carets_reach_the_other_phone_and_are_not_kept() {
    let world = World::new("carets").await;
    let (manager, member) = (world.phone(MANAGER).await, world.phone(MEMBER).await);
    let (id, key) = manager.notebook().await;
    manager.write(key, "開く").await;
    member.notebook().await;
    member.shows(key, &lines(["開く"])).await;
    manager.everything_is_acknowledged().await;
    let arrived = || {
        let seen = manager.seen.lock().unwrap();
        seen.iter().find_map(|event| match event {
            SyncEvent::Ephemeral { document, data, .. } if *document == id => Some(data.clone()),
            _ => None,
        })
    };
    let caret = eventually("a caret", PATIENCE, || {
        member.sync.broadcast(id, Bytes::from_static(b"\x01"));
        std::future::ready(arrived())
    })
    .await;
    assert_eq!(caret, Bytes::from_static(b"\x01"));
    assert_eq!(manager.store.changes(id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_stopped_or_dropped_handle_lets_go_of_socket_and_store() {
    let world = World::new("stopped").await;
    let (manager, member) = (world.phone(MANAGER).await, world.phone(MEMBER).await);
    let connections = || async { world.server().hub().statistics().connections };
    eventually_equals("both are connected", &2, connections).await;
    manager.sync.stop().await;
    manager.store.close().await;
    eventually_equals("one has left", &1, connections).await;
    drop(member);
    eventually_equals("both have left", &0, connections).await;
}

#[tokio::test]
async fn an_unchanged_phone_reconnects_for_a_few_bytes() {
    let world = World::new("unchanged").await;
    let member = world.phone(MEMBER).await;
    let (id, key) = member.notebook().await;
    member.write(key, "一行").await;
    member.everything_is_acknowledged().await;
    member.sync.close_document(id);
    assert_eq!(member.sync.sync_until(PATIENCE).await, SyncRun::Complete);
    eventually("the digest is in the records", PATIENCE, || async {
        let document = member.store.document(id).await.unwrap().unwrap();
        (!document.differs_from_server()).then_some(())
    })
    .await;
    let (up, down) = (member.link.delivered_bytes(Direction::Up), member.link.delivered_bytes(Direction::Down));
    member.link.cut();
    eventually("offline", PATIENCE, || async { (member.sync.status().connection != Connection::Online).then_some(()) })
        .await;
    member.sync.network_available();
    assert_eq!(member.sync.sync_until(PATIENCE).await, SyncRun::Complete);
    let bytes = member.link.delivered_bytes(Direction::Up) - up + member.link.delivered_bytes(Direction::Down) - down;
    assert!(bytes < 8_000, "reconnecting took {bytes} bytes");
}
