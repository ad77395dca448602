//! Access tokens that are not valid: all are refused alike, at every door, and none crashes anything.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::StatusCode;
use serde_json::{Value, json};
use taiwa_tests::{rest::Rest, world::World};

/// A token's part as JSON.
fn part(text: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

fn encoded(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

/// Tokens made from a valid one, each with what is wrong with it.
fn bad_tokens(valid: &str) -> Vec<(&'static str, String)> {
    let parts: Vec<&str> = valid.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("a token has three parts") };
    let with_header = |change: &dyn Fn(&mut Value)| {
        let mut json = part(header);
        change(&mut json);
        format!("{}.{claims}.{signature}", encoded(&json))
    };
    let with_claims = |change: &dyn Fn(&mut Value)| {
        let mut json = part(claims);
        change(&mut json);
        format!("{header}.{}.{signature}", encoded(&json))
    };
    let signed_by_another = |algorithm, key: &EncodingKey| {
        let header = Header { typ: Some("at+jwt".to_owned()), ..Header::new(algorithm) };
        jsonwebtoken::encode(&header, &part(claims), key).unwrap()
    };
    let mut flipped = URL_SAFE_NO_PAD.decode(signature).unwrap();
    flipped[0] ^= 1;
    let another = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let another = EncodingKey::from_ed_der(&another.serialize_der());
    let names: Vec<String> = part(claims).as_object().unwrap().keys().cloned().collect();
    let id_claim = names.iter().find(|name| part(claims)[name.as_str()].as_str().is_some_and(|id| id.len() == 36));
    let id_claim = id_claim.expect("a token names a person").clone();
    vec![
        ("empty", String::new()),
        ("a word", "token".to_owned()),
        ("two dots", "..".to_owned()),
        ("two parts", format!("{header}.{claims}")),
        ("four parts", format!("{valid}.{signature}")),
        ("no signature", format!("{header}.{claims}.")),
        ("half a signature", format!("{header}.{claims}.{}", &signature[..signature.len() / 2])),
        ("a changed signature", format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(flipped))),
        ("a signature in another alphabet", format!("{header}.{claims}.{}", "+/".repeat(43))),
        ("no algorithm", with_header(&|header| header["alg"] = json!("none"))),
        ("no algorithm and no signature", format!("{}.{claims}.", encoded(&json!({ "alg": "none", "typ": "JWT" })))),
        ("an algorithm nobody knows", with_header(&|header| header["alg"] = json!("XX999"))),
        ("signed with a shared word", signed_by_another(Algorithm::HS256, &EncodingKey::from_secret(b"secret"))),
        ("signed with another key", signed_by_another(Algorithm::EdDSA, &another)),
        ("a later end", with_claims(&|claims| claims["exp"] = json!(4_102_444_800_u64))),
        ("another person", with_claims(&|claims| claims[id_claim.as_str()] = json!(uuid::Uuid::nil()))),
        ("an end that is a word", with_claims(&|claims| claims["exp"] = json!("tomorrow"))),
        ("no claims", format!("{header}.{}.{signature}", encoded(&json!({})))),
        ("claims that are no object", format!("{header}.{}.{signature}", encoded(&json!([1, 2])))),
        ("a header that is no JSON", format!("{}.{claims}.{signature}", URL_SAFE_NO_PAD.encode("{"))),
        ("with a space inside", format!("{header}. {claims}.{signature}")),
        ("twice", format!("{valid}{valid}")),
        ("6 kB", "a".repeat(6_000)),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_token_that_is_not_valid_is_refused_alike_at_every_door() {
    let world = World::open("bad tokens").await;
    let valid = world.access_token("tanaka").await;
    let rest = Rest::new(world.address());
    assert!(rest.with_token(&valid).get("/v1/records").await.unwrap().status.is_success(), "the control is valid");
    let bad = bad_tokens(&valid);
    let first = rest.with_token("token").get("/v1/records").await.unwrap();
    for (name, token) in &bad {
        let rest = rest.with_token(token);
        for answer in [
            rest.get("/v1/records").await.unwrap(),
            rest.post("/v1/documents", &json!({ "claims": [] })).await.unwrap(),
            rest.post("/v1/commands", &json!({ "commands": [] })).await.unwrap(),
            rest.post("/v1/sync/ticket", &json!({})).await.unwrap(),
        ] {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}: {}", answer.text);
            assert_eq!(answer.problem_code(), "token_invalid", "{name}: {}", answer.text);
            assert_eq!(answer.text, first.text, "{name}: refused alike");
        }
        assert_eq!(world.socket_status(token).await, StatusCode::UNAUTHORIZED, "{name}");
    }
    println!("bad tokens: {} kinds refused at 5 doors", bad.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_ends_after_ten_minutes_and_not_before() {
    let world = World::open("token end").await;
    let token = world.access_token("tanaka").await;
    let rest = Rest::new(world.address()).with_token(&token);
    world.clock().advance(Duration::from_secs(9 * 60));
    assert!(rest.get("/v1/records").await.unwrap().status.is_success());
    // Ten minutes and the leeway for clocks that differ.
    world.clock().advance(Duration::from_secs(2 * 60));
    let answer = rest.get("/v1/records").await.unwrap();
    assert_eq!((answer.status, answer.problem_code().as_str()), (StatusCode::UNAUTHORIZED, "token_invalid"));
    assert_eq!(world.socket_status(&token).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_secrets_are_no_access_tokens() {
    let world = World::open("other secrets").await;
    let login = world.login("tanaka").await;
    let rest = Rest::new(world.address());
    let refresh = login.tokens.refresh_token.expose();
    let answer = rest.with_token(refresh).get("/v1/records").await.unwrap();
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "a refresh token opens nothing");
    let ticket = rest.with_token(login.tokens.access_token.expose()).post("/v1/sync/ticket", &json!({})).await.unwrap();
    let ticket = ticket.json()["ticket"].as_str().unwrap().to_owned();
    let answer = rest.with_token(&ticket).get("/v1/records").await.unwrap();
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "a socket ticket opens no route");
    let foreign = Rest::new(world.address()).from_page("https://evil.example");
    let other = rest.with_token(login.tokens.access_token.expose()).post("/v1/sync/ticket", &json!({})).await.unwrap();
    let path = format!("/v1/sync?ticket={}", other.json()["ticket"].as_str().unwrap());
    assert_eq!(foreign.upgrade(&path).await.unwrap().status, StatusCode::UNAUTHORIZED, "no page of another site");
    assert_eq!(world.ticket_status(&ticket).await, StatusCode::SWITCHING_PROTOCOLS, "the control: it opens a socket");
    assert_eq!(world.ticket_status(&ticket).await, StatusCode::UNAUTHORIZED, "once");
}
