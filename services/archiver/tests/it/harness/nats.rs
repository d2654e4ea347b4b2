//! A NATS server on a free port, killed on drop.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use barrage_bus::{Bus, BusConfig, BusMetrics, NatsBus, NatsConfig};
use barrage_testkit::programs;
use prometheus::Registry;

pub(crate) struct Server {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        Server { child: spawn(port, folder.path()), port, folder }
    }

    /// Connects a bus to the server.
    pub(crate) async fn bus(&self, partitions: u16) -> Arc<dyn Bus> {
        let config = NatsConfig {
            urls: vec![format!("nats://127.0.0.1:{}", self.port).into()],
            partitions,
            stream_bytes_max: 64 << 20,
            publish_deadline_ms: 30_000,
            reconnect_pause_ms_max: 100,
            ..NatsConfig::default()
        };
        let metrics = BusMetrics::new(&Registry::new()).unwrap();
        NatsBus::connect(config, BusConfig::default(), metrics).await.unwrap()
    }

    /// Kills the server at once, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts the server again on its stored messages.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(self.port, self.folder.path());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(port: u16, folder: &Path) -> Child {
    Command::new(programs::nats_server())
        .args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"])
        .arg(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("nats-server")
}
