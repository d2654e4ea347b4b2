//! Overload of a gateway: gifts arrive in time, chat is thinned, and a slow viewer does not delay the
//! others.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use barrage_protocol::Class;
use barrage_protocol::frame::{Batch, ServerFrame};
use barrage_testkit::{Frame, RawSocket, Server, wait};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpSocket;
use tokio::sync::mpsc;

use crate::support::{MESSAGES, chat, paid_gift, start_with};

/// Milliseconds since the first call in this process.
fn now_ms() -> u64 {
    static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(ORIGIN.elapsed().as_millis()).unwrap()
}

/// Returns the send times of the messages of a class, which are part of their ids.
fn sent_ms(batch: &Batch, class: Class) -> Vec<u64> {
    let of = batch.messages.iter().filter(|message| message.class == class);
    of.filter_map(|message| {
        let body: serde_json::Value = serde_json::from_str(message.body.get()).ok()?;
        body["id"].as_str()?.split('-').nth(1)?.parse().ok()
    })
    .collect()
}

fn percentile(delays: &mut [u64], share: f64) -> u64 {
    delays.sort_unstable();
    delays[((delays.len() - 1) as f64 * share) as usize]
}

/// Reports the delay of each message of a class until the connection ends.
pub(super) async fn watch(mut socket: RawSocket, class: Class, delays: mpsc::Sender<u64>) {
    loop {
        let Some(frame) = socket.next_within(Duration::from_secs(60)).await else { return };
        match frame {
            Frame::Protocol(ServerFrame::Batch(batch), _) => {
                for sent in sent_ms(&batch, class) {
                    if delays.send(now_ms().saturating_sub(sent)).await.is_err() {
                        return;
                    }
                }
            }
            Frame::End => return,
            _ => {}
        }
    }
}

/// The gateway may send 1 MB a second, and the posts ask for more than ten times as much.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gifts_arrive_within_a_second_under_ten_times_the_egress_limit() {
    let _alone = super::lock().await;
    const VIEWERS: usize = 150;
    const EGRESS: u64 = 1_000_000;
    let server = Arc::new(start_with(&[("GATEWAY__EGRESS_BYTES_PER_S", &EGRESS.to_string())]).await);
    let token = server.token("m1", "demo", "moderator").await;
    let (delays_in, mut delays) = mpsc::channel(100_000);
    for _ in 0..VIEWERS {
        let socket = RawSocket::joined(server.public, "demo").await;
        tokio::spawn(watch(socket, Class::Gift, delays_in.clone()));
    }
    drop(delays_in);
    let before = server.resident_bytes();
    let stop = Arc::new(AtomicBool::new(false));
    let flood = tokio::spawn({
        let (server, stop, token) = (Arc::clone(&server), Arc::clone(&stop), token.clone());
        async move {
            let mut chats = 0_u64;
            let mut tick = tokio::time::interval(Duration::from_millis(50));
            while !stop.load(Ordering::Relaxed) {
                tick.tick().await;
                let chat = |n: u64| json!({ "type": "chat", "id": format!("c{n}"), "text": format!("弹幕 {n} {}", "x".repeat(60)) });
                let messages: Vec<_> = (chats..chats + 32).map(chat).collect();
                chats += 32;
                let package = json!({ "messages": messages }).to_string();
                assert_eq!(server.post("/v1/rooms/demo/packages", &token, package).await.status, 200);
            }
            chats
        }
    });
    let started = tokio::time::Instant::now();
    let (mut gifts, mut level) = (0, 0.0_f64);
    while started.elapsed() < Duration::from_secs(8) {
        let id = format!("g{gifts}-{}", now_ms());
        assert_eq!(server.post(MESSAGES, &token, paid_gift(&id)).await.body["outcome"], "broadcast");
        gifts += 1;
        level = level.max(server.metric("barrage_gateway_overload_level").await);
        let healthy = reqwest::get(format!("http://{}/healthz", server.admin));
        let healthy = wait::within(Duration::from_secs(1), "an answer of /healthz", healthy).await;
        assert!(healthy.unwrap().status().is_success());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.store(true, Ordering::Relaxed);
    let chats = flood.await.unwrap();
    let mut all = Vec::new();
    while all.len() < gifts * VIEWERS {
        all.push(tokio::time::timeout(Duration::from_secs(10), delays.recv()).await.unwrap().unwrap());
    }
    let p99 = percentile(&mut all, 0.99);
    // Each chat has some 200 bytes on the wire.
    let offered = chats * 200 * VIEWERS as u64 / started.elapsed().as_secs();
    assert!(offered > 10 * EGRESS, "{offered} B/s were offered");
    assert!(level >= 3.0, "the gateway never thinned chat: level {level}");
    assert!(p99 < 1_000, "gifts took {p99} ms at p99");
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 256 << 20, "memory grew by {grown} bytes");
    wait::until_true(Duration::from_secs(52), "the end of the overload", async || {
        server.metric("barrage_gateway_overload_level").await == 0.0
    })
    .await;
    assert_eq!(server.metric("barrage_conservation_error").await, 0.0);
}

