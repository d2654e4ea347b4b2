//! HTTP/2 behind TLS: requests of one connection beside each other, and its bounds.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{HeaderMap, Uri};
use axum::routing::{get as route, post};
use barrage_http::{AllowedOrigins, Front, Http2Config, HttpConfig, Tls};
use h2::Reason;
use http::Request;
use tokio::sync::Barrier;

use crate::encrypted::{Encrypted, ask, frame, get, header_block};
use crate::server::PATIENCE;

const CUT: &str = "barrage_http_connections_cut_total";

fn router() -> Router {
    let echo = |headers: HeaderMap, uri: Uri, body: String| async move {
        format!("{} {uri} {body}", headers["host"].to_str().unwrap())
    };
    Router::new().route("/echo", post(echo)).route("/slow", route(std::future::pending::<()>))
}

/// Runs a client to its end, on a runtime of its own.
fn client(task: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(task);
}

fn config() -> HttpConfig {
    HttpConfig { write_stall_secs: 1, ..HttpConfig::default() }
}

#[test]
fn requests_of_one_connection_are_answered_beside_each_other() {
    const TOGETHER: usize = 20;
    let barrier = Arc::new(Barrier::new(TOGETHER));
    let meet = move || {
        let barrier = Arc::clone(&barrier);
        async move {
            // Returns when all requests have arrived: one after the other would never end.
            barrier.wait().await;
            "met"
        }
    };
    let origins = AllowedOrigins::new(&[]).with_hosts(&[], true);
    let front = Front { origins: Some(origins), ..Front::default() };
    let site = Encrypted::start(router().route("/meet", route(meet)), config(), front);
    client(async {
        let (requests, _connection) = site.http2(|_| {}).await;
        let met = (0..TOGETHER).map(|_| ask(&requests, get("/meet"), ""));
        for answer in futures_util::future::join_all(met).await {
            let answer = answer.unwrap();
            assert_eq!((answer.status().as_u16(), answer.body().as_str()), (200, "met"));
            assert!(answer.headers().contains_key("x-request-id"), "{answer:?}");
        }
        assert_eq!(requests.current_max_send_streams(), 64);

        // The handler sees the host and the path as with HTTP/1.1, and the origin is checked by them.
        let echo = || Request::post("https://localhost/echo?a=b");
        let own =
            ask(&requests, echo().header("origin", "https://localhost").body(()).unwrap(), "text").await;
        assert_eq!(own.unwrap().body(), "localhost /echo?a=b text");
        for (host, uri, origin) in [
            ("localhost", "https://localhost/echo", "https://evil.example"),
            ("evil.example", "https://evil.example/echo", "https://evil.example"),
        ] {
            let request = Request::post(uri).header("origin", origin).body(()).unwrap();
            assert_eq!(ask(&requests, request, "text").await.unwrap().status(), 403, "{host} {origin}");
        }
        let two_hosts = echo().header("host", "evil.example").body(()).unwrap();
        assert_eq!(ask(&requests, two_hosts, "text").await.unwrap().status(), 400);
        let long = Request::get("https://localhost/echo").header("x", "y".repeat(20_000)).body(()).unwrap();
        assert_eq!(ask(&requests, long, "").await.unwrap().status(), 431);
    });
}

/// Also a client that others wrote: curl of the system, which reports the version that it used.
#[test]
fn curl_speaks_http2_and_http1_to_the_same_listener() {
    let site = Encrypted::start(router(), config(), Front::default());
    let url = format!("https://localhost:{}/echo", site.server.address.port());
    for (version, flag) in [("2", "--http2"), ("1.1", "--http1.1")] {
        let output = Command::new("curl")
            .args(["-sS", flag, "--cacert", &site.authority(), "--data", "text"])
            .args(["--write-out", " %{http_version}", "--resolve"])
            .arg(format!("localhost:{}:127.0.0.1", site.server.address.port()))
            .args(["--noproxy", "*", &url])
            .output()
            .expect("curl is installed");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let port = site.server.address.port();
        assert_eq!(text, format!("localhost:{port} /echo text {version}"), "{output:?}");
    }
}

