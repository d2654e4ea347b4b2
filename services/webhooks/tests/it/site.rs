//! A bus, a store and webhooks in a folder.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Bus, BusConfig, BusMetrics, Draft, EmbeddedBus, NatsBus, NatsConfig};
use barrage_protocol::{Class, RoomId};
use barrage_store::{DeliveryLine, SqliteConfig, SqliteStore, Store};
use barrage_testkit::{ClientTls, NatsServer, wait};
use barrage_webhooks::{EndpointConfig, WebhooksConfig, WebhooksError, WebhooksMetrics};
use prometheus::Registry;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Maximum wait for an event.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Name of the receiver of most tests.
pub(crate) const NAME: &str = "shop";

pub(crate) struct Site {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) config: WebhooksConfig,
    running: Option<JoinHandle<Result<(), WebhooksError>>>,
    _folder: tempfile::TempDir,
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}

pub(crate) fn embedded(folder: &Path) -> Arc<dyn Bus> {
    let metrics = BusMetrics::new(&Registry::new()).unwrap();
    EmbeddedBus::open(&EmbeddedBus::file(folder), BusConfig::default(), metrics).unwrap()
}

/// Connects a bus of three partitions to a NATS server.
pub(crate) async fn nats(server: &NatsServer) -> Arc<dyn Bus> {
    let config = NatsConfig {
        urls: vec![server.url().into()],
        partitions: 3,
        stream_bytes_max: 64 << 20,
        publish_deadline_ms: 30_000,
        ..NatsConfig::default()
    };
    let metrics = BusMetrics::new(&Registry::new()).unwrap();
    NatsBus::connect(config, BusConfig::default(), metrics).await.unwrap()
}

impl Site {
    /// Starts webhooks with one receiver of all events at this URL, with short waits.
    pub(crate) async fn start(url: &str, change: impl FnOnce(&mut WebhooksConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bus = embedded(folder.path());
        Site::start_on(bus, folder, url, change).await
    }

    pub(crate) async fn start_on(
        bus: Arc<dyn Bus>,
        folder: tempfile::TempDir,
        url: &str,
        change: impl FnOnce(&mut WebhooksConfig),
    ) -> Self {
        ClientTls::make_ring_default();
        let secret_file = folder.path().join("secret");
        std::fs::write(&secret_file, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let store = SqliteStore::open(&folder.path().join("store.sqlite"), &SqliteConfig::default()).await;
        let endpoint = EndpointConfig {
            name: NAME.into(),
            url: url.into(),
            secret_file,
            events: vec!["*".into()],
            rooms: Vec::new(),
        };
        let mut config = WebhooksConfig {
            endpoints: vec![endpoint],
            allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
            poll_interval_ms: 20,
            retry_secs: vec![0; 8],
            ..WebhooksConfig::default()
        };
        change(&mut config);
        let store: Arc<dyn Store> = Arc::new(store.unwrap());
        let mut site = Site { bus, store, config, running: None, _folder: folder };
        site.run();
        // The receiver gets what comes after its first position.
        for partition in 0..site.bus.partitions() {
            wait::until_true(PATIENCE, "the first position", async || {
                site.store.deliveries().mark(NAME, partition).await.unwrap().is_some()
            })
            .await;
        }
        site
    }

    /// Starts the task of the webhooks.
    pub(crate) fn run(&mut self) {
        let metrics = WebhooksMetrics::new(&Registry::new()).unwrap();
        let (bus, store) = (Arc::clone(&self.bus), Arc::clone(&self.store));
        let (config, shutdown) = (self.config.clone(), CancellationToken::new());
        let running = barrage_webhooks::run(bus, store, config, ClientTls::system(), metrics, shutdown);
        self.running = Some(tokio::spawn(running));
    }

    /// Ends the webhooks wherever they are, as `kill -9` does.
    pub(crate) async fn kill(&mut self) {
        let running = self.running.take().unwrap();
        running.abort();
        assert!(running.await.is_err_and(|error| error.is_cancelled()), "webhooks ended by themselves");
    }

    pub(crate) async fn publish(&self, class: Class, room: &str, body: &str) -> u64 {
        let draft = Draft {
            room: RoomId::parse(room).unwrap(),
            class,
            sender: None,
            id: None,
            fingerprint: 0,
            to: None,
            trace: None,
            body: bytes::Bytes::copy_from_slice(body.as_bytes()),
        };
        self.bus.publish(vec![draft]).await.unwrap()[0].sequence.0
    }

    /// Publishes a gift, and returns the id of its event.
    pub(crate) async fn gift(&self, room: &str) -> String {
        let body = r#"{"type":"gift","user":"ann","gift":{"name":"Rocket","count":2,"price_minor":50}}"#;
        format!("{room}/{}", self.publish(Class::Gift, room, body).await)
    }

    pub(crate) async fn log(&self) -> Vec<DeliveryLine> {
        self.store.deliveries().delivery_log(NAME, None, None, 1_000).await.unwrap()
    }

    /// Waits until the newest line of the delivery log meets a condition, and returns the line.
    pub(crate) async fn newest(&self, expected: &str, meets: impl Fn(&DeliveryLine) -> bool) -> DeliveryLine {
        wait::until(PATIENCE, expected, async || {
            self.log().await.into_iter().next().filter(|line| meets(line))
        })
        .await
    }
}
