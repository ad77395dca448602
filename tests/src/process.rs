//! The real server as a process: started, killed with -9, restarted on the same data and port, always reaped.
//!
//! Also runs the server's other commands, as an operator does. Builds the binaries once per test run if nobody has.
//! Every process is killed by its own id when its owner is dropped. Knows nothing of what the server stores.

use std::{
    collections::BTreeSet,
    fs::{File, OpenOptions},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rand::RngExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::eventually::eventually;

/// Below the range that Linux gives to outgoing connections, so that a port stays free between a kill and a restart.
const PORTS: std::ops::Range<u16> = 15_000..32_000;
/// A debug build on shared cores starts within a second; ten say that something is wrong.
const START_DEADLINE: Duration = Duration::from_secs(10);
/// Names the database if it is not the file beside it.
const DATABASE_NOTE: &str = "database-url";
/// A server that is up answers at once; whoever does not is asked again.
const ANSWER_DEADLINE: Duration = Duration::from_millis(500);

/// Path of a binary of this workspace, built if it is not up to date.
///
/// # Panics
/// If the build fails.
pub fn binary(name: &'static str) -> PathBuf {
    static BUILT: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    let mut built = BUILT.lock().expect("a failed build ends the tests");
    // `cargo test` builds no binary of another package and sets CARGO; `cargo xtask demo` has built all before.
    if let Some(cargo) = std::env::var_os("CARGO").filter(|_| built.insert(name)) {
        let mut build = Command::new(cargo);
        // Both packages, so that the features of dependencies, and with them their builds, are those of the tests.
        build.args(["build", "--quiet", "--package", "taiwa-server", "--package", "taiwa-tests", "--bin", name]);
        let status = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("start cargo build");
        assert!(status.success(), "cargo build --bin {name} ended with {status}");
    }
    // Next to this process: a test lies in target/debug/deps, the demo in target/debug.
    let here = std::env::current_exe().expect("a process knows its own file");
    let folder = here.parent().expect("a file lies in a folder");
    let folder = if folder.ends_with("deps") { folder.parent().expect("deps lies in a folder") } else { folder };
    folder.join(name)
}

/// A loopback address that nobody listens on.
///
/// # Errors
/// If fifty tries find none.
pub fn free_address() -> Result<SocketAddr> {
    let mut random = rand::rng();
    for _ in 0..50 {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, random.random_range(PORTS)));
        if std::net::TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no free loopback port in {PORTS:?}")
}

/// A child that is killed by its id and reaped when dropped.
#[derive(Debug)]
pub struct Reaped(Child);

impl Reaped {
    /// Takes charge of a child.
    pub fn new(child: Child) -> Self {
        Self(child)
    }

    /// The child, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    /// If the process cannot be killed or waited for.
    pub fn kill(mut self) -> Result<()> {
        self.0.kill().context("kill -9")?;
        self.0.wait().context("wait for the killed process")?;
        Ok(())
    }

    /// SIGTERM, and waits until it ends.
    ///
    /// # Errors
    /// If the signal cannot be sent or the process ends with a failure.
    pub fn terminate(mut self) -> Result<()> {
        let sent = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().context("kill -TERM")?;
        ensure!(sent.success(), "kill -TERM ended with {sent}");
        let ended = self.0.wait().context("wait for the process")?;
        ensure!(ended.success(), "after SIGTERM it ended with {ended}");
        Ok(())
    }
}

