//! The Rust client through real proxies: which transport carries in each direction, and that no gift is
//! lost or shown twice.
//!
//! A server behind a reverse proxy names the proxy alone, so that no client passes it by.

use std::time::{Duration, Instant};

use barrage_client::{
    ClientTls, Event, HttpPool, HttpProxy, LadderLimits, Sender, SenderConfig, UplinkTransport, Viewer,
    ViewerConfig,
};
use barrage_protocol::Class;
use barrage_protocol::entry::Transport;
use barrage_protocol::post::{Gift, Post};
use barrage_testkit::process::free_address;
use barrage_testkit::{Forwarding, Meddler, Meddling, Nginx, Server, Squid, Tunnels, wait};

use crate::support::{start, start_with};

/// Longest wait for an event.
const EVENT_MAX: Duration = Duration::from_secs(30);
/// Gifts of a short run.
const GIFTS: usize = 20;
/// Short waits between probes, so that a test sees several.
const LIMITS: LadderLimits =
    LadderLimits { stable_ms: 60_000, early_ends_max: 3, probe_base_ms: 600, probe_max_ms: 1_200 };

/// A client's way to a server: entry's URL, and the pool with its proxy.
struct Network {
    name: &'static str,
    entry_url: String,
    pool: HttpPool,
    token: String,
}

impl Network {
    async fn direct(name: &'static str, url: String, server: &Server) -> Network {
        let token = server.token("u1", "demo", "viewer").await;
        Network { name, entry_url: url, pool: HttpPool::new(), token }
    }

    fn viewer(&self, transports: &[Transport]) -> Viewer {
        let config = ViewerConfig::new(self.entry_url.clone(), "demo".parse().unwrap());
        let config = ViewerConfig {
            token: Some(self.token.clone()),
            transports: transports.to_vec(),
            race: false,
            ladder: LIMITS,
            connect_timeout: Duration::from_secs(3),
            ..config
        };
        Viewer::start_with(config, &self.pool)
    }

    fn sender(&self) -> Sender {
        let config = SenderConfig {
            ladder: LIMITS,
            deadline: EVENT_MAX,
            attempt_timeout: Duration::from_secs(2),
            ..SenderConfig::through_entry(self.entry_url.clone(), self.token.clone())
        };
        Sender::with_pool(config, &self.pool).unwrap()
    }

    /// Sends gifts and watches them. Returns the transports that carried: the last downlink, the uplink.
    async fn carries(&self) -> (Transport, UplinkTransport) {
        let began = Instant::now();
        let mut viewer = self.viewer(&ALL);
        let first = hello(&mut viewer).await;
        let joined_ms = began.elapsed().as_millis();
        let sender = self.sender();
        let sending = tokio::spawn(send(sender.clone(), "g", GIFTS, Duration::from_millis(20)));
        let (seen, last) = gifts(&mut viewer, &format!("g{}", GIFTS - 1)).await;
        assert_eq!(seen, sending.await.unwrap(), "{}", self.name);
        let carried = (last.unwrap_or(first), sender.transport().unwrap());
        println!("{}: {carried:?}, hello after {joined_ms} ms, {GIFTS} gifts once each", self.name);
        carried
    }
}

const ALL: [Transport; 3] = [Transport::Ws, Transport::Sse, Transport::Poll];

async fn hello(viewer: &mut Viewer) -> Transport {
    loop {
        let event = wait::within(EVENT_MAX, "an event", viewer.next()).await;
        match event.expect("the viewer has ended") {
            Event::Hello(_, transport) => return transport,
            Event::Closed { message, .. } => panic!("closed: {message}"),
            _ => {}
        }
    }
}

