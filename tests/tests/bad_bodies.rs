//! Malformed REST requests: each gets a problem that says what to do, none gets a 5xx, and the server goes on.

use reqwest::StatusCode;
use serde_json::{Value, json};
use taiwa_tests::{
    rest::{Answer, Rest},
    world::World,
};

/// Bodies that no route takes.
fn bodies_nobody_takes() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("empty", Vec::new()),
        ("no JSON", b"name=value".to_vec()),
        ("cut off", br#"{"invitation": "abc", "pass"#.to_vec()),
        ("null", b"null".to_vec()),
        ("a number", b"7".to_vec()),
        ("an array", b"[1,2,3]".to_vec()),
        ("an empty object", b"{}".to_vec()),
        ("no UTF-8", vec![b'{', b'"', 0xff, 0xfe, b'"', b':', b'1', b'}']),
        ("nested 100,000 deep", vec![b'['; 100_000]),
        ("zeros", vec![0; 1000]),
        ("4 MiB of spaces", vec![b' '; 4 * 1024 * 1024]),
        ("a key of 1 MiB", format!("{{\"{}\":1}}", "k".repeat(1024 * 1024)).into_bytes()),
    ]
}

/// A problem in the 400s, of the stated media type, that names its code and says something.
fn check(what: &str, answer: &Answer) {
    assert!(answer.status.is_client_error(), "{what}: {} {}", answer.status, answer.text);
    assert_eq!(answer.media_type, "application/problem+json", "{what}: {}", answer.text);
    let problem = answer.json();
    assert_eq!(problem["status"], answer.status.as_u16(), "{what}: {}", answer.text);
    assert!(problem["code"].is_string() && problem["title"].is_string(), "{what}: {}", answer.text);
    assert!(answer.text.len() < 2_000, "{what}: an error does not give back what it was sent");
}

async fn check_post(rest: &Rest, path: &str, name: &str, body: Vec<u8>) {
    let is_oversized = body.len() > 1024 * 1024;
    match rest.post_bytes(path, body).await {
        Ok(answer) => check(&format!("{path} {name}"), &answer),
        // The server may hang up on somebody who goes on sending after it has answered.
        Err(error) => assert!(is_oversized, "{path} {name}: {error:#}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_body_gets_a_problem_and_the_server_goes_on() {
    let world = World::open("malformed bodies").await;
    let token = world.access_token("tanaka").await;
    let rest = Rest::new(world.address());
    for path in ["/v1/login/invitation", "/v1/login/password", "/v1/login/refresh"] {
        for (name, body) in bodies_nobody_takes() {
            check_post(&rest, path, name, body).await;
        }
    }
    let signed_in = rest.with_token(token);
    for path in ["/v1/documents", "/v1/commands"] {
        for (name, body) in bodies_nobody_takes() {
            check_post(&signed_in, path, name, body).await;
        }
    }
    assert!(signed_in.get("/v1/records").await.unwrap().status.is_success(), "the server goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_of_the_wrong_kind_is_refused_with_the_name_of_what_was_wrong() {
    let world = World::open("wrong fields").await;
    let signed_in = Rest::new(world.address()).with_token(world.access_token("tanaka").await);
    let pair = "0190a5c0-7d3e-7c4b-9f00-3a6c1c2f0e11";
    let claims: Vec<(&str, Value)> = vec![
        ("claims is no list", json!({ "claims": "all" })),
        ("claims is missing", json!({ "claim": [] })),
        ("an unknown kind", json!({ "claims": [{ "key": { "kind": "diary", "pair": pair } }] })),
        ("a key without its pair", json!({ "claims": [{ "key": { "kind": "notebook" } }] })),
        ("an id that is none", json!({ "claims": [{ "key": { "kind": "notebook", "pair": "pair-1" } }] })),
        ("an id that is a number", json!({ "claims": [{ "key": { "kind": "notebook", "pair": 7 } }] })),
        (
            "a day that does not exist",
            json!({ "claims": [{ "key": { "kind": "memo", "pair": pair, "meeting": pair }, "slot": "2026-02-30" }] }),
        ),
        ("too many", json!({ "claims": vec![json!({ "key": { "kind": "notebook", "pair": pair } }); 201] })),
    ];
    for (name, body) in claims {
        let answer = signed_in.post("/v1/documents", &body).await.unwrap();
        check(name, &answer);
        assert!(matches!(answer.problem_code().as_str(), "invalid_request" | "too_large"), "{name}: {}", answer.text);
    }
    for since in ["x", "-1", "999999999999999999999999", "a/b/c", "%00", "%F0%9F%98%80", &"9".repeat(5000)] {
        let answer = signed_in.get(&format!("/v1/records?since={since}")).await.unwrap();
        check(&format!("since={since:.20}"), &answer);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_or_method_that_does_not_exist_gets_a_problem_too() {
    let world = World::open("wrong paths").await;
    let rest = Rest::new(world.address());
    for path in ["/", "/v1", "/v1/nothing", "/v1/records/../login", "/V1/records", "//v1/records"] {
        let answer = rest.get(path).await.unwrap();
        check(path, &answer);
    }
    let answer = rest.get("/v1/login/password").await.unwrap();
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    check("GET of a POST route", &answer);
}
