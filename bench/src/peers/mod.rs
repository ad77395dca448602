//! The servers of others beside which taiwa is measured, each as its makers mean it to be run, on the same core.
//!
//! Map: [`relay`] forwards and does nothing else: the ceiling; [`samod`] a minimal server around the crate of that name;
//! `bench/peers` holds the two for Node. Every one is given what is best for it: samod does not announce documents, and
//! the sockets of both Rust servers have TCP_NODELAY.

pub(crate) mod relay;
pub(crate) mod samod;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use taiwa_shared::{
    domain::ownership::DocumentKey,
    ids::{MeetingId, PairId, UserId},
};
use taiwa_tests::process::free_address;
use tempfile::TempDir;

use crate::{
    house::{Seat, Table},
    machine,
    participant::Language,
    served::Served,
    socket::Door,
};

/// A server of somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Forwards frames within a room.
    Relay,
    /// samod 0.16 with its file storage.
    Samod,
    /// automerge-repo 2.5.6 with its file storage, as in its sync server.
    AutomergeRepo,
    /// hocuspocus 3.4 that stores each document as a file.
    Hocuspocus,
}

/// A peer that runs.
#[derive(Debug)]
pub(crate) struct Running {
    /// Whose it is.
    pub(crate) peer: Peer,
    folder: TempDir,
    pinned: bool,
    address: SocketAddr,
    server: Option<Served>,
}

impl Peer {
    /// Its name in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Samod => "samod",
            Self::AutomergeRepo => "automerge-repo",
            Self::Hocuspocus => "hocuspocus",
        }
    }

    fn language(self) -> Language {
        match self {
            Self::Relay => Language::Line,
            Self::Samod | Self::AutomergeRepo => Language::Repo,
            Self::Hocuspocus => Language::Yjs,
        }
    }

    /// Starts it on fresh data.
    ///
    /// # Errors
    /// If it does not start.
    pub(crate) async fn start(self, pinned: bool) -> Result<Running> {
        let folder = tempfile::Builder::new().prefix("taiwa-bench-peer-").tempdir()?;
        let address = free_address()?;
        let server = self.serve(folder.path(), address, pinned).await?;
        Ok(Running { peer: self, folder, pinned, address, server: Some(server) })
    }

    async fn serve(self, folder: &Path, address: SocketAddr, pinned: bool) -> Result<Served> {
        let own = || std::env::current_exe().context("a process knows its own file");
        let mut command = match self {
            Self::Relay | Self::Samod => {
                let mut command = machine::on_server_core(own()?, pinned);
                command.args(["as-server", self.name()]);
                command
            }
            Self::AutomergeRepo | Self::Hocuspocus => {
                let mut command = machine::on_server_core("node", pinned);
                command.arg(scripts().join(format!("{}.mjs", self.name()))).current_dir(scripts());
                command
            }
        };
        command.arg(address.to_string()).arg(folder.join("data"));
        Served::start(command, address, &folder.join("server.log")).await
    }
}

impl Running {
    /// A memo of its own for two or more who need no sign-in.
    pub(crate) fn table(&self, number: usize, seats: usize) -> Table {
        let id = |of: u8| -> [u8; 16] {
            let mut id = [of; 16];
            id[8..].copy_from_slice(&(number as u64).to_be_bytes());
            id
        };
        let key = DocumentKey::Memo { pair: PairId::from_bytes(id(1)), meeting: MeetingId::from_bytes(id(2)) };
        let seat = |seat: usize| {
            let path = if self.peer == Peer::Relay { format!("/{number}") } else { "/".to_owned() };
            let door = Door { address: self.address, path, bearer: None };
            // Both of a pair in turn, as at taiwa's tables.
            let user = UserId::from_bytes(id(3 + (seat % 2) as u8));
            Seat { user, door, name: format!("bench-{number}-{seat}") }
        };
        Table { key, seats: (0..seats).map(seat).collect(), language: self.peer.language() }
    }

    /// Its process.
    ///
    /// # Errors
    /// If it is down.
    pub(crate) fn server(&self) -> Result<&Served> {
        self.server.as_ref().context("the server is down")
    }

    /// Everything it has logged.
    pub(crate) fn logged(&self) -> String {
        self.server.as_ref().map(Served::logged).unwrap_or_default()
    }

    /// Kills it with -9 and starts it again on the same data and port.
    ///
    /// # Errors
    /// If it does not start again.
    pub(crate) async fn crash(&mut self) -> Result<()> {
        self.server.take().context("the server is down")?.kill()?;
        self.server = Some(self.peer.serve(self.folder.path(), self.address, self.pinned).await?);
        Ok(())
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// Installs the packages of the two servers for Node, if they are not there.
///
/// # Errors
/// If there is no Node, or npm cannot install them.
pub(crate) fn install() -> Result<()> {
    if !scripts().join("node_modules/.package-lock.json").exists() {
        eprintln!("== npm ci in bench/peers");
        let npm = Command::new("npm").args(["ci", "--ignore-scripts"]).current_dir(scripts()).output();
        let npm = npm.context("start npm")?;
        ensure!(npm.status.success(), "npm ci failed: {}", String::from_utf8_lossy(&npm.stderr));
    }
    Ok(())
}
