//! The first change of every kind of document, built by JavaScript alone, is byte for byte the one of phones and servers.

use std::process::Command;

use taiwa_tests::{interop::interop_folder, skip::skip};

#[test]
fn javascript_builds_the_same_genesis_of_every_kind() {
    let Some(folder) = interop_folder().unwrap() else {
        return skip("javascript_builds_the_same_genesis_of_every_kind", "needs node and npm");
    };
    let output = Command::new("node").arg("genesis.mjs").current_dir(&folder).output().unwrap();
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{failed}");
    assert!(!said.trim().is_empty(), "the script says what it compared");
}
