//! `serve`: phones until SIGTERM or Ctrl-C, and the log.

use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::{
    clock::SystemClock,
    config::{Config, LogFormat},
    server::Server,
};

pub(super) async fn serve(config: Config) -> Result<()> {
    start_log(config.log);
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
    let server = Server::start(config, Arc::new(SystemClock)).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    server.stop().await;
    Ok(())
}

/// What is logged holds no contents, addresses or names; `TAIWA_LOG_FILTER` sets levels, as in `info,taiwa_server=debug`.
fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_env("TAIWA_LOG_FILTER").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => log.json().init(),
    }
}
