//! Signing in: invitations and tickets work once, guesses are slow, and strangers look like people who mistyped.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use taiwa_server::{
    auth::{AuthError, Identity},
    records::access::Principal,
};
use taiwa_shared::protocol::login::{InvitationRequest, LoginResponse, PasswordRequest, RefreshRequest, Secret};

use super::fixture::{DAY, Fixture, MINUTE, PASSWORD};

const COMPANY: &str = "email,name\nhanako@a.jp,佐藤 花子\nken@a.jp,高橋 健\n";

super::on_both! {
    an_invitation_works_once_however_many_try_at_once;
    an_invitation_ends_after_seven_days_and_survives_a_weak_password;
    a_ticket_works_once_and_for_thirty_seconds;
    five_wrong_passwords_lock_known_and_unknown_people_alike;
    the_organisation_is_asked_for_only_where_there_are_several;
    an_access_token_ends_with_the_sign_in;
    a_guess_does_not_wait_for_the_writer_and_requests_do_not_keep_the_hub_waiting;
}

fn with_password(email: &str, password: &str, organisation: Option<&str>) -> PasswordRequest {
    PasswordRequest {
        organisation: organisation.map(str::to_owned),
        email: email.to_owned(),
        password: Secret::new(password),
        device_name: "test".to_owned(),
    }
}

async fn identity(fixture: &Fixture, login: &LoginResponse) -> Identity {
    fixture.auth.identity(login.tokens.access_token.expose()).await.unwrap()
}

async fn hanako(fixture: &Fixture) -> Principal {
    fixture.import("a", COMPANY).await;
    fixture.principal("a", "hanako@a.jp").await
}

async fn an_invitation_works_once_however_many_try_at_once(fixture: Fixture) {
    let who = hanako(&fixture).await;
    let invitation = fixture.invitation(&who).await;
    let fixture = Arc::new(fixture);
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (fixture, invitation) = (Arc::clone(&fixture), invitation.clone());
        tries.spawn(async move {
            let password = Secret::new(PASSWORD);
            let request = InvitationRequest { invitation, password, device_name: "x\u{7}".repeat(99) };
            fixture.auth.sign_in_with_invitation(&request).await
        });
    }
    let outcomes = tries.join_all().await;
    let signed_in: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
    assert_eq!(signed_in.len(), 1);
    assert_eq!((signed_in[0].user, signed_in[0].organisation_slug.as_str()), (who.user, "a"));
    let refused = |outcome: &Result<_, _>| matches!(outcome, Err(AuthError::CredentialsRefused) | Ok(_));
    assert!(outcomes.iter().all(refused), "{outcomes:?}");
    assert!(fixture.auth.sign_in_with_password(&with_password(" HANAKO@A.jp ", PASSWORD, None)).await.is_ok());
}

async fn an_invitation_ends_after_seven_days_and_survives_a_weak_password(fixture: Fixture) {
    let who = hanako(&fixture).await;
    let ken = fixture.principal("a", "ken@a.jp").await;
    let (one, other) = (fixture.invitation(&who).await, fixture.invitation(&ken).await);
    let request = |invitation: &Secret, password: &str| InvitationRequest {
        invitation: invitation.clone(),
        password: Secret::new(password),
        device_name: String::new(),
    };
    let weak = fixture.auth.sign_in_with_invitation(&request(&one, "12345678")).await;
    assert!(matches!(weak, Err(AuthError::PasswordTooWeak(_))), "{weak:?}");
    fixture.clock.advance(7 * DAY - MINUTE);
    fixture.auth.sign_in_with_invitation(&request(&one, PASSWORD)).await.unwrap();
    fixture.clock.advance(MINUTE);
    let over = fixture.auth.sign_in_with_invitation(&request(&other, PASSWORD)).await;
    assert!(matches!(over, Err(AuthError::CredentialsRefused)), "{over:?}");
    let unknown = fixture.auth.sign_in_with_invitation(&request(&Secret::new("x"), "short")).await;
    assert!(matches!(unknown, Err(AuthError::CredentialsRefused)), "{unknown:?}");
}

