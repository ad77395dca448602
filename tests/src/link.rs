//! A line between a phone and a server that a test makes slow, silent or breaks: a TCP proxy on loopback.
//!
//! Delay and jitter come from a seed, per connection and direction; bytes keep their order, as TCP promises. Carries any
//! protocol and reads none. Ends with its owner: dropping a [`Link`] resets what it carries.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use rand::{RngExt, rngs::StdRng};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::seed::Seed;

/// 16 KiB at a time, as a kernel hands them over.
const READ_BYTES: usize = 16 * 1024;
/// At most this many pieces under way in each direction (1 MiB); then the sender waits, as with a full window.
const PIECES_UNDER_WAY: usize = 64;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the phone to the server.
    Up,
    /// From the server to the phone.
    Down,
}

/// How a direction behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weather {
    /// Time every byte takes.
    pub delay: Duration,
    /// Up to this much more, drawn for each piece.
    pub jitter: Duration,
    /// Bytes in a second; none for no limit.
    pub bytes_per_second: Option<u32>,
}

impl Weather {
    /// A train between two tunnels: 60–140 ms each way, 256 kbit/s.
    pub const fn train() -> Self {
        Self { delay: Duration::from_millis(60), jitter: Duration::from_millis(80), bytes_per_second: Some(32 * 1024) }
    }
}

/// What a test has decided about the line; connections watch it.
#[derive(Debug, Clone)]
struct Line {
    target: SocketAddr,
    weather: [Weather; 2],
    held: [bool; 2],
    refusing: bool,
    /// Connections with a smaller number are reset.
    cut_before: u64,
    /// Connections with a smaller number carry nothing any more, and nobody is told.
    lost_before: u64,
}

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    delivered_bytes: [AtomicU64; 2],
}

/// A line to a server.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    line: Arc<watch::Sender<Line>>,
    counters: Arc<Counters>,
    stop: CancellationToken,
}

impl Link {
    /// Opens a line to `target` in fair weather.
    ///
    /// # Errors
    /// If no loopback port can be had.
    pub async fn open(target: SocketAddr, seed: Seed) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let line = Line {
            target,
            weather: [Weather::default(); 2],
            held: [false; 2],
            refusing: false,
            cut_before: 0,
            lost_before: 0,
        };
        let line = Arc::new(watch::Sender::new(line));
        let counters = Arc::new(Counters::default());
        let stop = CancellationToken::new();
        let accepting = accept(listener, line.clone(), counters.clone(), seed, stop.clone());
        tokio::spawn(accepting);
        Ok(Self { address, line, counters, stop })
    }

    /// Where phones connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leads new connections elsewhere.
    pub fn lead_to(&self, target: SocketAddr) {
        self.line.send_modify(|line| line.target = target);
    }

    /// Both directions behave like this from now on.
    pub fn set_weather(&self, weather: Weather) {
        self.line.send_modify(|line| line.weather = [weather; 2]);
    }

    /// One direction behaves like this from now on.
    pub fn set_weather_of(&self, direction: Direction, weather: Weather) {
        self.line.send_modify(|line| line.weather[direction as usize] = weather);
    }

    /// Resets every connection; new ones are carried.
    pub fn cut(&self) {
        let next = self.counters.connections.load(Ordering::SeqCst);
        self.line.send_modify(|line| line.cut_before = next);
    }

    /// Every connection falls silent for good and neither end is told, as when a phone changes from Wi-Fi to mobile.
    pub fn lose(&self) {
        let next = self.counters.connections.load(Ordering::SeqCst);
        self.line.send_modify(|line| line.lost_before = next);
    }

    /// Resets every connection and every attempt to make one, until [`Self::heal`]: a phone without a network.
    pub fn go_down(&self) {
        let next = self.counters.connections.load(Ordering::SeqCst);
        self.line.send_modify(|line| {
            line.refusing = true;
            line.cut_before = next;
        });
    }

    /// Connections open and stay, but nothing arrives either way until [`Self::heal`]: a black hole.
    pub fn partition(&self) {
        self.line.send_modify(|line| line.held = [true; 2]);
    }

    /// Nothing arrives in this direction until [`Self::heal`].
    pub fn hold(&self, direction: Direction) {
        self.line.send_modify(|line| line.held[direction as usize] = true);
    }

    /// Fair weather; what was held arrives now.
    pub fn heal(&self) {
        self.line.send_modify(|line| {
            line.weather = [Weather::default(); 2];
            line.held = [false; 2];
            line.refusing = false;
        });
    }

    /// Bytes that have left the line in this direction, over all connections.
    pub fn delivered_bytes(&self, direction: Direction) -> u64 {
        self.counters.delivered_bytes[direction as usize].load(Ordering::SeqCst)
    }

    /// Connections that were ever opened.
    pub fn connections(&self) -> u64 {
        self.counters.connections.load(Ordering::SeqCst)
    }

    /// Plays `gusts` seeded pieces of bad weather, cuts, silences and partitions, 10–120 ms each; then resets all that is
    /// left and heals.
    pub async fn storm(&self, mut random: StdRng, gusts: u32) {
        for _ in 0..gusts {
            match random.random_range(0..8) {
                0 => self.cut(),
                1 => self.lose(),
                2 => self.go_down(),
                3 => self.partition(),
                4 => self.hold(Direction::Up),
                5 => self.hold(Direction::Down),
                6 => self.set_weather(Weather::train()),
                _ => self.heal(),
            }
            sleep(Duration::from_millis(random.random_range(10..120))).await;
            // Mostly one thing at a time, sometimes two at once.
            if random.random_bool(0.7) {
                self.heal();
            }
        }
        self.cut();
        self.heal();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn accept(
    listener: TcpListener,
    line: Arc<watch::Sender<Line>>,
    counters: Arc<Counters>,
    seed: Seed,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let Ok((client, _)) = accepted else { continue };
        let number = counters.connections.fetch_add(1, Ordering::SeqCst);
        let connection = Connection { number, seed, line: line.subscribe(), counters: counters.clone() };
        let stopped = stop.clone();
        connections.spawn(async move { stopped.run_until_cancelled(connection.carry(client)).await });
    }
}

