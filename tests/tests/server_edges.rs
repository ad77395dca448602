//! What a server says to requests, files and command lines that are wrong: a clear problem, and nothing changes.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
    time::Duration,
};

use jsonwebtoken::crypto::aws_lc;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use taiwa_server::{
    Server,
    auth::login::invite,
    bus::News,
    config::Config,
    records::import::{self, Table},
    store::{Store, people::Email},
};
use taiwa_shared::{
    ids::StoreEpoch,
    protocol::{
        login::{LoginResponse, TicketResponse},
        problem::MEDIA_TYPE,
        records::RecordsPage,
    },
    time::Clock,
};
use taiwa_tests::{
    clock::TestClock,
    eventually::{PATIENCE, eventually},
    plain_client::PlainClient,
    process::{Reaped, ServerProcess, binary, run_server_command},
    rest::{Answer, Rest},
};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{client::IntoClientRequest, http::HeaderValue},
};

const COMPANY: &str = "email,name,manager_email\nhanako@a.jp,佐藤 花子,ken@a.jp\nken@a.jp,高橋 健,\n";
const PASSWORD: &str = "correct horse battery";
const PROBLEM_KEYS: [&str; 4] = ["code", "title", "status", "detail"];

/// A server in this process on a free port, with an organisation and a clock that moves.
struct Running {
    server: Server,
    clock: TestClock,
    folder: tempfile::TempDir,
}

impl Running {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let _ = aws_lc::DEFAULT_PROVIDER.install_default();
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            database: folder.path().join("taiwa.db").display().to_string(),
            login_tries_per_minute: 1_000,
            ..Config::default()
        };
        change(&mut config);
        let clock = TestClock::new();
        let server = Server::start(config, Arc::new(clock.clone())).await.unwrap();
        import(server.store(), COMPANY, &clock).await;
        Self { server, clock, folder }
    }

    fn rest(&self) -> Rest {
        Rest::new(self.server.address())
    }

    async fn invitation(&self, email: &str) -> String {
        let store = self.server.store();
        let organisation = store.organisation_by_slug("a").await.unwrap().unwrap().id;
        let person = store.person_by_email(organisation, &Email::normalise(email)).await.unwrap().unwrap();
        let mut tx = store.begin().await.unwrap();
        let secret = invite(&mut tx, organisation, person.id, self.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        secret.expose().to_owned()
    }

    async fn sign_in(&self, email: &str) -> LoginResponse {
        let invitation = self.invitation(email).await;
        let body = json!({ "invitation": invitation, "password": PASSWORD, "device_name": "test" });
        self.rest().post("/v1/login/invitation", &body).await.unwrap().into().unwrap()
    }

    async fn signed_in(&self, email: &str) -> Rest {
        self.rest().with_token(self.sign_in(email).await.tokens.access_token.expose())
    }
}

async fn import(store: &Store, csv: &str, clock: &TestClock) {
    let table = Table::read(csv.as_bytes()).unwrap();
    import::apply(store, "a", "a", &table, clock.now()).await.unwrap();
}

