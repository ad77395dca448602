//! `serve`: phones until SIGTERM or Ctrl-C, and the log.

use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use tracing::Level;
use tracing_subscriber::{EnvFilter, Layer, filter::filter_fn, layer::SubscriberExt, util::SubscriberInitExt};

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
/// Libraries only warn, whatever the levels: below that, some write out what they carry, and others make a span for each
/// column of each change.
fn start_log(format: LogFormat) {
    let levels = EnvFilter::try_from_env("TAIWA_LOG_FILTER").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let log = match format {
        LogFormat::Text => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        LogFormat::Json => log.json().boxed(),
    };
    let discreet = filter_fn(|what| is_ours(what.target()) || *what.level() <= Level::WARN);
    tracing_subscriber::registry().with(levels).with(discreet).with(log).init();
}

fn is_ours(target: &str) -> bool {
    target.split("::").next().is_some_and(|krate| krate == "taiwa" || krate.starts_with("taiwa_"))
}
