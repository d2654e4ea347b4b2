//! Connections for the inbox alone, over real sockets.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use barrage_bus::Change;
use barrage_gateway::GatewayConfig;
use barrage_protocol::Code;
use barrage_protocol::frame::ServerFrame;
use barrage_protocol::mail::{Attached, Bell};
use barrage_testkit::{Frame, RawSocket};
use barrage_token::Role;
use http::Method;

use crate::fleet::{Fleet, LEEWAY_SECS, Member, until};
use crate::mail::{Courier, FOREVER, mail, mail_before_pong, next, start, version};
use crate::raw::RawHttp;

const WS: &str = "/v1/inbox/ws";
const SSE: &str = "/v1/inbox/sse";

fn unix_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

async fn opened(member: &Member, token: &str) -> RawSocket {
    let mut socket = RawSocket::connect(member.address, WS, &[]).await.unwrap();
    socket.send_text(&serde_json::json!({ "type": "join", "token": token }).to_string()).await;
    socket
}

fn inbox_connections(member: &Member) -> u64 {
    member.metric("barrage_gateway_inbox_connections")
}

/// Starts a gateway that knows its courier, so that no bell comes for that.
async fn start_quiet<'a>(fleet: &'a Fleet) -> (Member, Courier<'a>) {
    let member = start(fleet).await;
    let mut courier = Courier::of(fleet).await;
    courier.beat();
    until(|| member.metric("barrage_gateway_mail_losses_total") == 1).await;
    (member, courier)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_without_a_room_gets_its_users_mail_and_is_in_no_room() {
    let fleet = Fleet::new().await;
    let (member, mut courier) = start_quiet(&fleet).await;
    let token = fleet.token_of("ann", Role::Viewer, FOREVER);
    let mut by_frame = opened(&member, &token).await;
    let subprotocol = format!("barrage.v1.1.deflate, barrage.token.{token}");
    let offered = [("Sec-WebSocket-Protocol", subprotocol.as_str())];
    let mut by_handshake = RawSocket::connect(member.address, WS, &offered).await.unwrap();
    for socket in [&mut by_frame, &mut by_handshake] {
        let ServerFrame::Attached(Attached { user, connection }) = next(socket).await else { panic!() };
        let connection = connection.expect("what a hello says");
        assert_eq!((user.as_str(), connection.ping_interval_ms > 0), ("ann", true));
    }
    courier.hears("ann", true).await;
    assert_eq!((member.viewers(), inbox_connections(&member)), (2, 2));
    assert_eq!(member.metric("barrage_gateway_rooms"), 0, "no room is subscribed");
    assert_eq!(member.metric("barrage_gateway_joins_total"), 0);
    courier.send(&["ann", "bob"], &mail(7));
    for socket in [&mut by_frame, &mut by_handshake] {
        assert_eq!(version(&next(socket).await), 7);
        assert!(mail_before_pong(socket).await.is_none(), "pings are answered");
    }
    drop(by_frame);
    until(|| inbox_connections(&member) == 1).await;
    drop(by_handshake);
    courier.hears("ann", false).await;
    until(|| (member.viewers(), inbox_connections(&member)) == (0, 0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_frames_and_tokens_reach_no_room_and_no_other_inbox() {
    let fleet = Fleet::new().await;
    let (member, mut courier) = start_quiet(&fleet).await;
    let token = fleet.token_of("ann", Role::Viewer, FOREVER);
    for (path, expected) in [(WS, 401), (SSE, 401)] {
        let probe = fleet.token_of("probe", Role::Probe, FOREVER);
        let header = |token: &str| format!("Bearer {token}");
        for (token, expected) in [(header("forged"), expected), (header(&probe), 403)] {
            let refused = match path {
                WS => RawSocket::connect(member.address, path, &[("Authorization", &token)]).await.err(),
                _ => {
                    let mut answer = RawHttp::get(member.address, path, token.strip_prefix("Bearer ")).await;
                    answer.read_to_end().await;
                    answer.text.split(' ').nth(1).map(|status| status.parse().unwrap())
                }
            };
            assert_eq!(refused, Some(expected), "{path} {token}");
        }
    }
    let mut guest = RawSocket::connect(member.address, WS, &[]).await.unwrap();
    guest.send_text(r#"{"type":"join"}"#).await;
    assert_eq!(guest.until_closed().await.0.as_deref(), Some("unauthorized"));
    let mut ann = opened(&member, &token).await;
    next(&mut ann).await;
    for frame in [
        r#"{"type":"switch","room":"demo"}"#,
        r#"{"type":"repair","after":0,"before":9}"#,
        r#"{"type":"visibility","hidden":true}"#,
        r#"{"type":"traces"}"#,
        r#"{"type":"traced","sequence":1}"#,
        r#"{"type":"join","token":"x"}"#,
        r#"{"type":"attach","user":"bob"}"#,
    ] {
        ann.send_text(frame).await;
        let ServerFrame::Error(refusal) = next(&mut ann).await else { panic!("{frame}") };
        assert_eq!(refusal.code, Code::BadFrame, "{frame}");
    }
    // Attached a second time, it is attached once.
    ann.send_text(r#"{"type":"attach"}"#).await;
    assert!(matches!(next(&mut ann).await, ServerFrame::Attached(Attached { connection: None, .. })));
    courier.send(&["bob"], &mail(1));
    courier.send(&["ann"], &mail(2));
    assert_eq!(version(&next(&mut ann).await), 2);
    assert!(mail_before_pong(&mut ann).await.is_none());
    assert_eq!(member.metric("barrage_gateway_rooms"), 0);
    for _ in 0..1_000 {
        ann.send_text(r#"{"type":"attach"}"#).await;
    }
    assert_eq!(ann.until_closed().await.0.as_deref(), Some("rate_limited"));
    until(|| (member.metric("barrage_gateway_attached"), inbox_connections(&member)) == (0, 0)).await;
    assert_eq!(member.metric("barrage_conservation_error"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_ends_with_its_token_and_by_a_revocation() {
    let fleet = Fleet::new().await;
    let (member, mut courier) = start_quiet(&fleet).await;
    let ends_at = unix_secs() + 1;
    let short = fleet.token_of("ann", Role::Viewer, ends_at);
    let long = fleet.token_of("bob", Role::Viewer, FOREVER);
    let (mut ann, mut bob) = (opened(&member, &short).await, opened(&member, &long).await);
    let mut ann_stream = RawHttp::get(member.address, SSE, Some(&short)).await;
    let mut bob_stream = RawHttp::get(member.address, SSE, Some(&long)).await;
    for stream in [&mut ann_stream, &mut bob_stream] {
        stream.until("event: attached").await;
    }
    courier.hears("ann", true).await;
    let user = Some("bob".parse().unwrap());
    fleet.bus.change(Change::Revoke { user, before_secs: unix_secs() + 1 }).await.unwrap();
    assert_eq!(bob.until_closed().await.0.as_deref(), Some("unauthorized"));
    bob_stream.until("\"unauthorized\"").await;
    assert_eq!(ann.until_closed().await.0.as_deref(), Some("token_expired"));
    assert!(unix_secs() > ends_at + LEEWAY_SECS, "not before the leeway is over");
    ann_stream.until("\"token_expired\"").await;
    courier.hears("ann", false).await;
    until(|| (member.metric("barrage_gateway_attached"), inbox_connections(&member)) == (0, 0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_are_rung_and_a_flood_of_mail_is_few_bells() {
    let fleet = Fleet::new().await;
    let (member, mut courier) = start_quiet(&fleet).await;
    let token = fleet.token_of("ann", Role::Viewer, FOREVER);
    let mut alone = RawHttp::get(member.address, SSE, Some(&token)).await;
    let mut in_room = RawHttp::get(member.address, "/v1/rooms/demo/sse?inbox=true", Some(&token)).await;
    let mut without = RawHttp::get(member.address, "/v1/rooms/demo/sse", Some(&token)).await;
    alone.until("event: attached").await;
    in_room.until("event: attached").await;
    without.until("event: hello").await;
    courier.hears("ann", true).await;
    assert_eq!((member.metric("barrage_gateway_attached"), inbox_connections(&member)), (2, 1));
    for number in 0..500 {
        courier.send(&["ann"], &mail(number + 1));
    }
    for stream in [&mut alone, &mut in_room] {
        stream.until("event: bell\ndata: {\"type\":\"bell\"}").await;
    }
    // An envelope was lost: all are rung, and spread their requests.
    courier.skip();
    courier.beat();
    for stream in [&mut alone, &mut in_room] {
        stream.until("\"spread_ms\":10000").await;
        assert!(stream.text.matches("event: bell").count() <= 4, "{}", stream.text);
    }
    // The room goes on, and has no bell for those who did not ask.
    fleet.gift("g1").await;
    for stream in [&mut in_room, &mut without] {
        stream.until("\"g1\"").await;
    }
    assert!(!without.text.contains("bell") && !without.text.contains("attached"), "{}", without.text);
    drop((alone, in_room));
    courier.hears("ann", false).await;
    until(|| (member.metric("barrage_gateway_attached"), inbox_connections(&member)) == (0, 0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_that_reads_late_gets_few_frames_and_a_bell() {
    let fleet = Fleet::new().await;
    let (member, mut courier) = start_quiet(&fleet).await;
    let token = fleet.token_of("ann", Role::Viewer, FOREVER);
    let mut ann = opened(&member, &token).await;
    next(&mut ann).await;
    let long = format!(r#"{{"type":"mail","previous":0,"version":1,"pad":"{}"}}"#, "x".repeat(8_000));
    for _ in 0..200 {
        courier.send(&["ann"], &long);
    }
    let fate = |fate: &str| member.metric_of("barrage_gateway_mail_frames_total", &[fate]);
    until(|| fate("took") == 200 && fate("collapsed") > 150).await;
    assert!(member.metric("barrage_gateway_backlog_bytes") < 64 * 1024);
    let (mut frames, mut bells) = (0, 0);
    while let Some(frame) = mail_before_pong(&mut ann).await {
        frames += 1;
        bells += u64::from(matches!(frame, ServerFrame::Bell(bell) if bell == Bell::default()));
    }
    assert!(frames <= 25 && bells > 0, "{frames} frames, {bells} of them bells");
    assert_eq!(fate("delivered") + fate("collapsed"), 200);
    assert_eq!(member.metric("barrage_conservation_error"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drain_sends_connections_of_the_inbox_away_and_closes_those_that_stay() {
    let fleet = Fleet::new().await;
    let config = GatewayConfig { id: "a".into(), drain_secs: 1, ..GatewayConfig::default() };
    let member = fleet.start(config).await;
    let _other = fleet.start(GatewayConfig { id: "b".into(), ..GatewayConfig::default() }).await;
    let token = fleet.token_of("ann", Role::Viewer, FOREVER);
    let mut socket = opened(&member, &token).await;
    next(&mut socket).await;
    let mut stream = RawHttp::get(member.address, SSE, Some(&token)).await;
    stream.until("event: attached").await;
    let body = r#"{"share":1.0}"#;
    let (status, answer) = member.admin(Method::POST, "/v1/admin/give-back", body).await;
    assert_eq!(status, http::StatusCode::OK, "{answer}");
    loop {
        if let ServerFrame::Reconnect(reconnect) = next(&mut socket).await {
            let paths: Vec<_> =
                reconnect.endpoints.iter().map(|it| it.url.rsplit_once("/v1").unwrap().1).collect();
            break assert_eq!(paths, ["/inbox/ws", "/inbox/sse"]);
        }
    }
    stream.until("event: reconnect").await;
    assert!(stream.text.contains("/v1/inbox/sse"), "{}", stream.text);
    // Neither client moves: both are closed.
    assert!(socket.until_closed().await.1.is_some());
    stream.read_to_end().await;
    until(|| member.viewers() == 0).await;
    assert!(matches!(socket.next_within(Duration::from_millis(10)).await, Some(Frame::End) | None));
}