async fn a_ticket_works_once_and_for_thirty_seconds(fixture: Fixture) {
    let who = hanako(&fixture).await;
    let login = fixture.sign_in(&who).await;
    let identity = identity(&fixture, &login).await;
    let fixture = Arc::new(fixture);
    let ticket = fixture.auth.issue_ticket(&identity).await.unwrap();
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (fixture, ticket) = (Arc::clone(&fixture), ticket.ticket.clone());
        tries.spawn(async move { fixture.auth.burn_ticket(ticket.expose()).await });
    }
    let used: Vec<_> = tries.join_all().await.into_iter().filter_map(Result::ok).collect();
    assert_eq!(used, [identity]);

    let late = fixture.auth.issue_ticket(&identity).await.unwrap();
    fixture.clock.advance(MINUTE / 2);
    assert!(matches!(fixture.auth.burn_ticket(late.ticket.expose()).await, Err(AuthError::TokenInvalid)));
    assert!(matches!(fixture.auth.burn_ticket("unknown").await, Err(AuthError::TokenInvalid)));
    let revoked = fixture.auth.issue_ticket(&identity).await.unwrap();
    fixture.auth.sign_out(&identity).await.unwrap();
    assert!(matches!(fixture.auth.burn_ticket(revoked.ticket.expose()).await, Err(AuthError::TokenInvalid)));
}

async fn five_wrong_passwords_lock_known_and_unknown_people_alike(fixture: Fixture) {
    let who = hanako(&fixture).await;
    fixture.sign_in(&who).await;
    let sign_in = async |email: &str, password: &str, slug: Option<&str>| {
        fixture.auth.sign_in_with_password(&with_password(email, password, slug)).await
    };
    for (email, slug) in [("hanako@a.jp", None), ("nobody@a.jp", None), ("ken@a.jp", None), ("x@x", Some("nowhere"))] {
        for _ in 0..5 {
            let refused = sign_in(email, "not the password", slug).await;
            assert!(matches!(refused, Err(AuthError::CredentialsRefused)), "{email}: {refused:?}");
        }
        let locked = sign_in(email, PASSWORD, slug).await;
        let Err(AuthError::TooManyTries { retry_after }) = locked else { panic!("{email}: {locked:?}") };
        assert!(retry_after <= MINUTE && retry_after > MINUTE / 2, "{retry_after:?}");
    }
    fixture.clock.advance(MINUTE);
    assert!(matches!(sign_in("hanako@a.jp", "wrong again", None).await, Err(AuthError::CredentialsRefused)));
    let locked = sign_in("hanako@a.jp", PASSWORD, None).await;
    assert!(matches!(locked, Err(AuthError::TooManyTries { retry_after }) if retry_after > MINUTE), "{locked:?}");
    fixture.clock.advance(2 * MINUTE);
    sign_in("hanako@a.jp", PASSWORD, None).await.unwrap();
    // A success forgets the failures.
    for _ in 0..4 {
        assert!(matches!(sign_in("hanako@a.jp", "wrong", None).await, Err(AuthError::CredentialsRefused)));
    }
    sign_in("hanako@a.jp", PASSWORD, None).await.unwrap();
}

async fn the_organisation_is_asked_for_only_where_there_are_several(fixture: Fixture) {
    let who = hanako(&fixture).await;
    fixture.sign_in(&who).await;
    fixture.auth.sign_in_with_password(&with_password("hanako@a.jp", PASSWORD, None)).await.unwrap();
    fixture.import("b", COMPANY).await;
    let unnamed = fixture.auth.sign_in_with_password(&with_password("hanako@a.jp", PASSWORD, None)).await;
    assert!(matches!(unnamed, Err(AuthError::OrganisationNeeded)), "{unnamed:?}");
    let ours = fixture.auth.sign_in_with_password(&with_password("hanako@a.jp", PASSWORD, Some("a"))).await.unwrap();
    assert_eq!(ours.organisation, who.organisation);
    let theirs = fixture.auth.sign_in_with_password(&with_password("hanako@a.jp", PASSWORD, Some("b"))).await;
    assert!(matches!(theirs, Err(AuthError::CredentialsRefused)), "{theirs:?}");
}

