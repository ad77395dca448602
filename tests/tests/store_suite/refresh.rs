//! Refresh tokens: a lost reply never signs anybody out, a stolen token ends the sign-in.

use std::sync::Arc;

use taiwa_server::{auth::AuthError, bus::News};
use taiwa_shared::protocol::login::{LoginResponse, RefreshRequest, Secret, Tokens};

use super::fixture::{DAY, Fixture, MINUTE};

super::on_both! {
    a_reply_lost_for_forty_minutes_does_not_end_the_sign_in;
    a_token_used_after_its_successor_ends_the_sign_in;
    the_sibling_of_a_used_token_ends_the_sign_in;
    fifty_parallel_refreshes_leave_one_sign_in_that_goes_on;
    replies_can_be_lost_more_often_than_successors_are_kept;
    a_sign_in_ends_after_thirty_idle_days_or_half_a_year;
    signing_out_ends_the_family;
}

async fn signed_in(fixture: &Fixture) -> LoginResponse {
    fixture.import("a", "email,name\nhanako@a.jp,佐藤 花子\n").await;
    fixture.sign_in(&fixture.principal("a", "hanako@a.jp").await).await
}

async fn refresh(fixture: &Fixture, token: &Secret) -> Result<Tokens, AuthError> {
    fixture.auth.refresh(&RefreshRequest { refresh_token: token.clone() }).await
}

async fn next(fixture: &Fixture, token: &Secret) -> Secret {
    refresh(fixture, token).await.unwrap().refresh_token
}

#[track_caller]
fn assert_signed_out(outcome: &Result<Tokens, AuthError>) {
    assert!(matches!(outcome, Err(AuthError::SignInAgain)), "{outcome:?}");
}

async fn a_reply_lost_for_forty_minutes_does_not_end_the_sign_in(fixture: Fixture) {
    let first = signed_in(&fixture).await.tokens.refresh_token;
    let _lost = next(&fixture, &first).await;
    fixture.clock.advance(40 * MINUTE);
    let second = next(&fixture, &first).await;
    let third = next(&fixture, &second).await;
    fixture.clock.advance(40 * MINUTE);
    let _lost = next(&fixture, &third).await;
    let _lost = next(&fixture, &third).await;
    next(&fixture, &third).await;
}

async fn a_token_used_after_its_successor_ends_the_sign_in(fixture: Fixture) {
    let login = signed_in(&fixture).await;
    let first = login.tokens.refresh_token;
    let second = next(&fixture, &first).await;
    let third = next(&fixture, &second).await;
    let mut news = fixture.bus.subscribe();
    assert_signed_out(&refresh(&fixture, &first).await);
    assert_eq!(news.try_recv().unwrap(), News::Revoked { device: login.device });
    for token in [&first, &second, &third] {
        assert_signed_out(&refresh(&fixture, token).await);
    }
    let identity = fixture.auth.identity(login.tokens.access_token.expose()).await;
    assert!(matches!(identity, Err(AuthError::TokenInvalid)), "{identity:?}");
    assert!(news.try_recv().is_err(), "once is enough");
}

async fn the_sibling_of_a_used_token_ends_the_sign_in(fixture: Fixture) {
    let first = signed_in(&fixture).await.tokens.refresh_token;
    let (one, other) = (next(&fixture, &first).await, next(&fixture, &first).await);
    let third = next(&fixture, &one).await;
    assert_signed_out(&refresh(&fixture, &other).await);
    assert_signed_out(&refresh(&fixture, &third).await);
}

async fn fifty_parallel_refreshes_leave_one_sign_in_that_goes_on(fixture: Fixture) {
    let first = signed_in(&fixture).await.tokens.refresh_token;
    let fixture = Arc::new(fixture);
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (fixture, token) = (Arc::clone(&fixture), first.clone());
        tries.spawn(async move { refresh(&fixture, &token).await });
    }
    let mut successors = Vec::new();
    for outcome in tries.join_all().await {
        match outcome {
            Ok(tokens) => successors.push(tokens.refresh_token),
            Err(AuthError::TooManyTries { retry_after }) => assert!(retry_after <= MINUTE),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(successors.len(), 16);
    let mut token = successors.swap_remove(7);
    for _ in 0..3 {
        token = next(&fixture, &token).await;
    }
    assert_signed_out(&refresh(&fixture, &successors[0]).await);
    assert_signed_out(&refresh(&fixture, &token).await);
}

async fn replies_can_be_lost_more_often_than_successors_are_kept(fixture: Fixture) {
    let first = signed_in(&fixture).await.tokens.refresh_token;
    let mut last = first.clone();
    for _ in 0..40 {
        fixture.clock.advance(MINUTE);
        last = next(&fixture, &first).await;
    }
    next(&fixture, &last).await;
}

async fn a_sign_in_ends_after_thirty_idle_days_or_half_a_year(fixture: Fixture) {
    let mut token = signed_in(&fixture).await.tokens.refresh_token;
    for _ in 0..6 {
        fixture.clock.advance(29 * DAY);
        token = next(&fixture, &token).await;
    }
    fixture.clock.advance(6 * DAY);
    assert_signed_out(&refresh(&fixture, &token).await);

    let idle = signed_in(&fixture).await.tokens.refresh_token;
    fixture.clock.advance(30 * DAY);
    assert_signed_out(&refresh(&fixture, &idle).await);
    assert_signed_out(&refresh(&fixture, &Secret::new("unknown")).await);
    fixture.store.forget_expired_logins(fixture.now(), fixture.now()).await.unwrap();
    assert_signed_out(&refresh(&fixture, &idle).await);
}

async fn signing_out_ends_the_family(fixture: Fixture) {
    let login = signed_in(&fixture).await;
    let identity = fixture.auth.identity(login.tokens.access_token.expose()).await.unwrap();
    let second = next(&fixture, &login.tokens.refresh_token).await;
    let mut news = fixture.bus.subscribe();
    fixture.auth.sign_out(&identity).await.unwrap();
    assert_eq!(news.try_recv().unwrap(), News::Revoked { device: login.device });
    assert_signed_out(&refresh(&fixture, &second).await);
    assert_signed_out(&refresh(&fixture, &login.tokens.refresh_token).await);
}
