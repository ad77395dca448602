use super::*;

fn broken_by(path: &str, text: &str) -> Vec<String> {
    let mut broken = Vec::new();
    check_shape(path, text, &mut broken);
    imports::check(path, text, &mut broken).unwrap();
    broken
}

#[test]
fn the_workspace_is_tidy() {
    let broken = check(&crate::root()).unwrap();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_module_that_reaches_past_its_neighbours_is_found() {
    let cases = [
        ("shared/src/domain/brief.rs", "//! x\nuse crate::documents::Replica;"),
        ("shared/src/domain/brief.rs", "//! x\nuse super::super::sync::wire::Frame;"),
        ("shared/src/sync/graph.rs", "//! x\nfn f() { crate::protocol::login::x(); }"),
        ("shared/src/sync/graph.rs", "//! x\nuse automerge::AutoCommit;"),
        ("server/src/records/mod.rs", "//! x\nuse crate::{http::Problem, store::Store};"),
        ("server/src/sync/hub.rs", "//! x\nuse taiwa_shared::documents::Replica;"),
        ("server/src/records/feed.rs", "//! x\nuse taiwa_shared::documents;"),
        ("server/src/server.rs", "//! x\nuse taiwa_shared::documents::memo;"),
        ("server/src/http/mod.rs", "//! x\nasync fn f() { sqlx::query(\"select 1\"); }"),
        ("mobile-core/src/session/home.rs", "//! x\nuse crate::api::Session;"),
        ("mobile-core/src/session/home.rs", "//! x\n#[derive(uniffi::Record)]\nstruct Home;"),
        ("server/src/auth/login.rs", "//! x\nmacro_rules! m { () => { argon2::hash() } }"),
    ];
    for (path, text) in cases {
        assert_eq!(broken_by(path, text).len(), 1, "{path}: {text}: {:?}", broken_by(path, text));
    }
}

#[test]
fn what_the_table_allows_passes() {
    let cases = [
        (
            "shared/src/documents/memo.rs",
            "//! x\nuse automerge::AutoCommit;\nuse crate::{domain::catalog::TopicSlug, ids::UserId};",
        ),
        ("server/src/store/people.rs", "//! x\nuse sqlx::Row;\nuse super::Store;"),
        (
            "server/src/sync/hub.rs",
            "//! x\nuse taiwa_shared::documents::genesis;\nuse crate::records::access::Principal;",
        ),
        ("shared/src/domain/brief/tests.rs", "use crate::documents::Replica;"),
        ("shared/src/domain/brief.rs", "//! x\n#[cfg(test)]\nmod tests { use crate::documents::Replica; }"),
    ];
    for (path, text) in cases {
        assert!(broken_by(path, text).is_empty(), "{path}: {:?}", broken_by(path, text));
    }
}

#[test]
fn a_file_without_header_or_with_too_many_lines_is_found() {
    assert_eq!(broken_by("server/src/clock.rs", "use std::fmt;").len(), 1);
    let long = format!("//! x\n{}", "const X: u8 = 0;\n".repeat(MAX_LINES));
    assert_eq!(broken_by("server/src/clock.rs", &long).len(), 1);
    let tested = format!("//! x\n#[cfg(test)]\nmod tests {{\n{}}}", "const X: u8 = 0;\n".repeat(MAX_LINES));
    assert!(broken_by("server/src/clock.rs", &tested).is_empty());
}
