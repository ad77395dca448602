//! The description of the API: committed, served, sound in itself, and shown on a page that needs nothing from elsewhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use reqwest::{Method, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};
use taiwa_tests::{rest::Rest, world::World};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn document() -> Value {
    serde_json::from_str(taiwa_server::openapi_text()).unwrap()
}

/// Method, path and content of every operation.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &'_ Value)| -> Vec<(String, String)> {
        item.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())).collect()
    };
    let names: Vec<_> = paths.iter().flat_map(of_path).collect();
    names
        .into_iter()
        .map(|(method, path)| (method.clone(), path.clone(), &paths[&path][method.to_lowercase()]))
        .collect()
}

/// Every value under a key of this name, however deep.
fn all_under<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get(key));
            map.values().for_each(|value| all_under(value, key, found));
        }
        Value::Array(values) => values.iter().for_each(|value| all_under(value, key, found)),
        _ => {}
    }
}

#[test]
fn the_committed_description_is_that_of_the_code() {
    let committed = fs::read_to_string(root().join("docs/openapi.json")).unwrap();
    let stale = "docs/openapi.json is not what the routes say: run `cargo xtask openapi` and commit it";
    assert!(committed == taiwa_server::openapi_text(), "{stale}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_served_description_is_that_of_the_code() {
    let world = World::open("openapi").await;
    let answer = Rest::new(world.address()).get("/openapi.json").await.unwrap();
    assert_eq!((answer.status, answer.media_type.as_str()), (StatusCode::OK, "application/json"));
    assert_eq!(answer.text, taiwa_server::openapi_text());
}

#[test]
fn every_reference_leads_somewhere_and_nothing_is_described_in_vain() {
    let document = document();
    let mut references = Vec::new();
    all_under(&document, "$ref", &mut references);
    let references: BTreeSet<&str> = references.into_iter().map(|reference| reference.as_str().unwrap()).collect();
    for reference in &references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(references.contains(format!("#/components/schemas/{name}").as_str()), "nothing uses the schema {name}");
    }
}

#[test]
fn every_operation_says_what_an_app_developer_needs() {
    let document = document();
    let tags: BTreeSet<&str> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    let mut ids = BTreeMap::new();
    for (method, path, operation) in operations(&document) {
        let name = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap_or_default();
        assert!(!id.is_empty(), "{name} has no operationId");
        assert_eq!(ids.insert(id.to_owned(), name.clone()), None, "{name}: the operationId {id} is taken");
        assert!(operation["summary"].as_str().is_some_and(|text| text.ends_with('.')), "{name} has no summary");
        assert!(
            operation["tags"].as_array().unwrap().iter().all(|tag| tags.contains(tag.as_str().unwrap())),
            "{name}: tags"
        );

        let security = operation["security"].as_array();
        let security =
            security.unwrap_or_else(|| panic!("{name} says neither which token it needs nor that it needs none"));
        assert!(!security.is_empty(), "{name}: without a token is written `security(())`");
        for scheme in security.iter().flat_map(|one| one.as_object().unwrap().keys()) {
            assert!(schemes.contains_key(scheme), "{name}: there is no security scheme {scheme}");
        }
        let needs_token = security.iter().all(|one| !one.as_object().unwrap().is_empty());
        let responses = operation["responses"].as_object().unwrap();
        let is_refusal_described = responses.contains_key("401");
        assert!(!needs_token || is_refusal_described, "{name} needs a token and does not say what is answered without");
        if let Some(body) = operation.get("requestBody") {
            assert!(responses.contains_key("400") && responses.contains_key("413"), "{name}: what a wrong body gives");
            for (media_type, content) in body["content"].as_object().unwrap() {
                assert!(content.get("schema").is_some(), "{name}: {media_type} without a schema");
            }
        }
        let declared: BTreeSet<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let in_path: BTreeSet<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
        assert_eq!(declared, in_path, "{name}: parameters of the path");
        assert!(responses.keys().any(|status| status.starts_with(['1', '2'])), "{name} describes no success");
        for (status, response) in responses {
            check_response(&format!("{name} {status}"), status, response);
        }
    }
}

