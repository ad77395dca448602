//! Tokens and rights that end while somebody types: what was written stays, and it says what became of it.

use std::{collections::BTreeSet, time::Duration};

use taiwa_mobile_core::{
    store::RefusalReason,
    sync::{Connection, SyncEvent, SyncRun, Waiting},
};
use taiwa_server::sync::HubLimits;
use taiwa_shared::domain::ownership::{Access, DocumentKey};
use taiwa_tests::eventually::{PATIENCE, eventually, eventually_equals};

use super::{MANAGER, MEMBER, NOBODY_MANAGES, World, lines};

#[tokio::test]
async fn a_token_is_renewed_on_the_open_socket_while_somebody_types() {
    let world = World::new("token_renewed").await;
    let member = world.phone(MEMBER).await;
    let (id, key) = member.notebook().await;
    member.write(key, "はじめ").await;
    member.everything_is_acknowledged().await;
    member.seen.lock().unwrap().clear();
    let token = || async { member.holder.tokens.lock().await.access_token.clone() };

    // Three times most of a token's ten minutes: without renewal the server would have closed.
    for round in 0..3 {
        let before = token().await;
        world.clock.advance(Duration::from_secs(8 * 60 + 30));
        member.write(key, &format!("続き {round}")).await;
        eventually("another token", PATIENCE, || async { (token().await != before).then_some(()) }).await;
        // What is written after a further exchange of records follows the renewal on the same socket.
        assert_eq!(member.sync.sync_until(PATIENCE).await, SyncRun::Complete);
        member.write(key, &format!("もっと {round}")).await;
        member.everything_is_acknowledged().await;
    }
    assert!(member.saw(&SyncEvent::Acknowledged { document: id }));
    let closed =
        |event: &SyncEvent| matches!(event, SyncEvent::Status(status) if status.connection != Connection::Online);
    assert!(!member.seen.lock().unwrap().iter().any(closed), "the socket stayed open: {:?}", member.seen);
}

#[tokio::test]
async fn a_token_that_ended_is_replaced_and_nothing_is_lost() {
    let world = World::new("token_ended").await;
    let member = world.phone(MEMBER).await;
    let (_, key) = member.notebook().await;
    member.write(key, "前").await;
    member.everything_is_acknowledged().await;
    // The phone slept through the token's end: the server closes with 4401.
    world.clock.advance(Duration::from_secs(60 * 60));
    member.write(key, "後").await;
    member.everything_is_acknowledged().await;
    eventually_equals("online again", &Connection::Online, || async { member.sync.status().connection }).await;
    assert_eq!(member.lines(key).await, lines(["前", "後"]));
}

#[tokio::test]
async fn a_sign_in_that_is_over_keeps_every_edit_and_says_so() {
    let world = World::new("sign_in_over").await;
    let member = world.phone(MEMBER).await;
    let (_, key) = member.notebook().await;
    member.online().await;
    member.link.go_down();
    member.write(key, "残る").await;
    // Longer than a refresh token lives unused.
    world.clock.advance(Duration::from_secs(40 * 24 * 60 * 60));
    member.link.heal();
    member.sync.network_available();
    eventually_equals("the person has to sign in", &Connection::SignInAgain, || async {
        member.sync.status().connection
    })
    .await;
    assert_eq!(member.sync.status().waiting, Waiting { documents: 1, changes: 1 });
    assert_eq!(member.lines(key).await, lines(["残る"]));
    assert_eq!(member.sync.sync_until(PATIENCE).await, SyncRun::Unfinished, "it says so at once");
}

#[tokio::test]
async fn edits_that_the_server_no_longer_takes_are_kept_and_no_longer_waited_for() {
    let world = World::new("no_longer_taken").await;
    let member = world.phone(MEMBER).await;
    let (id, key) = member.notebook().await;
    member.write(key, "届いた").await;
    member.everything_is_acknowledged().await;
    member.link.go_down();
    member.write(key, "間に合わなかった").await;
    eventually_equals("one waits", &Waiting { documents: 1, changes: 1 }, || async { member.sync.status().waiting })
        .await;

    world.import(NOBODY_MANAGES).await;
    member.link.heal();
    member.sync.network_available();
    let refused = SyncEvent::Refused { document: id, reason: RefusalReason::NoAccess };
    eventually("the edits are refused", PATIENCE, || async { member.saw(&refused).then_some(()) }).await;
    eventually_equals("nothing waits", &Waiting::default(), || async { member.sync.status().waiting }).await;
    assert_eq!(member.lines(key).await, lines(["届いた", "間に合わなかった"]), "nothing is dropped");
    assert_eq!(member.store.document(id).await.unwrap().unwrap().refused, Some(RefusalReason::NoAccess));
}

