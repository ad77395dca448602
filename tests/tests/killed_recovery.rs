//! Nothing is lost when a phone is killed with -9 while it saves what can be read of a damaged store.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use taiwa_mobile_core::{
    session::{MemoryVault, Options, Taiwa, TokenVault},
    store::{Store, VaultKey},
};
use taiwa_tests::{link::Link, turn::my_turn, world::World, world::invitation_in};

use crate::killed_phone::{PhoneProcess, contents, mark};

/// Edits that have not been sent when the store is damaged.
const EDITS: u64 = 60;

fn key_in(folder: &Path) -> [u8; 32] {
    fs::read(folder.join("vault")).unwrap().try_into().unwrap()
}

fn copy_of(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}

/// Flips the first byte that makes the people and meetings unreadable and nothing else.
async fn damage(file: &Path, key: &VaultKey) {
    let sound = fs::read(file).unwrap();
    for at in (0..sound.len()).step_by(509) {
        let folder = tempfile::tempdir().unwrap();
        let (trial, mut bytes) = (folder.path().join("trial.taiwa"), sound.clone());
        bytes[at] ^= 0x55;
        fs::write(&trial, &bytes).unwrap();
        let Ok(store) = Store::open(&trial, key).await else { continue };
        let records = store.records().await;
        let rest = store.identity().await.and(store.check().await);
        store.close().await;
        if rest.is_ok() && records.is_err_and(|error| error.is_damaged()) {
            fs::write(file, bytes).unwrap();
            return;
        }
    }
    panic!("no byte of the file belongs to a record");
}

/// Names and sizes, as far as they can be told while somebody changes them.
fn listing(folder: &Path) -> Vec<(PathBuf, u64)> {
    let sized = |file: fs::DirEntry| Some((PathBuf::from(file.file_name()), file.metadata().ok()?.len()));
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().filter_map(|file| sized(file.ok()?)).collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_killed_at_any_moment_of_a_recovery_keeps_what_was_not_sent() {
    let _turn = my_turn().await;
    let world = World::open("killed recovery").await;
    let tablet = world.phone("tanaka").await;
    let meeting = tablet.session().upcoming().await.unwrap()[0].meeting;
    let document = tablet.memo_document(meeting).await;
    let line = Link::open(world.address(), world.seed()).await.unwrap();
    let server = format!("http://{}", line.address());
    let link = world.company().invite(world.folder(), "tanaka").await.unwrap();
    let sound = tempfile::tempdir().unwrap();
    let mut phone = PhoneProcess::start(sound.path(), &server, Some(invitation_in(&link).unwrap()));
    phone.tell(&format!("memo {meeting}"));
    line.partition();
    for number in 1..=EDITS {
        phone.tell(&format!("edit {number} {}", mark(1, number)));
    }
    while phone.saved() < EDITS {
        phone.listen();
    }
    phone.kill();
    let key = key_in(sound.path());
    let missing = async |folder: &Path| {
        let history = contents(folder, &tablet).await.history_of(document);
        (1..=EDITS).filter(|number| !history.contains(&mark(1, *number))).collect::<Vec<_>>()
    };
    assert_eq!(missing(sound.path()).await, Vec::<u64>::new());
    let store = sound.path().join(format!("{}.taiwa", tablet.user()));
    damage(&store, &VaultKey::new(key)).await;

    // Killed when the directory has changed once, twice, and so on, until it opens before that.
    let mut killed_while = HashSet::new();
    for changes in 1.. {
        let folder = copy_of(sound.path());
        let phone = PhoneProcess::spawn(folder.path(), &server, None);
        let (mut last, mut seen, mut opened) = (listing(folder.path()), 0, false);
        while seen < changes && !opened {
            let now = listing(folder.path());
            if now != last {
                seen += 1;
                last = now;
            }
            opened = phone.is_open();
            thread::yield_now();
        }
        phone.kill();
        let names = listing(folder.path()).into_iter().map(|(name, _)| name.to_string_lossy().into_owned());
        killed_while.insert(names.collect::<Vec<_>>().join(" "));

        let vault = Arc::new(MemoryVault::default());
        vault.store(key).unwrap();
        let taiwa = Taiwa::open(Options::new(folder.path(), vault)).await.unwrap();
        assert!(taiwa.session().await.is_some(), "killed at change {changes}: still signed in");
        let told = taiwa.take_recovered().await.unwrap().expect("the person is told");
        assert_eq!(told.unsent_lost, 0, "killed at change {changes}");
        taiwa.close().await;
        assert_eq!(missing(folder.path()).await, Vec::<u64>::new(), "killed at change {changes}: saved and gone");
        if opened {
            println!("kill -9 of a recovery: {changes} moments, {} sets of files", killed_while.len());
            assert!(killed_while.len() > 1, "no kill met a recovery");
            return;
        }
    }
}