#[track_caller]
fn assert_problem(answer: &Answer, status: u16, code: &str, detail: &str) {
    let body = answer.json();
    let of_body: Vec<_> = PROBLEM_KEYS.iter().map(|key| body[key].clone()).collect();
    assert_eq!(answer.status.as_u16(), status, "{body}");
    assert_eq!(answer.media_type, MEDIA_TYPE, "{body}");
    assert_eq!((&of_body[0], &of_body[2]), (&json!(code), &json!(status)), "{body}");
    assert!(of_body[3].as_str().is_some_and(|text| text.contains(detail)), "{detail:?} in {body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_requests_get_a_problem_that_says_what_to_do() {
    let running = Running::start().await;
    let (open, signed_in) = (running.rest(), running.signed_in("hanako@a.jp").await);
    let bodies: [(&str, Vec<u8>, &str); 7] = [
        ("/v1/login/password", b"".to_vec(), "EOF while parsing a value at line 1 column 0"),
        ("/v1/login/password", b"{\"email\":".to_vec(), "EOF while parsing"),
        ("/v1/login/password", b"{\"email\":\"a@x\"}".to_vec(), "missing field `password`"),
        ("/v1/login/password", b"[1,2]".to_vec(), "invalid type"),
        ("/v1/login/refresh", b"\xff\xfe{}".to_vec(), "line 1 column 1"),
        ("/v1/login/invitation", vec![b'['; 100_000], "invalid type"),
        ("/v1/documents", b"{\"claims\":[{\"key\":{\"kind\":\"diary\"}}]}".to_vec(), "unknown variant `diary`"),
    ];
    for (path, body, detail) in bodies {
        assert_problem(&signed_in.post_bytes(path, body).await.unwrap(), 400, "invalid_request", detail);
    }
    let large = signed_in.post_bytes("/v1/documents", vec![b' '; 1_100_000]).await.unwrap();
    assert_problem(&large, 413, "too_large", "at most 1 MiB");
    let claim = json!({ "key": { "kind": "field_notes", "user": "01a2042d-4aa4-7168-b732-035b6651ceb2" } });
    let many = signed_in.post("/v1/documents", &json!({ "claims": vec![claim; 201] })).await.unwrap();
    assert_problem(&many, 400, "invalid_request", "send at most 200");
    for since in ["nonsense", "1.2.3.4", "%00", "%ff", &"x".repeat(5_000)] {
        let answer = signed_in.get(&format!("/v1/records?since={since}")).await.unwrap();
        assert_problem(&answer, 400, "invalid_request", "");
    }
    assert_problem(&signed_in.delete("/v1/devices/%ff").await.unwrap(), 404, "not_found", "names nothing");
    assert_problem(&open.get("/api/%ff").await.unwrap(), 404, "not_found", "names nothing");
    assert_problem(&open.get("/v2/records").await.unwrap(), 404, "not_found", "no such route");
    assert_problem(&open.get("/v1/documents").await.unwrap(), 405, "invalid_request", "GET is not for this route");
    assert_problem(&open.get("/v1/sync").await.unwrap(), 401, "token_invalid", "refresh the access token");
    assert_problem(&signed_in.get("/v1/sync").await.unwrap(), 400, "invalid_request", "WebSocket");
    running.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_of_a_person_refuses_who_is_not_signed_in() {
    let running = Running::start().await;
    let login = running.sign_in("hanako@a.jp").await;
    let fine = login.tokens.access_token.expose().to_owned();
    let refresh = login.tokens.refresh_token.expose().to_owned();
    let routes: [(Method, &str); 5] = [
        (Method::GET, "/v1/records"),
        (Method::POST, "/v1/documents"),
        (Method::POST, "/v1/commands"),
        (Method::POST, "/v1/sync/ticket"),
        (Method::POST, "/v1/login/sign-out"),
    ];
    for token in ["", "x", "a.b.c", refresh.as_str(), &fine[..fine.len() - 2], &format!("{fine}x"), &"x".repeat(6_000)]
    {
        for (method, path) in &routes {
            let rest = running.rest().with_token(token);
            let answer = match *method {
                Method::GET => rest.get(path).await.unwrap(),
                _ => rest.post(path, &json!({ "claims": [] })).await.unwrap(),
            };
            assert_problem(&answer, 401, "token_invalid", "refresh the access token");
        }
    }
    let anonymous = running.rest().get("/v1/records").await.unwrap();
    assert_problem(&anonymous, 401, "token_invalid", "refresh");
    let page: RecordsPage = running.rest().with_token(&fine).get("/v1/records").await.unwrap().into().unwrap();
    assert_eq!(page.entries.len(), 3, "positive control");

    // A cursor of another epoch, named in the query, starts over.
    let other = StoreEpoch::from_bytes([9; 16]);
    for (path, entries) in [
        (format!("/v1/records?since={}", page.cursor), 0),
        (format!("/v1/records?since={}&epoch={}", page.cursor, page.epoch), 0),
        (format!("/v1/records?since={}&epoch={other}", page.cursor), 3),
        ("/v1/records?since=".to_owned(), 3),
    ] {
        let again: RecordsPage = running.rest().with_token(&fine).get(&path).await.unwrap().into().unwrap();
        assert_eq!(again.entries.len(), entries, "{path}");
    }
    let out = running.rest().with_token(&fine).post("/v1/login/sign-out", &json!(null)).await.unwrap();
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert_problem(&running.rest().with_token(&fine).get("/v1/records").await.unwrap(), 401, "token_invalid", "");
    let over = running.rest().post("/v1/login/refresh", &json!({ "refresh_token": refresh })).await.unwrap();
    assert_problem(&over, 401, "sign_in_again", "what is on this phone stays");
    running.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_in_refusals_say_what_to_do_and_nothing_else() {
    let running = Running::start_with(|config| config.login_tries_per_minute = 10).await;
    let rest = running.rest();
    let password = |email: &str| json!({ "email": email, "password": "wrong password", "device_name": "" });
    let known = rest.post("/v1/login/password", &password("hanako@a.jp")).await.unwrap();
    let unknown = rest.post("/v1/login/password", &password("nobody@a.jp")).await.unwrap();
    assert_problem(&known, 401, "credentials_refused", "do not match");
    assert_eq!(known.text, unknown.text);
    let used = json!({ "invitation": "used", "password": PASSWORD, "device_name": "" });
    assert_eq!(rest.post("/v1/login/invitation", &used).await.unwrap().text, known.text);
    let weak = json!({ "invitation": running.invitation("ken@a.jp").await, "password": "short", "device_name": "" });
    let weak = rest.post("/v1/login/invitation", &weak).await.unwrap();
    assert_problem(&weak, 422, "password_too_weak", "at least 10 characters");
    for _ in 0..6 {
        assert!(rest.post("/v1/login/invitation", &used).await.unwrap().status != StatusCode::TOO_MANY_REQUESTS);
    }
    let limited = rest.post("/v1/login/password", &password("hanako@a.jp")).await.unwrap();
    assert_problem(&limited, 429, "too_many_tries", "wait");
    assert!(limited.json()["retry_after_seconds"].as_u64().is_some_and(|seconds| (1..=60).contains(&seconds)));
    running.clock.advance(Duration::from_secs(60));
    assert_problem(&rest.post("/v1/login/password", &password("x@y")).await.unwrap(), 401, "credentials_refused", "");
    running.server.stop().await;
}

async fn socket_status(address: SocketAddr, query: &str, header: Option<(&'static str, &str)>) -> u16 {
    let mut request = format!("ws://{address}/v1/sync{query}").into_client_request().unwrap();
    if let Some((name, value)) = header {
        request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
    }
    match connect_async(request).await {
        Ok((_, response)) => response.status().as_u16(),
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => response.status().as_u16(),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_opens_with_a_token_or_with_a_ticket_of_an_allowed_page() {
    let running =
        Running::start_with(|config| config.allowed_origins = vec!["https://app.example.jp".to_owned()]).await;
    let login = running.sign_in("hanako@a.jp").await;
    let bearer = format!("Bearer {}", login.tokens.access_token.expose());
    let rest = running.rest().with_token(login.tokens.access_token.expose());
    let address = running.server.address();
    let ticket = async || {
        let ticket: TicketResponse = rest.post("/v1/sync/ticket", &json!(null)).await.unwrap().into().unwrap();
        format!("?ticket={}", ticket.ticket.expose())
    };
    assert_eq!(socket_status(address, "", Some(("authorization", &bearer))).await, 101);
    assert_eq!(socket_status(address, "", None).await, 401);
    assert_eq!(socket_status(address, "?ticket=unknown", Some(("origin", "https://app.example.jp"))).await, 401);
    let fine = ticket().await;
    assert_eq!(socket_status(address, &ticket().await, None).await, 101, "whoever names no origin is no browser");
    assert_eq!(socket_status(address, &fine, Some(("origin", "https://evil.example"))).await, 401);
    assert_eq!(socket_status(address, &fine, Some(("origin", "https://app.example.jp"))).await, 101);
    assert_eq!(socket_status(address, &fine, Some(("origin", "https://app.example.jp"))).await, 401, "used");
    let own = format!("http://{address}");
    assert_eq!(socket_status(address, &ticket().await, Some(("origin", &own))).await, 101);
    let late = ticket().await;
    running.clock.advance(Duration::from_secs(31));
    assert_eq!(socket_status(address, &late, Some(("origin", &own))).await, 401);
    running.server.stop().await;
}

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
    assert_eq!(client.socket.hear_close().await, Some(4403));

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
async fn an_invitation_link_in_a_browser_shows_the_same_page_for_every_token() {
    let running = Running::start().await;
    let rest = running.rest();
    let real = rest.get(&format!("/invite/{}", running.invitation("hanako@a.jp").await)).await.unwrap();
    let other = rest.get("/invite/%3Cscript%3E").await.unwrap();
    assert_eq!((real.status, real.media_type.as_str()), (StatusCode::OK, "text/html"));
    assert_eq!(real.text, other.text);
    assert!(real.text.contains("taiwa への招待です") && real.text.contains("You are invited"));
    running.server.stop().await;
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary("taiwa-server"));
    command.args(arguments).current_dir(folder).env("TAIWA_DATABASE", folder.join("taiwa.db"));
    command.stdin(Stdio::null());
    command
}

async fn run(command: Command) -> (Output, String) {
    let mut command = tokio::process::Command::from(command);
    let output = tokio::time::timeout(PATIENCE, command.kill_on_drop(true).output());
    let output = output.await.expect("the command ends by itself").unwrap();
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    (output, said)
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_hold_no_secret_at_any_level() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("people.csv"), COMPANY).unwrap();
    run_server_command(folder.path(), &["import", "--organisation", "a", "--name", "a", "people.csv"]).await.unwrap();
    let link = run_server_command(folder.path(), &["invite", "--organisation", "a", "hanako@a.jp"]).await.unwrap();
    let invitation = link.trim().rsplit('/').next().unwrap().to_owned();

    let address = taiwa_tests::process::free_address().unwrap();
    let log = folder.path().join("trace.log");
    let mut serve = command(folder.path(), &["serve"]);
    serve.env("TAIWA_LISTEN", address.to_string()).env("TAIWA_LOG_FILTER", "trace").env("TAIWA_LOG", "json");
    serve.stderr(std::fs::File::create(&log).unwrap());
    let mut server = Reaped::new(serve.spawn().unwrap());
    let rest = Rest::new(address);
    eventually("the server answers", PATIENCE, || async { rest.get("/healthz").await.ok() }).await;

    rest.get(&format!("/invite/{invitation}")).await.unwrap();
    let body = json!({ "invitation": invitation, "password": PASSWORD, "device_name": "my device" });
    let login: Value = rest.post("/v1/login/invitation", &body).await.unwrap().into().unwrap();
    let wrong = json!({ "email": "hanako@a.jp", "password": "another password", "device_name": "" });
    rest.post("/v1/login/password", &wrong).await.unwrap();
    let token = |key: &str| login["tokens"][key].as_str().unwrap().to_owned();
    let signed_in = rest.with_token(token("access_token"));
    signed_in.get("/v1/records?since=sentinel-in-the-query").await.unwrap();
    let ticket: TicketResponse = signed_in.post("/v1/sync/ticket", &json!(null)).await.unwrap().into().unwrap();
    let query = format!("?ticket={}", ticket.ticket.expose());
    assert_eq!(socket_status(address, &query, Some(("origin", &format!("http://{address}")))).await, 101);
    rest.post("/v1/login/refresh", &json!({ "refresh_token": token("refresh_token") })).await.unwrap();
    assert!(server.child().try_wait().unwrap().is_none());
    server.terminate().unwrap();

    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains("signed in") && log.contains("/v1/login/invitation"), "positive control: {log}");
    let secrets = [
        invitation.as_str(),
        PASSWORD,
        "another password",
        "hanako@a.jp",
        "佐藤",
        "my device",
        "sentinel-in-the-query",
        ticket.ticket.expose(),
        &token("access_token"),
        &token("refresh_token"),
    ];
    for secret in secrets {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}
