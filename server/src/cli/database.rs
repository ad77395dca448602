//! What an operator does to the database as a whole while the server stands still.

use anyhow::{Context, Result, bail};
use taiwa_shared::time::Clock;

use crate::{
    clock::SystemClock,
    config::Config,
    store::{ServerLock, Store},
};

pub(super) async fn restored(config: &Config) -> Result<()> {
    let now = SystemClock.now();
    let _lock = match config.database_file() {
        Some(path) => ServerLock::take(&path).context("the server still runs on this database: stop it first")?,
        None => match ServerLock::take_session(&config.database).await? {
            Some(lock) => lock,
            None => bail!("the server still runs on this database: stop it first"),
        },
    };
    let store = Store::open(&config.database, now).await?;
    let epoch = store.renew_epoch(now).await?;
    store.close().await;
    println!("the database has a new store epoch, {epoch}; start the server now");
    Ok(())
}
