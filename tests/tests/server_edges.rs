//! What a server says to requests, files and command lines that are wrong: a clear problem, and nothing changes.
//!
//! Map: this file the running server and its logs; [`requests`], [`operator`].

mod operator;
mod requests;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
};

use jsonwebtoken::crypto::aws_lc;
use serde_json::{Value, json};
use taiwa_server::{
    Server,
    auth::login::invite,
    config::Config,
    records::import::{self, Table},
    store::{Store, people::Email},
};
use taiwa_shared::{
    protocol::{
        login::{LoginResponse, TicketResponse},
        problem::MEDIA_TYPE,
    },
    time::Clock,
};
use taiwa_tests::{
    clock::TestClock,
    eventually::{PATIENCE, eventually},
    process::{Reaped, binary, run_server_command},
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
