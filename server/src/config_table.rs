//! Every setting, once: its key, variable, default, unit and meaning, and how its text becomes a setting.
//!
//! `Config::load` reads by this table; `taiwa-server configuration` and `docs/configuration.md` are printed from it.

use std::{fmt::Write, path::PathBuf, str::FromStr};

use crate::config::{Config, ConfigError, LogFormat, refused};

/// How a value is written in the TOML file; in a variable everything is text, and lists have commas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    List,
}

/// One setting.
pub(crate) struct Setting {
    pub(crate) key: &'static str,
    pub(crate) variable: &'static str,
    pub(crate) kind: Kind,
    default: &'static str,
    unit: &'static str,
    meaning: &'static str,
    /// A value that is not the default.
    example: &'static str,
    pub(crate) set: fn(&mut Config, &str) -> Result<(), ConfigError>,
}

pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        key: "listen",
        variable: "TAIWA_LISTEN",
        kind: Kind::Text,
        default: "127.0.0.1:4150",
        unit: "address and port",
        meaning: "where the server listens; port 0 picks a free one",
        example: "127.0.0.1:4151",
        set: |config, text| {
            config.listen = parsed("listen", text, "is not an address and port: write for example 127.0.0.1:4150")?;
            Ok(())
        },
    },
    Setting {
        key: "public_url",
        variable: "TAIWA_PUBLIC_URL",
        kind: Kind::Text,
        default: "`http://` and `listen`",
        unit: "URL without a path",
        meaning: "how phones reach the server; written into invitation links",
        example: "https://taiwa.example.jp",
        set: |config, text| {
            text.clone_into(&mut config.public_url);
            Ok(())
        },
    },
    Setting {
        key: "database",
        variable: "TAIWA_DATABASE",
        kind: Kind::Text,
        default: "./data/taiwa.db",
        unit: "path or URL",
        meaning: "a path, `sqlite:path`, or `postgres://user@host/name`",
        example: "/var/lib/taiwa/taiwa.db",
        set: |config, text| {
            text.clone_into(&mut config.database);
            Ok(())
        },
    },
    Setting {
        key: "token_key",
        variable: "TAIWA_TOKEN_KEY",
        kind: Kind::Text,
        default: "beside the SQLite file; `./data/token-key.pem` with PostgreSQL",
        unit: "path",
        meaning: "private key that signs access tokens; made at the first start",
        example: "/var/lib/taiwa/token-key.pem",
        set: |config, text| {
            config.token_key = Some(PathBuf::from(text));
            Ok(())
        },
    },
    Setting {
        key: "rating_key",
        variable: "TAIWA_RATING_KEY",
        kind: Kind::Text,
        default: "beside the file of `token_key`",
        unit: "path",
        meaning: "key under which ratings are kept; made at the first start; without it old ratings no longer count",
        example: "/var/lib/taiwa/rating-key",
        set: |config, text| {
            config.rating_key = Some(PathBuf::from(text));
            Ok(())
        },
    },
    Setting {
        key: "allowed_origins",
        variable: "TAIWA_ALLOWED_ORIGINS",
        kind: Kind::List,
        default: "none",
        unit: "origins",
        meaning: "origins, besides the server's own, from which a browser may open the sync socket",
        example: "https://app.example.jp,https://other.example.jp",
        set: |config, text| {
            config.allowed_origins = text.split(',').map(|origin| origin.trim().to_owned()).collect();
            Ok(())
        },
    },
    Setting {
        key: "trusted_proxies",
        variable: "TAIWA_TRUSTED_PROXIES",
        kind: Kind::Number,
        default: "0",
        unit: "proxies",
        meaning: "proxies in front that may add to `X-Forwarded-For`",
        example: "1",
        set: |config, text| {
            config.trusted_proxies =
                parsed("trusted_proxies", text, "is not a number of proxies: write 0, or 1 for one")?;
            Ok(())
        },
    },
    Setting {
        key: "login_tries_per_minute",
        variable: "TAIWA_LOGIN_TRIES_PER_MINUTE",
        kind: Kind::Number,
        default: "20",
        unit: "per minute and address",
        meaning: "sign-in attempts",
        example: "30",
        set: |config, text| {
            config.login_tries_per_minute =
                parsed("login_tries_per_minute", text, "is not a number: write for example 20")?;
            Ok(())
        },
    },
    Setting {
        key: "metrics_listen",
        variable: "TAIWA_METRICS_LISTEN",
        kind: Kind::Text,
        default: "off",
        unit: "address and port, or `off`",
        meaning: "where `/metrics` is served for Prometheus, to this machine alone",
        example: "127.0.0.1:9464",
        set: |config, text| {
            let advice = "is not an address and port: write for example 127.0.0.1:9464, or off";
            config.metrics_listen = match text {
                "off" => None,
                address => Some(parsed("metrics_listen", address, advice)?),
            };
            Ok(())
        },
    },
    Setting {
        key: "log",
        variable: "TAIWA_LOG",
        kind: Kind::Text,
        default: "text",
        unit: "`text` or `json`",
        meaning: "how logs are written",
        example: "json",
        set: |config, text| {
            config.log = match text {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                other => return Err(refused("log", other, "is not a format: write text or json")),
            };
            Ok(())
        },
    },
];

