//! A certificate authority of the test's own, and a terminator that puts TLS in front of a server.
//!
//! The certificate names `localhost` and 127.0.0.1. Nothing here is trusted unless a test says so.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Makes ring the process's provider of cryptography; saying it again changes nothing.
pub fn install_crypto() {
    // Another module of this process may have said so before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A certificate authority nobody knows.
pub struct TestAuthority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl TestAuthority {
    /// A new authority with a new key.
    ///
    /// # Errors
    /// If the key or certificate cannot be made.
    pub fn new() -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        Ok(Self { issuer })
    }

    /// The authority's certificate in DER, for those who shall trust it.
    pub fn certificate_der(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    /// The authority's certificate in PEM.
    pub fn certificate_pem(&self) -> String {
        self.issuer.pem()
    }

    fn server_config(&self) -> Result<ServerConfig> {
        let key = KeyPair::generate()?;
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names)?.signed_by(&key, &self.issuer)?;
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        install_crypto();
        ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).context("use the certificate")
    }
}

/// TLS in front of a server; gone when dropped.
pub struct TlsFront {
    address: SocketAddr,
    stop: CancellationToken,
}

impl TlsFront {
    /// Listens on a free loopback port and passes on what arrives over TLS.
    ///
    /// # Errors
    /// If the port or the certificate cannot be had.
    pub async fn open(authority: &TestAuthority, target: SocketAddr) -> Result<Self> {
        let acceptor = TlsAcceptor::from(Arc::new(authority.server_config()?));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let connections = TaskTracker::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            while let Some(Ok((plain, _))) = stopped.run_until_cancelled(listener.accept()).await {
                let connection = pass_on(acceptor.clone(), plain, target);
                let stopped = stopped.clone();
                connections.spawn(async move { stopped.run_until_cancelled(connection).await });
            }
        });
        Ok(Self { address, stop })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// One connection; an error ends it, as a broken line does.
async fn pass_on(acceptor: TlsAcceptor, plain: TcpStream, target: SocketAddr) -> Result<()> {
    let mut secure = acceptor.accept(plain).await?;
    let mut server = TcpStream::connect(target).await?;
    tokio::io::copy_bidirectional(&mut secure, &mut server).await?;
    Ok(())
}
