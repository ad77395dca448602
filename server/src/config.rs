//! What an operator can set. Read by the CLI from TOML and `TAIWA_*`; tests fill it in by hand.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use crate::config_table::{Kind, SETTINGS, nearest};

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
    /// File with the key under which ratings are kept; beside the one for tokens unless set.
    pub rating_key: Option<PathBuf>,
    /// Origins from which a browser may open the sync socket, besides the server's own.
    pub allowed_origins: Vec<String>,
    /// How many proxies in front are trusted to add to `X-Forwarded-For`.
    pub trusted_proxies: u8,
    /// Sign-in attempts per minute and address.
    pub login_tries_per_minute: u32,
    /// Address of this machine at which `/metrics` is served, on a port of its own; not served if there is none.
    pub metrics_listen: Option<SocketAddr>,
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
            rating_key: None,
            allowed_origins: Vec::new(),
            trusted_proxies: 0,
            login_tries_per_minute: 20,
            metrics_listen: None,
            log: LogFormat::Text,
        }
    }
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("reading the settings file {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML, or has a key or value that is not known.
    #[error("settings file {}: {detail}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Where, and what is wrong.
        detail: String,
    },
    /// A value cannot be used.
    #[error("setting {key}: {value:?} {advice}")]
    Value {
        /// The key or variable.
        key: &'static str,
        /// What stands there.
        value: String,
        /// What to write.
        advice: &'static str,
    },
}

impl Config {
    /// Settings from the defaults, the file if one is given, and the environment.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to write.
    pub fn load(path: Option<&Path>, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut file = match path {
            Some(path) => read_file(path)?,
            None => BTreeMap::new(),
        };
        let mut config = Self { public_url: String::new(), ..Self::default() };
        for setting in SETTINGS {
            let in_file = file.remove(setting.key);
            let given = environment(setting.variable).filter(|text| !text.is_empty()).or(in_file);
            if let Some(text) = given.filter(|text| !text.is_empty()) {
                (setting.set)(&mut config, &text)?;
            }
        }
        if config.public_url.is_empty() {
            config.public_url = format!("http://{}", config.listen);
        }
        config.checked()
    }

    fn checked(mut self) -> Result<Self, ConfigError> {
        let url = self.public_url.trim_end_matches('/');
        if !is_origin(url) {
            let advice = "is not how phones reach the server: write for example https://taiwa.example.jp";
            return Err(refused("public_url", &self.public_url, advice));
        }
        self.public_url = url.to_owned();
        if let Some(origin) = self.allowed_origins.iter().find(|origin| !is_origin(origin)) {
            let advice = "is not an origin: write for example https://app.example.jp, without a path";
            return Err(refused("allowed_origins", origin, advice));
        }
        if self.login_tries_per_minute == 0 {
            return Err(refused("login_tries_per_minute", "0", "would let nobody sign in: write for example 20"));
        }
        if let Some(address) = self.metrics_listen.filter(|address| !address.ip().is_loopback()) {
            let advice = "can be reached from other machines, and metrics ask for no sign-in: write for example \
                          127.0.0.1:9464, or off";
            return Err(refused("metrics_listen", &address.to_string(), advice));
        }
        if self.database.contains("://") && self.database_file().is_some() {
            let scheme = self.database.split("://").next().unwrap_or_default();
            let advice = "is not a kind of database: write a path, sqlite:path or postgres://user@host/name";
            return Err(refused("database", scheme, advice));
        }
        Ok(self)
    }

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

    /// The file with the key under which ratings are kept.
    pub fn rating_key_file(&self) -> PathBuf {
        match (&self.rating_key, &self.token_key, self.database_file()) {
            (Some(path), ..) => path.clone(),
            (None, None, Some(database)) => database.with_extension("rating-key"),
            (None, ..) => self.token_key_file().with_file_name("rating-key"),
        }
    }
}

/// The keys of the file with their values as text; every key may be left out.
fn read_file(path: &Path) -> Result<BTreeMap<String, String>, ConfigError> {
    let wrong = |detail| ConfigError::File { path: path.to_owned(), detail };
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let mut values = BTreeMap::new();
    for (key, value) in table {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else {
            return Err(wrong(format!("unknown key `{key}`: did you mean `{}`?", nearest(&key))));
        };
        let text = as_text(setting.kind, value).map_err(|takes| wrong(format!("`{key}` takes {takes}")))?;
        values.insert(key, text);
    }
    Ok(values)
}

