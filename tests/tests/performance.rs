//! The tables of docs/performance.md are those of the report beside them.

use std::path::Path;

use taiwa_tests::figures::{Report, tables};

#[test]
fn the_tables_of_the_page_are_those_of_the_committed_report() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let read = |name: &str| std::fs::read_to_string(docs.join(name)).unwrap();
    let report: Report = serde_json::from_str(&read("performance.json")).unwrap();
    let page = read("performance.md");
    let renewed = tables::renewed(&page, &report).expect("the page has marks for its tables");
    assert!(page == renewed, "docs/performance.md is stale: run cargo xtask bench --render-docs");
    assert!(report.rows.iter().all(|row| row.sound), "a run that did not converge is no figure");
}
