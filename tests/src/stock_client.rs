//! A JavaScript `@automerge/automerge-repo` client as a process, driven by lines; see `tests/interop`.
//!
//! Only the ticket adapter is ours; protocol code and CRDT are the published packages, installed on first use.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout},
};

static INSTALLING: Mutex<()> = Mutex::new(());

/// The folder of the JavaScript tests with its packages installed; none if Node or npm is missing.
///
/// # Errors
/// If the packages cannot be installed.
pub fn interop_folder() -> Result<Option<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop");
    if !answers("node") || !answers("npm") {
        return Ok(None);
    }
    let _one_at_a_time = INSTALLING.lock().expect("nothing panics while it installs");
    // npm writes this file last, so what a broken-off installation left is not taken for one.
    if !folder.join("node_modules/.package-lock.json").exists() {
        // The versions of the lock file; it names no host, so any registry will do. `npm ci` refuses such a file where
        // the registry does not offer the optional native parts for other platforms.
        let mut install = Command::new("npm");
        install.args(["install", "--ignore-scripts"]).current_dir(&folder);
        let install = install.output().context("start npm")?;
        ensure!(install.status.success(), "npm install failed: {}", String::from_utf8_lossy(&install.stderr));
    }
    Ok(Some(folder))
}

fn answers(tool: &str) -> bool {
    Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// A running JavaScript client; killed when dropped.
pub struct StockClient {
    _process: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl StockClient {
    /// Starts a client that connects to `server` (`http://…`) with tickets got by `access_token`.
    ///
    /// # Errors
    /// If Node cannot be started.
    pub fn start(folder: &Path, server: &str, access_token: &str) -> Result<Self> {
        let mut node = tokio::process::Command::new("node");
        node.arg("stock_client.js").args([server, access_token]).current_dir(folder);
        let mut process = node
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .context("start node")?;
        let commands = process.stdin.take().context("the client takes commands")?;
        let answers = BufReader::new(process.stdout.take().context("the client answers")?).lines();
        Ok(Self { _process: process, commands, answers })
    }

    /// Opens a document, given as automerge-repo writes its id, and returns its body.
    ///
    /// # Errors
    /// If it is unavailable.
    pub async fn find(&mut self, document: &str) -> Result<String> {
        text_of(&self.ask(json!({ "do": "find", "document": document })).await?)
    }

    /// The body as the client has it now.
    ///
    /// # Errors
    /// If the client ended.
    pub async fn text(&mut self) -> Result<String> {
        text_of(&self.ask(json!({ "do": "text" })).await?)
    }

    /// Deletes and inserts at an index in UTF-16 units, and returns the body.
    ///
    /// # Errors
    /// If the client ended or refused.
    pub async fn splice(&mut self, at: usize, delete: usize, insert: &str) -> Result<String> {
        text_of(&self.ask(json!({ "do": "splice", "at": at, "delete": delete, "insert": insert })).await?)
    }

    /// Leaves the network and stays away.
    ///
    /// # Errors
    /// If the client ended.
    pub async fn disconnect(&mut self) -> Result<()> {
        self.ask(json!({ "do": "disconnect" })).await.map(|_| ())
    }

    /// Comes back, with a new ticket.
    ///
    /// # Errors
    /// If the client ended.
    pub async fn connect(&mut self) -> Result<()> {
        self.ask(json!({ "do": "connect" })).await.map(|_| ())
    }

    async fn ask(&mut self, command: Value) -> Result<Value> {
        self.commands.write_all(format!("{command}\n").as_bytes()).await?;
        let line = self.answers.next_line().await?.context("the JavaScript client ended")?;
        let answer: Value = serde_json::from_str(&line).with_context(|| format!("read {line}"))?;
        if answer.get("failed").is_some() {
            bail!("the JavaScript client says {}", answer["why"]);
        }
        Ok(answer)
    }
}

fn text_of(answer: &Value) -> Result<String> {
    Ok(answer["text"].as_str().context("the answer has no text")?.to_owned())
}
