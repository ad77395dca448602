//! A running server with a small organisation and a clock that the test moves: the start of most tests.
//!
//! The server runs in this process, on a real socket and a real database file, or as a process of its own for tests that
//! kill it; import and invitations go through its commands. Everything is gone when a [`World`] is dropped.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, Result};
use reqwest::StatusCode;
use taiwa_mobile_core::session::SignIn;
use taiwa_server::{
    Server,
    bus::{Bus, News},
    config::Config,
    store::Store,
};
use taiwa_shared::protocol::login::{InvitationRequest, LoginResponse, PasswordRequest, Secret};
use tempfile::TempDir;

use crate::{
    clock::TestClock,
    company::Company,
    postgres::Postgres,
    process::{ServerProcess, database_in, keep_records_at, records_of},
    rest::{Answer, Rest},
    seed::Seed,
    skip::skip,
};

/// What everybody's password is.
pub const PASSWORD: &str = "晴れた日は歩いて行く 42";

/// A server, its organisation and its time.
pub struct World {
    folder: TempDir,
    host: Host,
    clock: TestClock,
    company: Company,
    seed: Seed,
    /// E-mails of those who have chosen [`PASSWORD`]: another invitation would end what they are signed in on.
    have_passwords: Mutex<HashSet<String>>,
    /// Ends after the server.
    _postgres: Option<Arc<Postgres>>,
}

/// Where the server runs.
enum Host {
    Here(Server),
    Process(ServerProcess),
}

impl World {
    /// Opens a world for the test of this name, with the server in this process and under the test's clock.
    ///
    /// # Panics
    /// If the server does not start.
    pub async fn open(test: &str) -> Self {
        Self::without_server(test).await.expect("the company is imported").with_server_here().await
    }

    /// [`World::open`] with its records in PostgreSQL; none, after saying so, if the machine has none.
    ///
    /// # Panics
    /// If the server does not start.
    pub async fn open_on_postgres(test: &str) -> Option<Self> {
        let Some(postgres) = Postgres::shared().await.expect("PostgreSQL starts") else {
            skip(test, "no PostgreSQL server is installed");
            return None;
        };
        let folder = folder_for_a_world().expect("a temporary folder is made");
        keep_records_at(folder.path(), &postgres.database().expect("a database is made")).expect("the folder is ours");
        let mut empty = Self::in_folder(test, folder).await.expect("the company is imported");
        empty.postgres = Some(postgres);
        Some(empty.with_server_here().await)
    }

    /// Opens a world whose server is a process of its own, under the machine's clock, that can be killed.
    ///
    /// # Panics
    /// If the server does not start.
    pub async fn open_as_process(test: &str) -> Self {
        let empty = Self::without_server(test).await.expect("the company is imported");
        let server = ServerProcess::start(empty.folder.path()).await.expect("the server starts");
        empty.with(Host::Process(server))
    }

    /// [`World::open_as_process`] with the server's data in this folder.
    ///
    /// # Panics
    /// If the server does not start.
    pub async fn open_as_process_in(test: &str, folder: TempDir) -> Self {
        let empty = Self::in_folder(test, folder).await.expect("the company is imported");
        let server = ServerProcess::start(empty.folder.path()).await.expect("the server starts");
        empty.with(Host::Process(server))
    }

    /// [`World::open_as_process`] with a server that logs this, as in `TAIWA_LOG_FILTER`.
    ///
    /// # Panics
    /// If the server does not start.
    pub async fn open_as_process_that_logs(test: &str, filter: &'static str) -> Self {
        let empty = Self::without_server(test).await.expect("the company is imported");
        let server = ServerProcess::start_logging(empty.folder.path(), filter).await.expect("the server starts");
        empty.with(Host::Process(server))
    }

    async fn without_server(test: &str) -> Result<EmptyWorld> {
        Self::in_folder(test, folder_for_a_world()?).await
    }

