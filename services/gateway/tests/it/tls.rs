//! Viewers behind TLS: the same frames, also for a viewer that reads slowly.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::fleet::{Fleet, until};
use barrage_gateway::GatewayConfig;
use barrage_http::{HttpConfig, Tls, TlsError};
use barrage_testkit::certificates;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

/// Handshake with a join right behind it, whose mask is zero.
const HANDSHAKE: &[u8] = b"GET /v1/rooms/demo/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\
    \x81\x8f\0\0\0\0{\"type\":\"join\"}";
/// Gifts of many times the bytes that the sockets hold.
const GIFTS: u64 = 400;
const GIFT_BYTES: usize = 2_000;

type Stream = StreamOwned<ClientConnection, TcpStream>;

fn http(folder: &Path) -> HttpConfig {
    HttpConfig {
        tls_cert_file: Some(folder.join("cert.pem")),
        tls_key_file: Some(folder.join("key.pem")),
        ..HttpConfig::default()
    }
}

fn connect(address: SocketAddr, folder: &Path) -> Stream {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("ca.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(&address.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    StreamOwned::new(connection, stream)
}

/// Reads the next text frame.
fn frame(stream: &mut Stream) -> Value {
    let mut header = [0; 2];
    stream.read_exact(&mut header).unwrap();
    assert_eq!(header[0], 0x81, "a text frame");
    let mut len = [0; 8];
    let digits = match header[1] {
        126 => 2,
        127 => 8,
        short => {
            len[7] = short;
            0
        }
    };
    stream.read_exact(&mut len[8 - digits..]).unwrap();
    let mut payload = vec![0; usize::try_from(u64::from_be_bytes(len)).unwrap()];
    stream.read_exact(&mut payload).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_viewer_behind_tls_gets_every_gift() {
    let folder = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    let fleet = Fleet::new().await;
    let config = GatewayConfig { queue_hard_bytes: 4 << 20, ..GatewayConfig::default() };
    let gateway = fleet.start_with(config, http(folder.path())).await;
    let (address, path) = (gateway.address, folder.path().to_owned());
    let joined = tokio::task::spawn_blocking(move || {
        let mut stream = connect(address, &path);
        stream.write_all(HANDSHAKE).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        assert_eq!(frame(&mut stream)["type"], "hello");
        stream
    });
    let mut stream = joined.await.unwrap();
    let mut sent = Vec::new();
    for n in 0..GIFTS {
        let body = json!({ "type": "gift", "id": n, "padding": "x".repeat(GIFT_BYTES) });
        sent.push(fleet.gift_of(&body).await);
    }
    until(|| gateway.metric("barrage_gateway_backlog_bytes") > 100_000).await;
    let last = *sent.last().unwrap();
    let seen = tokio::task::spawn_blocking(move || {
        let (mut seen, mut position) = (Vec::new(), 0);
        while position < last {
            let batch = frame(&mut stream);
            if batch["type"] != "batch" {
                continue;
            }
            position = batch["sequence"].as_u64().unwrap();
            let messages = batch["messages"].as_array().unwrap();
            seen.extend(messages.iter().map(|message| message["sequence"].as_u64().unwrap()));
        }
        seen
    });
    assert_eq!(seen.await.unwrap(), sent);
    // A client that speaks no TLS is disconnected.
    let mut plain = TcpStream::connect(address).unwrap();
    plain.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    plain.write_all(HANDSHAKE).unwrap();
    let mut answer = Vec::new();
    drop(plain.read_to_end(&mut answer));
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[test]
fn tls_files_that_do_not_belong_together_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    assert!(Tls::load(&http(folder.path())).unwrap().is_some());
    let half = HttpConfig { tls_key_file: None, ..http(folder.path()) };
    assert!(matches!(Tls::load(&half), Err(TlsError::Half)));
    let missing = HttpConfig { tls_cert_file: Some(folder.path().join("none.pem")), ..http(folder.path()) };
    assert!(matches!(Tls::load(&missing), Err(TlsError::File { .. })));
    let foreign = HttpConfig { tls_key_file: Some(folder.path().join("ca.key")), ..http(folder.path()) };
    assert!(matches!(Tls::load(&foreign), Err(TlsError::Unusable(_))));
}
