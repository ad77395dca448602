//! The SQL itself: every statement is accepted by both engines, which have the same tables and columns.

use taiwa_server::store::{ServerLock, Store, StoreError};
use taiwa_shared::time::Clock;
use taiwa_tests::eventually::{PATIENCE, eventually};

use super::fixture::Fixture;

super::on_both! {
    every_statement_is_accepted;
    opening_again_changes_nothing;
}

async fn every_statement_is_accepted(fixture: Fixture) {
    assert_eq!(fixture.store.refused_statements().await.unwrap(), Vec::<String>::new());
}

async fn opening_again_changes_nothing(fixture: Fixture) {
    let again = Store::open(&fixture.url, fixture.clock.now()).await.unwrap();
    assert_eq!(again.epoch(), fixture.store.epoch());
    assert_eq!(again.restored(), None);
    let renewed = again.renew_epoch(fixture.now()).await.unwrap();
    let restored = Store::open(&fixture.url, fixture.clock.now()).await.unwrap();
    assert_eq!(restored.epoch(), renewed);
    assert_ne!(restored.epoch(), fixture.store.epoch());
    assert!(restored.restored().is_some());
    assert_eq!(again.integrity().await.unwrap(), "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_have_the_same_tables_and_columns() {
    let sqlite = Fixture::sqlite().await;
    let Some(postgres) = Fixture::postgres("both_databases_have_the_same_tables_and_columns").await else { return };
    let schema = sqlite.store.schema().await.unwrap();
    assert!(schema.len() >= 15, "{schema:?}");
    assert_eq!(schema, postgres.store.schema().await.unwrap());
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_left_as_it_is() {
    let fixture = Fixture::sqlite().await;
    let path = fixture.store.file().unwrap().to_owned();
    fixture.store.close().await;
    let mut bytes = std::fs::read(&path).unwrap();
    for (from, what) in [(0, "header"), (4_096, "pages")] {
        let end = bytes.len();
        bytes[from..end.min(from + 20_000)].fill(0xa5);
        std::fs::write(&path, &bytes).unwrap();
        let refused = Store::open(&fixture.url, fixture.now()).await;
        assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{what}: {refused:?}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_syncs_commits_whatever_it_was_told_before() {
    let Some(fixture) = Fixture::postgres("postgresql_syncs_commits_whatever_it_was_told_before").await else { return };
    let sign = if fixture.url.contains('?') { '&' } else { '?' };
    let careless = format!("{}{sign}options[synchronous_commit]=off", fixture.url);
    let store = Store::open(&careless, fixture.now()).await.unwrap();
    assert_eq!(store.integrity().await.unwrap(), "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_notices_servers_on_postgresql() {
    let Some(fixture) = Fixture::postgres("a_restore_notices_servers_on_postgresql").await else { return };
    let first = ServerLock::share_session(&fixture.url).await.unwrap();
    let second = ServerLock::share_session(&fixture.url).await.unwrap();
    drop(first);
    assert!(ServerLock::take_session(&fixture.url).await.unwrap().is_none());
    drop(second);
    eventually("the lock is free", PATIENCE, || async { ServerLock::take_session(&fixture.url).await.unwrap() }).await;
}

/// A program that is being started has, for a moment, everything that was open in the one that starts it.
#[test]
fn a_lock_that_was_given_back_is_free_whatever_is_being_started() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("taiwa.db");
    let starting = std::thread::spawn(|| {
        for _ in 0..100 {
            assert!(std::process::Command::new("true").status().unwrap().success());
        }
    });
    let mut taken = 0;
    while !starting.is_finished() {
        let lock = ServerLock::take(&database);
        assert!(lock.is_ok(), "given back {taken} times, and then: {lock:?}");
        taken += 1;
    }
    starting.join().unwrap();
    assert!(taken > 100, "the control: {taken}");
}
