//! The certificate of the public listeners, and its renewal from files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus::{IntGaugeVec, Opts, Registry};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;

use super::certificate::certificate_end;
use crate::config::HttpConfig;

/// Period of reading the files of the certificate.
const RELOAD_PERIOD: Duration = Duration::from_secs(60);

/// Name of HTTP/1.1 in a TLS handshake.
const HTTP1: &[u8] = b"http/1.1";
/// Name of HTTP/2 in a TLS handshake.
const HTTP2: &[u8] = b"h2";

/// Why the configured certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate or the key is not configured.
    #[error("http.tls_cert_file and http.tls_key_file go together")]
    Half,
    /// A file cannot be read, or is not PEM.
    #[error("{file}: {reason}")]
    File {
        /// Path of the certificate or key file.
        file: String,
        /// Why the file cannot be read or parsed.
        reason: String,
    },
    /// The certificate and the key do not match, or are of an unknown kind.
    #[error("the certificate and its key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// The certificate that the public listeners present.
#[derive(Debug, Clone)]
pub struct Tls {
    server_config: Arc<ServerConfig>,
    certificate: Arc<Certificate>,
}

#[derive(Debug)]
struct Certificate {
    cert_file: PathBuf,
    key_file: PathBuf,
    current: ArcSwap<CertifiedKey>,
    /// End of the current certificate, as a metric by listener.
    expiry: IntGaugeVec,
}

impl Tls {
    /// Reads the configured certificate and key. Returns `None` when none are configured.
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
        let certificate = Arc::new(Certificate { cert_file, key_file, current, expiry: expiry() });
        certificate.show_end();
        let mut server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificate) as Arc<dyn ResolvesServerCert>);
        let versions: &[&[u8]] = if config.http2.offered { &[HTTP2, HTTP1] } else { &[HTTP1] };
        server.alpn_protocols = versions.iter().map(|version| version.to_vec()).collect();
        // A post in early data could be replayed by whoever recorded it.
        server.max_early_data_size = 0;
        // Clients that reconnect after a fault resume their session, without a signature.
        server.ticketer = ring::Ticketer::new()?;
        Ok(Some(Tls { server_config: Arc::new(server), certificate }))
    }

    /// Offers HTTP/1.1 alone, for a process that is a gateway and nothing else: an event stream would
    /// share its connection with the posts of the page, and a flooded downlink must not slow a send.
    #[must_use]
    pub fn http1_only(mut self) -> Tls {
        let mut server = ServerConfig::clone(&self.server_config);
        server.alpn_protocols = vec![HTTP1.to_vec()];
        self.server_config = Arc::new(server);
        self
    }

    /// Registers the metric of the certificate's end on `registry`.
    ///
    /// # Errors
    /// When `registry` has a metric of this name already.
    pub fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.certificate.expiry.clone()))
    }

    /// Returns the configuration of sessions, which present the current certificate at each handshake.
    #[must_use]
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server_config)
    }

    /// Loads renewed files until the shutdown. Files that cannot be used are logged, and the current
    /// certificate stays.
    pub async fn renew(self, shutdown: CancellationToken) {
        let Certificate { cert_file, key_file, current, .. } = &*self.certificate;
        loop {
            tokio::select! {
                () = tokio::time::sleep(RELOAD_PERIOD) => {}
                () = shutdown.cancelled() => return,
            }
            match read(cert_file, key_file) {
                Ok(read) if read.cert == current.load().cert => {}
                Ok(read) => {
                    current.store(Arc::new(read));
                    self.certificate.show_end();
                    tracing::info!("the certificate was reloaded");
                }
                Err(error) => {
                    tracing::warn!(%error, "the renewed certificate cannot be used; the current one stays")
                }
            }
        }
    }
}

impl Certificate {
    /// Sets the metric to the end of the current certificate.
    fn show_end(&self) {
        let current = self.current.load();
        match current.cert.first().and_then(|certificate| certificate_end(certificate)) {
            Some(end) => self.expiry.with_label_values(&["public"]).set(end),
            None => tracing::warn!("the end of the certificate cannot be read; its metric is missing"),
        }
    }
}

fn expiry() -> IntGaugeVec {
    let opts = Opts::new(
        "barrage_tls_certificate_expiry_timestamp_seconds",
        "End of the certificate that the listeners present, as Unix time in seconds.",
    );
    IntGaugeVec::new(opts, &["listener"]).expect("the name and the label are valid")
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
        let (file, reason) = (cert_file.display().to_string(), "the file holds no certificate".to_owned());
        return Err(TlsError::File { file, reason });
    }
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(wrong(key_file))?;
    Ok(CertifiedKey::from_der(certificates, key, &ring::default_provider())?)
}