fn parsed<T: FromStr>(key: &'static str, text: &str, advice: &'static str) -> Result<T, ConfigError> {
    text.trim().parse().map_err(|_| refused(key, text, advice))
}

/// The reference of all settings, as `docs/configuration.md` has it.
pub fn reference() -> String {
    let mut text = String::from(
        "# Settings of the server\n\n\
         Printed by `taiwa-server configuration` from the table that the server reads by. Defaults, then the TOML file\n\
         given with `--config`, then environment variables; an empty value counts as not given. `allowed_origins` is a\n\
         list in the file and has commas in the variable.\n\n\
         | key | variable | default | unit | meaning | example of a variable |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for Setting { key, variable, default, unit, meaning, example, .. } in SETTINGS {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| `{key}` | `{variable}` | {default} | {unit} | {meaning} | `{example}` |");
    }
    text.push_str(
        "\n`TAIWA_LOG_FILTER` is a variable only: levels of the log, as in `info,taiwa_server=debug`. Logs hold ids and\n\
         durations, never contents, names, addresses or tokens; of libraries only warnings and errors are written, whatever is asked for.\n",
    );
    text
}

/// The key that differs least from a wrong one.
pub(crate) fn nearest(wrong: &str) -> &'static str {
    SETTINGS.iter().map(|setting| setting.key).min_by_key(|key| distance(wrong, key)).unwrap_or("listen")
}

/// How many characters have to be added, removed or changed.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, a) in from.chars().enumerate() {
        let mut next = vec![line + 1];
        for (column, b) in to.iter().enumerate() {
            let changed = row[column] + usize::from(a != *b);
            next.push(changed.min(row[column + 1] + 1).min(next[column] + 1));
        }
        row = next;
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;

    fn from_file(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taiwa.toml");
        fs::write(&path, text).unwrap();
        Config::load(Some(&path), &|_| None)
    }

    #[test]
    fn every_key_and_every_variable_of_the_table_is_read() {
        let mut seen = BTreeSet::new();
        for setting in SETTINGS {
            let variable = |name: &str| (name == setting.variable).then(|| setting.example.to_owned());
            let by_variable = Config::load(None, &variable).unwrap();
            assert_ne!(by_variable, Config::default(), "{} changes nothing", setting.variable);
            let value = match setting.kind {
                Kind::Text => format!("'{}'", setting.example),
                Kind::Number => setting.example.to_owned(),
                Kind::List => format!("['{}']", setting.example.replace(',', "', '")),
            };
            let by_file = from_file(&format!("{} = {value}\n", setting.key)).unwrap();
            assert_eq!(by_file, by_variable, "{}", setting.key);
            assert_eq!(setting.variable, format!("TAIWA_{}", setting.key.to_uppercase()));
            assert!(seen.insert(format!("{by_variable:?}")), "{} does what another key does", setting.key);
        }
    }

    #[test]
    fn the_defaults_of_the_table_are_the_defaults() {
        for setting in SETTINGS.iter().filter(|setting| !setting.default.contains(' ') && setting.default != "none") {
            let mut config = Config::default();
            (setting.set)(&mut config, setting.default).unwrap();
            assert_eq!(config, Config::default(), "{}", setting.key);
        }
    }

    #[test]
    fn the_reference_in_docs_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
        let written = fs::read_to_string(path).unwrap_or_default();
        assert!(
            written == reference(),
            "docs/configuration.md is not what the code says: run\n  cargo run -p taiwa-server -- configuration > docs/configuration.md"
        );
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_the_nearest() {
        for (file, nearest) in [("lisen = 'x'", "listen"), ("tokenkey = 'x'", "token_key"), ("logs = 'x'", "log")] {
            let error = from_file(file).unwrap_err().to_string();
            assert!(error.contains(&format!("did you mean `{nearest}`?")), "{error}");
        }
        let error = from_file("trusted_proxies = '1'").unwrap_err().to_string();
        assert!(error.contains("`trusted_proxies` takes a number"), "{error}");
    }
}