/// Errors are problems, with an example for each code, or problems with the faults of a file; `/healthz` and `/readyz` tell their state in a body of their own.
fn check_response(name: &str, status: &str, response: &Value) {
    assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{name} has no description");
    if !status.starts_with(['4', '5']) || name.starts_with("GET /healthz") || name.starts_with("GET /readyz") {
        return;
    }
    let content = response["content"].as_object().unwrap();
    assert_eq!(content.keys().collect::<Vec<_>>(), ["application/problem+json"], "{name}");
    let problem = &content["application/problem+json"];
    if problem["schema"]["$ref"] == "#/components/schemas/ImportProblem" {
        return;
    }
    assert_eq!(problem["schema"]["$ref"], "#/components/schemas/Problem", "{name}");
    let examples = problem["examples"].as_object().unwrap_or_else(|| panic!("{name} has no example"));
    for (code, example) in examples {
        let example = &example["value"];
        assert_eq!(
            (example["code"].as_str(), example["status"].to_string().as_str()),
            (Some(code.as_str()), status),
            "{name}"
        );
        serde_json::from_value::<taiwa_shared::protocol::problem::Problem>(example.clone()).unwrap();
    }
}

#[test]
fn nobody_is_told_of_words_that_are_never_sent() {
    let document = document();
    let mut words = Vec::new();
    all_under(&document["components"]["schemas"], "enum", &mut words);
    assert!(words.len() > 20, "the control: there are closed sets of words");
    for words in words {
        assert!(words.as_array().unwrap().iter().all(|word| word != "unknown" && word != "other"), "{words}");
    }
}

#[test]
fn no_route_is_added_without_its_description() {
    let text = fs::read_to_string(root().join("server/src/http/mod.rs")).unwrap();
    assert!(text.contains(".routes(routes!("), "the control: routes are added with their descriptions");
    for way in [".route(", ".route_service(", ".merge(", ".nest(", ".nest_service(", ".fallback_service("] {
        assert!(!text.contains(way), "server/src/http/mod.rs adds a route with {way}, past its description");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_needs_nothing_from_elsewhere_and_no_script_in_itself() {
    let world = World::open("api page").await;
    let rest = Rest::new(world.address());
    let page = rest.get("/api").await.unwrap();
    assert_eq!((page.status, page.media_type.as_str()), (StatusCode::OK, "text/html"));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    assert!(!page.text.contains("://") && !page.text.contains("onload") && !page.text.contains("<style"));

    let named: BTreeSet<&str> =
        page.text.split('"').filter(|part| part.starts_with("api/") && part.contains('.')).collect();
    assert_eq!(named.len(), 4, "{named:?}");
    for (at, _) in page.text.match_indices("<script") {
        assert!(page.text[at..].starts_with("<script src=\"api/"), "a script in the page itself would not run");
    }
    for file in named {
        let answer = rest.request(Method::GET, &format!("/{file}"), None).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK, "{file}");
        let expected = if file.ends_with(".js") { "text/javascript" } else { "text/css" };
        assert_eq!(answer.media_type, expected, "{file}");
    }
    let nothing = rest.get("/api/swagger-ui.css.map").await.unwrap();
    assert_eq!((nothing.status, nothing.problem_code().as_str()), (StatusCode::NOT_FOUND, "not_found"));
}

#[test]
fn the_api_page_is_what_was_published() {
    let folder = root().join("server/assets/swagger-ui");
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    for name in ["swagger-ui-bundle.js", "swagger-ui.css"] {
        let packed = fs::read(folder.join(format!("{name}.gz"))).unwrap();
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut unpacked).unwrap();
        let hash = hex::encode(Sha256::digest(&unpacked));
        assert!(readme.contains(&format!("| `{name}` | {hash} |")), "{name} has the hash {hash}");
    }
    assert!(fs::read_to_string(folder.join("LICENSE")).unwrap().contains("Apache License"));
}