/// The value as a variable would have it, or what the key takes instead.
fn as_text(kind: Kind, value: toml::Value) -> Result<String, &'static str> {
    match (kind, value) {
        (Kind::Text, toml::Value::String(text)) => Ok(text),
        (Kind::Text, _) => Err("a text in quotes"),
        (Kind::Number, toml::Value::Integer(number)) => Ok(number.to_string()),
        (Kind::Number, _) => Err("a number, without quotes"),
        (Kind::List, toml::Value::Array(items)) => {
            let texts: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
            texts.map(|texts| texts.join(",")).ok_or("a list of texts, as in [\"https://app.example.jp\"]")
        }
        (Kind::List, _) => Err("a list of texts, as in [\"https://app.example.jp\"]"),
    }
}

pub(crate) fn refused(key: &'static str, value: &str, advice: &'static str) -> ConfigError {
    ConfigError::Value { key, value: value.to_owned(), advice }
}

/// Scheme, host and perhaps port, nothing after that.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty() && !host.contains(['/', '?', '#', '@']) && !host.contains(char::is_whitespace)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: Option<&str>, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taiwa.toml");
        if let Some(text) = file {
            fs::write(&path, text).unwrap();
        }
        let lookup =
            |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Config::load(file.map(|_| path.as_path()), &lookup)
    }

    #[test]
    fn the_environment_comes_before_the_file_and_the_file_before_the_defaults() {
        let file = "listen = '127.0.0.1:1'\npublic_url = 'https://taiwa.example.jp/'\nlog = 'json'\n";
        let config = load(Some(file), &[("TAIWA_LISTEN", "127.0.0.1:2"), ("TAIWA_DATABASE", "")]).unwrap();
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.public_url, "https://taiwa.example.jp");
        assert_eq!(config.log, LogFormat::Json);
        assert_eq!(config.database, "./data/taiwa.db");
        assert_eq!(config.token_key_file(), PathBuf::from("./data/taiwa.token-key.pem"));
        assert_eq!(config.rating_key_file(), PathBuf::from("./data/taiwa.rating-key"));
        let elsewhere = load(Some("token_key = '/etc/taiwa/token-key.pem'"), &[]).unwrap();
        assert_eq!(elsewhere.rating_key_file(), PathBuf::from("/etc/taiwa/rating-key"));
        let moved = load(None, &[("TAIWA_LISTEN", "127.0.0.1:4999")]).unwrap();
        assert_eq!(moved.public_url, "http://127.0.0.1:4999");
        assert_eq!(load(None, &[]).unwrap(), Config::default());
    }

    #[test]
    fn a_setting_that_cannot_be_used_is_named_with_what_to_write() {
        for (file, environment, expected) in [
            (None, ("TAIWA_LISTEN", "4150"), "setting listen: \"4150\" is not an address and port: write"),
            (None, ("TAIWA_LOG", "xml"), "setting log: \"xml\" is not a format: write text or json"),
            (None, ("TAIWA_PUBLIC_URL", "taiwa.example.jp"), "setting public_url: \"taiwa.example.jp\" is not how"),
            (
                None,
                ("TAIWA_ALLOWED_ORIGINS", "https://a.jp,b.jp"),
                "setting allowed_origins: \"b.jp\" is not an origin",
            ),
            (None, ("TAIWA_DATABASE", "mysql://me:secret@x/y"), "setting database: \"mysql\" is not a kind of"),
            (None, ("TAIWA_METRICS_LISTEN", "0.0.0.0:9464"), "setting metrics_listen: \"0.0.0.0:9464\" can be reached"),
            (None, ("TAIWA_METRICS_LISTEN", "yes"), "setting metrics_listen: \"yes\" is not an address and port"),
            (None, ("TAIWA_LOGIN_TRIES_PER_MINUTE", "many"), "setting login_tries_per_minute: \"many\" is not"),
            (Some("lisen = 'x'"), ("", ""), "unknown key `lisen`: did you mean `listen`?"),
            (Some("listen = 'x"), ("", ""), "line 1"),
            (Some("log = 'xml'"), ("", ""), "is not a format: write text or json"),
        ] {
            let error = load(file, &[environment]).unwrap_err().to_string();
            assert!(error.contains(expected), "{expected}\n{error}");
        }
        let missing = Config::load(Some(Path::new("/nowhere/taiwa.toml")), &|_| None).unwrap_err();
        assert!(missing.to_string().contains("/nowhere/taiwa.toml"));
    }
}