/// Posts gifts one after the other. Returns the ids in the order of their acceptance.
async fn send(sender: Sender, prefix: &'static str, count: usize, pause: Duration) -> Vec<String> {
    let room = "demo".parse().unwrap();
    let mut ids = Vec::new();
    for n in 0..count {
        let id = format!("{prefix}{n}");
        let gift = Gift { name: "rose".into(), count: 1, price_minor: 100, combo: None };
        sender.send(&room, &Post::Gift { id: id.parse().unwrap(), gift }).await.unwrap();
        ids.push(id);
        tokio::time::sleep(pause).await;
    }
    ids
}

/// Returns the ids of the gifts that are shown, up to `last`, and the transport of the last hello.
async fn gifts(viewer: &mut Viewer, last: &str) -> (Vec<String>, Option<Transport>) {
    let (mut ids, mut transport) = (Vec::new(), None);
    loop {
        let event = wait::within(EVENT_MAX, "a gift", viewer.next()).await;
        match event.expect("the viewer has ended") {
            Event::Message(message) if message.class == Class::Gift => {
                let body: serde_json::Value = serde_json::from_str(message.body.get()).unwrap();
                ids.push(body["id"].as_str().unwrap().to_owned());
                if ids.last().unwrap() == last {
                    return (ids, transport);
                }
            }
            Event::Hello(_, now) => transport = Some(now),
            // Printed when the test fails.
            Event::Reconnecting { wait_ms, code } => println!("reconnecting in {wait_ms} ms, code {code:?}"),
            Event::Lost => panic!("a gap was not repaired"),
            Event::Closed { code, message, .. } => panic!("closed: {code:?} {message}"),
            _ => {}
        }
    }
}

/// Starts a server that names this URL alone to its clients, and sends heartbeats every second.
async fn server_named(url: &str) -> Server {
    let urls = format!("[{url:?}]");
    start_with(&[
        ("GATEWAY__BASE_URLS", &urls),
        ("UPLINK__BASE_URLS", &urls),
        // The shortest interval of a client that searches for longer ones.
        ("GATEWAY__PING_INTERVAL_MS", "10000"),
        // No search, which would find the limit of a proxy by a cut.
        ("GATEWAY__PING_INTERVAL_MS_MAX", "10000"),
    ])
    .await
}

async fn through_squid(name: &'static str, tunnels: Tunnels) -> (Transport, UplinkTransport) {
    let (server, squid) = tokio::join!(start(), Squid::start(tunnels));
    let url = format!("http://{}", server.public);
    let proxy = HttpProxy::parse(&squid.url()).unwrap();
    let pool = HttpPool::with_proxy(&ClientTls::system(), Some(proxy));
    Network { pool, ..Network::direct(name, url, &server).await }.carries().await
}

async fn through_nginx(name: &'static str, forwarding: Forwarding) -> (Transport, UplinkTransport) {
    let address = free_address();
    let server = server_named(&format!("http://{address}")).await;
    let nginx = Nginx::start(address, server.public, forwarding).await;
    Network::direct(name, nginx.url(), &server).await.carries().await
}

async fn behind(meddling: Meddling) -> (Meddler, Server) {
    let meddler = Meddler::start(meddling).await;
    let server = server_named(&meddler.url()).await;
    meddler.connect_to(server.public);
    (meddler, server)
}

async fn through_meddler(name: &'static str, meddling: Meddling) -> (Transport, UplinkTransport) {
    let (meddler, server) = behind(meddling).await;
    Network::direct(name, meddler.url(), &server).await.carries().await
}

#[tokio::test]
async fn squid_with_connect_passes_a_websocket_and_posts() {
    let carried = through_squid("squid with CONNECT", Tunnels::Opened).await;
    assert_eq!(carried, (Transport::Ws, UplinkTransport::Http));
}

#[tokio::test]
async fn squid_without_connect_passes_an_event_stream_and_posts() {
    let carried = through_squid("squid without CONNECT", Tunnels::Refused).await;
    assert_eq!(carried, (Transport::Sse, UplinkTransport::Http));
}

