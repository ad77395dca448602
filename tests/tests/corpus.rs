//! Every input that a fuzzer was started with or found interesting, replayed on the stable compiler.

use std::{fs, path::Path};

use taiwa_tests::fuzz::{TARGETS, run, seeds};

fn corpus() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus")
}

/// Runs every file of the folder through its target; how many there were.
fn replay(name: &str, folder: &Path) -> usize {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in &files {
        let data = fs::read(file).unwrap();
        let ran = std::panic::catch_unwind(|| run(name, &data));
        assert!(ran.is_ok(), "target {name} fails for {}", file.display());
    }
    files.len()
}

#[test]
fn what_a_fuzzer_found_once_holds_for_ever() {
    for (name, _) in TARGETS {
        let count = replay(name, &corpus().join(name));
        assert!(count > 0, "target {name} has a corpus");
    }
}

#[test]
fn the_first_inputs_are_among_them_and_honest_ones_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    seeds::write(folder.path()).unwrap();
    for (name, _) in TARGETS {
        assert!(replay(name, &folder.path().join(name)) > 0);
        for file in fs::read_dir(folder.path().join(name)).unwrap() {
            let path = file.unwrap().path();
            let kept = corpus().join(name).join(path.file_name().unwrap());
            assert!(kept.exists(), "cargo run -p taiwa-tests --bin taiwa-fuzz-seeds writes {}", kept.display());
        }
    }
}
