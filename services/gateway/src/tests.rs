//! The whole gateway on real sockets, with a defect planted in it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Bus, BusConfig, BusMetrics, Change, Draft, EmbeddedBus, RoomSettings};
use barrage_flow::Ledger;
use barrage_http::{AllowedOrigins, Front, HttpConfig};
use barrage_protocol::{Class, RoomId};
use barrage_testkit::RawSocket;
use barrage_token::{Keyring, TokenConfig};
use prometheus::Registry;
use tokio_util::sync::CancellationToken;

use crate::viewer::planted;
use crate::{Access, Gateway, GatewayConfig, GatewayMetrics};

async fn publish(bus: &dyn Bus, room: &RoomId, text: &str) {
    let body = serde_json::json!({ "type": "gift", "id": text }).to_string().into();
    let draft = Draft {
        room: room.clone(),
        class: Class::Gift,
        sender: None,
        id: None,
        fingerprint: 0,
        to: None,
        body,
    };
    bus.publish(vec![draft]).await.unwrap();
}

/// Settled books say the same twice: what is under way has arrived.
async fn settled_error(ledger: &Ledger) -> u64 {
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    ledger.error()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_that_disappears_without_a_word_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::new();
    let ledger = Ledger::new(&registry).unwrap();
    let file = EmbeddedBus::file(folder.path());
    let bus: Arc<dyn Bus> =
        EmbeddedBus::open(&file, BusConfig::default(), BusMetrics::new(&registry).unwrap()).unwrap();
    let room: RoomId = "demo".parse().unwrap();
    bus.change(Change::Room(room.clone(), RoomSettings::default())).await.unwrap();
    let keyring = Keyring::from_secret(&[7; 32], &TokenConfig::default()).unwrap();
    let access = Access { keyring: Arc::new(keyring), anonymous: true, origins: AllowedOrigins::new(&[]) };
    let shutdown = CancellationToken::new();
    let metrics = GatewayMetrics::new(&registry, ledger.clone()).unwrap();
    let config = GatewayConfig { shards: 1, ..GatewayConfig::default() };
    let gateway = Gateway::start(Arc::clone(&bus), access, config, metrics, shutdown.clone()).unwrap();
    let listener = barrage_http::listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let router = gateway.router();
    let front = Front { greeter: Some(gateway.greeter()), tls: None };
    let http = HttpConfig::default();
    tokio::spawn(barrage_http::serve_public(vec![listener], router, front, http, shutdown.clone()));
    let running = tokio::spawn(gateway.run());

    let mut viewers = Vec::new();
    for _ in 0..3 {
        viewers.push(RawSocket::joined(address, "demo").await);
    }
    publish(&*bus, &room, "g1").await;
    for viewer in &mut viewers {
        assert_eq!(viewer.next_batch().await.messages.len(), 1);
    }
    assert_eq!(settled_error(&ledger).await, 0);

    planted::lose_the_next();
    publish(&*bus, &room, "g2").await;
    assert_eq!(settled_error(&ledger).await, 1, "one of three viewers did not get it");
    drop(viewers);
    shutdown.cancel();
    running.await.unwrap();
}
