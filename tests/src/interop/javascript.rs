//! JavaScript `@automerge/automerge-repo` clients and servers as processes, driven by lines; see `tests/interop`.
//!
//! Only the ticket adapter is ours; protocol code and CRDT are the published packages, installed on first use.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
};

use anyhow::{Context, Result, ensure};
use automerge::ChangeHash;
use serde_json::{Value, json};
use taiwa_shared::{documents::caret::Caret, ids::DocumentId};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout},
    time::timeout,
};

use super::{Guest, Host};
use crate::eventually::PATIENCE;

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

/// A stock repo in a process of its own, asked by lines; killed when dropped.
#[derive(Debug)]
struct StockRepo {
    _process: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl StockRepo {
    fn start(folder: &Path, script: &str, arguments: &[&str]) -> Result<Self> {
        let mut node = tokio::process::Command::new("node");
        node.arg(script).args(arguments).current_dir(folder);
        let mut process = node
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .context("start node")?;
        let commands = process.stdin.take().context("the repo takes commands")?;
        let answers = BufReader::new(process.stdout.take().context("the repo answers")?).lines();
        Ok(Self { _process: process, commands, answers })
    }

    async fn ask(&mut self, command: Value) -> Result<Value> {
        self.commands.write_all(format!("{command}\n").as_bytes()).await?;
        let answer = self.answer().await?;
        ensure!(answer.get("failed").is_none(), "JavaScript says {} to {command}", answer["why"]);
        Ok(answer)
    }

    async fn answer(&mut self) -> Result<Value> {
        let line = timeout(PATIENCE, self.answers.next_line()).await.context("JavaScript answers in time")??;
        let line = line.context("the JavaScript process ended")?;
        serde_json::from_str(&line).with_context(|| format!("read {line}"))
    }

    async fn find(&mut self, document: DocumentId) -> Result<Option<String>> {
        let answer = self.ask(json!({ "do": "find", "document": document.to_base58check() })).await?;
        Ok(if answer["unavailable"] == true { None } else { Some(text_of(&answer)?) })
    }

    async fn text(&mut self, document: DocumentId) -> Result<String> {
        text_of(&self.ask(json!({ "do": "text", "document": document.to_base58check() })).await?)
    }

    async fn splice(&mut self, document: DocumentId, at_utf16: usize, delete: usize, insert: &str) -> Result<()> {
        let document = document.to_base58check();
        let splice =
            json!({ "do": "splice", "document": document, "at": at_utf16, "delete": delete, "insert": insert });
        self.ask(splice).await.map(drop)
    }

    async fn heads(&mut self, document: DocumentId) -> Result<Vec<ChangeHash>> {
        let answer = self.ask(json!({ "do": "heads", "document": document.to_base58check() })).await?;
        let heads: Vec<String> = serde_json::from_value(answer["heads"].clone())?;
        heads.iter().map(|head| Ok(head.parse()?)).collect()
    }

    async fn is_acknowledged(&mut self, document: DocumentId) -> Result<bool> {
        let answer = self.ask(json!({ "do": "acknowledged", "document": document.to_base58check() })).await?;
        answer["acknowledged"].as_bool().context("the answer says whether")
    }
}

fn text_of(answer: &Value) -> Result<String> {
    Ok(answer["text"].as_str().context("the answer has no text")?.to_owned())
}

/// A running JavaScript client.
#[derive(Debug)]
pub struct JavaScriptClient(StockRepo);

impl JavaScriptClient {
    /// Starts a client that connects to this address with tickets got by `access_token`.
    ///
    /// # Errors
    /// If Node cannot be started.
    pub fn start(folder: &Path, address: SocketAddr, access_token: &str) -> Result<Self> {
        let server = format!("http://{address}");
        StockRepo::start(folder, "stock_client.js", &[&server, access_token]).map(Self)
    }

    /// Makes each kind of edit that the library has, but marks, and returns how many changes the document has then.
    ///
    /// # Errors
    /// If the client ended or refused.
    pub async fn everything(&mut self, document: DocumentId) -> Result<u64> {
        let answer = self.0.ask(json!({ "do": "everything", "document": document.to_base58check() })).await?;
        answer["changes"].as_u64().context("the answer has a number")
    }

    /// Makes a key of the document a counter.
    ///
    /// # Errors
    /// If the client ended or refused.
    pub async fn put_counter(&mut self, document: DocumentId, key: &str, value: i64) -> Result<()> {
        let document = document.to_base58check();
        self.0.ask(json!({ "do": "counter", "document": document, "key": key, "value": value })).await.map(drop)
    }

