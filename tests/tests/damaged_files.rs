//! A damaged database file: the server and the phone say so clearly, and keep the file as it is.

use std::{fs, path::Path};

use taiwa_tests::{
    company::Company,
    process::{ServerProcess, database_in, free_address},
    world::World,
};

/// Something that happens to the bytes of a file.
type Damage = fn(&mut Vec<u8>);

/// Ways in which a disk or a person damages a file of at least two pages.
fn damages() -> Vec<(&'static str, Damage)> {
    vec![
        ("another kind of file", |file| *file = b"%PDF-1.7\n".repeat(200)),
        ("a header of zeros", |file| file[..100].fill(0)),
        ("half of it gone", |file| file.truncate(file.len() / 2 + 100)),
        ("zeros after the first page", |file| file[4096..].fill(0)),
    ]
}

fn damage(file: &Path, how: Damage) -> Vec<u8> {
    let mut bytes = fs::read(file).unwrap();
    how(&mut bytes);
    fs::write(file, &bytes).unwrap();
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_database_is_damaged_says_so_and_keeps_the_file() {
    for (name, how) in damages() {
        let folder = tempfile::tempdir().unwrap();
        Company::small("sample").import(folder.path()).await.unwrap();
        let database = database_in(folder.path());
        let damaged = damage(&database, how);
        let error = ServerProcess::start(folder.path()).await.expect_err(name).to_string();
        assert!(error.contains("damaged"), "{name}: {error}");
        assert!(error.contains("taiwa.db"), "{name}: the message names the file: {error}");
        assert!(!error.contains("panicked"), "{name}: {error}");
        assert_eq!(fs::read(&database).unwrap(), damaged, "{name}: the file is kept");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_whose_store_is_damaged_keeps_the_file_and_opens() {
    let world = World::open("damaged phone").await;
    for (name, how) in damages() {
        let phone = world.phone("tanaka").await;
        let manager = world.phone("sato").await;
        let meeting = phone.next_meeting_with(&manager).await;
        phone.type_into_memo(meeting, 0, "損なわれる前の一言").await;
        phone.settled().await;
        let store = phone.store_file();
        let phone = phone.closed().await;
        let damaged = damage(&store, how);
        match phone.open().await {
            // What can be read was saved, or the person signs in again and gets everything from the server.
            Ok(taiwa) => taiwa.close().await,
            Err(error) => assert!(error.to_string().contains("damaged"), "{name}: {error}"),
        }
        let kept = fs::read_dir(phone.folder()).unwrap().any(|file| fs::read(file.unwrap().path()).unwrap() == damaged);
        assert!(kept, "{name}: the damaged file is kept as it was");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setting_that_makes_no_sense_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = free_address().unwrap();
    let _listener = std::net::TcpListener::bind(taken).unwrap();
    let error = ServerProcess::start_at(folder.path(), taken).await.expect_err("the port is taken").to_string();
    assert!(error.contains(&taken.to_string()), "{error}");
    assert!(!error.contains("panicked"), "{error}");
}
