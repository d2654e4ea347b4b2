//! A server with TLS, and clients that speak HTTP/2: the library's, and one that writes raw frames.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use barrage_http::{Front, HttpConfig, Tls};
use barrage_testkit::certificates;
use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, Response};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::server::{PATIENCE, Server};

pub(crate) struct Encrypted {
    pub(crate) server: Server,
    folder: TempDir,
}

/// A TLS connection that sends any bytes.
pub(crate) struct Raw(pub(crate) StreamOwned<ClientConnection, TcpStream>);

impl Encrypted {
    pub(crate) fn start(router: Router, config: HttpConfig, front: Front) -> Encrypted {
        let folder = tempfile::tempdir().unwrap();
        certificates::make(folder.path());
        let config = certified(folder.path(), config);
        let tls = front.tls.or_else(|| Tls::load(&config).unwrap());
        Encrypted { server: Server::start(router, config, Front { tls, ..front }), folder }
    }

    /// Returns the file of the authority that signed the certificate.
    pub(crate) fn authority(&self) -> String {
        self.folder.path().join("ca.pem").display().to_string()
    }

    /// Returns a configuration with the server's certificate.
    pub(crate) fn config(&self) -> HttpConfig {
        certified(self.folder.path(), HttpConfig::default())
    }

    /// Opens a connection to another server that has the same certificate.
    pub(crate) fn raw_of(&self, other: &Encrypted, versions: &[&str]) -> (Raw, String) {
        connect(&other.server, self.client_config(versions))
    }

    fn client_config(&self, versions: &[&str]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.folder.path().join("ca.pem")).unwrap()).unwrap();
        let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = versions.iter().map(|version| version.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    /// Opens a connection that offers `versions`, and returns it with the version that was chosen.
    pub(crate) fn raw(&self, versions: &[&str]) -> (Raw, String) {
        connect(&self.server, self.client_config(versions))
    }

    /// Opens a raw HTTP/2 connection, with the preface and empty SETTINGS.
    pub(crate) fn raw_http2(&self) -> Raw {
        let (mut raw, chosen) = self.raw(&["h2"]);
        assert_eq!(chosen, "h2");
        raw.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        raw.send(&frame(4, 0, 0, &[]));
        raw
    }

    /// Opens an HTTP/2 connection of the library, changed by `change`.
    pub(crate) async fn http2(
        &self,
        change: impl FnOnce(&mut h2::client::Builder),
    ) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
        let connector = tokio_rustls::TlsConnector::from(self.client_config(&["h2"]));
        let stream = tokio::net::TcpStream::connect(self.server.address).await.unwrap();
        let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
        let mut builder = h2::client::Builder::new();
        change(&mut builder);
        let (requests, connection) = builder.handshake(stream).await.unwrap();
        (requests, tokio::spawn(connection))
    }
}

fn certified(folder: &Path, config: HttpConfig) -> HttpConfig {
    HttpConfig {
        tls_cert_file: Some(folder.join("cert.pem")),
        tls_key_file: Some(folder.join("key.pem")),
        ..config
    }
}

fn connect(server: &Server, config: Arc<ClientConfig>) -> (Raw, String) {
    let connection = ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(server.address).unwrap());
    stream.sock.set_read_timeout(Some(PATIENCE)).unwrap();
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    let chosen = stream.conn.alpn_protocol().unwrap_or_default().to_vec();
    (Raw(stream), String::from_utf8(chosen).unwrap())
}

impl Raw {
    /// Sends bytes; a connection that the server has closed is ignored.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).and_then(|()| self.0.flush()).is_ok()
    }

    /// Reads until the server closes the connection; fails after `max`.
    pub(crate) fn closes_within(&mut self, max: Duration) -> bool {
        self.0.sock.set_read_timeout(Some(max)).unwrap();
        let mut buffer = [0; 4_096];
        loop {
            match self.0.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return false,
                Err(_) => return true,
            }
        }
    }
}

/// Makes a frame of HTTP/2.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Makes the header block of a request, without compression: names of the static table, values as
/// they are.
pub(crate) fn header_block(path: &str) -> Vec<u8> {
    // :method GET and :scheme https, then literals without indexing for :path and :authority.
    let mut block = vec![0x82, 0x87];
    for (name, value) in [(4, path), (1, "localhost")] {
        block.extend([name, u8::try_from(value.len()).unwrap()]);
        block.extend_from_slice(value.as_bytes());
    }
    block
}

/// Makes a GET of a path.
pub(crate) fn get(path: &str) -> Request<()> {
    Request::get(format!("https://localhost{path}")).body(()).unwrap()
}

/// Sends a request with a body, and returns the answer with its whole body.
pub(crate) async fn ask(
    requests: &SendRequest<Bytes>,
    request: Request<()>,
    body: &str,
) -> Result<Response<String>, h2::Error> {
    let mut requests = requests.clone().ready().await?;
    let (response, mut stream) = requests.send_request(request, body.is_empty())?;
    if !body.is_empty() {
        stream.send_data(Bytes::copy_from_slice(body.as_bytes()), true)?;
    }
    let (parts, mut incoming) = response.await?.into_parts();
    let mut text = Vec::new();
    while let Some(piece) = incoming.data().await {
        let piece = piece?;
        incoming.flow_control().release_capacity(piece.len())?;
        text.extend_from_slice(&piece);
    }
    Ok(Response::from_parts(parts, String::from_utf8_lossy(&text).into_owned()))
}