    async fn in_folder(test: &str, folder: TempDir) -> Result<EmptyWorld> {
        show_logs_if_asked();
        let seed = Seed::of_this_run(test);
        let company = Company::small("sample");
        company.import(folder.path()).await?;
        Ok(EmptyWorld { folder, clock: TestClock::new(), company, seed, postgres: None })
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        match &self.host {
            Host::Here(server) => server.address(),
            Host::Process(server) => server.address(),
        }
    }

    /// The figures of a server in this process, as Prometheus gets them.
    ///
    /// # Panics
    /// If the server is a process of its own, or does not answer.
    pub async fn metrics(&self) -> Answer {
        let Host::Here(server) = &self.host else { panic!("this world was opened with open_as_process") };
        let address = server.metrics_address().expect("a world's server serves metrics");
        Rest::new(address).get("/metrics").await.expect("the server answers")
    }

    /// Kills the server with -9.
    ///
    /// # Panics
    /// If it is no process of its own, or down.
    pub fn kill_server(&mut self) {
        self.process().kill().expect("the server is up");
    }

    /// Asks the server to end, and waits until it has.
    ///
    /// # Panics
    /// If it is no process of its own, is down, or ends with a failure.
    pub async fn stop_server(&mut self) {
        self.process().stop().await.expect("the server ends well");
    }

    /// Starts the server again on the same data and port.
    ///
    /// # Panics
    /// If it is no process of its own, or does not answer.
    pub async fn restart_server(&mut self) {
        self.process().restart().await.expect("the server starts again");
    }

    /// What a server that is a process has logged.
    ///
    /// # Panics
    /// If it is no process of its own.
    pub fn server_log(&mut self) -> String {
        self.process().log()
    }

    /// Where a server that is a process logs.
    ///
    /// # Panics
    /// If it is no process of its own.
    pub fn server_log_file(&mut self) -> PathBuf {
        self.process().log_file()
    }

    fn process(&mut self) -> &mut ServerProcess {
        match &mut self.host {
            Host::Process(server) => server,
            Host::Here(_) => panic!("this world was opened without open_as_process"),
        }
    }

    /// The server's time.
    pub fn clock(&self) -> &TestClock {
        &self.clock
    }

    /// The records of a server in this process.
    ///
    /// # Panics
    /// If the server is a process of its own.
    pub fn store(&self) -> &Store {
        match &self.host {
            Host::Here(server) => server.store(),
            Host::Process(_) => panic!("this world was opened with open_as_process"),
        }
    }

    /// What a server in this process tells its own parts.
    ///
    /// # Panics
    /// If the server is a process of its own.
    pub fn bus(&self) -> &Bus {
        match &self.host {
            Host::Here(server) => server.bus(),
            Host::Process(_) => panic!("this world was opened with open_as_process"),
        }
    }

    /// Everything random comes from this.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// The organisation.
    pub fn company(&self) -> &Company {
        &self.company
    }

    /// Where the server's data lie.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The server's database file.
    pub fn database(&self) -> PathBuf {
        database_in(self.folder.path())
    }

    /// Gives a person another manager, by an import while the server runs.
    ///
    /// # Panics
    /// If the import is refused.
    pub async fn move_person(&mut self, person: &str, manager: &str) {
        self.company.move_to(person, manager);
        self.company.import(self.folder.path()).await.expect("the import is good");
        // A server asks once a second whether another process has changed its records. Which connection feels the import
        // before that is chance; here all do at once.
        if let Host::Here(server) = &self.host {
            for (organisation, counter) in server.store().counters().await.expect("the counters are read") {
                server.bus().publish(News::Records { organisation, counter });
            }
        }
    }

