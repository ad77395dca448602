//! What an operator can set. Read by the CLI from TOML and `TAIWA_*`; tests fill it in by hand.

use std::{net::SocketAddr, path::PathBuf};

/// Settings of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Address to listen on; port 0 picks a free one.
    pub listen: SocketAddr,
    /// How phones reach the server, without a slash at the end; written into invitation links.
    pub public_url: String,
    /// `sqlite:path`, a path, or `postgres://…`.
    pub database: String,
    /// File with the private key that signs access tokens; beside the SQLite file unless set.
    pub token_key: Option<PathBuf>,
    /// Origins from which a browser may open the sync socket, besides the server's own.
    pub allowed_origins: Vec<String>,
    /// How many proxies in front are trusted to add to `X-Forwarded-For`.
    pub trusted_proxies: u8,
    /// Sign-in attempts per minute and address.
    pub login_tries_per_minute: u32,
    /// How logs are written.
    pub log: LogFormat,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 4150)),
            public_url: "http://127.0.0.1:4150".to_owned(),
            database: "./data/taiwa.db".to_owned(),
            token_key: None,
            allowed_origins: Vec::new(),
            trusted_proxies: 0,
            login_tries_per_minute: 20,
            log: LogFormat::Text,
        }
    }
}

impl Config {
    /// The SQLite file, if the database is one.
    pub fn database_file(&self) -> Option<PathBuf> {
        let remote = self.database.starts_with("postgres:") || self.database.starts_with("postgresql:");
        (!remote).then(|| PathBuf::from(self.database.strip_prefix("sqlite:").unwrap_or(&self.database)))
    }

    /// The file with the key that signs access tokens.
    pub fn token_key_file(&self) -> PathBuf {
        match (&self.token_key, self.database_file()) {
            (Some(path), _) => path.clone(),
            (None, Some(database)) => database.with_extension("token-key.pem"),
            (None, None) => PathBuf::from("./data/token-key.pem"),
        }
    }
}
