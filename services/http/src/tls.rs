//! The certificate of the public listeners, and its renewal.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::config::HttpConfig;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One of the two settings is missing.
    #[error("http.tls_cert_file and http.tls_key_file go together")]
    Half,
    /// A file cannot be read, or is no PEM.
    #[error("{file}: {reason}")]
    File {
        /// Which.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// They do not go together, or are of a kind that is not known.
    #[error("the certificate and its key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// What the public listeners show to whoever connects.
#[derive(Debug, Clone)]
pub struct Tls {
    acceptor_config: Arc<ServerConfig>,
    certificate: Arc<Certificate>,
}

#[derive(Debug)]
struct Certificate {
    cert_file: PathBuf,
    key_file: PathBuf,
    current: ArcSwap<CertifiedKey>,
}

impl Tls {
    /// Reads what the configuration names; `None` when it names nothing.
    ///
    /// # Errors
    /// When a file is missing or cannot be used.
    pub fn load(config: &HttpConfig) -> Result<Option<Tls>, TlsError> {
        let (cert_file, key_file) = match (&config.tls_cert_file, &config.tls_key_file) {
            (None, None) => return Ok(None),
            (Some(cert_file), Some(key_file)) => (cert_file.clone(), key_file.clone()),
            (Some(_), None) | (None, Some(_)) => return Err(TlsError::Half),
        };
        let current = ArcSwap::from_pointee(read(&cert_file, &key_file)?);
        let certificate = Arc::new(Certificate { cert_file, key_file, current });
        let mut server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificate) as Arc<dyn ResolvesServerCert>);
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Who comes back after a fault is let in without a signature.
        server.ticketer = ring::Ticketer::new()?;
        Ok(Some(Tls { acceptor_config: Arc::new(server), certificate }))
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.acceptor_config))
    }

    /// Takes renewed files over as they come, until the end. What cannot be used is told
    /// of, and the one before stays.
    pub(crate) async fn renew(self, shutdown: CancellationToken) {
        let Certificate { cert_file, key_file, current } = &*self.certificate;
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = shutdown.cancelled() => return,
            }
            match read(cert_file, key_file) {
                Ok(read) if read.cert == current.load().cert => {}
                Ok(read) => {
                    current.store(Arc::new(read));
                    tracing::info!("the certificate was renewed");
                }
                Err(error) => tracing::warn!(%error, "the certificate stays the one before"),
            }
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn read(cert_file: &Path, key_file: &Path) -> Result<CertifiedKey, TlsError> {
    let wrong = |file: &Path| {
        let file = file.display().to_string();
        move |reason: rustls::pki_types::pem::Error| TlsError::File { file, reason: reason.to_string() }
    };
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(cert_file).and_then(|certificates| certificates.collect());
    let certificates = certificates.map_err(wrong(cert_file))?;
    if certificates.is_empty() {
        let (file, reason) = (cert_file.display().to_string(), "it holds no certificate".to_owned());
        return Err(TlsError::File { file, reason });
    }
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(wrong(key_file))?;
    Ok(CertifiedKey::from_der(certificates, key, &ring::default_provider())?)
}
