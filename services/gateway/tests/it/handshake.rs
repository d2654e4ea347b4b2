//! Handshakes on the fast and the slow path.

use std::time::Duration;

use crate::fleet::Fleet;
use barrage_gateway::GatewayConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const HANDSHAKE: &str = "GET /v1/rooms/demo/ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Writes the parts with pauses between them, and reads one answer.
async fn answer(stream: &mut TcpStream, parts: &[&str]) -> String {
    for part in parts {
        stream.write_all(part.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = tokio::time::timeout(Duration::from_secs(10), stream.read_u8()).await;
        head.push(byte.expect("an answer").unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.unwrap();
    head
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_are_answered_whole_in_pieces_and_behind_another_request() {
    let fleet = Fleet::new().await;
    let gateway = fleet.start(GatewayConfig::default()).await;
    let (head, tail) = HANDSHAKE.split_at(40);
    // Behind a request on the slow path, as from a proxy that keeps its connections.
    let other = "GET /v1/rooms/demo/nothing HTTP/1.1\r\nHost: h\r\n\r\n";
    for (before, parts) in [(None, &[HANDSHAKE][..]), (None, &[head, tail]), (Some(other), &[HANDSHAKE])] {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        if let Some(other) = before {
            assert!(answer(&mut stream, &[other]).await.starts_with("HTTP/1.1 404"));
        }
        let head = answer(&mut stream, parts).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    }
    // A refusal is an HTTP answer.
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let unknown = HANDSHAKE.replace("demo", "elsewhere");
    let head = answer(&mut stream, &[&unknown]).await;
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
}

/// On the fast path, and on the slow path when the head comes in two pieces.
#[tokio::test(flavor = "multi_thread")]
async fn incomplete_handshakes_get_no_101() {
    let fleet = Fleet::new().await;
    let gateway = fleet.start(GatewayConfig::default()).await;
    for (from, to, status) in [
        ("GET", "HEAD", "400"),
        ("HTTP/1.1", "HTTP/1.0", "426"),
        ("Connection: Upgrade\r\n", "", "426"),
        ("Upgrade: websocket\r\n", "", "426"),
        ("Version: 13", "Version: 8", "426"),
        ("dGhlIHNhbXBsZSBub25jZQ==", "YWJj", "400"),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", "400"),
        ("Host: h\r\n", "", "400"),
        ("Host: h", "Host: h\r\nHost: h", "400"),
    ] {
        let request = HANDSHAKE.replacen(from, to, 1);
        let (head, tail) = request.split_at(30);
        for parts in [&[request.as_str()][..], &[head, tail]] {
            let mut stream = TcpStream::connect(gateway.address).await.unwrap();
            // An answer to HEAD has no body.
            let answer = if to == "HEAD" {
                first_line(&mut stream, parts).await
            } else {
                answer(&mut stream, parts).await
            };
            assert_eq!(answer.split(' ').nth(1), Some(status), "{from} -> {to}: {answer}");
            let names_upgrade = answer.contains("upgrade: websocket\r\n");
            assert!(to == "HEAD" || names_upgrade == (status == "426"), "{answer}");
        }
    }
}

async fn first_line(stream: &mut TcpStream, parts: &[&str]) -> String {
    for part in parts {
        stream.write_all(part.as_bytes()).await.unwrap();
    }
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let byte = tokio::time::timeout(Duration::from_secs(10), stream.read_u8()).await;
        line.push(byte.expect("an answer").unwrap());
    }
    String::from_utf8(line).unwrap()
}
