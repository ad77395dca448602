//! Who gets what from which route: every operation that the server describes, asked by everybody whom it can be asked by.
//!
//! Whoever adds a route adds a row to `table`; without one `every_route_answers_each_caller_as_listed_matrix` fails and says which.
//! A cell is the status and, where bodies tell callers apart, a word about the body. A route that takes an id has its
//! foreign and random ids in `table::foreign_and_random` too.

mod callers;
mod table;

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::Value;
use taiwa_tests::{rest::Answer, world::World};

use callers::Caller;

/// Declares each body as a test on both databases.
macro_rules! on_both {
    ($($name:ident;)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::World::open(stringify!($name)).await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let name = concat!(module_path!(), "::", stringify!($name));
                if let Some(world) = super::World::open_on_postgres(name).await {
                    super::$name(world).await;
                }
            })*
        }
    };
}

on_both! {
    every_route_answers_each_caller_as_listed_matrix;
    foreign_and_random_ids_are_answered_alike_matrix;
    what_is_not_described_is_answered_with_404_or_405_matrix;
}

/// Method and path of every described operation.
fn described() -> BTreeSet<(String, String)> {
    let document: Value = serde_json::from_str(taiwa_server::openapi_text()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| -> Vec<(String, String)> {
        item.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())).collect()
    };
    paths.iter().flat_map(of_path).collect()
}

async fn every_route_answers_each_caller_as_listed_matrix(world: World) {
    let (facts, callers) = callers::all(&world).await;
    let table = table::rows();
    let listed: BTreeSet<(String, String)> =
        table.iter().map(|row| (row.method.to_string(), row.path.to_owned())).collect();
    let described = described();
    let unlisted: Vec<_> = described.difference(&listed).collect();
    assert!(unlisted.is_empty(), "routes without a row in tests/tests/route_matrix/table.rs: {unlisted:?}");
    let gone: Vec<_> = listed.difference(&described).collect();
    assert!(gone.is_empty(), "rows of tests/tests/route_matrix/table.rs without a route: {gone:?}");

    let mut wrong = Vec::new();
    for row in &table {
        for (caller, expected) in callers.iter().zip(row.cells) {
            let answer = caller.ask(row.method.clone(), &(row.ask)(row.path, caller, &facts)).await;
            let said = (row.says)(&answer, &facts);
            if said != expected {
                wrong.push(format!("{} {} for {}: {said}, not {expected}", row.method, row.path, caller.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn foreign_and_random_ids_are_answered_alike_matrix(world: World) {
    let (facts, callers) = callers::all(&world).await;
    let pairs = table::foreign_and_random();
    let covered: BTreeSet<(String, String)> =
        pairs.iter().map(|pair| (pair.method.to_string(), pair.path.to_owned())).collect();
    let taking_ids =
        described().into_iter().filter(|(_, path)| path.contains('{') && !table::FIXED_NAMES.contains(&path.as_str()));
    let missing: Vec<_> = taking_ids.filter(|route| !covered.contains(route)).collect();
    assert!(missing.is_empty(), "routes with ids that are not in table::foreign_and_random: {missing:?}");

    for pair in &pairs {
        for caller in callers.iter().filter(|caller| (pair.is_foreign_to)(caller)) {
            let foreign = caller.ask(pair.method.clone(), &(pair.foreign)(caller, &facts)).await;
            let random = caller.ask(pair.method.clone(), &(pair.random)(caller, &facts)).await;
            let name = format!("{} {} for {}", pair.method, pair.path, caller.name);
            assert_eq!(without_own_ids(&foreign), without_own_ids(&random), "{name}");
        }
    }
}

/// Everything of an answer that could tell two apart, without what the request itself gave it to repeat.
fn without_own_ids(answer: &Answer) -> (StatusCode, Vec<(String, String)>, String) {
    let headers = answer.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut body = answer.json();
    for outcome in body["outcomes"].as_array_mut().into_iter().flatten() {
        outcome.as_object_mut().and_then(|outcome| outcome.remove("id"));
    }
    let text = if body.is_null() { answer.text.clone() } else { body.to_string() };
    (answer.status, headers, text)
}

async fn what_is_not_described_is_answered_with_404_or_405_matrix(world: World) {
    let (_, callers) = callers::all(&world).await;
    let described = described();
    let manager = callers.iter().find(|caller| caller.name == "manager").unwrap();
    let paths: BTreeSet<&String> = described.iter().map(|(_, path)| path).collect();
    for path in paths {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            if described.contains(&(method.to_owned(), path.clone())) {
                continue;
            }
            let answer = plain(manager, method, &path.replace(['{', '}'], "")).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert_eq!(answer.problem_code(), "invalid_request", "{method} {path}");
        }
    }
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/people",
        "/v1/memos",
        "/v1/records/",
        "/metrics",
        "/readyz",
        "/admin",
        "/api/",
        "/v2/records",
    ] {
        let is_route = described.iter().any(|(_, route)| route == path);
        if !is_route {
            let answer = plain(manager, "GET", path).await;
            assert_eq!((answer.status, answer.problem_code().as_str()), (StatusCode::NOT_FOUND, "not_found"), "{path}");
        }
    }
}

async fn plain(caller: &Caller, method: &str, path: &str) -> Answer {
    caller.rest.request(Method::from_bytes(method.as_bytes()).unwrap(), path, None).await.unwrap()
}