#[test]
fn gateway_and_switched_off_listeners_offer_http1_alone() {
    let site = Encrypted::start(router(), config(), Front::default());
    assert_eq!(site.raw(&["h2", "http/1.1"]).1, "h2");
    assert_eq!(site.raw(&["http/1.1"]).1, "http/1.1", "a browser's WebSocket");
    let off = HttpConfig { http2: Http2Config { offered: false, ..Http2Config::default() }, ..config() };
    assert_eq!(Encrypted::start(router(), off, Front::default()).raw(&["h2", "http/1.1"]).1, "http/1.1");
    let tls = Tls::load(&site.config()).unwrap().map(Tls::http1_only);
    let gateway = Encrypted::start(router(), config(), Front { tls, ..Front::default() });
    assert_eq!(site.raw_of(&gateway, &["h2", "http/1.1"]).1, "http/1.1");
}

/// Sends `bytes` of each round until the server closes the connection, and returns the rounds.
fn flood(site: &Encrypted, mut round: impl FnMut(u32) -> Vec<u8>) -> u32 {
    let mut raw = site.raw_http2();
    for sent in 0..100_000 {
        if !raw.send(&round(sent)) {
            return sent;
        }
    }
    panic!("no limit");
}

/// A request and its reset, which costs the server a handler and the client nothing.
fn reset_request(number: u32) -> Vec<u8> {
    let stream = 2 * number + 1;
    [frame(1, 5, stream, &header_block("/slow")), frame(3, 0, stream, &8_u32.to_be_bytes())].concat()
}

#[test]
fn rapid_resets_are_cut_while_others_are_served() {
    let site = Arc::new(Encrypted::start(router(), config(), Front::default()));
    client(async {
        let (requests, _connection) = site.http2(|_| {}).await;
        let attacks: Vec<_> = (0..3)
            .map(|_| {
                let site = Arc::clone(&site);
                std::thread::spawn(move || flood(&site, reset_request))
            })
            .collect();
        let mut served = 0;
        while served == 0 || attacks.iter().any(|attack| !attack.is_finished()) {
            let echo = Request::post("https://localhost/echo").body(()).unwrap();
            assert_eq!(ask(&requests, echo, "text").await.unwrap().status(), 200);
            served += 1;
        }
        for attack in attacks {
            attack.join().unwrap();
        }
        let by_library = site.server.metric(CUT, &["protocol"]);
        assert_eq!(by_library + site.server.metric(CUT, &["resets"]), 3, "the library and the meter cut all");
    });
}

/// The library bounds resets of requests that wait for their accept. These were accepted.
#[test]
fn slow_resets_of_accepted_requests_are_cut_as_well() {
    let limits = Http2Config { resets_per_s: 1, ..Http2Config::default() };
    let site = Encrypted::start(router(), HttpConfig { http2: limits, ..config() }, Front::default());
    let sent = flood(&site, |number| {
        std::thread::sleep(Duration::from_millis(5));
        reset_request(number)
    });
    assert!(sent >= 10, "the burst passes: {sent}");
    assert_eq!(site.server.metric(CUT, &["resets"]), 1);
}

#[test]
fn floods_of_frames_without_a_request_are_cut() {
    let limits = Http2Config { control_frames_per_s: 5, ..Http2Config::default() };
    let site = Encrypted::start(router(), HttpConfig { http2: limits, ..config() }, Front::default());
    for (kind, bytes) in [(6, vec![0; 8]), (4, Vec::new()), (2, vec![0, 0, 0, 0, 1])] {
        let stream = u32::from(kind == 2);
        flood(&site, |_| frame(kind, 0, stream, &bytes));
    }
    assert_eq!(site.server.metric(CUT, &["control_frames"]), 3, "PING, SETTINGS, PRIORITY");
    // A header block that never ends: the library counts its frames, or the meter does.
    flood(&site, |number| frame(if number == 0 { 1 } else { 9 }, 0, 1, &[0x82]));
    flood(&site, |_| frame(8, 0, 0, &1_u32.to_be_bytes()));
    assert_eq!(site.server.metric(CUT, &["window_updates"]), 1);
    assert_eq!(site.server.metric(CUT, &[]), 5);
}

