//! Bad input gets its documented code, and nobody else notices.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use barrage_protocol::frame::ServerFrame;
use barrage_testkit::{Frame, RawSocket, Server, ServerOptions, masked};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const BINARY: &str = env!("CARGO_BIN_EXE_barrage");

async fn server() -> Server {
    Server::start(BINARY, ServerOptions::default()).await
}

async fn joined(server: &Server) -> RawSocket {
    RawSocket::joined(server.public, "demo").await
}

/// Every hostile frame ends its own connection with its code; a viewer beside them
/// gets everything.
#[tokio::test]
async fn hostile_frames_end_their_own_connection_alone() {
    let mut server = server().await;
    let mut neighbour = joined(&server).await;
    let cases: Vec<(&str, Vec<u8>, &str, u16)> = vec![
        ("oversized", masked(0x81, &vec![b'x'; 16 * 1024 + 1]), "too_large", 4002),
        ("64 MiB claimed", vec![0x81, 0xff, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0], "too_large", 4002),
        ("not UTF-8", masked(0x81, &[0xff, 0xfe, 0x80]), "invalid_utf8", 4003),
        ("binary", masked(0x82, b"{}"), "unsupported_frame", 4004),
        ("unmasked", b"\x81\x0f{\"type\":\"ping\"}".to_vec(), "protocol_violation", 4006),
        ("fragment", masked(0x01, b"{"), "protocol_violation", 4006),
        ("continuation", masked(0x80, b"}"), "protocol_violation", 4006),
        ("reserved bits", masked(0xF1, b"{}"), "protocol_violation", 4006),
        ("fragment flood", masked(0x01, b"x").repeat(10_000), "protocol_violation", 4006),
        ("ping flood", masked(0x89, b"x").repeat(1_000), "control_flood", 4005),
        ("frame flood", masked(0x81, br#"{"type":"ping"}"#).repeat(1_000), "rate_limited", 4100),
    ];
    for (name, bytes, code, close) in cases {
        let mut socket = joined(&server).await;
        socket.send_raw(&bytes).await;
        assert_eq!(socket.until_closed().await, (Some(code.into()), Some(close)), "{name}");
    }
    let token = server.token("u1", "demo", "viewer").await;
    let post = r#"{"type":"gift","id":"after","gift":{"name":"rose","count":1}}"#;
    assert_eq!(server.post("/v1/rooms/demo/messages", &token, post).await.status, 200);
    loop {
        let batch = neighbour.next_batch().await;
        if batch.messages.iter().any(|m| m.body.get().contains("after")) {
            break;
        }
    }
    assert!(server.is_alive());
    assert!(server.resident_bytes() < 200 << 20, "{}", server.resident_bytes());
}

#[tokio::test]
async fn a_frame_that_is_not_understood_is_refused_and_too_many_end_the_connection() {
    let server = server().await;
    let mut socket = joined(&server).await;
    for frame in [
        r#"{"type":"dance"}"#,
        "[]",
        "{",
        r#"{"type":"ping","extra":1}"#,
        r#"{"type":"repair","after":9,"before":3}"#,
    ] {
        socket.send_text(frame).await;
        loop {
            if let Frame::Protocol(ServerFrame::Error(error), _) = socket.next().await {
                assert_eq!(error.code.label(), "bad_frame", "{frame}");
                break;
            }
        }
    }
    for _ in 0..4 {
        socket.send_text("nonsense").await;
    }
    assert_eq!(socket.until_closed().await, (Some("bad_frame".into()), Some(4001)));
}

#[tokio::test]
async fn tokens_and_rooms_are_checked_at_the_door() {
    let server = server().await;
    let good = server.token("u1", "demo", "viewer").await;
    let other_room = server.token("u1", "elsewhere", "viewer").await;
    let expired = server.token_for("u1", "demo", "viewer", 1).await;
    let mut forged = good.clone();
    forged.replace_range(forged.len() - 4.., "AAAA");
    // Leeway is 30 s: an expired token is made by a server whose leeway is none.
    let strict = Server::start(
        BINARY,
        ServerOptions {
            environment: vec![("BARRAGE_TOKEN__LEEWAY_SECS".into(), "0".into())],
            ..ServerOptions::default()
        },
    )
    .await;
    let short = strict.token_for("u1", "demo", "viewer", 1).await;
    tokio::time::timeout(Duration::from_secs(10), async {
        while strict.post("/v1/rooms/demo/messages", &short, "{}").await.code() != "token_expired" {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(
        RawSocket::connect(
            strict.public,
            "/v1/rooms/demo/ws",
            &[("Authorization", &format!("Bearer {short}"))]
        )
        .await
        .unwrap_err(),
        401
    );
    drop(expired);

    let cases = [(&forged, "unauthorized", 4010_u16, 401_u16), (&other_room, "wrong_room", 4012, 403)];
    for (token, code, close, status) in cases {
        let mut socket = RawSocket::join(server.public, "demo", Some(token), None).await;
        assert_eq!(socket.until_closed().await, (Some(code.into()), Some(close)));
        let protocol = format!("barrage.v1.json, barrage.token.{token}");
        let refused =
            RawSocket::connect(server.public, "/v1/rooms/demo/ws", &[("Sec-WebSocket-Protocol", &protocol)])
                .await;
        assert_eq!(refused.unwrap_err(), status);
        let answer =
            server.post("/v1/rooms/demo/messages", token, r#"{"type":"chat","id":"x","text":"x"}"#).await;
        assert_eq!((answer.status, answer.code()), (status, code));
    }
    let protocol = format!("barrage.v1.deflate, barrage.token.{good}");
    let mut socket =
        RawSocket::connect(server.public, "/v1/rooms/demo/ws", &[("Sec-WebSocket-Protocol", &protocol)])
            .await
            .unwrap();
    assert_eq!(socket.subprotocol.as_deref(), Some("barrage.v1.deflate"), "the token is not echoed");
    let Frame::Protocol(ServerFrame::Hello(hello), _) = socket.next().await else { panic!("no hello") };
    assert_eq!(hello.user.unwrap().as_str(), "u1");

    assert_eq!(RawSocket::connect(server.public, "/v1/rooms/nowhere/ws", &[]).await.unwrap_err(), 404);
    assert_eq!(RawSocket::connect(server.public, "/v1/rooms/a.b/ws", &[]).await.unwrap_err(), 400);
    assert_eq!(
        RawSocket::connect(server.public, "/v1/rooms/demo/ws", &[("Origin", "https://evil.example")])
            .await
            .unwrap_err(),
        403
    );
    assert_eq!(server.get("/v1/rooms/nowhere/poll").await.code(), "unknown_room");
    assert_eq!(server.post("/v1/rooms/demo/messages", "", "{}").await.code(), "unauthorized");
    let viewer = server.admin("POST", "/rooms/demo/close", &good, &json!({})).await;
    assert_eq!((viewer.status, viewer.code()), (403, "forbidden"));
    assert_eq!(
        server.post("/v1/admin/rooms/demo/close", &good, "{}").await.status,
        404,
        "not on the public listener"
    );
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed_in_time() {
    let server = Server::start(
        BINARY,
        ServerOptions {
            environment: vec![
                ("BARRAGE_GATEWAY__JOIN_SECS".into(), "1".into()),
                ("BARRAGE_HTTP__HEADER_SECS".into(), "1".into()),
                ("BARRAGE_GATEWAY__PING_INTERVAL_MS".into(), "1000".into()),
                ("BARRAGE_GATEWAY__PING_MARGIN_MS".into(), "500".into()),
            ],
            ..ServerOptions::default()
        },
    )
    .await;
    let mut silent = RawSocket::connect(server.public, "/v1/rooms/demo/ws", &[]).await.unwrap();
    assert_eq!(silent.until_closed().await, (Some("join_timeout".into()), Some(4104)));
    let mut idle = joined(&server).await;
    assert_eq!(idle.until_closed().await, (Some("idle".into()), Some(4200)));
    // A slow header: the first byte starts the clock.
    let mut slow = tokio::net::TcpStream::connect(server.public).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n").await.unwrap();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), slow.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "a slow header holds its connection");
    // An idle kept-alive connection outlives the header's deadline.
    let mut kept = tokio::net::TcpStream::connect(server.public).await.unwrap();
    for _ in 0..2 {
        kept.write_all(b"GET /v1/race HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut answer = vec![0; 16 * 1024];
        tokio::time::timeout(Duration::from_secs(10), kept.read_exact(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200"));
        // The rest of the answer, then silence for twice the deadline.
        while let Ok(Ok(read)) = tokio::time::timeout(Duration::from_secs(2), kept.read(&mut answer)).await {
            assert_ne!(read, 0, "an idle connection was closed");
        }
    }
}

#[tokio::test]
async fn pages_of_allowed_hosts_may_connect_and_post_and_no_others() {
    let origin = "https://live.example";
    let environment = vec![("BARRAGE_HTTP__ALLOWED_ORIGINS".into(), format!("[{origin:?}]"))];
    let server = Server::start(BINARY, ServerOptions { environment, ..ServerOptions::default() }).await;
    let path = "/v1/rooms/demo/ws";
    assert!(RawSocket::connect(server.public, path, &[("Origin", origin)]).await.is_ok());
    let other = [("Origin", "https://evil.example")];
    assert_eq!(RawSocket::connect(server.public, path, &other).await.unwrap_err(), 403);
    let own = format!("http://{}", server.public);
    assert!(RawSocket::connect(server.public, path, &[("Origin", &own)]).await.is_ok());
    for (from, allowed) in [(origin, Some(origin)), ("https://evil.example", None)] {
        let preflight = reqwest::Client::new()
            .request(reqwest::Method::OPTIONS, format!("{own}/v1/rooms/demo/messages"))
            .header("origin", from)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization")
            .send()
            .await
            .unwrap();
        let answer =
            preflight.headers().get("access-control-allow-origin").map(|value| value.to_str().unwrap());
        assert_eq!(answer, allowed);
    }
}

/// At the most talkative log level, neither a token nor what people write.
#[tokio::test]
async fn tokens_and_texts_are_not_in_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let environment =
        vec![("RUST_LOG".into(), "trace".into()), ("BARRAGE_LOG__FORMAT".into(), "json".into())];
    let mut server = Server::start(
        BINARY,
        ServerOptions { environment, log: Some(log.clone()), ..ServerOptions::default() },
    )
    .await;
    let token = server.token("u1", "demo", "viewer").await;
    let post = json!({ "type": "chat", "id": "c", "text": "canary-text" }).to_string();
    assert_eq!(server.post("/v1/rooms/demo/messages", &token, post).await.status, 200);
    let mut socket = RawSocket::join(server.public, "demo", Some(&token), None).await;
    let Frame::Protocol(ServerFrame::Hello(_), _) = socket.next().await else { panic!("no hello") };
    let protocol = format!("barrage.v1.json, barrage.token.{token}");
    let headers = [("Sec-WebSocket-Protocol", protocol.as_str())];
    RawSocket::connect(server.public, "/v1/rooms/demo/ws", &headers).await.unwrap();
    let mut forged = token.clone();
    forged.push('x');
    server.post("/v1/rooms/demo/messages", &forged, "{}").await;
    assert_eq!(server.stop("TERM").await, Some(0));
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("draining"), "this is not the log");
    assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    let signature = token.rsplit('.').next().unwrap();
    assert!(!log.contains(signature), "a token is in the log");
    assert!(!log.contains("canary-text"), "a text is in the log");
}

#[tokio::test]
async fn posts_out_of_bounds_get_their_codes() {
    let mut server = server().await;
    let token = server.token("u1", "demo", "viewer").await;
    let path = "/v1/rooms/demo/messages";
    let chat = |text: &str| json!({ "type": "chat", "id": "x", "text": text }).to_string();
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        ("1 MB", vec![b'x'; 1 << 20], 413, "too_large"),
        ("not JSON", b"hello".to_vec(), 400, "bad_request"),
        ("not UTF-8", b"{\"type\":\"chat\",\"id\":\"x\",\"text\":\"\xff\"}".to_vec(), 400, "invalid_utf8"),
        ("only controls", chat("\u{202e}\u{200b}\u{7}").into_bytes(), 422, "bad_text"),
        ("too long", chat(&"长".repeat(201)).into_bytes(), 422, "bad_text"),
        (
            "negative gift",
            br#"{"type":"gift","id":"x","gift":{"name":"a","count":-1}}"#.to_vec(),
            400,
            "bad_request",
        ),
        (
            "overflowing gift",
            br#"{"type":"gift","id":"x","gift":{"name":"a","count":99999999999}}"#.to_vec(),
            400,
            "bad_request",
        ),
        ("unknown type", br#"{"type":"sing","id":"x"}"#.to_vec(), 400, "bad_request"),
        (
            "unknown field",
            br#"{"type":"chat","id":"x","text":"x","admin":true}"#.to_vec(),
            400,
            "bad_request",
        ),
        ("a path as id", br#"{"type":"chat","id":"../x","text":"x"}"#.to_vec(), 400, "bad_request"),
    ];
    for (name, body, status, code) in cases {
        let answer = server.post(path, &token, body).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{name}");
    }
    assert_eq!(
        server
            .post("/v1/rooms/nowhere/messages", &server.token("u1", "*", "viewer").await, chat("x"))
            .await
            .code(),
        "unknown_room"
    );
    // What is accepted is clean, and markup is text.
    let answer = server.post(path, &token, chat(" <script>alert(1)</script>\u{202e}\u{0} ")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let page = server.get("/v1/rooms/demo/poll?after=0&wait=0").await;
    assert_eq!(page.body["messages"][0]["body"]["text"], "<script>alert(1)</script>");
    // The same id with another content.
    assert_eq!(server.post(path, &token, chat("other")).await.code(), "conflict");
    assert!(server.is_alive());
}

#[tokio::test]
async fn ten_thousand_posts_under_one_id_are_one_message() {
    let server = std::sync::Arc::new(server().await);
    let token = server.token("u1", "demo", "viewer").await;
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (server, token) = (std::sync::Arc::clone(&server), token.clone());
        senders.spawn(async move {
            let mut fresh = 0;
            for _ in 0..500 {
                let post = r#"{"type":"gift","id":"same","gift":{"name":"rose","count":1}}"#;
                let answer = server.post("/v1/rooms/demo/messages", &token, post).await;
                assert_eq!(answer.status, 200);
                fresh += usize::from(answer.body["outcome"] == "broadcast");
            }
            fresh
        });
    }
    assert_eq!(senders.join_all().await.into_iter().sum::<usize>(), 1);
}

#[tokio::test]
async fn a_configuration_with_a_mistake_is_refused_with_its_key() {
    let dir = std::env::temp_dir().join(format!("barrage-config-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    for (text, named) in [
        ("[gateway]\nwindow_seconds = 1\n", "window_seconds"),
        ("[gateway]\nwindow_ms = \"50ms\"\n", "window_ms"),
        ("[gateway]\nwindow_ms = 0\ndeflate_effort = 77\n", "deflate_effort"),
        ("colour = 1\n", "colour"),
    ] {
        let file = dir.join("barrage.toml");
        std::fs::write(&file, text).unwrap();
        let output = tokio::process::Command::new(BINARY)
            .args(["config", "check", "--config"])
            .arg(&file)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{text}: {said}");
        assert!(said.contains(named), "{text}: {said}");
    }
    std::fs::remove_dir_all(&dir).unwrap();
}
