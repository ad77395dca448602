//! Every state that a kill can leave on the disk is opened, and holds everything.

use std::path::{Path, PathBuf};

use taiwa_shared::{
    domain::command::Action,
    ids::{CommandId, DocumentId},
    time::Timestamp,
};

use super::beside;
use crate::store::{
    CommandAbout, NewCommand, Store,
    tests::{card, changes, fill, identity, key, open},
};

const NAME: &str = "a.taiwa";
const UNSENT: u32 = 5;

/// A damaged store with edits in its log that are not in its file yet, as a killed app leaves it.
async fn damaged_store() -> (tempfile::TempDir, DocumentId) {
    let live = tempfile::tempdir().unwrap();
    let path = live.path().join(NAME);
    let store = open(&path).await;
    let document = fill(&store).await;
    store.close().await;
    let store = open(&path).await;
    store.append_local(document, &changes(12, 3, "in the log")).await.unwrap();
    let command = NewCommand {
        id: CommandId::from_bytes([1; 16]),
        made: Timestamp::from_millis(1),
        action: Action::Unknown,
        about: CommandAbout::default(),
        builds_on: Some(CommandId::from_bytes([2; 16])),
        secret: None,
    };
    store.add_command(command).await.unwrap();
    let damage = sqlx::query("update record set sealed = x'00'").execute(&store.0.write).await.unwrap();
    assert!(damage.rows_affected() > 0);
    let killed = copy_of(live.path());
    store.close().await;
    (killed, document)
}

fn copy_of(directory: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(directory).unwrap() {
        let file = file.unwrap();
        if !file.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
    }
    copy
}

fn at(directory: &Path, suffix: &str) -> PathBuf {
    beside(&directory.join(NAME), suffix)
}

/// Opens it as the app does, and finds everything.
async fn holds_everything(directory: &Path, document: DocumentId, when: &str) {
    let path = directory.join(NAME);
    let store = open(&path).await;
    let is_damaged = store.records().await.is_err_and(|error| error.is_damaged());
    let store = if is_damaged {
        store.close().await;
        Store::recover(&path, &key(7)).await.unwrap().0
    } else {
        store
    };
    assert_eq!(store.identity().await.unwrap(), Some(identity()), "{when}: who is signed in");
    assert_eq!(store.unacknowledged().await.unwrap(), [(document, UNSENT)], "{when}: edits that were not sent");
    assert_eq!(store.changes(document).await.unwrap().len(), 7, "{when}: and what they stand upon");
    assert_eq!(store.waiting_commands().await.unwrap(), 1, "{when}: commands");
    assert_eq!(store.refused_edits().await.unwrap(), [card(document)], "{when}: cards");
    let told = store.recovered().await.unwrap().expect(when);
    assert_eq!((told.unsent_kept, told.unsent_lost, told.signed_in), (UNSENT + 1, 0, true), "{when}");
    store.close().await;
    let left = |suffix| at(directory, suffix).exists();
    assert!(left(".damaged-1") && left(".damaged-1-wal"), "{when}: the damaged file is kept with its log");
    assert!(!left(".building") && !left(".new"), "{when}: nothing is left over");
}

#[tokio::test]
async fn a_kill_at_any_step_of_a_recovery_loses_nothing() {
    let (damaged, document) = damaged_store().await;
    let done = copy_of(damaged.path());
    let (store, recovered) = Store::recover(&done.path().join(NAME), &key(7)).await.unwrap();
    store.close().await;
    assert_eq!(recovered.kept_at, at(done.path(), ".damaged-1"));
    let kept = |directory: &Path, suffix: &str| std::fs::read(at(directory, suffix)).unwrap();
    assert_eq!(kept(done.path(), ".damaged-1"), kept(damaged.path(), ""), "as it was, byte by byte");
    assert_eq!(kept(done.path(), ".damaged-1-wal"), kept(damaged.path(), "-wal"), "and its log");
    let new = kept(done.path(), "");

    let write = |directory: &Path, suffix: &str, bytes: &[u8]| std::fs::write(at(directory, suffix), bytes).unwrap();
    let rename = |directory: &Path, from: &str, to: &str| {
        std::fs::rename(at(directory, from), at(directory, to)).unwrap();
    };
    type Step<'a> = (&'a str, Box<dyn Fn(&Path) + 'a>);
    let steps: [Step<'_>; 7] = [
        ("before the first step", Box::new(|_| {})),
        (
            "while the new store is filled",
            Box::new(|to| {
                write(to, ".building", &new[..new.len() / 2]);
                write(to, ".building-wal", &[7; 100]);
            }),
        ),
        ("when the new store is whole", Box::new(|to| write(to, ".building", &new))),
        ("when it waits for its place", Box::new(|to| write(to, ".new", &new))),
        (
            "when the log of the damaged one is aside",
            Box::new(|to| {
                write(to, ".new", &new);
                rename(to, "-wal", ".damaged-1-wal");
            }),
        ),
        (
            "when the damaged one is aside",
            Box::new(|to| {
                write(to, ".new", &new);
                rename(to, "-wal", ".damaged-1-wal");
                rename(to, "", ".damaged-1");
            }),
        ),
        ("when a log was set aside and its file was not", Box::new(|to| rename(to, "-wal", ".damaged-1-wal"))),
    ];
    for (when, leave) in &steps {
        let killed = copy_of(damaged.path());
        leave(killed.path());
        holds_everything(killed.path(), document, when).await;
    }
    holds_everything(done.path(), document, "after the last step").await;
}

#[tokio::test]
async fn a_device_that_refuses_a_step_has_lost_nothing_when_it_takes_it() {
    let (damaged, document) = damaged_store().await;
    // A directory stands where a file has to go.
    for obstacle in [".building", ".new"] {
        let killed = copy_of(damaged.path());
        let path = killed.path().join(NAME);
        let in_the_way = at(killed.path(), obstacle);
        std::fs::create_dir_all(in_the_way.join("full")).unwrap();
        assert!(Store::recover(&path, &key(7)).await.is_err(), "{obstacle} is in the way");
        std::fs::remove_dir_all(&in_the_way).unwrap();
        holds_everything(killed.path(), document, obstacle).await;
    }
}

#[tokio::test]
async fn an_older_damaged_file_is_never_written_over_and_two_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(NAME);
    for round in 1..=4_u8 {
        std::fs::write(&path, [round; 10]).unwrap();
        std::fs::write(beside(&path, "-wal"), [round; 5]).unwrap();
        let aside = Store::set_aside(&path).unwrap();
        assert_eq!(std::fs::read(&aside).unwrap(), [round; 10]);
        assert_eq!(std::fs::read(beside(&aside, "-wal")).unwrap(), [round; 5]);
    }
    let mut names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["a.taiwa.damaged-3", "a.taiwa.damaged-3-wal", "a.taiwa.damaged-4", "a.taiwa.damaged-4-wal"]);
}

#[tokio::test]
async fn a_file_that_the_device_does_not_let_be_read_is_not_taken_for_an_empty_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(NAME);
    // Opening a directory as a file fails as a device does.
    std::fs::create_dir(&path).unwrap();
    assert!(Store::recover(&path, &key(7)).await.is_err());
    assert!(path.is_dir(), "it stands where it was");
}
