//! Tips between managers' phones and the real server: written and tried offline, read by others, kept over a restart
//! without a network, pinned to a brief.

use std::time::Duration;

use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use taiwa_mobile_core::session::{NewTipText, SessionError, TipFilter, TipItem};
use taiwa_shared::{domain::tip::Byline, ids::TipId};
use taiwa_tests::{
    eventually::{PATIENCE, eventually, eventually_equals},
    phone::Phone,
    world::World,
};

const TEXT: &str = "紙の真ん中に今の仕事を書いて、二人で付箋を置く。";

fn new_tip(text: &str) -> NewTipText {
    NewTipText {
        text: text.to_owned(),
        topic: "career.future".parse().unwrap(),
        response: "think".parse().unwrap(),
        byline: Byline::Line("営業・マネジャー歴3年".to_owned()),
        outside: false,
    }
}

async fn all(phone: &Phone) -> Vec<TipItem> {
    phone.session().tips(&TipFilter::default(), "").await.unwrap().tips
}

async fn one(phone: &Phone, tip: TipId) -> Option<TipItem> {
    all(phone).await.into_iter().find(|item| item.id == Some(tip))
}

/// Somebody opens the screen of tips, long enough after the last time that newer ones are asked for.
fn open_tips(world: &World, phone: &Phone) {
    world.clock().advance(Duration::from_secs(120));
    phone.session().tips_opened();
}

async fn eventually_has(phone: &Phone, tip: TipId) -> TipItem {
    eventually("the tip is on the phone", PATIENCE, || one(phone, tip)).await
}