#[tokio::test]
async fn nginx_with_upgrades_passes_a_websocket() {
    let carried = through_nginx("nginx that upgrades", Forwarding::Upgrades).await;
    assert_eq!(carried, (Transport::Ws, UplinkTransport::Http));
}

/// Its default is buffering; the server declines that for event streams.
#[tokio::test]
async fn nginx_by_default_passes_an_event_stream() {
    let carried = through_nginx("nginx by default", Forwarding::Default).await;
    assert_eq!(carried, (Transport::Sse, UplinkTransport::Http));
}

#[tokio::test]
async fn nginx_that_buffers_event_streams_passes_long_polls() {
    let carried = through_nginx("nginx that buffers", Forwarding::Buffers).await;
    assert_eq!(carried, (Transport::Poll, UplinkTransport::Http));
}

#[tokio::test]
async fn proxy_that_refuses_upgrades_passes_an_event_stream() {
    let carried = through_meddler("403 for an upgrade", Meddling::RefuseUpgrade).await;
    assert_eq!(carried, (Transport::Sse, UplinkTransport::Http));
}

#[tokio::test]
async fn proxy_that_answers_200_to_an_upgrade_passes_an_event_stream() {
    let carried = through_meddler("200 for an upgrade", Meddling::UpgradeAs200).await;
    assert_eq!(carried, (Transport::Sse, UplinkTransport::Http));
}

/// The token is gone from the headers: the stream is an anonymous one, and posts take the tunnel.
#[tokio::test]
async fn proxy_that_removes_headers_passes_an_event_stream_and_the_tunnel() {
    let carried = through_meddler("removed headers", Meddling::Headers).await;
    assert_eq!(carried, (Transport::Sse, UplinkTransport::Tunnel));
}

#[tokio::test]
async fn repeated_swapped_and_cut_events_show_each_gift_once() {
    let carried = through_meddler("repeated, swapped and cut events", Meddling::Events).await;
    assert_eq!(carried.1, UplinkTransport::Http);
    assert_ne!(carried.0, Transport::Ws);
}

/// Heartbeats keep WebSockets and event streams open; polls are cut and repeated. Between a heartbeat
/// and the cut are 4 s, so that a busy machine does not send it too late.
#[tokio::test]
async fn proxy_that_cuts_idle_connections_loses_no_gift_on_any_transport() {
    let (meddler, server) = behind(Meddling::IdleCut(Duration::from_secs(14))).await;
    survives_idle_cuts(meddler.url(), &server, Duration::from_secs(17)).await;
}

/// The same with the times of real proxies and of a server's defaults.
#[tokio::test]
#[ignore = "takes two minutes: 30 s without a byte, and heartbeats every 25 s"]
async fn proxy_that_cuts_after_thirty_seconds_loses_no_gift_on_any_transport() {
    let meddler = Meddler::start(Meddling::IdleCut(Duration::from_secs(30))).await;
    let urls = format!("[{:?}]", meddler.url());
    let settings = [
        ("GATEWAY__BASE_URLS", urls.as_str()),
        ("UPLINK__BASE_URLS", urls.as_str()),
        ("GATEWAY__PING_INTERVAL_MS_MAX", "25000"),
    ];
    let server = start_with(&settings).await;
    meddler.connect_to(server.public);
    survives_idle_cuts(meddler.url(), &server, Duration::from_secs(100)).await;
}

async fn survives_idle_cuts(url: String, server: &Server, idle: Duration) {
    let network = Network::direct("idle cuts", url, server).await;
    let mut viewers = Vec::new();
    for transport in ALL {
        let mut viewer = network.viewer(&[transport]);
        assert_eq!(hello(&mut viewer).await, transport);
        viewers.push(viewer);
    }
    tokio::time::sleep(idle).await;
    let sent = send(network.sender(), "g", GIFTS, Duration::from_millis(20)).await;
    for (mut viewer, transport) in viewers.into_iter().zip(ALL) {
        let (seen, hello_again) = gifts(&mut viewer, sent.last().unwrap()).await;
        assert_eq!(seen, sent, "{transport:?}");
        assert!(hello_again.is_none() || transport == Transport::Poll, "{transport:?} was cut");
    }
}