#[tokio::test]
async fn edits_in_a_document_that_the_server_cannot_open_wait_until_it_can() {
    let mut world = World::new("cannot_open").await;
    let member = world.phone(MEMBER).await;
    let (id, key) = member.notebook().await;
    member.write(key, "届いた").await;
    member.everything_is_acknowledged().await;
    member.link.go_down();
    member.write(key, "待っている").await;

    let undamaged = world.edit_while_stopped(id, |body| *body.last_mut().unwrap() ^= 1).await;
    member.link.lead_to(world.server().address());
    member.link.heal();
    member.sync.network_available();
    // Asked, asked again after the records were pulled, and left alone on this connection.
    eventually("it was tried", PATIENCE, || async {
        (world.server().hub().statistics().quarantined == 1).then_some(())
    })
    .await;
    member.online().await;
    member.sync.sync_until(PATIENCE).await;
    assert_eq!(member.sync.status().waiting, Waiting { documents: 1, changes: 1 });
    let document = member.store.document(id).await.unwrap().unwrap();
    assert_eq!((document.refused, document.unacknowledged), (None, 1), "the records grant it: nothing is given up");

    member.link.go_down();
    world.edit_while_stopped(id, |body| *body = undamaged.clone()).await;
    member.link.lead_to(world.server().address());
    member.link.heal();
    member.sync.network_available();
    member.everything_is_acknowledged().await;
    assert_eq!(member.lines(key).await, lines(["届いた", "待っている"]));
}

#[tokio::test]
async fn edits_to_a_full_document_are_kept_and_no_longer_waited_for() {
    let world =
        World::within("edits_to_a_full_document", HubLimits { document_changes: 5, ..HubLimits::default() }).await;
    let (manager, member) = (world.phone(MANAGER).await, world.phone(MEMBER).await);
    let (document, key) = member.notebook().await;
    manager.notebook().await;
    member.write(key, "入る").await;
    member.everything_is_acknowledged().await;
    manager.shows(key, &lines(["入る"])).await;
    member.link.go_down();
    for n in 0..20 {
        member.write(key, &format!("入らない {n}")).await;
    }
    member.link.heal();
    member.sync.network_available();
    let full = SyncEvent::Refused { document, reason: RefusalReason::Full };
    eventually("the phone learns that it is full", PATIENCE, || async { member.saw(&full).then_some(()) }).await;
    member.online().await;
    eventually_equals("nothing waits", &Waiting::default(), || async { member.sync.status().waiting }).await;
    assert_eq!(member.lines(key).await.len(), 21, "what was written stays on the phone");
    assert_eq!(manager.lines(key).await, lines(["入る"]));
}

#[tokio::test]
async fn edits_beyond_what_one_person_may_send_in_a_day_wait_for_the_next() {
    let limits = HubLimits { person_bytes_per_day: 5_000, ..HubLimits::default() };
    let world = World::within("edits_beyond_a_day", limits).await;
    let (manager, member) = (world.phone(MANAGER).await, world.phone(MEMBER).await);
    let (_, key) = member.notebook().await;
    manager.notebook().await;
    member.online().await;
    let mut written = BTreeSet::new();
    let connections = member.link.connections();
    while member.link.connections() == connections {
        let line = format!("一日分 {}", written.len());
        member.write(key, &line).await;
        written.insert(line);
        assert!(written.len() < 1_000, "there is no end to it");
        // One at a time: what is sent together is taken together or not at all.
        eventually("taken, or not", PATIENCE, || async {
            let is_taken = member.store.unacknowledged().await.unwrap().is_empty();
            (is_taken || member.link.connections() > connections).then_some(())
        })
        .await;
    }
    // Asked for again and again, nothing is given up.
    eventually("it tries again", PATIENCE, || async { (member.link.connections() > connections + 3).then_some(()) })
        .await;
    let is_refused = |event: &SyncEvent| matches!(event, SyncEvent::Refused { .. });
    assert!(!member.seen.lock().unwrap().iter().any(is_refused), "no edit is refused for good");
    assert!(member.sync.status().waiting.changes > 0);
    assert_eq!(member.lines(key).await, written);
    while member.sync.status().waiting.changes > 0 {
        world.clock.advance(Duration::from_secs(24 * 3_600));
        let waiting = member.sync.status().waiting;
        eventually("a day's worth is taken", PATIENCE, || async {
            (member.sync.status().waiting != waiting).then_some(())
        })
        .await;
    }
    member.everything_is_acknowledged().await;
    manager.shows(key, &written).await;
}

#[tokio::test]
async fn access_that_is_lost_while_typing_makes_a_card_of_what_was_not_taken() {
    let world = World::new("access_lost_while_typing").await;
    let member = world.phone(MEMBER).await;
    let (id, key) = member.notebook().await;
    member.write(key, "届いた").await;
    member.everything_is_acknowledged().await;
    world.import(NOBODY_MANAGES).await;
    let mut n = 0;
    let refused = SyncEvent::Refused { document: id, reason: RefusalReason::NoAccess };
    while !member.saw(&refused) {
        member.write(key, &format!("打ち続ける {n}")).await;
        n += 1;
        assert!(n < 5_000, "it was never refused");
    }
    assert_eq!(member.lines(key).await.len(), n + 1);
    eventually_equals("nothing waits", &Waiting::default(), || async { member.sync.status().waiting }).await;
    // The connection lives on for everything else.
    let notes = DocumentKey::FieldNotes { user: member.user };
    member.store.add_document(notes, 0, Access::Write, None).await.unwrap();
    assert_eq!(member.sync.sync_until(PATIENCE).await, SyncRun::Complete);
}