async fn an_access_token_ends_with_the_sign_in(fixture: Fixture) {
    let who = hanako(&fixture).await;
    let (one, other) = (fixture.sign_in(&who).await, fixture.sign_in(&who).await);
    let identity = identity(&fixture, &one).await;
    assert_eq!((identity.user, identity.organisation), (who.user, who.organisation));
    fixture.auth.sign_out(&identity).await.unwrap();
    let refused = fixture.auth.identity(one.tokens.access_token.expose()).await;
    assert!(matches!(refused, Err(AuthError::TokenInvalid)), "{refused:?}");
    assert!(fixture.auth.identity(other.tokens.access_token.expose()).await.is_ok());
    fixture.clock.advance(11 * MINUTE);
    assert!(fixture.auth.identity(other.tokens.access_token.expose()).await.is_err());
}

async fn a_guess_does_not_wait_for_the_writer_and_requests_do_not_keep_the_hub_waiting(fixture: Fixture) {
    let who = hanako(&fixture).await;
    let login = fixture.sign_in(&who).await;
    let identity = identity(&fixture, &login).await;
    let writer = fixture.store.begin().await.unwrap();
    let guess = RefreshRequest { refresh_token: Secret::new("guess") };
    let soon = std::time::Duration::from_secs(4);
    let refused = tokio::time::timeout(soon, fixture.auth.refresh(&guess)).await.expect("no writer is needed");
    assert!(matches!(refused, Err(AuthError::SignInAgain)), "{refused:?}");
    let refused = tokio::time::timeout(soon, fixture.auth.burn_ticket("guess")).await.expect("no writer is needed");
    assert!(matches!(refused, Err(AuthError::TokenInvalid)), "{refused:?}");

    // Requests take turns of four at a time; the hub does not stand in their queue. On PostgreSQL four transactions that
    // are held leave no turn to the requests and keep nobody else; SQLite has one writer, so at most those few
    // that had their turn come before the hub.
    let has_one_writer = fixture.store.file().is_some();
    let mut held = vec![writer];
    while !has_one_writer && held.len() < WRITING_REQUESTS {
        held.push(fixture.store.begin().await.unwrap());
    }
    let fixture = Arc::new(fixture);
    let written = Arc::new(AtomicUsize::new(0));
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..REQUESTS {
        let (fixture, written) = (Arc::clone(&fixture), Arc::clone(&written));
        requests.spawn(async move {
            fixture.auth.issue_ticket(&identity).await.unwrap();
            written.fetch_add(1, Ordering::SeqCst);
        });
    }
    let hub = fixture.store.for_hub();
    let (polled, asked) = tokio::sync::oneshot::channel();
    let before_the_hub = Arc::clone(&written);
    let hub = tokio::spawn(async move {
        polled.send(()).unwrap();
        hub.begin().await.unwrap().commit().await.unwrap();
        before_the_hub.load(Ordering::SeqCst)
    });
    asked.await.unwrap();
    if has_one_writer {
        held.clear();
    }
    let before = tokio::time::timeout(soon, hub).await.expect("the hub does not wait for requests").unwrap();
    drop(held);
    requests.join_all().await;
    assert_eq!(written.load(Ordering::SeqCst), REQUESTS);
    let allowed = if has_one_writer { 2 * WRITING_REQUESTS } else { 0 };
    assert!(before <= allowed, "{before} requests came before the hub");
}

/// Requests that write at once, as the server's store has it.
const WRITING_REQUESTS: usize = 4;
/// Requests that want to write: several times as many as may, and few enough for a slow disk to write in the ten
/// seconds that a request waits for its turn.
const REQUESTS: usize = 12;