#[tokio::test]
async fn captive_portal_is_waited_for_and_then_the_best_transport_carries() {
    let (meddler, server) = behind(Meddling::CaptivePortal).await;
    let network = Network::direct("after a captive portal", meddler.url(), &server).await;
    let mut viewer = network.viewer(&ALL);
    for _ in 0..2 {
        let event = wait::within(EVENT_MAX, "an event", viewer.next()).await.unwrap();
        assert!(matches!(event, Event::Reconnecting { code: None, .. }), "{event:?}");
    }
    let sending = tokio::spawn(send(network.sender(), "p", 1, Duration::ZERO));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!sending.is_finished(), "a page is no answer to a post");
    meddler.set(Meddling::Pass);
    assert_eq!(hello(&mut viewer).await, Transport::Ws);
    assert_eq!(sending.await.unwrap(), ["p0"]);
    assert_eq!(network.carries().await, (Transport::Ws, UplinkTransport::Http));
}

/// The network changes while gifts flow: up, down, through a portal, and up again.
#[tokio::test]
async fn no_gift_is_lost_or_shown_twice_across_changes_of_the_transport() {
    let (meddler, server) = behind(Meddling::RefuseUpgrade).await;
    let network = Network::direct("changes", meddler.url(), &server).await;
    let mut viewer = network.viewer(&ALL);
    assert_eq!(hello(&mut viewer).await, Transport::Sse);
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let sender = network.sender();
    let sending = tokio::spawn(async move {
        let mut sent = Vec::new();
        let room = "demo".parse().unwrap();
        while !*stopped.borrow_and_update() {
            let id = format!("g{}", sent.len());
            let gift = Gift { name: "rose".into(), count: 1, price_minor: 100, combo: None };
            sender.send(&room, &Post::Gift { id: id.parse().unwrap(), gift }).await.unwrap();
            sent.push(id);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        sent
    });
    let mut seen = Vec::new();
    // A probe finds the WebSocket.
    meddler.set(Meddling::Pass);
    until_hello(&mut viewer, &mut seen, Transport::Ws).await;
    // The WebSocket is cut, and refused.
    meddler.set_and_cut(Meddling::RefuseUpgrade);
    until_hello(&mut viewer, &mut seen, Transport::Sse).await;
    // A portal takes the stream's place for a while; then everything passes.
    meddler.set_and_cut(Meddling::CaptivePortal);
    tokio::time::sleep(Duration::from_millis(500)).await;
    meddler.set_and_cut(Meddling::Pass);
    until_hello(&mut viewer, &mut seen, Transport::Ws).await;
    stop.send(true).unwrap();
    let sent = sending.await.unwrap();
    let last = sent.last().unwrap();
    if seen.last() != Some(last) {
        seen.extend(gifts(&mut viewer, last).await.0);
    }
    assert_eq!(seen, sent);
    println!("changes: {} gifts once each", sent.len());
}

/// Collects gifts until a hello of this transport.
async fn until_hello(viewer: &mut Viewer, seen: &mut Vec<String>, wanted: Transport) {
    loop {
        let event = wait::within(EVENT_MAX, "an event", viewer.next()).await;
        match event.expect("the viewer has ended") {
            Event::Message(message) if message.class == Class::Gift => {
                let body: serde_json::Value = serde_json::from_str(message.body.get()).unwrap();
                seen.push(body["id"].as_str().unwrap().to_owned());
            }
            Event::Hello(_, transport) if transport == wanted => return,
            Event::Lost => panic!("a gap was not repaired"),
            Event::Closed { code, message, .. } => panic!("closed: {code:?} {message}"),
            _ => {}
        }
    }
}