    /// Counts on at a key of the document.
    ///
    /// # Errors
    /// If the client ended or refused.
    pub async fn increment(&mut self, document: DocumentId, key: &str, by: i64) -> Result<()> {
        let document = document.to_base58check();
        self.0.ask(json!({ "do": "increment", "document": document, "key": key, "value": by })).await.map(drop)
    }

    /// The whole document as JSON, and the conflicts at its key `put`.
    ///
    /// # Errors
    /// If the client ended.
    pub async fn json(&mut self, document: DocumentId) -> Result<String> {
        let answer = self.0.ask(json!({ "do": "json", "document": document.to_base58check() })).await?;
        Ok(answer["json"].as_str().context("the answer has JSON")?.to_owned())
    }
}

impl Guest for JavaScriptClient {
    async fn find(&mut self, document: DocumentId) -> Result<Option<String>> {
        self.0.find(document).await
    }

    async fn text(&mut self, document: DocumentId) -> Result<String> {
        self.0.text(document).await
    }

    async fn splice(&mut self, document: DocumentId, at_utf16: usize, delete: usize, insert: &str) -> Result<()> {
        self.0.splice(document, at_utf16, delete, insert).await
    }

    async fn put(&mut self, document: DocumentId, key: &str, value: &str) -> Result<()> {
        let document = document.to_base58check();
        self.0.ask(json!({ "do": "put", "document": document, "key": key, "value": value })).await.map(drop)
    }

    async fn heads(&mut self, document: DocumentId) -> Result<Vec<ChangeHash>> {
        self.0.heads(document).await
    }

    async fn is_acknowledged(&mut self, document: DocumentId) -> Result<bool> {
        self.0.is_acknowledged(document).await
    }

    async fn show_caret(&mut self, document: DocumentId, caret: &Caret) -> Result<()> {
        let (document, cursor) = (document.to_base58check(), hex::encode(&caret.cursor));
        let show = json!({ "do": "show", "document": document, "cursor": cursor, "typing": caret.typing });
        self.0.ask(show).await.map(drop)
    }

    async fn carets(&mut self, document: DocumentId) -> Result<Vec<Caret>> {
        let answer = self.0.ask(json!({ "do": "carets", "document": document.to_base58check() })).await?;
        let carets = answer["carets"].as_array().context("the answer has carets")?;
        let caret = |it: &Value| {
            let cursor = hex::decode(it["cursor"].as_str().context("a caret has a cursor")?)?;
            Ok(Caret { cursor, typing: it["typing"] == true })
        };
        carets.iter().map(caret).collect()
    }

    async fn invent(&mut self, body: &str) -> Result<DocumentId> {
        let answer = self.0.ask(json!({ "do": "invent", "body": body })).await?;
        let document = answer["document"].as_str().context("the answer names the document")?;
        Ok(DocumentId::from_base58check(document)?)
    }

    async fn leave(&mut self) -> Result<()> {
        self.0.ask(json!({ "do": "disconnect" })).await.map(drop)
    }

    async fn come_back(&mut self) -> Result<()> {
        self.0.ask(json!({ "do": "connect" })).await.map(drop)
    }
}

/// A running JavaScript sync server, which forgets everything when it ends.
#[derive(Debug)]
pub struct JavaScriptServer {
    repo: StockRepo,
    address: SocketAddr,
}

impl JavaScriptServer {
    /// Starts a server.
    ///
    /// # Errors
    /// If Node cannot be started.
    pub async fn start(folder: &Path) -> Result<Self> {
        let mut repo = StockRepo::start(folder, "stock_server.js", &[])?;
        let port = repo.answer().await?["port"].as_u64().context("the first line names the port")?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(port)?));
        Ok(Self { repo, address })
    }
}

impl Host for JavaScriptServer {
    fn address(&self) -> SocketAddr {
        self.address
    }

    async fn find(&mut self, document: DocumentId) -> Result<Option<String>> {
        self.repo.find(document).await
    }

    async fn text(&mut self, document: DocumentId) -> Result<String> {
        self.repo.text(document).await
    }

    async fn splice(&mut self, document: DocumentId, at_utf16: usize, delete: usize, insert: &str) -> Result<()> {
        self.repo.splice(document, at_utf16, delete, insert).await
    }

    async fn heads(&mut self, document: DocumentId) -> Result<Vec<ChangeHash>> {
        self.repo.heads(document).await
    }
}
