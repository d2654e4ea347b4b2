//! The write deadline: a connection whose socket takes no bytes while bytes wait is closed.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use barrage_http::{Front, HttpConfig, Tls};
use barrage_testkit::certificates;
use bytes::Bytes;
use http_body_util::StreamBody;
use hyper::body::Frame;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::server::{PATIENCE, Server, until};

/// More bytes than the kernel and a TLS buffer hold.
const LARGE: usize = 24 << 20;

/// Less than the kernel holds unsent for a connection, more than a narrow client's window.
const PART: usize = 24 << 10;

/// Counts the answers in progress. An answer is dropped with its connection.
struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn stream(alive: &Arc<AtomicUsize>, chunk: usize, pause: Duration) -> Body {
    alive.fetch_add(1, Ordering::SeqCst);
    let alive = Alive(Arc::clone(alive));
    let chunk = Bytes::from(vec![b'x'; chunk]);
    let chunks = futures_util::stream::unfold((alive, chunk), move |(alive, chunk)| async move {
        tokio::time::sleep(pause).await;
        Some((Ok::<_, Infallible>(Frame::data(chunk.clone())), (alive, chunk)))
    });
    Body::new(StreamBody::new(chunks))
}

fn router(alive: &Arc<AtomicUsize>) -> Router {
    let of = |chunk: usize, pause: Duration| {
        let alive = Arc::clone(alive);
        get(move || async move { stream(&alive, chunk, pause) })
    };
    Router::new()
        .route("/whole", get(|| async { vec![b'x'; LARGE] }))
        .route("/part", get(|| async { vec![b'x'; PART] }))
        .route("/endless", of(64 * 1024, Duration::ZERO))
        .route("/trickle", of(64, Duration::from_millis(100)))
        .route("/silent", of(1, Duration::from_secs(3_600)))
}

fn config() -> HttpConfig {
    HttpConfig { write_stall_secs: 1, ..HttpConfig::default() }
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Whether the server closed the connection. A write finds out without a read.
fn is_cut(stream: &TcpStream) -> bool {
    let mut stream = stream;
    stream.write(b"x").is_err() || stream.take_error().unwrap().is_some()
}

#[test]
fn client_that_never_reads_is_closed_and_its_answer_freed() {
    let alive = Arc::new(AtomicUsize::new(0));
    let server = Server::start(router(&alive), config(), Front::default());
    let begun = Instant::now();
    let clients: Vec<_> = ["/whole", "/endless"]
        .repeat(5)
        .iter()
        .map(|path| {
            let mut client = server.connect_narrow();
            client.write_all(request(path).as_bytes()).unwrap();
            client
        })
        .collect();
    until("an endless answer begins", || alive.load(Ordering::SeqCst) > 0);
    until("the clients are cut", || clients.iter().all(is_cut));
    until("their answers are freed", || alive.load(Ordering::SeqCst) == 0);
    assert!(begun.elapsed() >= Duration::from_secs(1), "not before the deadline");
}

#[test]
fn client_that_leaves_an_answer_in_the_kernel_is_cut_before_its_idle_time() {
    let server = Server::start(router(&Arc::default()), config(), Front::default());
    let begun = Instant::now();
    let mut client = server.connect_narrow();
    client.write_all(request("/part").as_bytes()).unwrap();
    // A write before the reset would begin a request, whose header has a deadline of its own.
    std::thread::sleep(Duration::from_millis(2_500));
    until("the client is cut", || is_cut(&client));
    assert!(begun.elapsed() < Duration::from_secs(5), "by the header's deadline alone");
}

#[test]
fn slow_reader_and_silent_stream_stay_open() {
    let alive = Arc::new(AtomicUsize::new(0));
    // Long beside the client's pauses, so that a busy machine does not make it a client that stalls.
    let config = HttpConfig { write_stall_secs: 5, ..config() };
    let server = Server::start(router(&alive), config, Front::default());
    let mut silent = server.connect();
    silent.send(&request("/silent"));
    let mut trickle = server.connect();
    trickle.send(&request("/trickle"));
    let mut slow = server.connect_narrow();
    slow.write_all(request("/endless").as_bytes()).unwrap();
    let end = Instant::now() + Duration::from_secs(11);
    let mut buffer = vec![0; 32 * 1024];
    while Instant::now() < end {
        slow.read_exact(&mut buffer).unwrap();
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(alive.load(Ordering::SeqCst), 3, "all three streams are open");
    let mut some = [0; 512];
    trickle.0.read_exact(&mut some).unwrap();
}

type TlsClient = StreamOwned<ClientConnection, TcpStream>;

fn tls(server: &Server, folder: &std::path::Path) -> TlsClient {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("ca.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    StreamOwned::new(connection, server.connect_narrow())
}

#[test]
fn client_that_never_reads_is_closed_under_tls_too() {
    let folder = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    let config = HttpConfig {
        tls_cert_file: Some(folder.path().join("cert.pem")),
        tls_key_file: Some(folder.path().join("key.pem")),
        ..config()
    };
    let front = Front { tls: Tls::load(&config).unwrap(), ..Front::default() };
    let alive = Arc::new(AtomicUsize::new(0));
    let server = Server::start(router(&alive), config, front);

    let mut dead = tls(&server, folder.path());
    dead.write_all(request("/endless").as_bytes()).unwrap();
    let mut slow = tls(&server, folder.path());
    slow.write_all(request("/endless").as_bytes()).unwrap();
    let mut answer = [0; 512];
    slow.read_exact(&mut answer).unwrap();
    let head = String::from_utf8_lossy(&answer).to_lowercase();
    assert!(head.contains("strict-transport-security: max-age=15552000\r\n"), "{head}");
    let begun = Instant::now();
    let mut buffer = vec![0; 16 * 1024];
    while begun.elapsed() < Duration::from_secs(4) || alive.load(Ordering::SeqCst) > 1 {
        assert!(begun.elapsed() < PATIENCE, "the client that never reads is not closed");
        slow.read_exact(&mut buffer).unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(alive.load(Ordering::SeqCst), 1, "the slow reader stays open");
    assert!(is_cut(&dead.sock));
}
