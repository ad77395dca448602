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