#[derive(Clone)]
struct Connection {
    number: u64,
    seed: Seed,
    line: watch::Receiver<Line>,
    counters: Arc<Counters>,
}

impl Connection {
    async fn carry(self, mut client: TcpStream) {
        let (target, refusing) = {
            let line = self.line.borrow();
            (line.target, line.refusing)
        };
        if refusing {
            return reset(&client);
        }
        let Ok(mut server) = TcpStream::connect(target).await else {
            return reset(&client);
        };
        // Delay is the link's to decide, not the kernel's.
        if client.set_nodelay(true).is_err() || server.set_nodelay(true).is_err() {
            return;
        }
        let end = {
            let (from_client, to_client) = client.split();
            let (from_server, to_server) = server.split();
            let up = self.pump(Direction::Up, from_client, to_server);
            let down = self.pump(Direction::Down, from_server, to_client);
            tokio::select! {
                result = async { tokio::try_join!(up, down) } => if result.is_ok() { End::Closed } else { End::Cut },
                end = self.decided_end() => end,
            }
        };
        match end {
            End::Closed => {}
            End::Cut => {
                reset(&client);
                reset(&server);
            }
            // Each end may notice on its own and close; the other is not told.
            End::Lost => {
                let mut line = self.line.clone();
                let noticed = async { tokio::join!(discard(&mut client), discard(&mut server)) };
                tokio::select! {
                    _ = noticed => return,
                    _ = line.wait_for(|line| line.cut_before > self.number) => {}
                }
                reset(&client);
                reset(&server);
            }
        }
    }

    /// Waits until the test cuts or loses this connection.
    async fn decided_end(&self) -> End {
        let number = self.number;
        let mut line = self.line.clone();
        match line.wait_for(|line| line.cut_before > number || line.lost_before > number).await {
            Ok(line) if line.cut_before > number => End::Cut,
            Ok(_) => End::Lost,
            Err(_) => End::Cut,
        }
    }

    async fn pump(
        &self,
        direction: Direction,
        mut from: tcp::ReadHalf<'_>,
        mut to: tcp::WriteHalf<'_>,
    ) -> io::Result<()> {
        let (queue, mut queued) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES_UNDER_WAY);
        let mut random = self.seed.generator(&format!("link/{}/{direction:?}", self.number));
        let reading = async {
            let mut due = Instant::now();
            loop {
                let mut piece = vec![0; READ_BYTES];
                let length = from.read(&mut piece).await?;
                piece.truncate(length);
                let weather = self.line.borrow().weather[direction as usize];
                due = due.max(Instant::now() + weather.delay + weather.jitter.mul_f64(random.random_range(0.0..1.0)));
                // An empty piece says that the sender has closed; the writer always outlives this.
                if queue.send((due, piece)).await.is_err() || length == 0 {
                    return io::Result::Ok(());
                }
            }
        };
        let mut line = self.line.clone();
        let writing = async {
            while let Some((due, piece)) = queued.recv().await {
                sleep_until(due).await;
                if line.wait_for(|line| !line.held[direction as usize]).await.is_err() {
                    return Ok(());
                }
                if piece.is_empty() {
                    return to.shutdown().await;
                }
                to.write_all(&piece).await?;
                self.counters.delivered_bytes[direction as usize].fetch_add(piece.len() as u64, Ordering::SeqCst);
                let limit = line.borrow().weather[direction as usize].bytes_per_second;
                if let Some(limit) = limit {
                    sleep(Duration::from_secs_f64(piece.len() as f64 / f64::from(limit.max(1)))).await;
                }
            }
            Ok(())
        };
        tokio::try_join!(reading, writing).map(|_| ())
    }
}

