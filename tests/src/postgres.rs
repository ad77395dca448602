//! A private PostgreSQL server from the machine's own binaries, with a database per test.
//!
//! Tests share one server while any of them runs; the last one takes it down. It listens on a socket in a temporary
//! folder only, runs as an unprivileged user when the tests run as root, and does not sync to disk: what survives a
//! power cut is not tested here.

use std::{
    fs,
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::eventually::eventually;

/// Starting takes two seconds on a free machine.
const START_DEADLINE: Duration = Duration::from_secs(60);
const SUPERUSER: &str = "taiwa";

static SHARED: tokio::sync::Mutex<Weak<Postgres>> = tokio::sync::Mutex::const_new(Weak::new());

/// A running server; ends when the last handle is dropped.
#[derive(Debug)]
pub struct Postgres {
    binaries: PathBuf,
    folder: TempDir,
    process: Mutex<Child>,
    databases: AtomicU32,
}

/// The folder with `initdb` and `postgres`, newest version first; none if there is no PostgreSQL server here.
pub fn binaries() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin")))
        })
        .collect();
    versions.sort_unstable();
    let on_path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let folders = versions.into_iter().rev().map(|(_, folder)| folder).chain(on_path.into_iter().flatten());
    folders.into_iter().find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

impl Postgres {
    /// The server that the running tests share; none if the machine has no PostgreSQL.
    ///
    /// # Errors
    /// If there are binaries but the server does not start; the message holds its log.
    pub async fn shared() -> Result<Option<Arc<Self>>> {
        let mut shared = SHARED.lock().await;
        if let Some(running) = shared.upgrade() {
            return Ok(Some(running));
        }
        let Some(binaries) = binaries() else { return Ok(None) };
        let started = Arc::new(Self::start(binaries, "32MB").await?);
        *shared = Arc::downgrade(&started);
        Ok(Some(started))
    }

    /// A server of one's own with so much memory for its pages, as in PostgreSQL's `shared_buffers`; none likewise.
    ///
    /// # Errors
    /// Likewise.
    pub async fn with_buffers(shared_buffers: &str) -> Result<Option<Self>> {
        match binaries() {
            Some(binaries) => Ok(Some(Self::start(binaries, shared_buffers).await?)),
            None => Ok(None),
        }
    }

    /// The URL of a new, empty database.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn database(&self) -> Result<String> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut create = Command::new(self.binaries.join("createdb"));
        run(create.arg("-h").arg(self.folder.path()).args(["-U", SUPERUSER, &name]))?;
        Ok(format!("postgres://{SUPERUSER}@localhost/{name}?host={}", self.folder.path().display()))
    }

    /// The process that all of its others come from.
    ///
    /// # Panics
    /// If somebody panicked while it was asked for its state.
    pub fn pid(&self) -> u32 {
        self.process.lock().expect("nobody panics while holding the child").id()
    }

    async fn start(binaries: PathBuf, shared_buffers: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("taiwa-pg-").tempdir()?;
        let user = unprivileged_user()?;
        if let Some((user, group)) = user {
            chown(folder.path(), Some(user), Some(group)).context("give the folder to the unprivileged user")?;
        }
        let data = folder.path().join("data");
        let mut initialise = as_user(&binaries.join("initdb"), user);
        initialise.arg("-D").arg(&data).args(["-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        run(initialise.current_dir(folder.path()))?;

        let log = folder.path().join("server.log");
        let output = fs::File::create(&log)?;
        let mut serve = as_user(&binaries.join("postgres"), user);
        serve.arg("-D").arg(&data).arg("-k").arg(folder.path()).current_dir(folder.path());
        for setting in [
            "listen_addresses=",
            "max_connections=300",
            &format!("shared_buffers={shared_buffers}"),
            "fsync=off",
            "full_page_writes=off",
            "synchronous_commit=off",
        ] {
            serve.args(["-c", setting]);
        }
        serve.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let process = Mutex::new(serve.spawn().context("start postgres")?);
        let server = Self { binaries, folder, process, databases: AtomicU32::new(0) };
        let ready = eventually("PostgreSQL is ready or ends", START_DEADLINE, || {
            let state = server.state();
            async move { state.transpose() }
        });
        if let Err(error) = ready.await {
            bail!("{error:#}\n{}", fs::read_to_string(&log).unwrap_or_default());
        }
        Ok(server)
    }

    /// Some if it is ready, none if it is about to be.
    fn state(&self) -> Result<Option<()>> {
        let ended = self.process.lock().expect("no test panics while it holds the child").try_wait()?;
        ensure!(ended.is_none(), "postgres ended instead of serving");
        let mut ask = Command::new(self.binaries.join("pg_isready"));
        let ready =
            ask.arg("-q").arg("-h").arg(self.folder.path()).status().context("ask whether postgres is ready")?;
        Ok(ready.success().then_some(()))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        // "Immediate shutdown": its children end with it. What is left of them would be killed with -9 only.
        let asked = Command::new("kill").args(["-QUIT", &process.id().to_string()]).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = process.kill();
        }
        let _ = process.wait();
    }
}

/// User and group to run as; none if the tests do not run as root, which PostgreSQL refuses.
fn unprivileged_user() -> Result<Option<(u32, u32)>> {
    if fs::metadata("/proc/self").map_or(1, |process| process.uid()) != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").context("look for an unprivileged user")?;
    for name in ["postgres", "nobody"] {
        let line = users.lines().find(|line| line.split(':').next() == Some(name));
        let ids: Option<(u32, u32)> = line.and_then(|line| {
            let mut fields = line.split(':').skip(2);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        });
        if ids.is_some() {
            return Ok(ids);
        }
    }
    bail!("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

fn as_user(program: &Path, user: Option<(u32, u32)>) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    if let Some((user, group)) = user {
        command.uid(user).gid(group);
    }
    command.env_remove("PGDATA").env_remove("PGHOST").env_remove("PGPORT");
    command
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("run {:?}", command.get_program()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{:?} ended with {}: {said}", command.get_program(), output.status);
    Ok(())
}
