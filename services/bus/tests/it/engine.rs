//! The engines behind one trait, for the suite.

use std::sync::Arc;

use barrage_bus::{Bus, BusConfig, BusMetrics, EmbeddedBus, NatsBus, NatsConfig};
use barrage_testkit::NatsServer;

pub(crate) fn metrics() -> BusMetrics {
    BusMetrics::new(&prometheus::Registry::new()).unwrap()
}

/// A bus together with its files and servers.
pub(crate) trait Engine: Sized {
    /// Starts without stored messages.
    async fn start(config: BusConfig) -> Self;
    /// Returns the bus of this process.
    fn bus(&self) -> Arc<dyn Bus>;
    /// Returns the bus of another process, for engines that several processes can share.
    async fn another(&self) -> Arc<dyn Bus>;
    /// Kills the engine and its servers, and starts them on the stored messages.
    async fn restart(self) -> Self;
}

pub(crate) struct Embedded {
    bus: Arc<EmbeddedBus>,
    config: BusConfig,
    folder: tempfile::TempDir,
}

impl Embedded {
    fn open(folder: tempfile::TempDir, config: BusConfig) -> Self {
        let bus = EmbeddedBus::open(&EmbeddedBus::file(folder.path()), config.clone(), metrics()).unwrap();
        Embedded { bus, config, folder }
    }
}

impl Engine for Embedded {
    async fn start(config: BusConfig) -> Self {
        Embedded::open(tempfile::tempdir().unwrap(), config)
    }

    fn bus(&self) -> Arc<dyn Bus> {
        Arc::clone(&self.bus) as Arc<dyn Bus>
    }

    async fn another(&self) -> Arc<dyn Bus> {
        self.bus()
    }

    async fn restart(self) -> Self {
        drop(self.bus);
        Embedded::open(self.folder, self.config)
    }
}

pub(crate) struct Nats<const PARTITIONS: u16> {
    bus: Arc<NatsBus>,
    config: BusConfig,
    server: NatsServer,
}

impl<const PARTITIONS: u16> Nats<PARTITIONS> {
    async fn on(server: NatsServer, config: BusConfig) -> Self {
        let bus = Self::connect(&server, config.clone()).await;
        Nats { bus, config, server }
    }

    async fn connect(server: &NatsServer, config: BusConfig) -> Arc<NatsBus> {
        // The suite also holds when messages are read in groups.
        let gather_us_max = (PARTITIONS > 1).then_some(5_000);
        let nats = NatsConfig { partitions: PARTITIONS, gather_us_max, ..nats_config(server) };
        NatsBus::connect(nats, config, metrics()).await.unwrap()
    }
}

/// Connects another process to the same cluster.
pub(crate) async fn connect(server: &NatsServer, config: BusConfig) -> Arc<NatsBus> {
    NatsBus::connect(nats_config(server), config, metrics()).await.unwrap()
}

pub(crate) fn nats_config(server: &NatsServer) -> NatsConfig {
    NatsConfig {
        urls: vec![server.url().into()],
        stream_bytes_max: 64 << 20,
        ack_timeout_ms: 500,
        reconnect_pause_ms_max: 100,
        start_deadline_ms: 0,
        ..NatsConfig::default()
    }
}

impl<const PARTITIONS: u16> Engine for Nats<PARTITIONS> {
    async fn start(config: BusConfig) -> Self {
        Nats::on(NatsServer::start().await, config).await
    }

    fn bus(&self) -> Arc<dyn Bus> {
        Arc::clone(&self.bus) as Arc<dyn Bus>
    }

    async fn another(&self) -> Arc<dyn Bus> {
        Self::connect(&self.server, self.config.clone()).await
    }

    async fn restart(self) -> Self {
        let Nats { bus, config, mut server } = self;
        drop(bus);
        server.kill();
        server.restart().await;
        Nats::on(server, config).await
    }
}
