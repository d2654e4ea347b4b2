//! Settings of a client's TLS connections, parsed once.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::ca_file::{self, CaFileError};
use crate::stream::ClientStream;

/// Authorities that a client trusts, with its cache of sessions. Clones share both.
#[derive(Debug, Clone)]
pub struct ClientTls {
    /// `None` stands for the system's authorities, which the process reads at its first TLS connection.
    named: Option<Arc<ClientConfig>>,
}

impl ClientTls {
    /// Trusts the system's authorities alone: those of `SSL_CERT_FILE` and `SSL_CERT_DIR` if they are
    /// set, else those of the operating system. The process reads them once, when they are first needed: that
    /// takes milliseconds, and most processes never connect by TLS.
    ///
    /// A system without authorities is no error, because a client may use plain HTTP alone; its TLS
    /// connections fail.
    #[must_use]
    pub fn system() -> ClientTls {
        ClientTls::make_ring_default();
        ClientTls { named: None }
    }

    /// Trusts the system's authorities, and those of a PEM file if one is named.
    ///
    /// # Errors
    /// When the file cannot be read, has no certificate, or has a broken one.
    pub fn load(ca_file: Option<&Path>) -> Result<ClientTls, CaFileError> {
        let Some(path) = ca_file else { return Ok(ClientTls::system()) };
        let mut roots = system_roots().clone();
        ca_file::add(path, &mut roots)?;
        Ok(ClientTls { named: Some(trusting(roots)) })
    }

    fn config(&self) -> &Arc<ClientConfig> {
        static SYSTEM: OnceLock<Arc<ClientConfig>> = OnceLock::new();
        self.named.as_ref().unwrap_or_else(|| SYSTEM.get_or_init(|| trusting(system_roots().clone())))
    }

    /// Makes ring the cryptography of libraries in this process that name none. Without it, a
    /// `reqwest` client without settings of its own panics. Another choice made earlier stays.
    pub fn make_ring_default() {
        // The error has the earlier choice, which is as good.
        drop(ring::default_provider().install_default());
    }

    /// Returns the settings for a library that makes TLS connections by itself, such as
    /// `reqwest::ClientBuilder::tls_backend_preconfigured`.
    #[must_use]
    pub fn rustls(&self) -> ClientConfig {
        ClientConfig::clone(self.config())
    }

    /// Returns the same settings with protocols to offer, the preferred one first, such as `h2` and `http/1.1`. The cache
    /// of sessions is shared.
    #[must_use]
    pub fn offering(&self, protocols: &[&str]) -> ClientTls {
        let mut config = self.rustls();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        ClientTls { named: Some(Arc::new(config)) }
    }

    /// Shakes hands over an open connection, and verifies that the server has a certificate for
    /// `host`, a name or an address without a port.
    ///
    /// # Errors
    /// When the connection ends, or the certificate does not verify. [`crate::reason`] explains it.
    pub async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<ClientStream> {
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let connector = TlsConnector::from(Arc::clone(self.config()));
        Ok(ClientStream::Tls(Box::new(connector.connect(name, stream).await?)))
    }
}

impl Default for ClientTls {
    fn default() -> Self {
        ClientTls::system()
    }
}

fn trusting(roots: RootCertStore) -> Arc<ClientConfig> {
    ClientTls::make_ring_default();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has cipher suites for every default version")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// Reads the system's authorities, once. Files that cannot be read count as absent.
fn system_roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::debug!(%error, "authorities of the system cannot be read");
        }
        let mut roots = RootCertStore::empty();
        // Stores contain certificates of other purposes, which cannot be anchors.
        let (added, ignored) = roots.add_parsable_certificates(found.certs);
        tracing::debug!(added, ignored, "the system's authorities were read");
        roots
    })
}
