//! Where the sync socket is: derived from the server's address, and refused where it would send tokens in the clear.
//!
//! Used when the socket is opened. It knows nothing about certificates.

use std::{fmt, net::IpAddr};

use tokio_tungstenite::tungstenite::http::Uri;

/// Path of the sync socket on every server.
const SYNC_PATH: &str = "/v1/sync";

/// The address of a server's sync socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncAddress(Uri);

/// The address cannot be used for synchronising.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is no absolute `https` address.
    #[error("server address must look like https://taiwa.example.com")]
    Malformed,
    /// It has no TLS and leaves this device.
    #[error("server address must begin with https:// unless the server is on this device")]
    NotEncrypted,
}

impl SyncAddress {
    /// The socket of the server at `server_url` (`https://host`, or `http://` on the loopback interface only).
    ///
    /// # Errors
    /// [`AddressError::NotEncrypted`] if the token would leave this device unencrypted; [`AddressError::Malformed`] otherwise.
    pub fn of_server(server_url: &str) -> Result<Self, AddressError> {
        let server: Uri = server_url.trim_end_matches('/').parse().map_err(|_| AddressError::Malformed)?;
        let authority = server.authority().ok_or(AddressError::Malformed)?;
        let scheme = match server.scheme_str() {
            Some("https" | "wss") => "wss",
            Some("http" | "ws") if is_loopback(authority.host()) => "ws",
            Some("http" | "ws") => return Err(AddressError::NotEncrypted),
            _ => return Err(AddressError::Malformed),
        };
        // A user name in the address would end up in logs of proxies.
        if authority.as_str().contains('@') || server.query().is_some() {
            return Err(AddressError::Malformed);
        }
        let path = format!("{}{SYNC_PATH}", server.path().trim_end_matches('/'));
        Uri::builder()
            .scheme(scheme)
            .authority(authority.as_str())
            .path_and_query(path)
            .build()
            .map(Self)
            .map_err(|_| AddressError::Malformed)
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.0
    }
}

impl fmt::Display for SyncAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_never_leaves_the_device_without_tls() {
        let check = |given: &str| SyncAddress::of_server(given).map(|address| address.to_string());
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(check("https://taiwa.example.com"), ok("wss://taiwa.example.com/v1/sync"));
        assert_eq!(check("https://example.com:8443/taiwa/"), ok("wss://example.com:8443/taiwa/v1/sync"));
        assert_eq!(check("http://127.0.0.1:4000"), ok("ws://127.0.0.1:4000/v1/sync"));
        assert_eq!(check("http://[::1]:4000"), ok("ws://[::1]:4000/v1/sync"));
        assert_eq!(check("http://localhost:4000/"), ok("ws://localhost:4000/v1/sync"));
        assert_eq!(check("http://taiwa.example.com"), Err(AddressError::NotEncrypted));
        assert_eq!(check("ws://192.168.1.5:4000"), Err(AddressError::NotEncrypted));
        assert_eq!(check("http://127.0.0.1.example.com"), Err(AddressError::NotEncrypted));
        assert_eq!(check("http://localhost@example.com"), Err(AddressError::NotEncrypted));
        assert_eq!(check("https://name:word@example.com"), Err(AddressError::Malformed));
        assert_eq!(check("taiwa.example.com"), Err(AddressError::Malformed));
        assert_eq!(check(""), Err(AddressError::Malformed));
    }
}