/// Speed at which a slow viewer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    Nothing,
    OneBytePerSecond,
}

/// Connects a viewer with a small receive buffer that reads slowly.
async fn slow_viewer(address: SocketAddr, reads: Reads) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let request = format!(
        "GET /v1/rooms/demo/ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let mut join = request.into_bytes();
    join.extend(barrage_testkit::masked(0x81, br#"{"type":"join"}"#));
    tokio::io::AsyncWriteExt::write_all(&mut stream, &join).await.unwrap();
    let mut byte = [0];
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if reads == Reads::OneBytePerSecond && !matches!(stream.read(&mut byte).await, Ok(1)) {
            return;
        }
    }
}

/// Slow viewers are connected for about 3 s, then closed. `cargo xtask bench slow` measures the change
/// of the p99 of the others with 5,000 viewers; the bound here is coarse.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_viewers_are_closed_and_do_not_delay_the_others() {
    let _alone = super::lock().await;
    const VIEWERS: usize = 1_000;
    const SLOW: usize = VIEWERS / 100;
    let server =
        start_with(&[("GATEWAY__BEHIND_SECS_MAX", "3"), ("GATEWAY__SOCKET_SEND_BYTES", "8192")]).await;
    let token = server.token("m1", "demo", "moderator").await;
    let (delays_in, mut delays) = mpsc::channel(1_000_000);
    for _ in 0..VIEWERS - SLOW {
        let socket = RawSocket::joined(server.public, "demo").await;
        tokio::spawn(watch(socket, Class::Chat, delays_in.clone()));
    }
    let without = chat_for(&server, &token, "a", 4, &mut delays).await;
    for n in 0..SLOW {
        let reads = if n % 2 == 0 { Reads::OneBytePerSecond } else { Reads::Nothing };
        tokio::spawn(slow_viewer(server.public, reads));
    }
    wait::until_true(Duration::from_secs(30), "all slow viewers in the room", async || {
        server.metric("barrage_gateway_connections").await >= VIEWERS as f64
    })
    .await;
    let with = chat_for(&server, &token, "b", 8, &mut delays).await;
    let closed = server.metric("barrage_gateway_closes_total{code=\"slow_viewer\"}").await;
    assert_eq!(closed, SLOW as f64, "the gateway must close the slow viewers");
    let (before, after) = (typical_p99_ms(without), typical_p99_ms(with.into_iter().take(4).collect()));
    assert!(after <= before * 2 + 100, "p99 of {before} ms without slow viewers and {after} ms with them");
    assert_eq!(server.metric("barrage_conservation_error").await, 0.0);
}

/// Returns the median of the p99 of each second: a machine that stalls for one second delays all
/// viewers of that second, with and without slow viewers.
pub(super) fn typical_p99_ms(seconds: Vec<Vec<u64>>) -> u64 {
    let mut p99s: Vec<_> = seconds.into_iter().map(|mut delays| percentile(&mut delays, 0.99)).collect();
    percentile(&mut p99s, 0.5)
}

/// Posts forty long chats a second. Returns the delays that viewers reported in each second.
pub(super) async fn chat_for(
    server: &Server,
    token: &str,
    prefix: &str,
    secs: usize,
    delays: &mut mpsc::Receiver<u64>,
) -> Vec<Vec<u64>> {
    const POSTS_PER_S: usize = 40;
    let mut tick = tokio::time::interval(Duration::from_millis(1_000 / POSTS_PER_S as u64));
    let mut seconds = Vec::new();
    for second in 0..secs {
        let mut seen = Vec::new();
        for n in second * POSTS_PER_S..(second + 1) * POSTS_PER_S {
            tick.tick().await;
            let post = chat(&format!("{prefix}{n}-{}", now_ms()), &format!("{n} {}", "长弹幕".repeat(60)));
            assert_eq!(server.post(MESSAGES, token, post).await.status, 200);
            while let Ok(delay) = delays.try_recv() {
                seen.push(delay);
            }
        }
        assert!(!seen.is_empty(), "no chat reached a viewer in a second");
        seconds.push(seen);
    }
    seconds
}
