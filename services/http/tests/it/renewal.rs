//! A renewed certificate is presented without a restart, and one that cannot be used is not.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use barrage_http::{HttpConfig, Tls};
use barrage_testkit::certificates;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};
use tokio_util::sync::CancellationToken;

/// More than the time between two looks at the files.
const LONGER_THAN_A_LOOK: Duration = Duration::from_secs(61);

fn client(authority: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority.join("ca.pem")).unwrap()).unwrap();
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// Whether a client that trusts this authority alone gets through the handshake, in memory.
fn is_trusted(tls: &Tls, authority: &Path) -> bool {
    let mut client = ClientConnection::new(client(authority), "localhost".try_into().unwrap()).unwrap();
    let mut server = ServerConnection::new(tls.server_config()).unwrap();
    while client.is_handshaking() {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        server.read_tls(&mut bytes.as_slice()).unwrap();
        server.process_new_packets().unwrap();
        bytes.clear();
        server.write_tls(&mut bytes).unwrap();
        client.read_tls(&mut bytes.as_slice()).unwrap();
        if client.process_new_packets().is_err() {
            return false;
        }
    }
    true
}

#[tokio::test(start_paused = true)]
async fn a_renewed_certificate_is_in_force_and_a_broken_one_is_not() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    certificates::make(old.path());
    certificates::make(new.path());
    let config = HttpConfig {
        tls_cert_file: Some(old.path().join("cert.pem")),
        tls_key_file: Some(old.path().join("key.pem")),
        ..HttpConfig::default()
    };
    let tls = Tls::load(&config).unwrap().unwrap();
    let shutdown = CancellationToken::new();
    let renewing = tokio::spawn(tls.clone().renew(shutdown.clone()));
    let replace = |name: &str| std::fs::copy(new.path().join(name), old.path().join(name)).unwrap();
    let authority = tempfile::tempdir().unwrap();
    std::fs::copy(old.path().join("ca.pem"), authority.path().join("ca.pem")).unwrap();
    assert!(is_trusted(&tls, authority.path()) && !is_trusted(&tls, new.path()));

    replace("cert.pem");
    tokio::time::sleep(LONGER_THAN_A_LOOK).await;
    assert!(is_trusted(&tls, authority.path()), "the key of the new certificate is not there yet");
    replace("key.pem");
    tokio::time::sleep(LONGER_THAN_A_LOOK).await;
    assert!(is_trusted(&tls, new.path()) && !is_trusted(&tls, authority.path()));
    shutdown.cancel();
    renewing.await.unwrap();
}
