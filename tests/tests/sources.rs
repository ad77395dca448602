//! Rules about what is *not* in the product, read from its sources.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The source files of a folder that are part of the product.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("tests") || path.ends_with("tests.rs") {
            continue;
        }
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The lines of a module's sources, without comments and tests, that contain one of these texts.
fn lines_with(module: &str, sought: &[&str]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(module);
    let mut found = Vec::new();
    for file in rust_files(&root) {
        let text = fs::read_to_string(&file).unwrap();
        let product = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for line in product.lines().filter(|line| !line.trim_start().starts_with("//")) {
            if sought.iter().any(|sought| line.contains(sought)) {
                found.push(format!("{}: {}", file.strip_prefix(&root).unwrap().display(), line.trim()));
            }
        }
    }
    found
}

#[test]
fn the_server_never_looks_into_a_document() {
    let opens = ["AutoCommit", "Automerge", "ReadDoc", "Replica", "automerge::"];
    assert_eq!(lines_with("server/src", &opens), Vec::<String>::new());
    let uses: Vec<_> = lines_with("server/src", &["documents::"])
        .into_iter()
        .filter(|line| line.contains("taiwa_shared") && !line.contains("documents::genesis"))
        .collect();
    assert_eq!(uses, Vec::<String>::new(), "of documents the server makes the first change and nothing else");
    assert!(!lines_with("mobile-core/src", &["Replica"]).is_empty(), "the control: a phone does");
}

#[test]
fn what_both_ends_agree_on_has_no_clock_no_network_and_no_chance() {
    let impure =
        ["SystemTime", "Instant::now", "std::fs", "std::net", "tokio::", "rand::", "getrandom", "Timestamp::now"];
    assert_eq!(lines_with("shared/src", &impure), Vec::<String>::new());
    assert!(!lines_with("server/src", &impure).is_empty(), "the control: a server has them");
}

#[test]
fn nothing_in_the_product_knows_of_the_demo() {
    for module in ["shared/src", "mobile-core/src", "server/src"] {
        assert_eq!(lines_with(module, &["demo", "Demo"]), Vec::<String>::new(), "{module}");
    }
}

/// The tests, `module::name` or `crate module::name`, that a document names in backticks.
fn tests_named_in(document: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let quoted = text.split('`').skip(1).step_by(2).filter(|quoted| !quoted.contains('\n'));
    // The name is a sentence; modules and functions have shorter ones.
    let is_test = |quoted: &&str| quoted.rsplit_once("::").is_some_and(|(_, name)| name.matches('_').count() >= 3);
    quoted.filter(is_test).map(str::to_owned).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Whether a test of this name stands in its crate, and if it is one of this binary, in the file of one of its modules.
fn exists(test: &str) -> bool {
    let (path, name) = test.rsplit_once("::").unwrap();
    let declared = format!("fn {name}(");
    let has = |file: &Path| fs::read_to_string(file).is_ok_and(|text| text.contains(&declared));
    match path.split_once(' ') {
        None => {
            let modules: Vec<&str> = path.split("::").collect();
            let file = |depth: usize| root().join("tests/tests").join(modules[..depth].join("/")).with_extension("rs");
            (1..=modules.len()).any(|depth| has(&file(depth)))
        }
        Some((name, _)) => {
            let folder = root().join(name.trim_start_matches("taiwa-")).join("src");
            fs::read_dir(&folder).is_ok() && files_with_tests(&folder).iter().any(|file| has(file))
        }
    }
}

fn files_with_tests(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_with_tests(&path) } else { vec![path] }).collect()
}

#[test]
fn every_test_that_the_documents_name_exists() {
    for (document, at_least) in [("ARCHITECTURE.md", 50), ("docs/security.md", 60), ("docs/privacy.md", 12)] {
        let named = tests_named_in(document);
        assert!(named.len() >= at_least, "{document} names only {} tests", named.len());
        let missing: Vec<_> = named.into_iter().filter(|test| !exists(test)).collect();
        assert_eq!(missing, Vec::<String>::new(), "tests that {document} names and nobody can run");
    }
    assert!(!exists("hub::storing::a_test_that_nobody_wrote"), "the control");
}
