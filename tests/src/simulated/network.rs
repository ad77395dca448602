//! A network in memory, from a seed: every line splits what it carries at any byte, delays and stalls it, and breaks,
//! falls silent, holds or refuses as a test decides.
//!
//! Streams keep their order and lose nothing before they end, as TCP's do: a lost packet is a stall, a lost line is
//! silence. Uses no socket; its time is the simulation's.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rand::{RngExt, rngs::StdRng};
use taiwa_server::Door;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split},
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};

use super::tap::{Said, Tapped};
use crate::seed::Seed;

/// What an end may write before anybody reads: small, so that a silent reader is felt.
const BUFFER_BYTES: usize = 8 * 1024;
/// Pieces under way in one direction of a connection.
const PIECES_UNDER_WAY: usize = 64;
/// Connections that wait to be accepted.
const BACKLOG: usize = 64;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the server.
    Up,
    /// From the server.
    Down,
}

/// What a test has decided about a line.
#[derive(Debug, Clone)]
struct Line {
    delay: Duration,
    jitter: Duration,
    /// How often in a hundred a piece is lost and sent again later.
    stalls: u32,
    held: [bool; 2],
    refusing: bool,
    /// Connections with a smaller number are broken.
    cut_before: u64,
    /// Connections with a smaller number carry nothing any more, and nobody is told.
    lost_before: u64,
    /// The next connection breaks after so many bytes from the server, wherever that is in a frame.
    break_after: Option<u64>,
}

const FAIR: Line = Line {
    delay: Duration::from_millis(2),
    jitter: Duration::ZERO,
    stalls: 0,
    held: [false; 2],
    refusing: false,
    cut_before: 0,
    lost_before: 0,
    break_after: None,
};

/// How often each thing happened.
pub type Counts = BTreeMap<&'static str, u64>;

type Accepting = mpsc::Sender<(Tapped, SocketAddr)>;

/// Lines to one server. Clones are the same network.
#[derive(Debug, Clone)]
pub struct Network(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    seed: Seed,
    lines: Vec<(watch::Sender<Line>, Said)>,
    door: Mutex<Option<Accepting>>,
    connections: Mutex<u64>,
    counts: Mutex<Counts>,
}

/// Where a server accepts the connections of this network.
#[derive(Debug)]
pub struct NetworkDoor(mpsc::Receiver<(Tapped, SocketAddr)>);

impl Door for NetworkDoor {
    type Stream = Tapped;

    async fn accept(&mut self) -> (Tapped, SocketAddr) {
        match self.0.recv().await {
            Some(connection) => connection,
            // The network has gone; nobody will come any more.
            None => std::future::pending().await,
        }
    }

    fn address(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::from(([127, 0, 0, 1], 0)))
    }
}

impl Network {
    /// A network of so many lines in fair weather, with nobody at the other end.
    pub fn new(seed: Seed, lines: usize) -> Self {
        let lines = (0..lines).map(|_| (watch::Sender::new(FAIR), Said::default())).collect();
        let (door, connections, counts) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self(Arc::new(Shared { seed, lines, door, connections, counts }))
    }

    /// A door for a server; an earlier one gets no connections any more.
    pub fn open_door(&self) -> NetworkDoor {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        *lock(&self.0.door) = Some(sender);
        NetworkDoor(receiver)
    }

    /// What the server said on a line.
    pub fn said(&self, line: usize) -> &Said {
        &self.0.lines[line].1
    }

    /// Notes that something happened.
    pub fn count(&self, what: &'static str) {
        *lock(&self.0.counts).entry(what).or_default() += 1;
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        lock(&self.0.counts).clone()
    }

