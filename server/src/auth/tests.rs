//! Hostile tokens and weak passwords.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use taiwa_shared::{
    domain::people::Role,
    ids::{DeviceId, OrganisationId, UserId},
    protocol::login::Secret,
    time::Timestamp,
};

use super::{password::check_strength, token::TokenKey};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const USER: UserId = UserId::from_bytes([1; 16]);
const ORGANISATION: OrganisationId = OrganisationId::from_bytes([2; 16]);
const DEVICE: DeviceId = DeviceId::from_bytes([3; 16]);

fn key(folder: &tempfile::TempDir, name: &str) -> TokenKey {
    TokenKey::open(&folder.path().join(name)).unwrap()
}

fn parts(token: &Secret) -> (Value, Value, String) {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let mut parts = token.expose().split('.');
    let mut json = || serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts.next().unwrap()).unwrap()).unwrap();
    (json(), json(), token.expose().rsplit('.').next().unwrap().to_owned())
}

#[test]
fn a_token_speaks_for_its_person_until_it_expires() {
    let folder = tempfile::tempdir().unwrap();
    let key = key(&folder, "key");
    let (token, expires) = key.sign(ORGANISATION, USER, DEVICE, Role::Hr, NOW);
    let identity = key.verify(token.expose(), NOW).unwrap();
    assert_eq!((identity.user, identity.organisation, identity.device), (USER, ORGANISATION, DEVICE));
    assert_eq!((identity.role, identity.expires), (Role::Hr, expires));
    assert!(key.verify(token.expose(), expires.plus(std::time::Duration::from_secs(29))).is_some());
    assert!(key.verify(token.expose(), expires.plus(std::time::Duration::from_secs(30))).is_none());
    assert!(key.verify(token.expose(), NOW.minus(std::time::Duration::from_secs(31))).is_none());
}

#[test]
fn the_key_survives_a_restart_and_only_its_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (token, _) = key(&folder, "key").sign(ORGANISATION, USER, DEVICE, Role::Member, NOW);
    assert!(key(&folder, "key").verify(token.expose(), NOW).is_some());
    assert!(key(&folder, "other").verify(token.expose(), NOW).is_none());
    let mode = std::fs::metadata(folder.path().join("key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn tokens_that_this_server_did_not_sign_are_refused() {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let folder = tempfile::tempdir().unwrap();
    let key = key(&folder, "key");
    let (token, _) = key.sign(ORGANISATION, USER, DEVICE, Role::Member, NOW);
    let (header, claims, signature) = parts(&token);
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let refused = |token: &str| assert!(key.verify(token, NOW).is_none(), "{token}");

    for algorithm in ["none", "NoNe", "HS256", "RS256", "ES256", ""] {
        let mut header = header.clone();
        header["alg"] = json!(algorithm);
        refused(&format!("{}.{}.{signature}", part(&header), part(&claims)));
        refused(&format!("{}.{}.", part(&header), part(&claims)));
    }
    for kid in [json!("../../x"), json!("' or 1=1"), json!("x".repeat(10_000)), json!(null), json!(7)] {
        let mut header = header.clone();
        header["kid"] = kid;
        refused(&format!("{}.{}.{signature}", part(&header), part(&claims)));
    }
    let mut other = claims.clone();
    other["sub"] = json!(UserId::from_bytes([9; 16]));
    refused(&format!("{}.{}.{signature}", part(&header), part(&other)));
    refused(&format!("{}.{signature}", token.expose()));
    refused(&token.expose()[..token.expose().len() - 4]);
    for nonsense in ["", ".", "..", "...", "a.b.c", "日本語", &"x".repeat(1_000_000)] {
        refused(nonsense);
    }
    // Signed by a key that is not this server's, with this server's name for its key.
    let hmac = Header { kid: header["kid"].as_str().map(str::to_owned), ..Header::new(Algorithm::HS256) };
    refused(&encode(&hmac, &claims, &EncodingKey::from_secret(b"public key")).unwrap());
}

#[test]
fn claims_that_are_missing_or_wrong_are_refused_even_if_signed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let key = TokenKey::open(&path).unwrap();
    let signing = EncodingKey::from_ed_pem(&std::fs::read(&path).unwrap()).unwrap();
    let (token, _) = key.sign(ORGANISATION, USER, DEVICE, Role::Member, NOW);
    let (header, claims, _) = parts(&token);
    let header = Header { kid: header["kid"].as_str().map(str::to_owned), ..Header::new(Algorithm::EdDSA) };
    let sign = |claims: &Value| encode(&header, claims, &signing).unwrap();
    assert!(key.verify(&sign(&claims), NOW).is_some(), "positive control");
    for (claim, value) in [
        ("iss", json!("other")),
        ("aud", json!("other")),
        ("sub", json!("nobody")),
        ("nbf", json!(1_900_000_000)),
        ("exp", json!(1_700_000_000)),
        ("exp", json!(i64::MAX)),
        ("exp", json!("soon")),
        ("role", json!("emperor")),
    ] {
        let mut wrong = claims.clone();
        wrong[claim] = value;
        assert!(key.verify(&sign(&wrong), NOW).is_none(), "{wrong}");
    }
    for claim in ["iss", "aud", "sub", "nbf", "exp", "org", "dev", "role"] {
        let mut without = claims.clone();
        without.as_object_mut().unwrap().remove(claim);
        assert!(key.verify(&sign(&without), NOW).is_none(), "without {claim}");
    }
}

#[test]
fn weak_passwords_are_refused() {
    for weak in ["", "short", "123456789", "1234567890", "Password123", "aaaaaaaaaaaa", "ababababab", "Ｐassword123"] {
        assert!(check_strength(&Secret::new(weak)).is_err(), "{weak}");
    }
    for fine in ["correct horse battery", "さくらのした1234のみち", "kX9-fjw2-Qp"] {
        assert!(check_strength(&Secret::new(fine)).is_ok(), "{fine}");
    }
}
