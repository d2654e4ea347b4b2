//! The heartbeat of one viewer with its clocks and its file.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use barrage_protocol::entry::{EntryAnswer, Transport};
use barrage_protocol::facts::NetworkType;
use barrage_protocol::frame::{Hello, Pong};
use tokio::time::Instant;

use super::{Action, Close, Heartbeat, Manner, Moment, NetworkMemory, Terms, network_key};

/// Largest file that is read; a larger one is no memory of this client.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Network of a client, as far as the program knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// Type of the network, which the client also states to servers.
    pub network_type: NetworkType,
    /// Id that tells one network from others of the type, such as a hash of the SSID; empty when unknown. It
    /// stays on this machine.
    pub id: String,
}

/// Settings of the heartbeat of a viewer.
#[derive(Debug, Clone)]
pub struct HeartbeatConfig {
    /// Network at the start. Default unknown. [`crate::Viewer::network_changed`] reports another one.
    pub network: Network,
    /// File in which the client keeps what networks bear, so that the next start needs no search. Its folder
    /// must exist; the file gets the mode 0600. Default none: a start knows nothing.
    pub keep_file: Option<PathBuf>,
    /// Wall clock: Unix time in milliseconds. Default the system's.
    pub unix_ms: fn() -> u64,
}

impl Default for HeartbeatConfig {
    fn default() -> Self {
        HeartbeatConfig { network: Network::default(), keep_file: None, unix_ms: barrage_clock::unix_ms }
    }
}

/// Heartbeat of a viewer, fed with the machine's clocks.
#[derive(Debug)]
pub(crate) struct Keeper {
    heartbeat: Heartbeat,
    config: HeartbeatConfig,
    /// Carrier and region of entry's last answer.
    place: [String; 2],
    started: Instant,
    transport: Transport,
}

impl Keeper {
    pub(crate) fn new(config: HeartbeatConfig, started: Instant) -> Self {
        let now = Moment { steady_ms: 0, wall_ms: (config.unix_ms)() };
        let key = key(&config.network, &<[String; 2]>::default());
        let heartbeat = Heartbeat::new(NetworkMemory::default(), key, now);
        Keeper { heartbeat, config, place: <[String; 2]>::default(), started, transport: Transport::Ws }
    }

    /// Reads the file of earlier starts. Without a readable one the search starts anew.
    pub(crate) async fn load(&mut self) {
        let Some(file) = self.config.keep_file.clone() else { return };
        let stored = blocking(move || read(&file)).await.unwrap_or_default();
        let now = self.now();
        let memory = NetworkMemory::read(&stored, now.wall_ms / 1_000);
        self.heartbeat = Heartbeat::new(memory, key(&self.config.network, &self.place), now);
    }

    /// Writes the file if the memory has changed: to a new file, which then replaces the old one.
    pub(crate) async fn store(&mut self) {
        let Some(file) = self.config.keep_file.clone() else { return };
        let Some(stored) = self.heartbeat.take_changed() else { return };
        if let Err(error) = blocking(move || write(&file, stored.as_bytes())).await {
            tracing::debug!(%error, "the heartbeat's memory is not stored");
        }
    }

    /// Notes where entry saw this client: networks of another carrier have limits of their own.
    pub(crate) fn placed(&mut self, answer: &EntryAnswer) {
        let place = [&answer.carrier, &answer.region].map(|part| part.clone().unwrap_or_default());
        if place != self.place {
            self.place = place;
            let key = key(&self.config.network, &self.place);
            // No connection is open while entry is asked, so nothing is examined.
            self.heartbeat.set_network(key);
        }
    }

    pub(crate) fn opened(&mut self, transport: Transport, hello: &Hello) {
        self.opened_with(transport, hello.ping_interval_ms, hello.ping_interval_ms_max);
    }

    /// Notes an open connection with the terms that its server named.
    pub(crate) fn opened_with(&mut self, transport: Transport, interval_ms: u64, max_ms: Option<u64>) {
        self.transport = transport;
        self.heartbeat.opened(self.now(), Terms { interval_ms, manner: manner(transport, max_ms) });
    }

    pub(crate) fn closed(&mut self, close: Close) {
        self.heartbeat.closed(self.now(), close);
    }

    pub(crate) fn network_changed(&mut self, network: Network) -> Action {
        self.config.network = network;
        let key = key(&self.config.network, &self.place);
        self.heartbeat.network_changed(self.now(), key)
    }

    pub(crate) fn sent(&mut self) -> Action {
        self.heartbeat.sent(self.now())
    }