    /// Opens a connection on a line.
    ///
    /// # Errors
    /// If the line refuses, or no server is there.
    pub async fn connect(&self, line: usize) -> io::Result<DuplexStream> {
        let (decided, said) = &self.0.lines[line];
        let delay = decided.borrow().delay;
        sleep(delay).await;
        let door = lock(&self.0.door).clone();
        let door = door.filter(|door| !door.is_closed() && !decided.borrow().refusing);
        let Some(door) = door else {
            self.count("connection refused");
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let number = {
            let mut connections = lock(&self.0.connections);
            *connections += 1;
            *connections
        };
        let (client, from_client) = duplex(BUFFER_BYTES);
        let (from_server, server) = duplex(BUFFER_BYTES);
        let address = SocketAddr::from(([127, 0, 0, 1], 1_024 + line as u16));
        door.send((Tapped::new(server, said.clone()), address)).await.map_err(|_| io::ErrorKind::ConnectionRefused)?;
        let mut break_after = None;
        decided.send_modify(|line| break_after = line.break_after.take());
        let connection = Connection { number, break_after, network: self.clone(), line: decided.subscribe() };
        tokio::spawn(connection.carry(from_client, from_server));
        Ok(client)
    }

    /// Breaks every connection of a line.
    pub fn cut(&self, line: usize) {
        let next = *lock(&self.0.connections) + 1;
        self.change(line, |line| line.cut_before = next);
    }

    /// Every connection of a line falls silent for good and neither end is told.
    pub fn lose(&self, line: usize) {
        let next = *lock(&self.0.connections) + 1;
        self.change(line, |line| line.lost_before = next);
    }

    /// Nothing arrives in this direction until [`Self::heal`].
    pub fn hold(&self, line: usize, direction: Direction) {
        self.change(line, |line| line.held[direction as usize] = true);
    }

    /// Breaks every connection and refuses new ones until [`Self::heal`].
    pub fn refuse(&self, line: usize) {
        self.cut(line);
        self.change(line, |line| line.refusing = true);
    }

    /// A slow line that loses packets, until [`Self::heal`].
    pub fn slow(&self, line: usize) {
        let (delay, jitter) = (Duration::from_millis(60), Duration::from_millis(300));
        self.change(line, |line| *line = Line { delay, jitter, stalls: 4, ..line.clone() });
    }

    /// Breaks the present connections, and the next one after so many bytes from the server.
    pub fn break_after(&self, line: usize, bytes: u64) {
        self.cut(line);
        self.change(line, |line| line.break_after = Some(bytes));
    }

    /// Fair weather; what was held arrives now. What was lost stays silent until one end gives up.
    pub fn heal(&self, line: usize) {
        self.change(line, |line| {
            *line = Line { cut_before: line.cut_before, lost_before: line.lost_before, ..FAIR };
        });
    }

    fn change(&self, line: usize, change: impl FnOnce(&mut Line)) {
        self.0.lines[line].0.send_modify(change);
    }
}

struct Connection {
    number: u64,
    break_after: Option<u64>,
    network: Network,
    line: watch::Receiver<Line>,
}

impl Connection {
    async fn carry(self, client: DuplexStream, server: DuplexStream) {
        let (from_client, to_client) = split(client);
        let (from_server, to_server) = split(server);
        let (mut decided, number) = (self.line.clone(), self.number);
        let ended = async {
            let up = self.pump(Direction::Up, from_client, to_server);
            let down = self.pump(Direction::Down, from_server, to_client);
            // Whatever ends one direction ends both.
            let _ = tokio::try_join!(up, down);
        };
        // An error says that the network has gone. Both ends see the end when the halves are dropped.
        tokio::select! {
            () = ended => {}
            _ = decided.wait_for(|line| line.cut_before > number) => {}
        }
    }

    async fn pump(
        &self,
        direction: Direction,
        mut from: ReadHalf<DuplexStream>,
        mut to: WriteHalf<DuplexStream>,
    ) -> io::Result<()> {
        let (queue, mut queued) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES_UNDER_WAY);
        let mut random: StdRng = self.network.0.seed.generator(&format!("line/{}/{direction:?}", self.number));
        let longest = [16, 200, 4_096][random.random_range(0..3)];
        let number = self.number;
        let reading = async {
            let mut due = Instant::now();
            loop {
                let mut piece = vec![0; random.random_range(1..=longest)];
                let length = from.read(&mut piece).await?;
                piece.truncate(length);
                let (delay, jitter, stalls) = {
                    let line = self.line.borrow();
                    (line.delay, line.jitter, line.stalls)
                };
                let mut arrives = Instant::now() + delay + jitter.mul_f64(random.random_range(0.0..1.0));
                if random.random_range(0..100) < stalls {
                    arrives += Duration::from_millis(random.random_range(200..3_000));
                    self.network.count("packet lost");
                }
                due = due.max(arrives);
                // An empty piece says that the sender has closed; the writer always outlives this.
                if queue.send((due, piece)).await.is_err() || length == 0 {
                    return io::Result::Ok(());
                }
            }
        };
        let mut decided = self.line.clone();
        let mut left = self.break_after.filter(|_| direction == Direction::Down);
        let writing = async {
            while let Some((due, piece)) = queued.recv().await {
                sleep_until(due).await;
                let is_free = |line: &Line| !line.held[direction as usize] && line.lost_before <= number;
                if decided.wait_for(is_free).await.is_err() {
                    return Ok(());
                }
                if piece.is_empty() {
                    return to.shutdown().await;
                }
                let fits = left.map_or(piece.len(), |left| piece.len().min(left as usize));
                to.write_all(&piece[..fits]).await?;
                if let Some(left) = &mut left {
                    *left -= fits as u64;
                    if *left == 0 {
                        self.network.count("connection broken at a byte");
                        return Err(io::ErrorKind::ConnectionReset.into());
                    }
                }
            }
            Ok(())
        };
        tokio::try_join!(reading, writing).map(|_| ())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
