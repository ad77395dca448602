//! Where a server is; refused where a password or token would leave the device in the clear.

use std::{fmt, str::FromStr};

use reqwest::Url;

/// The address of a server, such as `https://taiwa.example.co.jp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl(Url);

/// The text is not an address that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is no absolute address.
    #[error("server address must look like https://taiwa.example.com")]
    Malformed,
    /// It has no TLS and leaves this device.
    #[error("server address must begin with https:// unless the server is on this device")]
    NotEncrypted,
}

impl ServerUrl {
    /// The address of a route.
    pub(super) fn route(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(path);
        url
    }
}

impl FromStr for ServerUrl {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut url = Url::parse(text.trim()).map_err(|_| AddressError::Malformed)?;
        let host = url.host_str().ok_or(AddressError::Malformed)?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(host) => {}
            "http" => return Err(AddressError::NotEncrypted),
            _ => return Err(AddressError::Malformed),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::Malformed);
        }
        url.set_path("");
        url.set_query(None);
        url.set_fragment(None);
        Ok(Self(url))
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_never_leaves_the_device_unencrypted() {
        for (text, expected) in [
            ("https://taiwa.example.com", Ok("https://taiwa.example.com")),
            ("https://taiwa.example.com:8443/", Ok("https://taiwa.example.com:8443")),
            ("http://127.0.0.1:8080", Ok("http://127.0.0.1:8080")),
            ("http://[::1]:8080", Ok("http://[::1]:8080")),
            ("http://localhost:8080", Ok("http://localhost:8080")),
            ("http://taiwa.example.com", Err(AddressError::NotEncrypted)),
            ("http://127.0.0.1.example.com", Err(AddressError::NotEncrypted)),
            ("http://192.168.0.2", Err(AddressError::NotEncrypted)),
            ("ftp://taiwa.example.com", Err(AddressError::Malformed)),
            ("https://user:secret@taiwa.example.com", Err(AddressError::Malformed)),
            ("taiwa.example.com", Err(AddressError::Malformed)),
            ("", Err(AddressError::Malformed)),
        ] {
            let read = text.parse::<ServerUrl>().map(|url| url.to_string());
            assert_eq!(read, expected.map(str::to_owned), "{text}");
        }
    }
}
