//! The accept loop: its end is an error of the server.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use barrage_http::{Arrived, Front, Greeted, Greeter, HttpConfig, ServeError};
use tokio_util::sync::CancellationToken;

struct PanickingGreeter;

impl Greeter for PanickingGreeter {
    fn greet(&self, _arrived: Arrived) -> Greeted {
        panic!("a planted defect")
    }
}

/// The test runs on one thread: the accept loop runs only while the test awaits, so that it finds
/// the connection and its bytes at once.
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