    /// A new sign-in of a person, by plain REST; with an invitation the first time.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn login(&self, person: &str) -> LoginResponse {
        self.login_of(&self.company, person).await
    }

    /// A new sign-in of a person of another organisation of this server.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn login_of(&self, company: &Company, person: &str) -> LoginResponse {
        self.try_login(company, person).await.expect("an invitation signs in")
    }

    /// A new sign-in of a person who has a password, by plain REST.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn password_login(&self, person: &str) -> LoginResponse {
        let request = PasswordRequest {
            organisation: Some(self.company.slug().to_owned()),
            email: self.company.email(person),
            password: Secret::new(PASSWORD),
            device_name: format!("{person}の電話"),
        };
        let answer = Rest::new(self.address()).post("/v1/login/password", &request).await.expect("the server answers");
        answer.into().expect("the password signs in")
    }

    async fn try_login(&self, company: &Company, person: &str) -> Result<LoginResponse> {
        let (rest, device_name) = (Rest::new(self.address()), format!("{person}の電話"));
        let answer = match self.way_in(company, person).await? {
            SignIn::Invitation { invitation, password } => {
                let request = InvitationRequest { invitation, password, device_name };
                rest.post("/v1/login/invitation", &request).await?
            }
            SignIn::Password { organisation, email, password } => {
                let request = PasswordRequest { organisation, email, password, device_name };
                rest.post("/v1/login/password", &request).await?
            }
        };
        let login = answer.into()?;
        self.signed_in(company, person);
        Ok(login)
    }

    /// How a person gets in: the first time with an invitation, later with the password that they chose.
    ///
    /// # Errors
    /// If the server knows no such person.
    pub async fn way_in(&self, company: &Company, person: &str) -> Result<SignIn> {
        let (email, password) = (company.email(person), Secret::new(PASSWORD));
        if self.have_passwords().contains(&email) {
            return Ok(SignIn::Password { organisation: Some(company.slug().to_owned()), email, password });
        }
        let link = company.invite(self.folder.path(), person).await?;
        Ok(SignIn::Invitation { invitation: Secret::new(invitation_in(&link)?), password })
    }

    /// Notes that a person got in and has [`PASSWORD`] from now on.
    pub fn signed_in(&self, company: &Company, person: &str) {
        self.have_passwords().insert(company.email(person));
    }

    fn have_passwords(&self) -> MutexGuard<'_, HashSet<String>> {
        self.have_passwords.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An access token of a person.
    ///
    /// # Panics
    /// If signing in is refused.
    pub async fn access_token(&self, person: &str) -> String {
        self.login(person).await.tokens.access_token.expose().to_owned()
    }

    /// What the server answers to opening a sync socket with this bearer.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn socket_status(&self, token: &str) -> StatusCode {
        Rest::new(self.address()).with_token(token).upgrade("/v1/sync").await.expect("the server answers").status
    }

    /// What the server answers to opening a sync socket with this ticket.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn ticket_status(&self, ticket: &str) -> StatusCode {
        let path = format!("/v1/sync?ticket={ticket}");
        Rest::new(self.address()).upgrade(&path).await.expect("the server answers").status
    }
}

/// A world before its server starts.
struct EmptyWorld {
    folder: TempDir,
    clock: TestClock,
    company: Company,
    seed: Seed,
    postgres: Option<Arc<Postgres>>,
}

impl EmptyWorld {
    async fn with_server_here(self) -> World {
        let clock = Arc::new(self.clock.clone());
        let config = Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            database: records_of(self.folder.path()),
            token_key: Some(self.folder.path().join("token-key.pem")),
            login_tries_per_minute: 1_000,
            metrics_listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            ..Config::default()
        };
        let server = Server::start(config, clock).await.expect("the server starts");
        self.with(Host::Here(server))
    }

    fn with(self, host: Host) -> World {
        let Self { folder, clock, company, seed, postgres } = self;
        World { folder, host, clock, company, seed, have_passwords: Mutex::default(), _postgres: postgres }
    }
}

fn folder_for_a_world() -> std::io::Result<TempDir> {
    tempfile::Builder::new().prefix("taiwa-world-").tempdir()
}

/// `TAIWA_TEST_LOG=debug` shows what the server and phones of this process log.
fn show_logs_if_asked() {
    if let Ok(filter) = std::env::var("TAIWA_TEST_LOG") {
        // Another test of this process may have begun already.
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    }
}

/// The secret in an invitation link.
///
/// # Errors
/// If the link holds none.
pub fn invitation_in(link: &str) -> Result<&str> {
    let (_, secret) = link.rsplit_once(['#', '=', '/']).context("an invitation link holds a secret")?;
    Ok(secret)
}
