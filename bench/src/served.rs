//! A server under measurement: a process of its own on a core of its own, killed when it is dropped.
//!
//! Knows how to start any server, to wait until it takes connections, and what it has used since. Builds nothing.

use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use taiwa_tests::process::Reaped;
use tokio::{net::TcpStream, time::Instant};

use crate::machine::{self, Times};

/// Node takes two seconds to load Automerge on a quiet machine.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// A running server.
#[derive(Debug)]
pub(crate) struct Served {
    process: Reaped,
    /// Its process id.
    pub(crate) pid: u32,
    /// Its log.
    log: PathBuf,
}

impl Served {
    /// Starts a server and waits until it takes connections.
    ///
    /// # Errors
    /// If it ends or takes none in time; the message holds its log.
    pub(crate) async fn start(mut command: Command, address: SocketAddr, log: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log).context("open the server's log")?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("start {command:?}"))?;
        let pid = child.id();
        let mut served = Self { process: Reaped::new(child), pid, log: log.to_owned() };
        let started = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            if let Some(status) = served.process.child().try_wait()? {
                bail!("the server ended with {status}:\n{}", served.logged());
            }
            if started.elapsed() > START_DEADLINE {
                bail!("the server takes no connections:\n{}", served.logged());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(served)
    }

    /// Everything it has logged.
    pub(crate) fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// CPU time that it has used and waited for.
    ///
    /// # Errors
    /// If it has ended.
    pub(crate) fn times(&self) -> Result<Times> {
        machine::times(self.pid)
    }

    /// Its memory, in bytes.
    ///
    /// # Errors
    /// If it has ended.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        machine::resident_bytes(self.pid)
    }

    /// SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    /// If it cannot be killed.
    pub(crate) fn kill(self) -> Result<()> {
        self.process.kill()
    }

    /// SIGTERM, and waits until it has ended.
    ///
    /// # Errors
    /// If it ends with a failure.
    pub(crate) fn terminate(self) -> Result<()> {
        self.process.terminate()
    }
}
