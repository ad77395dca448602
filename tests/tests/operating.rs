//! What an operator's machines ask of a running server: whether it is ready.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use sqlx::{Connection, Executor, PgConnection, SqliteConnection};
use taiwa_server::{Server, config::Config};
use taiwa_tests::{clock::TestClock, eventually::eventually, postgres::Postgres, rest::Rest, skip::skip};

const PATIENCE: Duration = Duration::from_secs(60);
const FORGET_A_MIGRATION: &str =
    "delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)";

async fn serve(database: String, folder: &tempfile::TempDir) -> Server {
    let config = Config {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        database,
        token_key: Some(folder.path().join("key.pem")),
        ..Config::default()
    };
    Server::start(config, Arc::new(TestClock::new())).await.unwrap()
}

async fn says(rest: &Rest, status: u16, word: &str) {
    eventually(word, PATIENCE, || async {
        let answer = rest.get("/readyz").await.unwrap();
        (answer.status == status && answer.json()["status"] == word).then_some(())
    })
    .await;
    assert_eq!(rest.get("/healthz").await.unwrap().status, 200, "it lives all the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sqlite_server_is_ready_while_its_database_takes_writes_and_is_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("taiwa.db").display());
    let server = serve(url.clone(), &folder).await;
    let rest = Rest::new(server.address());
    says(&rest, 200, "ready").await;
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    other.execute("begin immediate").await.unwrap();
    says(&rest, 503, "database not writable").await;
    other.execute("rollback").await.unwrap();
    says(&rest, 200, "ready").await;
    other.execute(FORGET_A_MIGRATION).await.unwrap();
    says(&rest, 503, "migrations incomplete").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_server_is_ready_while_its_database_takes_writes_and_is_migrated() {
    let Some(postgres) = Postgres::shared().await.unwrap() else {
        skip(
            "a_postgres_server_is_ready_while_its_database_takes_writes_and_is_migrated",
            "no PostgreSQL server is installed",
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let url = postgres.database().unwrap();
    let server = serve(url.clone(), &folder).await;
    let rest = Rest::new(server.address());
    says(&rest, 200, "ready").await;
    let mut other = PgConnection::connect(&url).await.unwrap();
    other.execute("begin; lock table store_epoch in exclusive mode").await.unwrap();
    says(&rest, 503, "database not writable").await;
    other.execute("rollback").await.unwrap();
    says(&rest, 200, "ready").await;
    other.execute(FORGET_A_MIGRATION).await.unwrap();
    says(&rest, 503, "migrations incomplete").await;
    server.stop().await;
}
