//! What an operator does beside a running server, and what the commands say when they cannot.

use std::path::Path;

use serde_json::json;
use taiwa_server::{bus::News, store::Store};
use taiwa_shared::{
    protocol::{login::TicketResponse, records::RecordsPage},
    time::Clock,
};
use taiwa_tests::{
    eventually::PATIENCE,
    plain_client::PlainClient,
    process::{ServerProcess, run_server_command},
};

use super::{COMPANY, PASSWORD, Running, assert_problem, command, import, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_of_another_process_is_news_within_seconds() {
    let running = Running::start().await;
    let mut news = running.server.bus().subscribe();
    let database = running.folder.path().join("taiwa.db").display().to_string();
    let elsewhere = Store::open(&database, running.clock.now()).await.unwrap();
    import(&elsewhere, &format!("{COMPANY}taro@a.jp,鈴木 太郎,ken@a.jp\n"), &running.clock).await;
    let counters = elsewhere.counters().await.unwrap();
    let (organisation, counter) = counters[0];
    let heard = async {
        loop {
            if news.recv().await.unwrap() == (News::Records { organisation, counter }) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, heard).await.unwrap();
    running.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_ends_somebodys_access_and_a_running_server_feels_it() {
    let running = Running::start().await;
    let folder = running.folder.path();
    let login = running.sign_in("hanako@a.jp").await;
    let invitation = running.invitation("hanako@a.jp").await;
    let with_token = running.rest().with_token(login.tokens.access_token.expose());
    let ticket: TicketResponse = with_token.post("/v1/sync/ticket", &json!(null)).await.unwrap().into().unwrap();
    let url = format!("ws://{}/v1/sync?ticket={}", running.server.address(), ticket.ticket.expose());
    let mut client = PlainClient::connect(url, "hanako", false).await;
    let ken = running.signed_in("ken@a.jp").await;

    let deactivate = command(folder, &["person", "deactivate", "--organisation", "a", "hanako@a.jp"]);
    let said = run(deactivate).await.0;
    let said = String::from_utf8(said.stdout).unwrap();
    assert_eq!(said, "佐藤 花子 has no access any more: 1 sign-in ended, 1 invitation void, 1 pair closed\n");
    assert_eq!(client.socket.until_closed().await, Some(4403));

    let rest = running.rest();
    assert_problem(&with_token.get("/v1/records").await.unwrap(), 401, "token_invalid", "");
    let refresh = json!({ "refresh_token": login.tokens.refresh_token.expose() });
    assert_problem(&rest.post("/v1/login/refresh", &refresh).await.unwrap(), 401, "sign_in_again", "");
    let password = json!({ "email": "hanako@a.jp", "password": PASSWORD, "device_name": "" });
    assert_problem(&rest.post("/v1/login/password", &password).await.unwrap(), 401, "credentials_refused", "");
    let again = json!({ "invitation": invitation, "password": PASSWORD, "device_name": "" });
    assert_problem(&rest.post("/v1/login/invitation", &again).await.unwrap(), 401, "credentials_refused", "");
    let page: RecordsPage = ken.get("/v1/records").await.unwrap().into().unwrap();
    assert!(page.entries.iter().any(|entry| format!("{entry:?}").contains("Closed")), "{page:?}");

    let counter = running.server.store().counters().await.unwrap();
    let twice = command(folder, &["person", "deactivate", "--organisation", "a", "HANAKO@a.jp"]);
    let said = String::from_utf8(run(twice).await.0.stdout).unwrap();
    assert!(said.contains("had no access already: 0 sign-ins ended"), "{said}");
    assert_eq!(running.server.store().counters().await.unwrap(), counter);
    let nobody = command(folder, &["person", "deactivate", "--organisation", "a", "who@a.jp"]);
    let (output, said) = run(nobody).await;
    assert!(!output.status.success() && said.contains("nobody in a has the e-mail"), "{said}");
    running.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_start_says_why_and_leaves_everything_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = ServerProcess::start(folder.path()).await.unwrap();

    let mut second = command(folder.path(), &["serve"]);
    second.env("TAIWA_LISTEN", "127.0.0.1:0");
    let (output, said) = run(second).await;
    assert!(!output.status.success() && said.contains("another taiwa-server works with"), "{said}");

    let elsewhere = tempfile::tempdir().unwrap();
    let mut same_port = command(elsewhere.path(), &["serve"]);
    same_port.env("TAIWA_LISTEN", running.address().to_string());
    let (output, said) = run(same_port).await;
    let expected = format!("listening on {}", running.address());
    assert!(!output.status.success() && said.contains(&expected) && said.contains("set `listen`"), "{said}");
    running.stop().await.unwrap();

    let mut wrong = command(elsewhere.path(), &["serve"]);
    wrong.env("TAIWA_LISTEN", "4150");
    let (output, said) = run(wrong).await;
    assert!(!output.status.success() && said.contains("setting listen: \"4150\""), "{said}");

    let path = folder.path().join("taiwa.db");
    mark_as_newer(&path).await;
    let (output, said) = run(command(folder.path(), &["serve"])).await;
    assert!(!output.status.success() && said.contains("newer version of taiwa-server (migration 9999)"), "{said}");

    // A folder of its own: beside the file of another run SQLite would find the log and repair it from there.
    let elsewhere = tempfile::tempdir().unwrap();
    let damaged = elsewhere.path().join("taiwa.db");
    let bytes = vec![0x5a; 8_192];
    std::fs::write(&damaged, &bytes).unwrap();
    let (output, said) = run(command(elsewhere.path(), &["serve"])).await;
    assert!(
        !output.status.success() && said.contains("is damaged") && said.contains("restore the last backup"),
        "{said}"
    );
    assert_eq!(std::fs::read(&damaged).unwrap(), bytes);
}

async fn mark_as_newer(path: &Path) {
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, 'of the future', true, x'00', 0)",
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_with_faults_is_refused_with_lines_and_columns() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("people.csv");
    let import = ["import", "--organisation", "a", "--name", "青空", file.to_str().unwrap()].map(str::to_owned);
    let arguments: Vec<&str> = import.iter().map(String::as_str).collect();
    std::fs::write(&file, format!("{COMPANY}ken@a.jp,Ken,\nx,X,who@a.jp\n")).unwrap();
    let (output, said) = run(command(folder.path(), &arguments)).await;
    assert!(!output.status.success());
    for expected in [
        "nothing has changed",
        "line 4, column 1 (email): the same e-mail stands in line 3",
        "line 5, column 1 (email): \"x\" is not an e-mail address",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
    let refused = run(command(folder.path(), &["invite", "--organisation", "a", "ken@a.jp"])).await;
    assert!(refused.1.contains("there is no organisation \"a\""), "{}", refused.1);
    std::fs::write(&file, COMPANY).unwrap();
    let said = run_server_command(folder.path(), &arguments).await.unwrap();
    assert!(said.contains("\nnew organisation a: 2 people added"), "{said}");
    let (output, said) = run(command(folder.path(), &["invite", "--organisation", "a", "who@a.jp"])).await;
    assert!(!output.status.success() && said.contains("nobody in a has the e-mail \"who@a.jp\""), "{said}");
}
