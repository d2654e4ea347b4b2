//! Bad input gets its documented code and does not affect other connections.

use std::time::Duration;

use barrage_protocol::frame::ServerFrame;
use barrage_testkit::{Frame, RawSocket, Server, ServerOptions, masked, wait};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{BINARY, MESSAGES, chat, gift, start, start_with};

async fn joined(server: &Server) -> RawSocket {
    RawSocket::joined(server.public, "demo").await
}

#[tokio::test]
async fn hostile_frame_closes_its_own_connection_with_its_code_alone() {
    let mut server = start().await;
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
    assert_eq!(server.post(MESSAGES, &token, gift("after")).await.status, 200);
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
async fn bad_frames_are_refused_and_the_eighth_closes_the_connection() {
    let server = start().await;
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
async fn joins_and_posts_check_token_room_and_origin() {
    let server = start().await;
    let good = server.token("u1", "demo", "viewer").await;
    let other_room = server.token("u1", "elsewhere", "viewer").await;
    let mut forged = good.clone();
    forged.replace_range(forged.len() - 4.., "AAAA");
    // The default leeway of 30 s would make the test wait.
    let strict = start_with(&[("TOKEN__LEEWAY_SECS", "0")]).await;
    let short = strict.token_for("u1", "demo", "viewer", 1).await;
    wait::until_true(Duration::from_secs(10), "the expiry of the token", async || {
        strict.post(MESSAGES, &short, "{}").await.code() == "token_expired"
    })
    .await;
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

    let cases = [(&forged, "unauthorized", 4010_u16, 401_u16), (&other_room, "wrong_room", 4012, 403)];
    for (token, code, close, status) in cases {
        let mut socket = RawSocket::join(server.public, "demo", Some(token), None).await;
        assert_eq!(socket.until_closed().await, (Some(code.into()), Some(close)));
        let protocol = format!("barrage.v1.json, barrage.token.{token}");
        let refused =
            RawSocket::connect(server.public, "/v1/rooms/demo/ws", &[("Sec-WebSocket-Protocol", &protocol)])
                .await;
        assert_eq!(refused.unwrap_err(), status);
        let answer = server.post(MESSAGES, token, r#"{"type":"chat","id":"x","text":"x"}"#).await;
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
    assert_eq!(server.post(MESSAGES, "", "{}").await.code(), "unauthorized");
    let viewer = server.admin("POST", "/rooms/demo/close", &good, &json!({})).await;
    assert_eq!((viewer.status, viewer.code()), (403, "forbidden"));
    assert_eq!(
        server.post("/v1/admin/rooms/demo/close", &good, "{}").await.status,
        404,
        "not on the public listener"
    );
}

#[tokio::test]
async fn silent_connections_are_closed_at_their_deadlines() {
    let server = start_with(&[
        ("GATEWAY__JOIN_SECS", "1"),
        ("HTTP__HEADER_SECS", "1"),
        ("GATEWAY__PING_INTERVAL_MS", "1000"),
        ("GATEWAY__PING_MARGIN_MS", "500"),
    ])
    .await;
    let mut silent = RawSocket::connect(server.public, "/v1/rooms/demo/ws", &[]).await.unwrap();
    assert_eq!(silent.until_closed().await, (Some("join_timeout".into()), Some(4104)));
    let mut idle = joined(&server).await;
    assert_eq!(idle.until_closed().await, (Some("idle".into()), Some(4200)));
    // The header deadline starts at the first byte.
    let mut slow = tokio::net::TcpStream::connect(server.public).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n").await.unwrap();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), slow.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "a slow header keeps its connection open");
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
async fn pages_of_allowed_origins_alone_may_connect_and_post() {
    let origin = "https://live.example";
    let server = start_with(&[("HTTP__ALLOWED_ORIGINS", &format!("[{origin:?}]"))]).await;
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

#[tokio::test]
async fn log_at_trace_level_contains_no_token_and_no_text() {
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
    assert_eq!(server.post(MESSAGES, &token, chat("c", "canary-text")).await.status, 200);
    let mut socket = RawSocket::join(server.public, "demo", Some(&token), None).await;
    let Frame::Protocol(ServerFrame::Hello(_), _) = socket.next().await else { panic!("no hello") };
    let protocol = format!("barrage.v1.json, barrage.token.{token}");
    let headers = [("Sec-WebSocket-Protocol", protocol.as_str())];
    RawSocket::connect(server.public, "/v1/rooms/demo/ws", &headers).await.unwrap();
    let mut forged = token.clone();
    forged.push('x');
    server.post(MESSAGES, &forged, "{}").await;
    assert_eq!(server.stop("TERM").await, Some(0));
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("the process drains"), "this is not the log");
    assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    let signature = token.rsplit('.').next().unwrap();
    assert!(!log.contains(signature), "a token is in the log");
    assert!(!log.contains("canary-text"), "a text is in the log");
}

#[tokio::test]
async fn posts_out_of_bounds_get_their_documented_codes() {
    let mut server = start().await;
    let token = server.token("u1", "demo", "viewer").await;
    let chat = |text: &str| chat("x", text);
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
        let answer = server.post(MESSAGES, &token, body).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{name}");
    }
    assert_eq!(
        server
            .post("/v1/rooms/nowhere/messages", &server.token("u1", "*", "viewer").await, chat("x"))
            .await
            .code(),
        "unknown_room"
    );
    // Accepted text has no control characters, and markup stays text.
    let answer = server.post(MESSAGES, &token, chat(" <script>alert(1)</script>\u{202e}\u{0} ")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let page = server.get("/v1/rooms/demo/poll?after=0&wait=0").await;
    assert_eq!(page.body["messages"][0]["body"]["text"], "<script>alert(1)</script>");
    // The same id with another text.
    assert_eq!(server.post(MESSAGES, &token, chat("other")).await.code(), "conflict");
    assert!(server.is_alive());
}

#[tokio::test]
async fn ten_thousand_posts_with_one_id_are_one_message() {
    let server = std::sync::Arc::new(start().await);
    let token = server.token("u1", "demo", "viewer").await;
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (server, token) = (std::sync::Arc::clone(&server), token.clone());
        senders.spawn(async move {
            let mut fresh = 0;
            for _ in 0..500 {
                let answer = server.post(MESSAGES, &token, gift("same")).await;
                assert_eq!(answer.status, 200);
                fresh += usize::from(answer.body["outcome"] == "broadcast");
            }
            fresh
        });
    }
    assert_eq!(senders.join_all().await.into_iter().sum::<usize>(), 1);
}
