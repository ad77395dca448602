//! A relay in front of a server that answers in its place or loses its replies, for one route and as a test decides.
//!
//! Reads HTTP/1.1 as phones write it, one request per connection; everything else, sockets too, passes as it is. A phone's
//! [`Link`](crate::link::Link) is led to it. Ends with its owner.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Where a head ends and the body begins.
const END_OF_HEAD: &[u8] = b"\r\n\r\n";
/// A phone's heads are a few hundred bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// What happens to a request instead of being carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The relay answers; the server hears nothing.
    Answer {
        /// HTTP status.
        status: u16,
        /// Media type of the body.
        media_type: &'static str,
        /// The body.
        body: String,
    },
    /// The server does what was asked, and the connection ends before its reply arrives.
    ReplyLost,
}

impl Fault {
    /// A problem as the server writes it.
    pub fn problem(status: u16, code: &str, retry_after_seconds: Option<u32>) -> Self {
        let mut problem = json!({ "code": code, "title": "from the relay", "status": status });
        if let Some(seconds) = retry_after_seconds {
            problem["retry_after_seconds"] = seconds.into();
        }
        Self::Answer { status, media_type: "application/problem+json", body: problem.to_string() }
    }

    /// A page as machines between a phone and its server write it.
    pub fn page(status: u16) -> Self {
        Self::Answer { status, media_type: "text/html", body: "<h1>Sorry</h1>".to_owned() }
    }
}

type Judge = Box<dyn FnMut(&str) -> Option<Fault> + Send>;

struct Shared {
    target: SocketAddr,
    /// Method and path of the route that is judged.
    route: &'static str,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    judge: Option<Judge>,
    faults: usize,
}

/// A relay to a server.
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
}

impl Relay {
    /// Opens a relay to `target` that carries everything; `route` is method and path of what it may come to judge.
    ///
    /// # Errors
    /// If no loopback port can be had.
    pub async fn open(target: SocketAddr, route: &'static str) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { target, route, state: Mutex::default() });
        let stop = CancellationToken::new();
        tokio::spawn(accept(listener, shared.clone(), stop.clone()));
        Ok(Self { address, shared, stop })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on asks `judge` about each body sent to the route.
    pub fn judge(&self, judge: impl FnMut(&str) -> Option<Fault> + Send + 'static) {
        self.shared.state().judge = Some(Box::new(judge));
    }

    /// Carries everything from now on.
    pub fn mend(&self) {
        self.shared.state().judge = None;
    }

    /// How many requests were answered here, or done by the server without a reply.
    pub fn faults(&self) -> usize {
        self.shared.state().faults
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, body: &[u8]) -> Option<Fault> {
        self.state().judge.as_mut()?(&String::from_utf8_lossy(body))
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    while let Some(Ok((phone, _))) = stop.run_until_cancelled(listener.accept()).await {
        let (shared, stop) = (shared.clone(), stop.clone());
        tasks.spawn(async move {
            // Whoever goes away ends what was carried for them.
            let _ = stop.run_until_cancelled(carry(phone, &shared)).await;
        });
    }
}

async fn carry(mut phone: TcpStream, shared: &Shared) -> io::Result<()> {
    let (head, mut body) = read_head(&mut phone).await?;
    let mut fault = None;
    if head.starts_with(&format!("{} ", shared.route)) {
        read_body(&mut phone, &head, &mut body).await?;
        fault = shared.fault(&body);
    }
    if let Some(Fault::Answer { status, media_type, body }) = &fault {
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} From the relay\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        );
        shared.state().faults += 1;
        phone.write_all(format!("{head}{body}").as_bytes()).await?;
        return phone.shutdown().await;
    }
    let mut server = TcpStream::connect(shared.target).await?;
    server.write_all(alone(&head).as_bytes()).await?;
    server.write_all(&body).await?;
    if fault == Some(Fault::ReplyLost) {
        server.read_to_end(&mut Vec::new()).await?;
        shared.state().faults += 1;
        return Ok(());
    }
    copy_bidirectional(&mut phone, &mut server).await?;
    Ok(())
}

/// The head, and what came of the body with it.
async fn read_head(phone: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut read = Vec::new();
    loop {
        if let Some(at) = read.windows(END_OF_HEAD.len()).position(|window| window == END_OF_HEAD) {
            let body = read.split_off(at + END_OF_HEAD.len());
            return Ok((String::from_utf8_lossy(&read).into_owned(), body));
        }
        if read.len() > MAX_HEAD_BYTES || phone.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

async fn read_body(phone: &mut TcpStream, head: &str, body: &mut Vec<u8>) -> io::Result<()> {
    let length = head.lines().filter_map(|line| line.split_once(':'));
    let length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.filter_map(|(_, value)| value.trim().parse().ok()).next().unwrap_or(0);
    while body.len() < length {
        if phone.read_buf(body).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// The head of a request after which the connection ends, so that each request is seen; a socket's stays as it is.
fn alone(head: &str) -> String {
    let is_socket = head.lines().any(|line| line.to_ascii_lowercase().starts_with("upgrade:"));
    if is_socket { head.to_owned() } else { head.replacen("\r\n", "\r\nconnection: close\r\n", 1) }
}