enum End {
    Closed,
    Cut,
    Lost,
}

/// Makes the coming close a reset.
fn reset(stream: &TcpStream) {
    // A socket that is already closed cannot be reset, and need not be.
    let _ = stream.set_zero_linger();
}

/// Reads what still comes, until this end closes.
async fn discard(stream: &mut TcpStream) {
    let mut piece = vec![0; READ_BYTES];
    while matches!(stream.read(&mut piece).await, Ok(length) if length > 0) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that says everything back.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        address
    }

    async fn say(stream: &mut TcpStream, text: &[u8]) -> io::Result<Vec<u8>> {
        stream.write_all(text).await?;
        let mut answer = vec![0; text.len()];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn a_fair_line_carries_both_ways_and_counts() {
        let link = Link::open(echo().await, Seed::fixed(1)).await.unwrap();
        let mut phone = TcpStream::connect(link.address()).await.unwrap();
        assert_eq!(say(&mut phone, b"hello").await.unwrap(), b"hello");
        assert_eq!((link.delivered_bytes(Direction::Up), link.delivered_bytes(Direction::Down)), (5, 5));
    }

    #[tokio::test]
    async fn what_a_partition_held_arrives_after_it() {
        let link = Link::open(echo().await, Seed::fixed(2)).await.unwrap();
        let mut phone = TcpStream::connect(link.address()).await.unwrap();
        say(&mut phone, b"before").await.unwrap();
        link.partition();
        phone.write_all(b"held").await.unwrap();
        let mut answer = [0; 4];
        let waiting = tokio::time::timeout(Duration::from_millis(50), phone.read_exact(&mut answer)).await;
        assert!(waiting.is_err(), "nothing passes a partition");
        link.heal();
        phone.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"held");
    }

    #[tokio::test]
    async fn a_cut_resets_what_is_open_and_carries_what_comes_after() {
        let link = Link::open(echo().await, Seed::fixed(3)).await.unwrap();
        let mut phone = TcpStream::connect(link.address()).await.unwrap();
        say(&mut phone, b"before").await.unwrap();
        link.cut();
        assert_eq!(phone.read(&mut [0; 8]).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        let mut phone = TcpStream::connect(link.address()).await.unwrap();
        assert_eq!(say(&mut phone, b"after").await.unwrap(), b"after");
    }

    #[tokio::test]
    async fn a_lost_connection_is_silent_to_both_ends() {
        let link = Link::open(echo().await, Seed::fixed(4)).await.unwrap();
        let mut phone = TcpStream::connect(link.address()).await.unwrap();
        say(&mut phone, b"before").await.unwrap();
        link.lose();
        phone.write_all(b"nobody hears").await.unwrap();
        let waiting = tokio::time::timeout(Duration::from_millis(50), phone.read(&mut [0; 8])).await;
        assert!(waiting.is_err(), "neither bytes nor an end");
    }

    #[tokio::test]
    async fn a_slow_line_takes_its_time_and_keeps_the_order() {
        let link = Link::open(echo().await, Seed::fixed(5)).await.unwrap();
        let delay = Duration::from_millis(20);
        link.set_weather(Weather { delay, jitter: Duration::from_millis(10), bytes_per_second: None });
        let mut phone = TcpStream::connect(link.address()).await.unwrap();
        let started = Instant::now();
        let text: Vec<u8> = (0..100).collect();
        for piece in text.chunks(10) {
            phone.write_all(piece).await.unwrap();
        }
        let mut answer = vec![0; text.len()];
        phone.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, text);
        assert!(started.elapsed() >= 2 * delay);
    }

    #[tokio::test]
    async fn a_line_that_is_down_takes_no_connection() {
        let link = Link::open(echo().await, Seed::fixed(6)).await.unwrap();
        link.go_down();
        let mut phone = TcpStream::connect(link.address()).await.unwrap();
        assert!(say(&mut phone, b"x").await.is_err());
        link.heal();
        let mut phone = TcpStream::connect(link.address()).await.unwrap();
        assert_eq!(say(&mut phone, b"x").await.unwrap(), b"x");
    }
}
