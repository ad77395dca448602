//! Refresh tokens: a lost reply costs nothing, a stolen token ends the family, and neither wipes a phone.

use std::time::Duration;

use reqwest::StatusCode;
use taiwa_mobile_core::sync::Connection;
use taiwa_shared::protocol::login::{RefreshRequest, Secret, Tokens};
use taiwa_tests::{
    eventually::{PATIENCE, eventually},
    inspect::Contents,
    link::Direction,
    rest::{Answer, Rest},
    world::World,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// An access token lasts ten.
const ELEVEN_MINUTES: Duration = Duration::from_secs(11 * 60);
const FORTY_MINUTES: Duration = Duration::from_secs(40 * 60);

async fn refresh(world: &World, token: &Secret) -> Answer {
    let request = RefreshRequest { refresh_token: token.clone() };
    Rest::new(world.address()).post("/v1/login/refresh", &request).await.unwrap()
}

async fn refreshed(world: &World, token: &Secret) -> Tokens {
    refresh(world, token).await.into().unwrap()
}

fn assert_sign_in_again(answer: &Answer) {
    assert_eq!((answer.status, answer.problem_code().as_str()), (StatusCode::UNAUTHORIZED, "sign_in_again"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_whose_reply_was_lost_works_again_forty_minutes_later() {
    let world = World::open("lost refresh reply").await;
    let first = world.login("tanaka").await.tokens.refresh_token;
    let lost = refreshed(&world, &first).await;
    world.clock().advance(FORTY_MINUTES);
    let second = refreshed(&world, &first).await;
    assert_ne!(second.refresh_token, lost.refresh_token);
    let rest = Rest::new(world.address()).with_token(second.access_token.expose());
    assert!(rest.get("/v1/records").await.unwrap().status.is_success());
    let third = refreshed(&world, &second.refresh_token).await;
    assert_ne!(third.refresh_token, second.refresh_token, "the family goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_token_after_its_successor_was_used_revokes_the_family() {
    let world = World::open("stolen refresh token").await;
    let login = world.login("tanaka").await;
    let other_device = world.login("tanaka").await;
    let stolen = login.tokens.refresh_token;
    let second = refreshed(&world, &stolen).await;
    let third = refreshed(&world, &second.refresh_token).await;
    world.clock().advance(FORTY_MINUTES);
    assert_sign_in_again(&refresh(&world, &stolen).await);
    assert_sign_in_again(&refresh(&world, &third.refresh_token).await);
    let answer = Rest::new(world.address()).with_token(third.access_token.expose()).get("/v1/records").await.unwrap();
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "its access tokens are over too");
    refreshed(&world, &other_device.tokens.refresh_token).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_lasts_thirty_days_from_its_last_use() {
    let world = World::open("refresh life").await;
    let token = refreshed(&world, &world.login("tanaka").await.tokens.refresh_token).await.refresh_token;
    world.clock().advance(29 * DAY);
    let token = refreshed(&world, &token).await.refresh_token;
    world.clock().advance(31 * DAY);
    assert_sign_in_again(&refresh(&world, &token).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_family_of_refresh_tokens_lasts_180_days_at_most() {
    let world = World::open("family life").await;
    let mut token = world.login("tanaka").await.tokens.refresh_token;
    for _ in 0..6 {
        world.clock().advance(29 * DAY);
        token = refreshed(&world, &token).await.refresh_token;
    }
    world.clock().advance(7 * DAY);
    assert_sign_in_again(&refresh(&world, &token).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_that_never_got_the_reply_to_its_refresh_goes_on_forty_minutes_later() {
    let world = World::open("phone without reply").await;
    let phone = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = phone.next_meeting_with(&manager).await;
    let tokens = async || Contents::of_server(&world.database()).await.unwrap().values_in("refresh_token", "state");
    // The manager's phone stays out of it, so that tokens made from here on are the member's.
    manager.line().go_down();
    phone.line().go_down();
    let before = tokens().await;
    world.clock().advance(ELEVEN_MINUTES);
    phone.line().heal();
    phone.line().hold(Direction::Down);
    phone.session().network_available();
    eventually("the server has answered the refresh", PATIENCE, || async { (tokens().await > before).then_some(()) })
        .await;
    phone.line().go_down();
    world.clock().advance(FORTY_MINUTES);
    phone.type_into_memo(meeting, 0, "戻ってきました").await;
    phone.come_back();
    phone.settled().await;
    manager.come_back();
    manager.eventually_reads(meeting, "戻ってきました").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_refresh_token_ends_the_sign_in_and_wipes_nothing_from_the_phone() {
    let world = World::open("thief").await;
    let phone = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = phone.next_meeting_with(&manager).await;
    phone.type_into_memo(meeting, 0, "盗まれる前。").await;
    phone.settled().await;
    let stolen = phone.refresh_token().await;
    for _ in 0..2 {
        let token = phone.refresh_token().await;
        world.clock().advance(ELEVEN_MINUTES);
        phone.come_back();
        eventually("a new token", PATIENCE, || async { (phone.refresh_token().await != token).then_some(()) }).await;
    }
    assert_sign_in_again(&refresh(&world, &stolen).await);
    eventually("the phone asks to sign in again", PATIENCE, || async {
        (phone.session().sync_status().connection == Connection::SignInAgain).then_some(())
    })
    .await;
    phone.type_into_memo(meeting, 0, "盗まれたあと。").await;
    let mut phone = phone.reopened().await;
    assert_eq!(phone.memo_text(meeting).await, "盗まれたあと。盗まれる前。", "nothing was wiped");
    assert!(phone.unsent().await > 0);
    phone.sign_in_again(world.company(), "tanaka").await;
    phone.settled().await;
    manager.come_back();
    manager.eventually_reads(meeting, "盗まれたあと。盗まれる前。").await;
}
