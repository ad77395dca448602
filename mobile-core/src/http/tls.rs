//! Whom the phone trusts: the public web roots, and the roots that a company adds.
//!
//! The same configuration serves REST and the sync socket.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// The extra roots cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The text holds something that is no certificate.
    #[error("extra roots must be certificates in PEM form")]
    NotPem(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A certificate cannot serve as a root.
    #[error("an extra root is not usable")]
    NotARoot(#[source] rustls::Error),
    /// The library refuses its own defaults.
    #[error("no TLS version is available")]
    NoVersion(#[source] rustls::Error),
}

/// The configuration that trusts the public web roots and the certificates in `extra_roots_pem`.
///
/// # Errors
/// See [`TlsError`].
pub fn client_config(extra_roots_pem: Option<&str>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for root in extra_roots_pem.into_iter().flat_map(|pem| CertificateDer::pem_slice_iter(pem.as_bytes())) {
        let root = root.map_err(|e| TlsError::NotPem(Box::new(e)))?;
        roots.add(root).map_err(TlsError::NotARoot)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::NoVersion)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
