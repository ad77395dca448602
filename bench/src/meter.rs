//! A line to a server that counts what goes over it, and may be long.
//!
//! On a long one everything arrives half a round trip after it was sent, so that the time something takes says how many round trips it
//! takes. Changes nothing.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    time::{Instant, sleep_until},
};

/// Much longer than either side works between two messages.
pub(crate) const ROUND_TRIP: Duration = Duration::from_millis(400);

/// What went over the line.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Count {
    /// Bytes to the server.
    pub(crate) up: u64,
    /// Bytes to the client.
    pub(crate) down: u64,
}

/// The line.
#[derive(Debug)]
pub(crate) struct Meter {
    address: SocketAddr,
    count: Arc<Mutex<Count>>,
    is_long: Arc<AtomicBool>,
}

impl Meter {
    /// Opens a line to a server.
    ///
    /// # Errors
    /// If nothing can listen on the loopback.
    pub(crate) async fn open(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, count, is_long) = (listener.local_addr()?, Arc::<Mutex<Count>>::default(), Arc::default());
        let (counted, long) = (Arc::clone(&count), Arc::clone(&is_long));
        tokio::task::spawn_local(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(server).await else { continue };
                // Latency of the line itself is not measured.
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                tokio::task::spawn_local(forward(
                    from_client,
                    to_server,
                    Arc::clone(&counted),
                    Arc::clone(&long),
                    true,
                ));
                tokio::task::spawn_local(forward(
                    from_server,
                    to_client,
                    Arc::clone(&counted),
                    Arc::clone(&long),
                    false,
                ));
            }
        });
        Ok(Self { address, count, is_long })
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes the line long from now on.
    pub(crate) fn lengthen(&self) {
        self.is_long.store(true, Ordering::Release);
    }

    /// What went over it since it was asked last.
    pub(crate) fn take(&self) -> Count {
        std::mem::take(&mut *self.count.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    count: Arc<Mutex<Count>>,
    is_long: Arc<AtomicBool>,
    is_up: bool,
) {
    let (sender, mut under_way) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let read = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
            *(if is_up { &mut count.up } else { &mut count.down }) += length as u64;
            // The other half lives as long as this one.
            let way = if is_long.load(Ordering::Acquire) { ROUND_TRIP / 2 } else { Duration::ZERO };
            let _ = sender.send((Instant::now() + way, buffer[..length].to_vec()));
        }
        drop(sender);
    };
    let write = async {
        while let Some((due, bytes)) = under_way.recv().await {
            sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(read, write);
}

/// Round trips in a time over the line: whatever is beyond a whole one was work.
pub(crate) fn round_trips(took: Duration) -> f64 {
    (took.as_secs_f64() / ROUND_TRIP.as_secs_f64()).floor()
}
