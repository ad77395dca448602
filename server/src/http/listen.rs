//! Accepting connections, and letting go of those that say nothing.
//!
//! Every living client says something: a request right after connecting, a pong each 20 seconds on a socket. Without a
//! limit, connections that never do would pile up, each with a file descriptor.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::{Instant, Sleep, sleep},
};

/// Longer than the longest request (30 s) and than four missed pongs.
const SILENCE: Duration = Duration::from_secs(90);

/// The address at the other end of a connection; a proxy's, if there is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Where connections come from: a TCP port, or a network that tests simulate.
pub trait Door: Send + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// The next connection, and the address at its other end.
    fn accept(&mut self) -> impl Future<Output = (Self::Stream, SocketAddr)> + Send;

    /// Where it listens.
    ///
    /// # Errors
    /// If that cannot be told.
    fn address(&self) -> io::Result<SocketAddr>;
}

impl Door for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        let (stream, peer) = Listener::accept(self).await;
        // Without it an edit waits up to 40 ms for the acknowledgement of the one before.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = &error as &dyn std::error::Error, "no TCP_NODELAY");
        }
        (stream, peer)
    }

    fn address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }
}

/// Answers connections until `stopping`, then waits for the requests under way.
pub(crate) async fn serve(
    door: impl Door,
    router: Router,
    stopping: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let service = router.into_make_service_with_connect_info::<Peer>();
    axum::serve(Impatient(door), service).with_graceful_shutdown(stopping).await
}

struct Impatient<D>(D);

impl<D: Door> Listener for Impatient<D> {
    type Io = Talking<D::Stream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Talking<D::Stream>, SocketAddr) {
        let (stream, peer) = self.0.accept().await;
        (Talking { stream, heard: Instant::now(), silence: Box::pin(sleep(SILENCE)) }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.address()
    }
}

impl<D: Door> Connected<IncomingStream<'_, Impatient<D>>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Impatient<D>>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// A connection that fails when nothing was read for [`SILENCE`].
struct Talking<S> {
    stream: S,
    heard: Instant,
    /// Set anew only when it fires: a timer is dearer than noting the time.
    silence: Pin<Box<Sleep>>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Talking<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_ready() {
            self.heard = Instant::now();
            return read;
        }
        while self.silence.as_mut().poll(cx).is_ready() {
            let until = self.heard + SILENCE;
            if until <= Instant::now() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.silence.as_mut().reset(until);
        }
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Talking<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt, time::timeout};

    use super::*;

    #[tokio::test]
    async fn a_connection_that_says_nothing_is_let_go() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut listener = Impatient(listener);
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let _client = client.unwrap();
        let (mut talking, _) = accepted;
        // As if the ninety seconds were over, at first since the timer was set, then since something was heard.
        talking.silence.as_mut().reset(Instant::now());
        let mut buffer = [0];
        assert!(timeout(Duration::ZERO, talking.read(&mut buffer)).await.is_err(), "it was heard just now");
        talking.heard = Instant::now().checked_sub(SILENCE).unwrap();
        talking.silence.as_mut().reset(Instant::now());
        let read = timeout(Duration::from_secs(20), talking.read(&mut buffer)).await.unwrap();
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
