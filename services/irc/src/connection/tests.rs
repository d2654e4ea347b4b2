//! Hostile clients at one connection, over a pipe.

use std::sync::Arc;
use std::time::Duration;

use barrage_client::HttpPool;
use bytes::BytesMut;
use prometheus::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_util::sync::CancellationToken;

use super::{Arrived, ConnectionContext, serve};
use crate::config::IrcConfig;
use crate::metrics::{IrcMetrics, TransportKind};

/// Longest wait for the end of a connection.
const END_MAX: Duration = Duration::from_secs(30);

/// Starts a connection. Entry answers nothing: a hostile client needs none.
fn start(config: IrcConfig) -> (DuplexStream, CancellationToken) {
    // The provider is the process's, as in the server.
    barrage_client::ClientTls::make_ring_default();
    let shutdown = CancellationToken::new();
    let context = ConnectionContext {
        config,
        entry_url: "http://127.0.0.1:9".into(),
        pool: HttpPool::new(),
        metrics: Arc::new(IrcMetrics::new(&Registry::new()).unwrap()),
        shutdown: shutdown.clone(),
    };
    let (client, server) = tokio::io::duplex(1_024);
    let arrived = Arrived { socket: Box::new(server), kind: TransportKind::Tcp, early: BytesMut::new() };
    tokio::spawn(serve(arrived, Arc::new(context)));
    (client, shutdown)
}

/// Sends bytes while it reads, and returns all that came until the end.
async fn exchange(client: DuplexStream, bytes: Vec<u8>) -> String {
    let (mut read, mut write) = tokio::io::split(client);
    // The server may close before it has read everything.
    let sending = async { drop(write.write_all(&bytes).await) };
    let mut answer = Vec::new();
    let reading = async { drop(read.read_to_end(&mut answer).await) };
    let both = async { tokio::join!(sending, reading) };
    tokio::time::timeout(END_MAX, both).await.expect("the end of the connection");
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn long_line_ends_the_connection() {
    let (client, _) = start(IrcConfig::default());
    let answer = exchange(client, vec![b'x'; 1 << 20]).await;
    assert_eq!(answer, "ERROR :Closing link: input line was too long\r\n");
}

#[tokio::test]
async fn garbage_and_floods_end_the_connection() {
    for line in ["\u{1}garbage \u{7f} :\r\n", "CAP LS 302\r\n", "CAP REQ :x\r\n", "JOIN #a,#b\r\n", "\r\n"] {
        let (client, _) = start(IrcConfig::default());
        let answer = exchange(client, line.repeat(10_000).into_bytes()).await;
        assert!(answer.ends_with("ERROR :Closing link: excess flood\r\n"), "{line:?}: {answer:.200}");
        assert!(answer.lines().count() <= 102, "{line:?} has {} answers", answer.lines().count());
    }
}

#[tokio::test]
async fn reader_that_reads_nothing_is_closed() {
    let config = IrcConfig { lines_per_s: 10_000, queue_bytes_max: 16_384, ..IrcConfig::default() };
    let (mut client, _) = start(config);
    let ping = format!("PING :{}\r\n", "x".repeat(500));
    // More than pipe and queue hold: the server reads no further once it has given the reader up.
    let flood = async { while client.write_all(ping.as_bytes()).await.is_ok() {} };
    drop(tokio::time::timeout(Duration::from_millis(500), flood).await);
    let mut answer = Vec::new();
    tokio::time::timeout(END_MAX, client.read_to_end(&mut answer)).await.expect("the end").unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.ends_with("ERROR :Closing link: slow reader, the queue is full\r\n"), "{}", answer.len());
    assert!(answer.lines().all(|line| line.starts_with("PONG") || line.starts_with("ERROR")), "a cut line");
}

#[tokio::test(start_paused = true)]
async fn silent_clients_are_closed() {
    let (client, _) = start(IrcConfig::default());
    assert_eq!(exchange(client, Vec::new()).await, "ERROR :Closing link: no login in time\r\n");
    let config = IrcConfig { ping_secs: 5, ..IrcConfig::default() };
    let (client, _) = start(config);
    let answer = exchange(client, b"NICK justinfan1\r\n".to_vec()).await;
    let last: Vec<_> = answer.lines().rev().take(2).collect();
    assert_eq!(last, ["ERROR :Closing link: no answer to a PING", "PING :tmi.twitch.tv"]);
}

#[tokio::test(start_paused = true)]
async fn clients_are_asked_to_reconnect_at_the_shutdown() {
    let (client, shutdown) = start(IrcConfig::default());
    shutdown.cancel();
    let answer = exchange(client, b"CAP REQ :twitch.tv/commands\r\nNICK justinfan1\r\n".to_vec()).await;
    let last: Vec<_> = answer.lines().rev().take(2).collect();
    assert_eq!(last, ["ERROR :Closing link: the server stops; reconnect", ":tmi.twitch.tv RECONNECT"]);
}
