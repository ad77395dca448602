//! A restore that is killed at any moment leaves the old database or the new one.

use std::{process::Stdio, time::Duration};

use taiwa_server::{operate::restore::Replace, store::Store};
use taiwa_tests::{
    process::{Reaped, binary},
    turn::my_turn,
};

use super::{
    house::{House, MANAGER, MEMBER},
    on_both,
};

on_both! {
    a_restore_that_is_killed_leaves_the_old_database_or_the_new_one;
}

async fn a_restore_that_is_killed_leaves_the_old_database_or_the_new_one(mut house: House) {
    let _turn = my_turn().await;
    let member = house.phone(MEMBER).await;
    let meeting = member.next_meeting().await;
    member.write(meeting, "控えにある文。").await;
    member.settled().await;
    house.backup("one").await.unwrap();
    let backed_up = house.changes().await;
    let manager = house.phone(MANAGER).await;
    manager.next_meeting().await;
    manager.write(meeting, "後の文。").await;
    manager.settled().await;
    drop((member, manager));
    house.stop().await;
    let mut present = house.changes().await;
    assert_ne!(present, backed_up);

    let (mut interrupted, mut finished) = (0, 0);
    let mut epoch = epoch(&house).await;
    let mut delay = Duration::from_millis(2);
    while finished < 3 {
        let mut restore = std::process::Command::new(binary("taiwa-server"));
        restore.args(["restore", "--replace"]).arg(house.path("one"));
        restore.env("TAIWA_DATABASE", &house.url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut restore = Reaped::new(restore.spawn().unwrap());
        let killed = {
            let child = restore.child();
            let until = tokio::time::Instant::now() + delay;
            loop {
                if child.try_wait().unwrap().is_some() {
                    break false;
                }
                if tokio::time::Instant::now() >= until {
                    break true;
                }
                tokio::time::sleep_until((tokio::time::Instant::now() + Duration::from_millis(1)).min(until)).await;
            }
        };
        if killed {
            restore.kill().unwrap();
            interrupted += 1;
        } else {
            let ended = restore.child().try_wait().unwrap().unwrap();
            assert!(ended.success(), "{ended}");
            finished += 1;
        }
        // A session of PostgreSQL outlives its killed client for a moment, and its transaction with it.
        let report = house.report().await;
        assert_eq!(report.damage, [], "after {delay:?}");
        let (now, life) = (house.changes().await, self::epoch(&house).await);
        if life == epoch {
            assert_eq!(now, present, "after {delay:?}: the same life, so the same contents");
        } else {
            assert_eq!(now, backed_up, "after {delay:?}: a new life, so what the backup held");
            (epoch, present) = (life, now);
        }
        delay += delay / 6 + Duration::from_millis(1);
    }
    assert!(interrupted >= 5, "{interrupted} were killed");
    // What they left is in nobody's way.
    house.restore("one", Replace::KeepAside).await.unwrap();
    house.start().await;
    let late = house.phone(MEMBER).await;
    late.next_meeting().await;
    late.reads(meeting, &["控えにある文。"]).await;
}

async fn epoch(house: &House) -> taiwa_shared::ids::StoreEpoch {
    let store = Store::open_existing(&house.url).await.unwrap();
    let epoch = store.epoch();
    store.close().await;
    epoch
}