#[test]
fn frame_that_does_not_end_has_the_deadline_of_a_header() {
    let site = Encrypted::start(router(), HttpConfig { header_secs: 1, ..config() }, Front::default());
    let begun = Instant::now();
    let (mut silent, _) = site.raw(&["h2"]);
    let mut half_frame = site.raw_http2();
    half_frame.send(&frame(1, 4, 1, &header_block("/echo"))[..12]);
    let mut half_block = site.raw_http2();
    half_block.send(&frame(1, 0, 1, &header_block("/echo")));
    let mut ahead = site.raw_http2();
    for late in [&mut silent, &mut half_frame, &mut half_block] {
        assert!(late.closes_within(PATIENCE));
    }
    assert!(begun.elapsed() >= Duration::from_secs(1), "not before the deadline");
    assert!(!ahead.closes_within(Duration::from_secs(2)), "a connection may be open ahead of its requests");
}

#[test]
fn idle_connection_is_closed_and_a_busy_one_is_not() {
    let site = Encrypted::start(router(), HttpConfig { idle_secs: 1, ..config() }, Front::default());
    client(async {
        let (_idle, idle_connection) = site.http2(|_| {}).await;
        let (busy, busy_connection) = site.http2(|_| {}).await;
        let slow = tokio::spawn(async move { ask(&busy, get("/slow"), "").await });
        tokio::time::timeout(PATIENCE, idle_connection).await.expect("closed when idle").unwrap().ok();
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(!busy_connection.is_finished() && !slow.is_finished());
    });
}

/// An endless answer that counts itself as long as it lives.
struct Endless(Arc<AtomicUsize>);

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn stream_without_a_window_is_reset_and_its_connection_lives() {
    let alive = Arc::new(AtomicUsize::new(0));
    let endless = {
        let alive = Arc::clone(&alive);
        move || {
            alive.fetch_add(1, Ordering::SeqCst);
            let alive = Endless(Arc::clone(&alive));
            async move {
                let pieces = futures_util::stream::repeat_with(move || {
                    let _alive = &alive;
                    Ok::<_, std::convert::Infallible>(vec![b'x'; 100_000])
                });
                axum::body::Body::from_stream(pieces)
            }
        }
    };
    let site = Encrypted::start(router().route("/endless", route(endless)), config(), Front::default());
    client(async {
        let (requests, connection) = site
            .http2(|client| {
                client.initial_window_size(70_000);
            })
            .await;
        let mut unread = Vec::new();
        for _ in 0..3 {
            let mut requests = requests.clone().ready().await.unwrap();
            let (response, _) = requests.send_request(get("/endless"), true).unwrap();
            unread.push(response.await.unwrap().into_body());
        }
        assert_eq!(alive.load(Ordering::SeqCst), 3);
        // The client reads nothing of these, and the connection's window is full with them: 65,535 bytes.
        for body in &mut unread {
            let error = tokio::time::timeout(PATIENCE, async {
                loop {
                    match body.data().await {
                        Some(Ok(_)) => {}
                        Some(Err(error)) => break error,
                        None => panic!("an endless answer ended"),
                    }
                }
            });
            assert_eq!(error.await.expect("reset in time").reason(), Some(Reason::CANCEL));
        }
        assert_eq!(alive.load(Ordering::SeqCst), 0, "their answers are freed");
        drop(unread);
        assert!(!connection.is_finished());
        let echo = Request::post("https://localhost/echo").body(()).unwrap();
        assert_eq!(ask(&requests, echo, "text").await.unwrap().status(), 200, "the next request");
    });
}

#[test]
fn shutdown_ends_idle_connections_at_once() {
    let site = Encrypted::start(router(), config(), Front::default());
    let mut raw = site.raw_http2();
    let begun = Instant::now();
    drop(site);
    assert!(raw.closes_within(PATIENCE) && begun.elapsed() < PATIENCE);
}
