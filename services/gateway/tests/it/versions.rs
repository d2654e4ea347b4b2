//! Clients of other versions of the protocol, and what clients state about themselves.

use std::net::SocketAddr;
use std::time::Duration;

use crate::fleet::{Fleet, Member, until};
use crate::raw::RawHttp;
use barrage_bus::Change;
use barrage_client::{Event, Network};
use barrage_gateway::GatewayConfig;
use barrage_protocol::entry::Transport;
use barrage_protocol::facts::NetworkType;
use barrage_protocol::frame::ServerFrame;
use barrage_testkit::{Frame, RawSocket};
use barrage_token::Role;
use serde_json::{Value, json};

const WS: &str = "/v1/rooms/demo/ws";
const JOINS: &str = "barrage_gateway_client_joins_total";

async fn connect(address: SocketAddr, offered: &str) -> RawSocket {
    RawSocket::connect(address, WS, &[("Sec-WebSocket-Protocol", offered)]).await.unwrap()
}

/// Returns the JSON of the next frame, which must have this type. Batches of counters are passed over.
async fn frame(socket: &mut RawSocket, kind: &str) -> Value {
    loop {
        match socket.next().await {
            Frame::Protocol(ServerFrame::Batch(batch), _)
                if batch.pulse.as_ref().is_some_and(|pulse| !pulse.is_empty()) => {}
            Frame::Protocol(_, json) => {
                let frame: Value = serde_json::from_str(&json).unwrap();
                assert_eq!(frame["type"], kind, "{frame}");
                return frame;
            }
            other => panic!("expected {kind}, got {other:?}"),
        }
    }
}

/// Joins with facts in version 1.1; returns the hello.
async fn join_with(socket: &mut RawSocket, client: &Value) -> Value {
    socket.send_text(&json!({ "type": "join", "client": client }).to_string()).await;
    frame(socket, "hello").await
}

