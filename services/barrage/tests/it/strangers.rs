//! Bounds on harm by strangers, against a whole server process: clients that never read, a
//! stopped process, and a broadcast to very many rooms.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use barrage_testkit::{Answer, RawSocket, Server, process, wait};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::support::{MESSAGES, chat, start_with};

const DEADLINE: Duration = Duration::from_secs(40);

/// A line of `/proc/PID/status` in bytes: `VmRSS` is now, `VmHWM` is the peak.
fn status_bytes(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Sockets that the process holds open.
fn sockets(pid: u32) -> usize {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    entries
        .filter(|entry| {
            std::fs::read_link(entry.path())
                .is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
        })
        .count()
}

/// Fills a room with 1,000 texts of about 1,600 bytes, close to the largest that is accepted.
pub(crate) async fn fill(server: &Server) {
    let token = server.token("host", "demo", "host").await;
    for package in 0..40 {
        let messages: Vec<_> = (0..25)
            .map(|n| {
                let text = "弹\u{0301}\u{0302}\u{0303}".repeat(175);
                json!({ "type": "chat", "id": format!("c{package}-{n}"), "text": format!("{package} {n} {text}") })
            })
            .collect();
        let body = json!({ "messages": messages }).to_string();
        let answer = server.post("/v1/rooms/demo/packages", &token, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    wait::until_true(DEADLINE, "an archive of all messages", async || {
        let newest = server.get("/v1/rooms/demo/history?limit=1").await.body;
        newest["messages"][0]["body"]["id"] == "c39-24"
    })
    .await;
}

/// Sends a request and reads nothing, with a receive buffer as small as the kernel allows.
async fn silent_request(address: SocketAddr, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_never_read_cost_at_most_64_mib_and_are_gone_in_20_s() {
    const CLIENTS: usize = 1_000;
    const GROWTH_BYTES_MAX: u64 = 64 << 20;
    // Loopback has no limits by address, so only the bounds of an answer and of its time help.
    // A shorter stall than the default of 15 s only shortens the test.
    let server = start_with(&[("HTTP__WRITE_STALL_SECS", "5")]).await;
    fill(&server).await;
    // The first large reads fill the caches of the store.
    let mut reading = JoinSet::new();
    for _ in 0..50 {
        let url = format!("http://{}/v1/rooms/demo/history?after=0&limit=1000", server.public);
        reading.spawn(async move { reqwest::get(url).await.unwrap().bytes().await.unwrap() });
    }
    reading.join_all().await;
    let pid = server.id();
    let idle_sockets = sockets(pid);
    for path in [
        "/v1/rooms/demo/history?after=0&limit=1000",
        "/v1/rooms/demo/poll?after=0",
        "/v1/rooms/demo/sse?after=0",
        "ws",
    ] {
        let before = status_bytes(pid, "VmRSS");
        let (mut silent, mut viewers) = (Vec::new(), Vec::new());
        for _ in 0..CLIENTS {
            if path == "ws" {
                viewers.push(RawSocket::join(server.public, "demo", None, Some(0)).await);
            } else {
                silent.push(silent_request(server.public, path).await);
            }
        }
        let (opened, mut grown) = (Instant::now(), 0);
        let expected = format!("an end of all connections of {path}");
        wait::until_true(DEADLINE, &expected, async || {
            grown = grown.max(status_bytes(pid, "VmRSS").saturating_sub(before));
            sockets(pid) <= idle_sockets + 5
        })
        .await;
        let gone = opened.elapsed();
        eprintln!("{path}: {} MiB more, gone after {gone:?}", grown >> 20);
        assert!(grown <= GROWTH_BYTES_MAX, "{path}: {grown} bytes");
        assert!(gone < Duration::from_secs(20), "{path}: {gone:?}");
    }
    let peak = status_bytes(pid, "VmHWM");
    assert!(peak < 512 << 20, "the peak would not fit into 512 MiB: {peak}");
    assert_eq!(server.get("/v1/rooms/demo/history?limit=1").await.status, 200, "the server still answers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_that_ping_survive_a_stop_of_the_process_longer_than_their_idle_limit() {
    const STOP: Duration = Duration::from_secs(4);
    // A viewer is cut after 3 s without a byte.
    let server =
        start_with(&[("GATEWAY__PING_INTERVAL_MS", "2000"), ("GATEWAY__PING_MARGIN_MS", "1000")]).await;
    let mut viewers = Vec::new();
    for _ in 0..50 {
        viewers.push(RawSocket::joined(server.public, "demo").await);
    }
    let mut silent = RawSocket::joined(server.public, "demo").await;
    let ping_all = async |viewers: &mut Vec<RawSocket>, time: Duration| {
        let end = Instant::now() + time;
        while Instant::now() < end {
            for viewer in viewers.iter_mut() {
                viewer.send_text(r#"{"type":"ping"}"#).await;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    process::signal("STOP", [server.id().to_string()]);
    ping_all(&mut viewers, STOP).await;
    process::signal("CONT", [server.id().to_string()]);
    ping_all(&mut viewers, STOP).await;
    let token = server.token("host", "demo", "host").await;
    assert_eq!(server.post(MESSAGES, &token, chat("after", "after the stop")).await.status, 200);
    for viewer in &mut viewers {
        let batch = viewer.next_batch().await;
        assert!(batch.messages[0].body.get().contains("after the stop"));
    }
    let (_, code) = silent.until_closed().await;
    assert!(code.is_some(), "a viewer that sends nothing is closed, also after the stop");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broadcast_reaches_4_000_rooms() {
    broadcast_to(4_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "keeps two processors busy for half a minute"]
async fn broadcast_reaches_20_000_rooms() {
    broadcast_to(20_000).await;
}

/// Creates the rooms, and tells all of them something in one request.
async fn broadcast_to(rooms: usize) {
    const AT_ONCE: usize = 64;
    let server = Arc::new(start_with(&[("BUS__ROOMS_MAX", &(rooms + 100).to_string())]).await);
    let admin = server.token("boss", "*", "admin").await;
    let mut creating = JoinSet::<Answer>::new();
    for n in 0..rooms {
        if creating.len() >= AT_ONCE {
            let answer = creating.join_next().await.unwrap().unwrap();
            assert_eq!(answer.status, 201, "{answer:?}");
        }
        let (server, admin) = (Arc::clone(&server), admin.clone());
        creating.spawn(async move { server.admin("PUT", &format!("/rooms/r{n}"), &admin, &json!({})).await });
    }
    while let Some(answer) = creating.join_next().await {
        let answer = answer.unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    let start = Instant::now();
    let mut viewer = RawSocket::joined(server.public, &format!("r{}", rooms - 1)).await;
    let answer =
        server.admin("POST", "/broadcast", &admin, &json!({ "text": "five minutes", "id": "b" })).await;
    eprintln!("broadcast to {rooms} rooms in {:?}", start.elapsed());
    // The demo room is the one more.
    assert_eq!((answer.status, &answer.body["reached"]), (200, &json!(rooms + 1)), "{answer:?}");
    let batch = viewer.next_batch().await;
    assert!(batch.messages[0].body.get().contains("five minutes"));
}
