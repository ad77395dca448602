//! What the hub stores: before it says so, whole, folded, and named in the record of the document.

use std::time::Duration;

use taiwa_server::sync::HubLimits;
use taiwa_tests::{
    eventually::{PATIENCE, eventually},
    plain_client::PlainClient,
};

use super::house::{House, MANAGER, MEMBER, hasty, patient};

use super::two_on_a_memo;

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
    assert_eq!(manager.socket.until_closed().await, Some(1013), "the others start afresh as well");
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