/// For how many managers a tip worked, as the server counts.
async fn helped_at_server(world: &World, tip: TipId) -> i64 {
    let options = SqliteConnectOptions::new().filename(world.database()).read_only(true);
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    let helped = sqlx::query_scalar("select helped from tip where id = $1").bind(&tip.as_bytes()[..]);
    helped.fetch_one(&mut database).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tip_written_offline_is_read_by_another_manager_also_without_a_network() {
    let world = World::open("tip offline").await;
    let (author, reader) = (world.phone("sato").await, world.phone("mori").await);
    author.line().go_down();
    let tip = author.session().write_tip(new_tip(TEXT)).await.unwrap();
    let mine = one(&author, tip).await.unwrap();
    assert!(mine.mine && mine.waiting, "its author sees it at once: {mine:?}");
    let author = author.reopened().await;
    assert!(one(&author, tip).await.unwrap().waiting, "and after a restart");
    author.come_back();
    author.settled().await;
    eventually("it waits no more", PATIENCE, || async { one(&author, tip).await.filter(|it| it.mine && !it.waiting) })
        .await;
    open_tips(&world, &reader);
    let read = eventually_has(&reader, tip).await;
    assert_eq!((read.text.as_str(), read.byline.as_deref(), read.mine), (TEXT, Some("営業・マネジャー歴3年"), false));
    assert_eq!(read.standing.as_deref(), Some("新着"));
    // The shelf outlives the app and the network, and is searched there.
    reader.line().go_down();
    let reader = reader.reopened().await;
    let career = TipFilter {
        topic: Some("career.future".parse().unwrap()),
        response: Some("think".parse().unwrap()),
        ..TipFilter::default()
    };
    let found = reader.session().tips(&career, "付箋　ｼｺﾞﾄ").await.unwrap();
    assert_eq!(found.tips, [], "「しごと」 is not how it is written");
    let found = reader.session().tips(&career, "付箋　仕事").await.unwrap();
    assert_eq!(found.tips[0].id, Some(tip), "the company's before the built-in one");
    assert_eq!((found.tips[0].ranges.len(), found.as_of.is_some()), (2, true));
    assert_eq!(reader.session().strengths().await.unwrap().empty, Some("まだ十分な声がありません（5人以上で表示）"));
    let more = reader.session().more_tips(&career, "", None).await;
    assert!(matches!(more, Err(SessionError::Offline)), "{more:?}");
    reader.come_back();
    let more = eventually("the server is reached", PATIENCE, || async {
        reader.session().more_tips(&career, "付箋", None).await.ok()
    })
    .await;
    assert_eq!((more.tips.len(), more.tips[0].id, more.next), (1, Some(tip), None));
    // Taken back by its author, it goes everywhere.
    author.session().withdraw_tip(tip).await.unwrap();
    assert_eq!(one(&author, tip).await, None);
    author.settled().await;
    open_tips(&world, &reader);
    eventually("it is gone", PATIENCE, || async { one(&reader, tip).await.is_none().then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tip_that_helped_one_manager_on_two_phones_offline_counts_once() {
    let world = World::open("helped twice").await;
    let (author, first) = (world.phone("sato").await, world.phone("mori").await);
    let tip = author.session().write_tip(new_tip(TEXT)).await.unwrap();
    author.settled().await;
    open_tips(&world, &first);
    eventually_has(&first, tip).await;
    let second = world.phone("mori").await;
    eventually_has(&second, tip).await;
    for phone in [&first, &second] {
        phone.line().go_down();
        phone.session().set_tip_helped(tip, true).await.unwrap();
        phone.session().set_tip_helped(tip, true).await.unwrap();
        assert_eq!(phone.unsent().await, 1, "said twice is asked once");
    }
    let first = first.reopened().await;
    assert!(one(&first, tip).await.unwrap().helped_me);
    for phone in [&first, &second] {
        phone.come_back();
        phone.settled().await;
    }
    assert_eq!(helped_at_server(&world, tip).await, 1);
    assert_eq!(
        one(&first, tip).await.unwrap().standing.as_deref(),
        Some("新着"),
        "below three nobody learns the number"
    );
    first.session().set_tip_helped(tip, false).await.unwrap();
    first.settled().await;
    assert_eq!(helped_at_server(&world, tip).await, 0);
    open_tips(&world, &second);
    let helped = async || one(&second, tip).await.unwrap().helped_me;
    eventually_equals("the other phone knows", &false, helped).await;
    assert_eq!(first.session().command_cards().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tip_of_a_colleague_that_is_pinned_stands_on_the_managers_brief_alone() {
    let world = World::open("pinned tip").await;
    let (member, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let colleague = world.phone("mori").await;
    let meeting = member.next_meeting_with(&manager).await;
    manager.next_meeting_with(&member).await;
    member.choose(meeting, "career.future").await;
    let topic = "career.future".parse().unwrap();
    member.session().set_response(meeting, topic, "think".parse().unwrap()).await.unwrap();
    member.set_word(meeting, "career.future", "異動のこと").await;
    member.publish(meeting).await;
    manager.eventually_reads_brief(meeting, "異動のこと").await;
    let pinned = colleague.session().write_tip(new_tip("最初の一分は黙って聞く。")).await.unwrap();
    let fitting = colleague.session().write_tip(new_tip(TEXT)).await.unwrap();
    colleague.settled().await;
    open_tips(&world, &manager);
    eventually_has(&manager, fitting).await;
    let text = eventually_has(&manager, pinned).await.text;
    let pair = manager.pair_with(&member).await;
    manager.session().pin_tip(pair, Some(pinned), text.clone()).await.unwrap();
    let brief = manager.session().brief(meeting).await.unwrap();
    assert_eq!((brief.tips[0].as_str(), brief.tips[1].as_str(), brief.tips.len()), (text.as_str(), TEXT, 3));
    manager.settled().await;
    assert_eq!(manager.unsent().await, 0);
    let theirs = member.session().brief(meeting).await.unwrap().tips;
    assert!(!theirs.contains(&text) && !theirs.iter().any(|tip| tip == TEXT), "{theirs:?}");
    // It is on this phone alone, and over a restart.
    assert_eq!(world.phone("sato").await.session().pinned_tips().await.unwrap(), []);
    manager.line().go_down();
    let manager = manager.reopened().await;
    assert_eq!(manager.session().brief(meeting).await.unwrap().tips[0], text);
    assert!(matches!(member.session().tips(&TipFilter::default(), "").await, Err(SessionError::NoAccess)));
}
