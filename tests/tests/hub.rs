//! The document hub on a real socket over a real database file: stored before acknowledged, nothing to anyone without
//! access, nobody disturbed by others. Clients are Automerge's own sync, not ours.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod house;

use std::time::Duration;

use automerge::{Author, ROOT, transaction::Transactable};
use bytes::Bytes;
use taiwa_server::{bus::News, store::pairs::Sight, sync::HubLimits};
use taiwa_shared::{
    domain::ownership::DocumentKey,
    ids::{DocumentId, MeetingId},
    sync::{
        limits::MAX_FRAME_BYTES,
        wire::{Frame, PeerId, RenewalToken},
    },
    time::Clock,
};
use taiwa_tests::{
    eventually::{PATIENCE, eventually},
    plain_client::{Heard, PlainClient, PlainSocket, join_frame},
};
use tokio_tungstenite::tungstenite::Message;

use house::{House, MANAGER, MEMBER, ORGANISATION, STRANGER, TOKEN_LIFE, hasty, patient};

/// Two clients that share a memo and have it in sync.
async fn two_on_a_memo(house: &House) -> (PlainClient, PlainClient, DocumentKey, DocumentId) {
    let (_, key, memo) = house.memo().await;
    let mut member = house.client(MEMBER, "member").await;
    let mut manager = house.client(MANAGER, "manager").await;
    member.begin(&key).type_text("はじめ");
    manager.begin(&key);
    member.until_acknowledged(memo).await;
    manager.until("the first text", |manager| manager.held(memo).body() == "はじめ").await;
    manager.until_acknowledged(memo).await;
    (member, manager, key, memo)
}

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
async fn nothing_is_acknowledged_or_forwarded_before_the_commit() {
    let house = House::open(patient()).await;
    let (mut member, mut manager, _, memo) = two_on_a_memo(&house).await;
    let told = member.held(memo).told_heads();
    let before = house.hub.statistics().changes_stored;

    // Somebody else holds the only write lock: the commit cannot happen.
    let lock = house.store.begin().await.unwrap();
    member.held(memo).type_text("まだ");
    member.flush().await;
    let hub = house.hub.clone();
    // Also if it counts as stored already: then what follows must notice.
    eventually("the change has been received", PATIENCE, || async {
        let now = hub.statistics();
        (now.changes_uncommitted == 1 || now.changes_stored > before).then_some(())
    })
    .await;
    // For many commit windows, so that the writer has had its turn and is held up by the lock alone.
    let received = std::time::Instant::now();
    while received.elapsed() < 20 * patient().commit_window {
        member.settle().await;
        manager.settle().await;
    }
    assert_eq!(member.held(memo).told_heads(), told, "acknowledged before it was stored");
    assert_eq!(manager.held(memo).body(), "はじめ", "forwarded before it was stored");
    assert_eq!(house.hub.statistics().changes_stored, before);

    drop(lock);
    member.until_acknowledged(memo).await;
    manager.until("the text after the commit", |manager| manager.held(memo).body() == "まだはじめ").await;
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_acknowledges_nothing_and_loses_nothing() {
    let house = House::open(patient()).await;
    let (mut member, mut manager, _, memo) = two_on_a_memo(&house).await;
    let (_, other_key, other) = house.memo().await;
    let rows = house.rows(memo).await;
    let told = member.held(memo).told_heads();

    let mut sql = house.sql().await;
    let refuse = "create trigger refuse before insert on chunk begin select raise(abort, 'disk full'); end";
    sqlx::query(refuse).execute(&mut sql).await.unwrap();
    member.held(memo).type_text("失われない");
    member.flush().await;
    while member.closed.is_none() {
        member.listen().await;
        assert_eq!(member.held(memo).told_heads(), told, "acknowledged though it was not stored");
    }
    assert_eq!(member.closed, Some(Some(1013)));
    assert_eq!(manager.socket.hear_close().await, Some(1013), "the others start afresh as well");
    assert_eq!(house.rows(memo).await, rows);

    sqlx::query("drop trigger refuse").execute(&mut sql).await.unwrap();
    let mut again = house.client(MEMBER, "member").await;
    again.hold(memo, std::mem::take(&mut member.held(memo).doc));
    again.until_acknowledged(memo).await;
    let mut fresh = house.client(MANAGER, "manager").await;
    fresh.want(memo);
    fresh.until("what was typed while the store failed", |fresh| fresh.held(memo).body() == "失われないはじめ").await;
    fresh.begin(&other_key).type_text("x");
    fresh.until_acknowledged(other).await;
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_at_the_commit_is_neither_acknowledged_nor_news() {
    let house = House::open(patient()).await;
    let (_, key, memo) = house.memo().await;
    let mut member = house.client(MEMBER, "member").await;
    let mut sql = house.sql().await;
    // Every statement goes well; the reference that is missing is looked for at the commit.
    let refuse = "create table never (id integer primary key);
        create table late (id integer references never (id) deferrable initially deferred);
        create trigger refuse after insert on chunk begin insert into late values (1); end";
    sqlx::raw_sql(refuse).execute(&mut sql).await.unwrap();
    let mut news = house.bus.subscribe();
    // The first change of a start of an app: its author becomes a record.
    member.begin(&key).type_text("失われない");
    while member.closed.is_none() {
        member.flush().await;
        member.listen().await;
        assert!(!member.held(memo).is_acknowledged(), "acknowledged though it was not stored");
    }
    assert_eq!((member.closed, house.rows(memo).await), (Some(Some(1013)), 0));
    assert!(news.try_recv().is_err(), "told of a record that is not there");

    sqlx::raw_sql("drop trigger refuse").execute(&mut sql).await.unwrap();
    let mut again = house.client(MEMBER, "member").await;
    again.hold(memo, std::mem::take(&mut member.held(memo).doc));
    again.until_acknowledged(memo).await;
    assert!(news.try_recv().is_ok(), "the control: told after the commit");
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_document_takes_no_more_and_is_still_read() {
    // By changes: the genesis, the first text and four more; then by bytes, which each text here exceeds.
    for limits in [HubLimits { document_changes: 6, ..patient() }, HubLimits { document_bytes: 4_000, ..patient() }] {
        let house = House::open(limits).await;
        let (mut member, mut manager, _, memo) = two_on_a_memo(&house).await;
        for _ in 0..4 {
            member.held(memo).type_text("字");
            member.until_acknowledged(memo).await;
        }
        let heads = member.held(memo).doc.get_heads();
        let before = house.hub.statistics();
        let unlike: String = (0..2_000u32).filter_map(|n| char::from_u32(0x4e00 + n * 7919 % 20_000)).collect();
        member.held(memo).type_text(&unlike);
        member.flush().await;
        while member.closed.is_none() {
            member.listen().await;
        }
        assert_eq!(member.closed, Some(Some(4413)));
        assert_eq!(house.hub.statistics().changes_stored, before.changes_stored);
        assert_eq!(house.hub.statistics().changes_uncommitted, 0);

        manager.until("the others go on", |manager| manager.held(memo).doc.get_heads() == heads).await;
        let mut fresh = house.client(MEMBER, "fresh").await;
        fresh.want(memo);
        fresh.until("it can be read", |fresh| fresh.held(memo).doc.get_heads() == heads).await;
        let (_, other_key, other) = house.memo().await;
        fresh.begin(&other_key).type_text("別の紙");
        fresh.until_acknowledged(other).await;
        house.hub.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_and_a_forbidden_document_answer_alike_byte_for_byte() {
    let house = House::open(patient()).await;
    let pair = house.pair().await;
    let key = DocumentKey::Draft { pair: pair.id, meeting: MeetingId::from_bytes([7; 16]) };
    let document = key.document_id(0);
    let mut answers = Vec::new();
    let mut clients = [
        house.client(STRANGER, "peer").await,
        PlainClient::connect(house.sign_in(STRANGER).await.1, "peer2", true).await,
    ];
    let mut manager = house.client(MANAGER, "managr").await;
    for exists in [false, true] {
        if exists {
            assert_eq!(house.document(&key).await, document);
            let mut member = house.client(MEMBER, "member").await;
            member.begin(&key);
            member.held(document).doc.put(ROOT, "x", 1).unwrap();
            member.until_acknowledged(document).await;
        }
        manager.ask(document).await;
        let from_manager = hear_about(&mut manager, document).await;
        clients[0].ask(document).await;
        let from_stranger = hear_about(&mut clients[0], document).await;
        answers.push((from_manager, from_stranger));
    }
    assert_eq!(answers[0], answers[1]);
    assert!(matches!(Frame::decode(&answers[0].0), Ok(Frame::DocUnavailable { .. })));
    house.hub.stop().await;
}

async fn hear_about(client: &mut PlainClient, about: DocumentId) -> Bytes {
    loop {
        match client.listen().await {
            Heard::Frame(
                Frame::DocUnavailable { document, .. } | Frame::Sync { document, .. } | Frame::Request { document, .. },
                bytes,
            ) if document == about => return bytes,
            Heard::Frame(..) => {}
            Heard::Closed(code) => panic!("closed with {code:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn access_withdrawn_mid_connection_stops_every_byte() {
    let house = House::open(patient()).await;
    let (mut member, mut manager, _, memo) = two_on_a_memo(&house).await;
    let pair = house.store.open_pairs(ORGANISATION).await.unwrap().pop().unwrap();

    house.set_sight(MEMBER, pair.id, Sight::Lost).await;
    member.until("the member is told", |member| member.held(memo).unavailable).await;
    let heard = member.heard_bytes[&memo];
    manager.held(memo).type_text("二人だけの話");
    manager.broadcast(&manager.peer.clone(), memo, 1, vec![1]).await;
    manager.until_acknowledged(memo).await;
    // What the member still sends neither enters nor brings anything back.
    member.held(memo).type_text("入らない");
    member.flush().await;
    member.settle().await;
    manager.settle().await;
    assert_eq!(member.heard_bytes[&memo], heard, "bytes after access was withdrawn");
    assert!(member.ephemerals.is_empty());
    assert_eq!(manager.held(memo).body(), "二人だけの話はじめ");
    assert!(member.closed.is_none(), "other documents of the member go on");
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_byte_leaves_between_the_news_and_the_check() {
    let house = House::open(patient()).await;
    let mut watcher = PlainClient::connect(house.sign_in(MANAGER).await.1, "watcher", true).await;
    for _ in 0..5 {
        let (mut member, mut manager, key, memo) = two_on_a_memo(&house).await;
        let pair = key.pair().unwrap();
        let heard = member.heard_bytes[&memo];
        // The first news wake connections at once; the second have to wait a moment, and the text comes sooner.
        watcher.news.clear();
        house.set_sight(MANAGER, pair, Sight::Granted).await;
        watcher.until("the first news", |watcher| !watcher.news.is_empty()).await;
        house.set_sight(MEMBER, pair, Sight::Lost).await;
        manager.held(memo).type_text("二人だけの話");
        manager.until_acknowledged(memo).await;
        member.until("the member is told", |member| member.held(memo).unavailable).await;
        member.settle().await;
        assert_eq!(member.heard_bytes[&memo], heard, "bytes after access was withdrawn");
    }
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_in_a_closed_pair_and_only_its_member_reads_it_after_thirty_days() {
    let limits = HubLimits { access_recheck: Duration::from_millis(20), tick: Duration::from_millis(5), ..patient() };
    let house = House::open(limits).await;
    let (mut member, mut manager, _, memo) = two_on_a_memo(&house).await;
    let pair = house.store.open_pairs(ORGANISATION).await.unwrap().pop().unwrap();
    house.close_pair(pair.id).await;
    member.until("the writing session ends", |member| member.held(memo).unavailable).await;
    manager.until("the writing session ends", |manager| manager.held(memo).unavailable).await;
    let stored = house.hub.statistics().changes_stored;

    for (user, name) in [(MEMBER, "member reads"), (MANAGER, "manager reads")] {
        let mut reader = house.client(user, name).await;
        reader.want(memo);
        reader.until("a closed pair is still readable", |reader| reader.held(memo).body() == "はじめ").await;
        reader.held(memo).type_text("あとから");
        reader.flush().await;
        reader.settle().await;
        assert_eq!(house.hub.statistics().changes_stored, stored);
        assert!(!reader.held(memo).unavailable);
    }

    // Thirty days later it is gone for the former manager, by the clock alone: no news come.
    let mut patient_readers = Vec::new();
    for (user, name) in [(MEMBER, "patient member"), (MANAGER, "patient manager")] {
        let (mut principal, _) = house.sign_in(user).await;
        principal.expires = house.clock.now().plus(Duration::from_secs(400 * 24 * 3_600));
        let url = format!("ws://{}/?token={}", house.address, house.token(principal));
        let mut reader = PlainClient::connect(url, name, false).await;
        reader.want(memo);
        reader.until("it reads", |reader| reader.held(memo).body() == "はじめ").await;
        patient_readers.push(reader);
    }
    house.clock.advance(Duration::from_secs(31 * 24 * 3_600));
    let [member, manager] = &mut patient_readers[..] else { panic!("two readers") };
    manager.until("it may no longer", |reader| reader.held(memo).unavailable).await;
    member.settle().await;
    assert!(!member.held(memo).unavailable, "the member keeps what was agreed");
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reader_sends_is_discarded() {
    let house = House::open(patient()).await;
    let pair = house.pair().await;
    let key = DocumentKey::Prep { pair: pair.id, meeting: MeetingId::from_bytes([7; 16]) };
    let prep = house.document(&key).await;
    let mut member = house.client(MEMBER, "member").await;
    member.begin(&key);
    member.held(prep).doc.put(ROOT, "mine", 1).unwrap();
    member.until_acknowledged(prep).await;
    let heads = member.held(prep).doc.get_heads();

    let mut manager = house.client(MANAGER, "manager").await;
    manager.begin(&key);
    manager.until("a reader gets it", |manager| manager.held(prep).doc.get_heads() == heads).await;
    manager.held(prep).doc.put(ROOT, "theirs", 2).unwrap();
    manager.held(prep).doc.commit();
    manager.flush().await;
    manager.settle().await;
    member.settle().await;
    assert_eq!(member.held(prep).doc.get_heads(), heads);
    assert_eq!(house.hub.statistics().changes_stored, 1);
    assert_eq!(house.hub.statistics().changes_uncommitted, 0);
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_author_is_refused_and_an_actor_without_one_is_bound() {
    let house = House::open(patient()).await;
    let (mut member, mut manager, key, memo) = two_on_a_memo(&house).await;
    let stored = house.hub.statistics().changes_stored;
    let bound = house.store.authors(ORGANISATION, memo).await.unwrap();
    let actor = member.held(memo).doc.get_actor().to_bytes().to_vec();
    assert_eq!(bound, [(actor.clone(), MEMBER)]);

    let mut forger = house.client(MANAGER, "forger").await;
    forger.begin(&key);
    forger.until("the text", |forger| forger.held(memo).body() == "はじめ").await;
    forger.held(memo).doc.set_author(Some(Author::from(MEMBER.as_bytes().to_vec())));
    forger.held(memo).type_text("私が言いました");
    forger.flush().await;
    assert_eq!(forger.socket.hear_close().await, Some(4400));

    // A change in the name of the member's actor is no better.
    let mut stolen = house.client(MANAGER, "thief").await;
    let mut doc = member.held(memo).doc.fork();
    doc.set_actor(automerge::ActorId::from(actor));
    stolen.hold(memo, doc);
    stolen.held(memo).type_text("盗んだ名前");
    stolen.flush().await;
    while stolen.closed.is_none() {
        stolen.listen().await;
        stolen.flush().await;
    }
    assert_eq!(stolen.closed, Some(Some(4400)));

    member.held(memo).type_text("本当の");
    member.until_acknowledged(memo).await;
    manager.until("the honest go on", |manager| manager.held(memo).body() == "本当のはじめ").await;
    assert_eq!(house.hub.statistics().changes_stored, stored + 1);
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eviction_and_packing_are_invisible() {
    let limits = HubLimits { pack_rows: 2, ..hasty() };
    let house = House::open(limits).await;
    let (_, key, memo) = house.memo().await;
    let mut member = house.client(MEMBER, "member").await;
    member.begin(&key);
    for round in 0..12 {
        member.held(memo).type_text(&format!("{round}"));
        member.until_acknowledged(memo).await;
    }
    let heads = member.held(memo).doc.get_heads();
    let changes = member.held(memo).doc.get_changes(&[]).len();
    assert!(house.rows(memo).await >= 12 || house.rows(memo).await == 1);
    let doc = member.held(memo).doc.clone();
    drop(member);
    let hub = house.hub.clone();
    eventually("the document is evicted", PATIENCE, || async { (hub.statistics().documents == 0).then_some(()) }).await;
    assert_eq!(house.rows(memo).await, 1, "folded into one row");
    assert!(house.digest(memo).await.is_some());

    let mut again = house.client(MEMBER, "member").await;
    again.hold(memo, doc);
    again.held(memo).type_text("続き");
    again.until_acknowledged(memo).await;
    let mut fresh = house.client(MANAGER, "manager").await;
    fresh.want(memo);
    fresh.until("all of it", |fresh| fresh.held(memo).body().starts_with("続き")).await;
    assert_eq!(fresh.held(memo).doc.get_changes(&[]).len(), changes + 1);
    assert!(heads.iter().all(|head| fresh.held(memo).doc.get_change_by_hash(head).is_some()));
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_always_open_is_folded_too() {
    let limits = HubLimits { pack_rows: 0, evict_after: Duration::from_secs(3_600), ..hasty() };
    let house = House::open(limits).await;
    let (mut member, mut manager, _, memo) = two_on_a_memo(&house).await;
    for round in 0..5 {
        member.held(memo).type_text(&format!("{round}"));
        member.until_acknowledged(memo).await;
        eventually("folded", PATIENCE, || async { (house.rows(memo).await == 1).then_some(()) }).await;
    }
    manager.until("all of it", |manager| manager.held(memo).body() == "43210はじめ").await;
    let mut fresh = house.client(MANAGER, "fresh").await;
    fresh.want(memo);
    fresh.until("all of it from the pack", |fresh| fresh.held(memo).body() == "43210はじめ").await;
    assert!(member.closed.is_none() && manager.closed.is_none());
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_document_renews_its_digest_and_only_taiwa_peers_hear_of_it() {
    let house = House::open(HubLimits { evict_after: Duration::from_secs(3_600), ..hasty() }).await;
    let (_, key, memo) = house.memo().await;
    let mut phone = PlainClient::connect(house.sign_in(MANAGER).await.1, "phone", true).await;
    let mut member = house.client(MEMBER, "member").await;
    member.begin(&key).type_text("x");
    member.until_acknowledged(memo).await;
    let first = eventually("a digest", PATIENCE, || async { house.digest(memo).await }).await;
    phone.until("news of the digest", |phone| !phone.news.is_empty()).await;
    member.held(memo).type_text("y");
    member.until_acknowledged(memo).await;
    eventually("a newer digest", PATIENCE, || async { house.digest(memo).await.filter(|digest| *digest != first) })
        .await;
    member.settle().await;
    assert!(member.news.is_empty());
    assert!(member.closed.is_none());
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn digests_left_stale_by_a_crash_are_renewed_at_start() {
    let house = House::open(patient()).await;
    let (_, key, memo) = house.memo().await;
    let mut member = house.client(MEMBER, "member").await;
    member.begin(&key).type_text("x");
    member.until_acknowledged(memo).await;
    assert_eq!(house.store.stale_digests().await.unwrap().len(), 1);
    assert_eq!(house.digest(memo).await, None);
    // The first hub never gets to stop.
    let next = house.again(patient()).await;
    let store = next.store.clone();
    eventually("renewed", PATIENCE, || async { store.stale_digests().await.unwrap().is_empty().then_some(()) }).await;
    assert!(next.digest(memo).await.is_some());
    next.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_stores_acknowledges_and_says_goodbye() {
    let house = House::open(patient()).await;
    let (mut member, mut manager, _, memo) = two_on_a_memo(&house).await;
    let lock = house.store.begin().await.unwrap();
    member.held(memo).type_text("最後に");
    member.flush().await;
    let hub = house.hub.clone();
    eventually("received", PATIENCE, || async { (hub.statistics().changes_uncommitted == 1).then_some(()) }).await;
    let stopping = tokio::spawn(async move { hub.stop().await });
    drop(lock);
    while member.closed.is_none() {
        member.listen().await;
    }
    assert_eq!(member.closed, Some(Some(1012)));
    assert!(member.held(memo).is_acknowledged(), "a graceful stop acknowledges what it stored");
    while manager.closed.is_none() {
        manager.listen().await;
    }
    assert_eq!(manager.held(memo).body(), "最後にはじめ");
    stopping.await.unwrap();
    assert!(house.store.stale_digests().await.unwrap().is_empty());
    assert!(house.digest(memo).await.is_some());

    let next = house.again(patient()).await;
    let mut fresh = next.client(MEMBER, "member").await;
    fresh.want(memo);
    fresh.until("it was stored", |fresh| fresh.held(memo).body() == "最後にはじめ").await;
    next.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_closes_the_socket_unless_it_is_renewed() {
    let house = House::open(HubLimits { tick: Duration::from_millis(5), ..patient() }).await;
    let (renewer, url) = house.sign_in(MEMBER).await;
    let mut renewing = PlainClient::connect(url, "renewing", true).await;
    let mut forgetful = house.client(MEMBER, "forgetful").await;
    let mut borrower = house.client(MANAGER, "borrower").await;
    let mut fresh = renewer;
    fresh.expires = house.clock.now().plus(2 * TOKEN_LIFE);
    let token = house.token(fresh);
    for client in [&mut renewing, &mut borrower] {
        let (sender, target) = (client.peer.clone(), client.server.clone());
        let access_token = RenewalToken::new(token.clone());
        client.socket.send(&Frame::Renew { sender, target, access_token }).await;
        client.settle().await;
    }
    house.clock.advance(TOKEN_LIFE);
    assert_eq!(forgetful.socket.hear_close().await, Some(4401));
    assert_eq!(borrower.socket.hear_close().await, Some(4401), "somebody else's token renews nothing");
    renewing.settle().await;
    house.clock.advance(TOKEN_LIFE);
    assert_eq!(renewing.socket.hear_close().await, Some(4401));
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_sign_in_closes_its_sockets() {
    let house = House::open(patient()).await;
    let (principal, url) = house.sign_in(MEMBER).await;
    let mut revoked = PlainClient::connect(url, "revoked", false).await;
    let mut other = house.client(MEMBER, "other").await;
    house.bus.publish(News::Revoked { device: principal.device });
    assert_eq!(revoked.socket.hear_close().await, Some(4403));
    other.settle().await;

    // By another process, which has no bus to say so: the records tell.
    let mut gone = house.client(MANAGER, "gone").await;
    house.let_go(MANAGER).await;
    assert_eq!(gone.socket.hear_close().await, Some(4403));
    other.settle().await;
    let mut late = PlainSocket::open(house.sign_in(MANAGER).await.1).await;
    late.send(&join_frame(&gone.peer, false)).await;
    assert_eq!(late.hear_close().await, Some(4403), "a sign-in that ended before the socket opened");
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
        let mut attacker = PlainSocket::open(house.sign_in(MANAGER).await.1).await;
        attacker.join(&peer("attacker"), false).await;
        attacker.say(attack).await;
        let code = attacker.hear_close().await;
        assert!(matches!(code, Some(4400 | 4409 | 1000)) || what == "too large", "{what}: {code:?}");
    }
    for first in [Message::binary(sync("attacker", vec![0x42, 0, 0, 0, 0]).encode()), Message::binary(vec![1, 2, 3])] {
        let mut attacker = PlainSocket::open(house.sign_in(MANAGER).await.1).await;
        attacker.say(first).await;
        assert_eq!(attacker.hear_close().await, Some(4400));
    }
    let mut silent = PlainSocket::open(house.sign_in(MANAGER).await.1).await;
    assert_eq!(silent.hear_close().await, Some(4400), "a client that never introduces itself");
    let mut impostor = PlainSocket::open(house.sign_in(STRANGER).await.1).await;
    impostor.send(&join_frame(&member.peer, false)).await;
    assert_eq!(impostor.hear_close().await, Some(4400), "somebody else's peer id");

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
    assert_eq!(first.socket.hear_close().await, Some(4409));
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
async fn a_damaged_row_takes_one_document_out_of_service_and_stays_as_it_is() {
    let house = House::open(hasty()).await;
    let (_, key, memo) = house.memo().await;
    let (_, other_key, other) = house.memo().await;
    let mut member = house.client(MEMBER, "member").await;
    member.begin(&key).type_text("大事");
    member.until_acknowledged(memo).await;
    drop(member);
    let hub = house.hub.clone();
    eventually("evicted", PATIENCE, || async { (hub.statistics().documents == 0).then_some(()) }).await;
    let mut sql = house.sql().await;
    let body: Vec<u8> = sqlx::query_scalar("select body from chunk").fetch_one(&mut sql).await.unwrap();
    let mut damaged = body.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let damage = "update chunk set body = $1 where document = $2";
    sqlx::query(damage).bind(&damaged).bind(memo.as_uuid()).execute(&mut sql).await.unwrap();

    let mut member = house.client(MEMBER, "member").await;
    member.want(memo);
    member.until("it looks unavailable", |member| member.held(memo).unavailable).await;
    assert_eq!(house.hub.statistics().quarantined, 1);
    member.begin(&other_key).type_text("x");
    member.until_acknowledged(other).await;
    let left: Vec<u8> = sqlx::query_scalar("select body from chunk where document = $1")
        .bind(memo.as_uuid())
        .fetch_one(&mut sql)
        .await
        .unwrap();
    assert_eq!(left, damaged, "rows of a damaged document are left as they are");
    house.hub.stop().await;
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
