//! What callers are told: problems that say what to do, refusals that say nothing else, who gets a socket.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use taiwa_shared::{
    ids::StoreEpoch,
    protocol::{login::TicketResponse, records::RecordsPage},
};

use super::{PASSWORD, Running, assert_problem, socket_status};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_requests_get_a_problem_that_says_what_to_do() {
    let running = Running::start().await;
    let (open, signed_in) = (running.rest(), running.signed_in("hanako@a.jp").await);
    let bodies: [(&str, Vec<u8>, &str); 7] = [
        ("/v1/login/password", b"".to_vec(), "EOF while parsing a value at line 1 column 0"),
        ("/v1/login/password", b"{\"email\":".to_vec(), "EOF while parsing"),
        ("/v1/login/password", b"{\"email\":\"a@x\"}".to_vec(), "missing field `password`"),
        ("/v1/login/password", b"[1,2]".to_vec(), "invalid type"),
        ("/v1/login/refresh", b"\xff\xfe{}".to_vec(), "line 1 column 1"),
        ("/v1/login/invitation", vec![b'['; 100_000], "invalid type"),
        ("/v1/documents", b"{\"claims\":[{\"key\":{\"kind\":\"diary\"}}]}".to_vec(), "unknown variant `diary`"),
    ];
    for (path, body, detail) in bodies {
        assert_problem(&signed_in.post_bytes(path, body).await.unwrap(), 400, "invalid_request", detail);
    }
    let large = signed_in.post_bytes("/v1/documents", vec![b' '; 1_100_000]).await.unwrap();
    assert_problem(&large, 413, "too_large", "at most 1 MiB");
    let claim = json!({ "key": { "kind": "field_notes", "user": "01a2042d-4aa4-7168-b732-035b6651ceb2" } });
    let many = signed_in.post("/v1/documents", &json!({ "claims": vec![claim; 201] })).await.unwrap();
    assert_problem(&many, 400, "invalid_request", "send at most 200");
    for since in ["nonsense", "1.2.3.4", "%00", "%ff", &"x".repeat(5_000)] {
        let answer = signed_in.get(&format!("/v1/records?since={since}")).await.unwrap();
        assert_problem(&answer, 400, "invalid_request", "");
    }
    assert_problem(&signed_in.delete("/v1/devices/%ff").await.unwrap(), 404, "not_found", "names nothing");
    assert_problem(&open.get("/api/%ff").await.unwrap(), 404, "not_found", "names nothing");
    assert_problem(&open.get("/v2/records").await.unwrap(), 404, "not_found", "no such route");
    assert_problem(&open.get("/v1/documents").await.unwrap(), 405, "invalid_request", "GET is not for this route");
    assert_problem(&open.get("/v1/sync").await.unwrap(), 401, "token_invalid", "refresh the access token");
    assert_problem(&signed_in.get("/v1/sync").await.unwrap(), 400, "invalid_request", "WebSocket");
    running.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_of_a_person_refuses_who_is_not_signed_in() {
    let running = Running::start().await;
    let login = running.sign_in("hanako@a.jp").await;
    let fine = login.tokens.access_token.expose().to_owned();
    let refresh = login.tokens.refresh_token.expose().to_owned();
    let routes: [(Method, &str); 5] = [
        (Method::GET, "/v1/records"),
        (Method::POST, "/v1/documents"),
        (Method::POST, "/v1/commands"),
        (Method::POST, "/v1/sync/ticket"),
        (Method::POST, "/v1/login/sign-out"),
    ];
    for token in ["", "x", "a.b.c", refresh.as_str(), &fine[..fine.len() - 2], &format!("{fine}x"), &"x".repeat(6_000)]
    {
        for (method, path) in &routes {
            let rest = running.rest().with_token(token);
            let answer = match *method {
                Method::GET => rest.get(path).await.unwrap(),
                _ => rest.post(path, &json!({ "claims": [] })).await.unwrap(),
            };
            assert_problem(&answer, 401, "token_invalid", "refresh the access token");
        }
    }
    let anonymous = running.rest().get("/v1/records").await.unwrap();
    assert_problem(&anonymous, 401, "token_invalid", "refresh");
    let page: RecordsPage = running.rest().with_token(&fine).get("/v1/records").await.unwrap().into().unwrap();
    assert_eq!(page.entries.len(), 3, "positive control");

    // A cursor of another epoch, named in the query, starts over.
    let other = StoreEpoch::from_bytes([9; 16]);
    for (path, entries) in [
        (format!("/v1/records?since={}", page.cursor), 0),
        (format!("/v1/records?since={}&epoch={}", page.cursor, page.epoch), 0),
        (format!("/v1/records?since={}&epoch={other}", page.cursor), 3),
        ("/v1/records?since=".to_owned(), 3),
    ] {
        let again: RecordsPage = running.rest().with_token(&fine).get(&path).await.unwrap().into().unwrap();
        assert_eq!(again.entries.len(), entries, "{path}");
    }
    let out = running.rest().with_token(&fine).post("/v1/login/sign-out", &json!(null)).await.unwrap();
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert_problem(&running.rest().with_token(&fine).get("/v1/records").await.unwrap(), 401, "token_invalid", "");
    let over = running.rest().post("/v1/login/refresh", &json!({ "refresh_token": refresh })).await.unwrap();
    assert_problem(&over, 401, "sign_in_again", "what is on this phone stays");
    running.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_in_refusals_say_what_to_do_and_nothing_else() {
    let running = Running::start_with(|config| config.login_tries_per_minute = 10).await;
    let rest = running.rest();
    let password = |email: &str| json!({ "email": email, "password": "wrong password", "device_name": "" });
    let known = rest.post("/v1/login/password", &password("hanako@a.jp")).await.unwrap();
    let unknown = rest.post("/v1/login/password", &password("nobody@a.jp")).await.unwrap();
    assert_problem(&known, 401, "credentials_refused", "do not match");
    assert_eq!(known.text, unknown.text);
    let used = json!({ "invitation": "used", "password": PASSWORD, "device_name": "" });
    assert_eq!(rest.post("/v1/login/invitation", &used).await.unwrap().text, known.text);
    let weak = json!({ "invitation": running.invitation("ken@a.jp").await, "password": "short", "device_name": "" });
    let weak = rest.post("/v1/login/invitation", &weak).await.unwrap();
    assert_problem(&weak, 422, "password_too_weak", "at least 10 characters");
    for _ in 0..6 {
        assert!(rest.post("/v1/login/invitation", &used).await.unwrap().status != StatusCode::TOO_MANY_REQUESTS);
    }
    let limited = rest.post("/v1/login/password", &password("hanako@a.jp")).await.unwrap();
    assert_problem(&limited, 429, "too_many_tries", "wait");
    assert!(limited.json()["retry_after_seconds"].as_u64().is_some_and(|seconds| (1..=60).contains(&seconds)));
    running.clock.advance(Duration::from_secs(60));
    assert_problem(&rest.post("/v1/login/password", &password("x@y")).await.unwrap(), 401, "credentials_refused", "");
    running.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_opens_with_a_token_or_with_a_ticket_of_an_allowed_page() {
    let running =
        Running::start_with(|config| config.allowed_origins = vec!["https://app.example.jp".to_owned()]).await;
    let login = running.sign_in("hanako@a.jp").await;
    let bearer = format!("Bearer {}", login.tokens.access_token.expose());
    let rest = running.rest().with_token(login.tokens.access_token.expose());
    let address = running.server.address();
    let ticket = async || {
        let ticket: TicketResponse = rest.post("/v1/sync/ticket", &json!(null)).await.unwrap().into().unwrap();
        format!("?ticket={}", ticket.ticket.expose())
    };
    assert_eq!(socket_status(address, "", Some(("authorization", &bearer))).await, 101);
    assert_eq!(socket_status(address, "", None).await, 401);
    assert_eq!(socket_status(address, "?ticket=unknown", Some(("origin", "https://app.example.jp"))).await, 401);
    let fine = ticket().await;
    assert_eq!(socket_status(address, &ticket().await, None).await, 101, "whoever names no origin is no browser");
    assert_eq!(socket_status(address, &fine, Some(("origin", "https://evil.example"))).await, 401);
    assert_eq!(socket_status(address, &fine, Some(("origin", "https://app.example.jp"))).await, 101);
    assert_eq!(socket_status(address, &fine, Some(("origin", "https://app.example.jp"))).await, 401, "used");
    let own = format!("http://{address}");
    assert_eq!(socket_status(address, &ticket().await, Some(("origin", &own))).await, 101);
    let late = ticket().await;
    running.clock.advance(Duration::from_secs(31));
    assert_eq!(socket_status(address, &late, Some(("origin", &own))).await, 401);
    running.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_link_in_a_browser_shows_the_same_page_for_every_token() {
    let running = Running::start().await;
    let rest = running.rest();
    let real = rest.get(&format!("/invite/{}", running.invitation("hanako@a.jp").await)).await.unwrap();
    let other = rest.get("/invite/%3Cscript%3E").await.unwrap();
    assert_eq!((real.status, real.media_type.as_str()), (StatusCode::OK, "text/html"));
    assert_eq!(real.text, other.text);
    assert!(real.text.contains("taiwa への招待です") && real.text.contains("You are invited"));
    running.server.stop().await;
}