    pub(crate) fn check(&mut self) -> Action {
        self.heartbeat.check(self.now())
    }

    pub(crate) fn received(&mut self) {
        self.heartbeat.received(self.now());
    }

    /// Notes a pong, and takes the terms that it may carry.
    pub(crate) fn pong(&mut self, pong: &Pong) {
        self.heartbeat.pong(self.now(), pong.id);
        if let Some(interval_ms) = pong.ping_interval_ms {
            let manner = manner(self.transport, pong.ping_interval_ms_max);
            self.heartbeat.set_terms(Terms { interval_ms, manner });
        }
    }

    pub(crate) fn poll(&mut self) -> Action {
        self.heartbeat.poll(self.now())
    }

    /// Returns the time of the next poll.
    pub(crate) fn wake_at(&self) -> Instant {
        self.started + Duration::from_millis(self.heartbeat.wake_at())
    }

    fn now(&self) -> Moment {
        let steady_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Moment { steady_ms, wall_ms: (self.config.unix_ms)() }
    }
}

fn key(network: &Network, place: &[String; 2]) -> String {
    let [carrier, region] = place;
    network_key(network.network_type.label(), [network.id.as_str(), carrier, region])
}

fn manner(transport: Transport, max_ms: Option<u64>) -> Manner {
    match (transport, max_ms) {
        (Transport::Ws, Some(max_ms)) => Manner::Adaptive(max_ms),
        (Transport::Ws, None) => Manner::Fixed,
        (Transport::Sse | Transport::Poll, _) => Manner::Listening,
    }
}

/// Runs file work where it may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other)?
}

fn read(file: &Path) -> std::io::Result<String> {
    let metadata = std::fs::metadata(file)?;
    if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
        return Ok(String::new());
    }
    std::fs::read_to_string(file)
}

fn write(file: &Path, stored: &[u8]) -> std::io::Result<()> {
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut opened = options.open(&new)?;
    opened.write_all(stored)?;
    opened.sync_all()?;
    std::fs::rename(&new, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets the heartbeat prove its first interval of 25 s.
    fn search(heartbeat: &mut Heartbeat, wall_ms: u64) {
        let mut steady_ms = 0;
        let now = |steady_ms| Moment { steady_ms, wall_ms: wall_ms + steady_ms };
        heartbeat.opened(now(0), Terms { interval_ms: 25_000, manner: Manner::Adaptive(270_000) });
        for _ in 0..3 {
            let id = loop {
                steady_ms += 5_000;
                if let Action::Ping(id) = heartbeat.poll(now(steady_ms)) {
                    break id;
                }
            };
            heartbeat.pong(now(steady_ms), id);
        }
    }

    #[tokio::test]
    async fn limits_of_a_network_outlive_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("heartbeat.json");
        let network = Network { network_type: NetworkType::Wifi, id: "home".into() };
        let config = HeartbeatConfig { network, keep_file: Some(file.clone()), ..HeartbeatConfig::default() };
        let mut keeper = Keeper::new(config.clone(), Instant::now());
        keeper.load().await;
        search(&mut keeper.heartbeat, (config.unix_ms)());
        assert_eq!(keeper.heartbeat.interval_ms(), 37_500);
        keeper.store().await;
        assert!(!folder.path().join("heartbeat.json.new").exists());
        let mut next = Keeper::new(config.clone(), Instant::now());
        next.load().await;
        assert_eq!(next.heartbeat.memory().of("wifi/home").proven_ms, 25_000);
        for stored in ["no memory", &"x".repeat(70_000)] {
            std::fs::write(&file, stored).unwrap();
            let mut anew = Keeper::new(config.clone(), Instant::now());
            anew.load().await;
            assert_eq!(anew.heartbeat.memory(), &NetworkMemory::default());
        }
    }

    #[test]
    fn a_carrier_has_limits_of_its_own() {
        let mut keeper = Keeper::new(HeartbeatConfig::default(), Instant::now());
        let answer = r#"{"downlinks":[],"uplinks":[],"race":{"width":1,"timeout_ms":1,"bytes":1},"ttl_ms":1,"backoff_base_ms":1,"backoff_max_ms":1,"carrier":"cn mobile","region":"east"}"#;
        keeper.placed(&serde_json::from_str(answer).unwrap());
        search(&mut keeper.heartbeat, 1_700_000_000_000);
        assert_eq!(keeper.heartbeat.memory().of("unknown/cn_mobile/east").proven_ms, 25_000);
        assert_eq!(keeper.heartbeat.memory().of("unknown").proven_ms, 0);
    }
}