impl Drop for Reaped {
    fn drop(&mut self) {
        // Already gone is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server, or the data of one that is down.
#[derive(Debug)]
pub struct ServerProcess {
    folder: PathBuf,
    address: SocketAddr,
    running: Option<Reaped>,
    log_filter: Option<&'static str>,
}

impl ServerProcess {
    /// Starts a server with its data in `folder` on a free port and waits until it answers.
    ///
    /// # Errors
    /// If it does not; the message holds its log.
    pub async fn start(folder: impl Into<PathBuf>) -> Result<Self> {
        Self::start_at(folder, free_address()?).await
    }

    /// Starts a server with its data in `folder` on this address and waits until it answers.
    ///
    /// # Errors
    /// If it does not; the message holds its log.
    pub async fn start_at(folder: impl Into<PathBuf>, address: SocketAddr) -> Result<Self> {
        let mut server = Self { folder: folder.into(), address, running: None, log_filter: None };
        server.restart().await?;
        Ok(server)
    }

    /// [`Self::start`] with another level of the log, as in `TAIWA_LOG_FILTER`.
    ///
    /// # Errors
    /// If it does not answer; the message holds its log.
    pub async fn start_logging(folder: impl Into<PathBuf>, filter: &'static str) -> Result<Self> {
        let address = free_address()?;
        let mut server = Self { folder: folder.into(), address, running: None, log_filter: Some(filter) };
        server.restart().await?;
        Ok(server)
    }

    /// Runs another command of the server on its data, with its settings, and returns what it prints.
    ///
    /// # Errors
    /// If it ends with a failure; the message holds what it said.
    pub async fn run_command(&self, arguments: &[&str]) -> Result<String> {
        run(command(&self.folder, self.address), arguments).await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as phones write it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its database file.
    pub fn database(&self) -> PathBuf {
        database_in(&self.folder)
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Kills it with -9, as a power cut does to a process.
    ///
    /// # Errors
    /// If it is down already.
    pub fn kill(&mut self) -> Result<()> {
        self.running.take().context("the server is down already")?.kill()
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Errors
    /// If it is down already, or ends with a failure.
    pub async fn stop(&mut self) -> Result<()> {
        let running = self.running.take().context("the server is down already")?;
        tokio::task::spawn_blocking(|| running.terminate()).await?
    }

    /// Starts it again on the same data and port, and waits until it answers.
    ///
    /// # Errors
    /// If it runs, or does not answer; the message holds its log.
    pub async fn restart(&mut self) -> Result<()> {
        ensure!(self.running.is_none(), "the server runs already");
        std::fs::create_dir_all(&self.folder)?;
        let mut serve = command(&self.folder, self.address);
        if let Some(filter) = self.log_filter {
            serve.env("TAIWA_LOG_FILTER", filter);
        }
        serve.arg("serve").stdin(Stdio::null()).stdout(self.open_log()?).stderr(self.open_log()?);
        self.running = Some(Reaped::new(serve.spawn().context("start taiwa-server")?));
        self.wait_until_healthy().await
    }

    async fn wait_until_healthy(&mut self) -> Result<()> {
        let address = self.address;
        let child = self.running.as_mut().context("the server is down")?.child();
        let health = eventually("the server answers or ends", START_DEADLINE, || {
            let ended = child.try_wait();
            async move {
                match ended {
                    Ok(Some(status)) => Some(Err(status)),
                    _ => is_healthy(address).await.then_some(Ok(())),
                }
            }
        })
        .await;
        if let Err(status) = health {
            self.running = None;
            bail!("the server ended with {status} instead of serving:\n{}", self.log());
        }
        Ok(())
    }

    /// The file that it logs to.
    pub fn log_file(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    fn open_log(&self) -> Result<File> {
        OpenOptions::new().create(true).append(true).open(self.log_file()).context("open the server's log")
    }
}

/// Runs another command of the server on the data in `folder` and returns what it prints.
///
/// # Errors
/// If it ends with a failure; the message holds what it said.
pub async fn run_server_command(folder: &Path, arguments: &[&str]) -> Result<String> {
    std::fs::create_dir_all(folder)?;
    run(command(folder, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))), arguments).await
}

async fn run(command: Command, arguments: &[&str]) -> Result<String> {
    let mut run = tokio::process::Command::from(command);
    let output = run.args(arguments).stdin(Stdio::null()).output().await.context("start taiwa-server")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "taiwa-server {} ended with {}: {said}", arguments.join(" "), output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// The database file of a server whose data lie in `folder`.
pub fn database_in(folder: &Path) -> PathBuf {
    folder.join("taiwa.db")
}

/// Lets servers and commands in `folder` keep their records in another database than the file there.
///
/// # Errors
/// If that cannot be noted in the folder.
pub fn keep_records_at(folder: &Path, url: &str) -> std::io::Result<()> {
    std::fs::write(folder.join(DATABASE_NOTE), url)
}

/// The database of a server whose data lie in `folder`, as in its settings.
pub fn records_of(folder: &Path) -> String {
    let noted = std::fs::read_to_string(folder.join(DATABASE_NOTE));
    noted.unwrap_or_else(|_| database_in(folder).to_string_lossy().into_owned())
}

/// The server with the settings of tests. It inherits no setting from the person who runs the tests.
fn command(folder: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(binary("taiwa-server"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TAIWA_") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(folder)
        .env("TAIWA_LISTEN", address.to_string())
        .env("TAIWA_PUBLIC_URL", format!("http://{address}"))
        .env("TAIWA_DATABASE", records_of(folder))
        .env("TAIWA_LOGIN_TRIES_PER_MINUTE", "1000");
    command
}

async fn is_healthy(address: SocketAddr) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        stream
            .write_all(format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes())
            .await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer.starts_with("HTTP/1.1 200"))
    };
    // Another process may have the port and never answer.
    matches!(timeout(ANSWER_DEADLINE, ask).await, Ok(Ok(true)))
}
