//! The accept loop: its end is an error of the server.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use barrage_http::{Arrived, Front, Greeted, Greeter, HttpConfig, ServeError};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

struct PanickingGreeter;

impl Greeter for PanickingGreeter {
    fn greet(&self, _arrived: Arrived) -> Greeted {
        panic!("a planted defect")
    }
}

#[tokio::test]
async fn panic_of_one_accept_loop_ends_the_server_at_once() {
    let listen = || barrage_http::listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let (one, other) = (listen(), listen());
    let address = one.local_addr().unwrap();
    let front = Front { greeter: Some(Arc::new(PanickingGreeter)), ..Front::default() };
    let (config, shutdown) = (HttpConfig::default(), CancellationToken::new());
    let serving =
        barrage_http::serve_public(vec![one, other], Router::new(), front, config, shutdown.clone());
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(10), serving).await.unwrap();
    assert!(matches!(ended, Err(ServeError::AcceptLoop(_))), "{ended:?}");
    assert!(!shutdown.is_cancelled(), "the caller decides how the process ends");
}

#[tokio::test]
async fn shutdown_ends_the_server_without_an_error() {
    let listener = barrage_http::listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    let serving = barrage_http::serve(vec![listener], Router::new(), HttpConfig::default(), shutdown);
    tokio::time::timeout(Duration::from_secs(10), serving).await.unwrap().unwrap();
}

/// Counts handfuls, and leaves all connections to HTTP.
#[derive(Default)]
struct Counting {
    heads: Mutex<Vec<usize>>,
}

impl Greeter for Counting {
    fn greet(&self, arrived: Arrived) -> Greeted {
        self.heads.lock().push(arrived.head.len());
        Greeted::Http(arrived)
    }
}

#[tokio::test]
async fn connection_is_greeted_with_its_first_bytes_however_late_they_come() {
    let listener = barrage_http::listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let greeter = Arc::new(Counting::default());
    let front = Front { greeter: Some(Arc::clone(&greeter) as Arc<dyn Greeter>), ..Front::default() };
    let (config, shutdown) = (HttpConfig::default(), CancellationToken::new());
    let serving = barrage_http::serve_public(vec![listener], Router::new(), front, config, shutdown.clone());
    let serving = tokio::spawn(serving);
    for pause in [Duration::ZERO, Duration::from_millis(300), Duration::from_secs(2)] {
        let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
        tokio::time::sleep(pause).await;
        client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 404");
    }
    assert_eq!(*greeter.heads.lock(), [27; 3]);
    shutdown.cancel();
    serving.await.unwrap().unwrap();
}