fn keys(frame: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = frame.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// Joins with this label value.
fn joins(member: &Member, label: &str, value: &str) -> u64 {
    member.metric_with("barrage_gateway_client_", label, value)
}

/// The frames are those of version 1.0, by hand: a client of then may refuse to know any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_version_1_0_sees_the_frames_of_version_1_0() {
    let fleet = Fleet::new().await;
    let gateway = fleet.start(GatewayConfig::default()).await;
    for offered in ["barrage.v1.json", "barrage.v1.deflate", "some.other"] {
        let mut socket = connect(gateway.address, offered).await;
        let chosen = offered.starts_with("barrage").then_some(offered);
        assert_eq!(socket.subprotocol.as_deref(), chosen);
        socket.send_text(r#"{"type":"join","after":0}"#).await;
        let hello = frame(&mut socket, "hello").await;
        let wanted = ["connection", "online", "ping_interval_ms", "resume", "room", "sequence", "type"];
        assert_eq!(keys(&hello), wanted);
        assert_eq!(hello["ping_interval_ms"], 25_000);
        frame(&mut socket, "batch").await;
        socket.send_text(r#"{"type":"ping","id":7}"#).await;
        let pong = frame(&mut socket, "pong").await;
        assert_eq!((keys(&pong), &pong["id"]), (vec!["id", "time_ms", "type"], &json!(7)));
    }
    assert_eq!(joins(&gateway, "client", "none"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_offered_version_that_the_server_knows_is_used() {
    let fleet = Fleet::new().await;
    let gateway = fleet.start(GatewayConfig::default()).await;
    for (offered, chosen, max) in [
        ("barrage.v9.json, barrage.v1.1.deflate, barrage.v1.json", "barrage.v1.1.deflate", json!(270_000)),
        ("barrage.v1.1.json, barrage.v1.json", "barrage.v1.1.json", json!(270_000)),
        ("barrage.v1.json, barrage.v1.1.json", "barrage.v1.json", Value::Null),
    ] {
        let mut socket = connect(gateway.address, offered).await;
        assert_eq!(socket.subprotocol.as_deref(), Some(chosen), "{offered}");
        socket.send_text(r#"{"type":"join"}"#).await;
        assert_eq!(frame(&mut socket, "hello").await["ping_interval_ms_max"], max, "{offered}");
    }
}

/// A client that finds its interval out may be silent for longer than one with a fixed interval.
#[tokio::test(flavor = "multi_thread")]
async fn silence_is_bounded_by_the_version() {
    let fleet = Fleet::new().await;
    let config = GatewayConfig { ping_interval_ms: 1_000, ping_margin_ms: 500, ..GatewayConfig::default() };
    let gateway = fleet.start(config).await;
    let mut old = connect(gateway.address, "barrage.v1.json").await;
    let mut new = connect(gateway.address, "barrage.v1.1.json").await;
    old.send_text(r#"{"type":"join"}"#).await;
    frame(&mut old, "hello").await;
    join_with(&mut new, &json!({ "network": "cellular" })).await;
    let error = frame(&mut old, "error").await;
    assert_eq!(error["code"], "idle");
    new.send_text(r#"{"type":"ping","id":1}"#).await;
    frame(&mut new, "pong").await;
    // The one that was closed had stated no network.
    // It is counted after its last frame was sent.
    until(|| gateway.metric_with("barrage_gateway_idle_closes_total", "network", "unknown") == 1).await;
    assert_eq!(gateway.metric("barrage_gateway_pings_total"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pong_carries_the_terms_once_when_they_have_changed() {
    let fleet = Fleet::new().await;
    let config = GatewayConfig { ping_interval_cellular_ms: 40_000, ..GatewayConfig::default() };
    let gateway = fleet.start(config).await;
    let mut socket = connect(gateway.address, "barrage.v1.1.json").await;
    let hello = join_with(&mut socket, &json!({ "network": "cellular" })).await;
    assert_eq!(
        (&hello["ping_interval_ms"], &hello["ping_interval_ms_max"]),
        (&json!(40_000), &json!(270_000))
    );
    let fixed = |value: bool| Change::Switch { name: "fixed-heartbeat".into(), value: value.into() };
    let mut id = 0;
    for (change, max) in [(None, None), (Some(true), Some(Value::Null)), (Some(false), Some(json!(270_000)))]
    {
        if let Some(value) = change {
            fleet.bus.change(fixed(value)).await.unwrap();
            fleet.until_switched(value).await;
        }
        id += 1;
        socket.send_text(&json!({ "type": "ping", "id": id }).to_string()).await;
        let pong = frame(&mut socket, "pong").await;
        let interval = max.as_ref().map_or(Value::Null, |_| json!(40_000));
        assert_eq!((&pong["id"], &pong["ping_interval_ms"]), (&json!(id), &interval));
        assert_eq!(pong["ping_interval_ms_max"], max.unwrap_or_default());
        socket.send_text(r#"{"type":"ping","id":99}"#).await;
        assert_eq!(keys(&frame(&mut socket, "pong").await), ["id", "time_ms", "type"], "told once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_facts_break_no_join_and_grow_no_label_set() {
    let fleet = Fleet::new().await;
    let config = GatewayConfig { client_versions_max: 4, ..GatewayConfig::default() };
    let gateway = fleet.start(config).await;
    let series = gateway.series("barrage_gateway_client_");
    let mut forged: Vec<Value> = vec![
        json!(null),
        json!(7),
        json!([[[[]]]]),
        json!("x".repeat(15_000)),
        json!({ "name": "x".repeat(8_000), "version": "9".repeat(4_000) }),
        json!({ "name": "弹幕\u{0}\n\"}", "version": "1.0.0", "platform": 7, "network": {}, "encodings": "x" }),
        json!({ "platform": "p".repeat(5_000), "network": "n".repeat(5_000), "unknown": { "deep": [1] } }),
        json!({ "encodings": vec!["x"; 2_000] }),
    ];
    forged.extend((0..40).map(|n| json!({ "name": format!("forged-{n}"), "version": format!("{n}.0.0") })));
    let count = forged.len() as u64;
    for (number, client) in (1..).zip(&forged) {
        let mut socket = connect(gateway.address, "barrage.v1.1.json").await;
        join_with(&mut socket, client).await;
        // The gateway counts a join behind its hello. The next one waits, because the first programs have the series.
        let counted = async || (gateway.metric(JOINS) == number).then_some(());
        barrage_testkit::wait::until(Duration::from_secs(20), "each join counts once", counted).await;
    }
    // Two programs beside this repository's own have a series before the bound of four.
    assert_eq!(gateway.series("barrage_gateway_client_"), series + 2);
    assert_eq!(joins(&gateway, "client", "forged-1"), 1);
    // The null is no statement.
    assert_eq!((joins(&gateway, "client", "none"), joins(&gateway, "client", "other")), (1, count - 3));
}

/// The viewer of this repository against this gateway: version 1.1, facts, and a heartbeat when asked.
#[tokio::test(flavor = "multi_thread")]
async fn the_viewer_states_its_facts_and_is_examined_after_a_change_of_network() {
    let fleet = Fleet::new().await;
    let gateway = fleet.start(GatewayConfig::default()).await;
    for transport in [Transport::Ws, Transport::Sse, Transport::Poll] {
        let mut viewer = fleet.viewer_with(transport, fleet.token(Role::Viewer));
        while !matches!(viewer.next().await, Some(Event::Hello(_, used)) if used == transport) {}
        if transport == Transport::Ws {
            viewer.network_changed(Network { network_type: NetworkType::Wifi, ..Network::default() });
            let examined = async || (gateway.metric("barrage_gateway_pings_total") == 1).then_some(());
            barrage_testkit::wait::until(Duration::from_secs(20), "a ping", examined).await;
        }
    }
    let counted = async || (joins(&gateway, "client", "barrage-client") == 3).then_some(());
    barrage_testkit::wait::until(Duration::from_secs(20), "a join on each transport", counted).await;
    // Each join states two encodings.
    assert_eq!((joins(&gateway, "encoding", "json"), joins(&gateway, "encoding", "deflate")), (3, 3));
}

/// An overlay gets everything and is no viewer: neither in the online count nor among those who entered.
#[tokio::test(flavor = "multi_thread")]
async fn overlays_are_counted_apart_from_viewers() {
    let fleet = Fleet::new().await;
    let gateway = fleet.start(GatewayConfig::default()).await;
    let mut overlay = connect(gateway.address, "barrage.v1.1.json").await;
    let hello = join_with(&mut overlay, &json!({ "name": "barrage-overlay", "platform": "overlay" })).await;
    assert_eq!(hello["online"], 0);
    let path = "/v1/rooms/demo/sse?client=%7B%22platform%22%3A%22overlay%22%7D";
    let mut stream = RawHttp::get(gateway.address, path, None).await;
    stream.until("event: hello").await;
    assert!(stream.text.contains(r#""online":0"#), "{}", stream.text);
    let mut viewer = connect(gateway.address, "barrage.v1.1.json").await;
    assert_eq!(join_with(&mut viewer, &json!({ "platform": "web" })).await["online"], 1);
    let sequence = fleet.gift("g1").await;
    for socket in [&mut overlay, &mut viewer] {
        let batch = loop {
            let batch = frame(socket, "batch").await;
            if batch["messages"].as_array().is_some_and(|messages| !messages.is_empty()) {
                break batch;
            }
        };
        assert_eq!(batch["sequence"], sequence);
    }
    let counted = async || (gateway.metric("barrage_gateway_overlays") == 2).then_some(());
    barrage_testkit::wait::until(Duration::from_secs(20), "two overlays", counted).await;
    assert_eq!((joins(&gateway, "platform", "overlay"), joins(&gateway, "platform", "web")), (2, 1));
    overlay.send_text(r#"{"type":"switch","room":"demo"}"#).await;
    assert_eq!(frame(&mut overlay, "hello").await["online"], 1, "the kind stays with the connection");
}

/// A poll has no connection that would remember the facts of the first one.
#[tokio::test(flavor = "multi_thread")]
async fn an_overlay_that_polls_is_an_overlay_in_every_poll() {
    let fleet = Fleet::new().await;
    let gateway = fleet.start(GatewayConfig::default()).await;
    let mut first = RawHttp::get(gateway.address, "/v1/rooms/demo/poll?platform=overlay", None).await;
    first.read_to_end().await;
    let path = "/v1/rooms/demo/poll?after=0&wait_secs=20&platform=";
    let _overlay = RawHttp::get(gateway.address, &format!("{path}overlay"), None).await;
    let counted = async || (gateway.metric("barrage_gateway_overlays") == 1).then_some(());
    barrage_testkit::wait::until(Duration::from_secs(20), "an overlay that waits", counted).await;
    let mut viewer = connect(gateway.address, "barrage.v1.1.json").await;
    assert_eq!(join_with(&mut viewer, &json!({ "platform": "web" })).await["online"], 1);
    let _other = RawHttp::get(gateway.address, &format!("{path}web"), None).await;
    let online = async || {
        let mut viewer = connect(gateway.address, "barrage.v1.1.json").await;
        (join_with(&mut viewer, &json!({ "platform": "web" })).await["online"] == 3).then_some(())
    };
    barrage_testkit::wait::until(
        Duration::from_secs(20),
        "a viewer that polls, and two with sockets",
        online,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_travel_in_the_query_where_no_join_frame_is_sent() {
    let fleet = Fleet::new().await;
    let gateway = fleet.start(GatewayConfig::default()).await;
    let facts =
        "client=%7B%22name%22%3A%22app%22%2C%22version%22%3A%223.2%22%2C%22network%22%3A%22wifi%22%7D";
    let token = fleet.token(Role::Viewer);
    let header = format!("Bearer {token}");
    let path = format!("{WS}?{facts}");
    let mut socket = RawSocket::connect(gateway.address, &path, &[("Authorization", &header)]).await.unwrap();
    frame(&mut socket, "hello").await;
    let mut stream = RawHttp::get(gateway.address, &format!("/v1/rooms/demo/sse?{facts}"), None).await;
    stream.until("event: hello").await;
    let mut poll = RawHttp::get(gateway.address, &format!("/v1/rooms/demo/poll?{facts}"), None).await;
    poll.read_to_end().await;
    let seen = async || (joins(&gateway, "version", "3.2.0") == 3).then_some(());
    barrage_testkit::wait::until(Duration::from_secs(20), "three joins", seen).await;
    assert_eq!(joins(&gateway, "network", "wifi"), 3);
    let mut forged = RawHttp::get(gateway.address, "/v1/rooms/demo/poll?client=%7B%5B", None).await;
    forged.read_to_end().await;
    assert!(forged.text.starts_with("HTTP/1.1 200"), "{}", forged.text);
}
