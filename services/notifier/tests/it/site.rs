//! Tables, services and the role between them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Bus, BusConfig, BusMetrics, EmbeddedBus};
use barrage_inbox::{ConversationId, Entry, Event, Letter, LetterKind, Place, Position, Standing};
use barrage_notifier::{
    ApnsConfig, FcmConfig, NotifierError, NotifierMetrics, Parts, Presence, PushConfig, Report, Unknown,
    VendorConfig, run,
};
use barrage_protocol::{MessageId, Sequence, UserId};
use barrage_push::VapidKey;
use barrage_store::{InboxStore, NewDevice, PushStore, SqliteInbox};
use barrage_testkit::{ClientTls, PushRequest, PushServices, certificates, wait};
use prometheus::Registry;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longest wait for a notification on a loaded machine.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// Keys of a browser that nobody has.
const KEYS: &str = r#"{"p256dh":"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4","auth":"BTBZMqHH6r4Tts7J_aSIgg"}"#;

/// Everything beside the role.
pub(crate) struct Site {
    pub(crate) store: Arc<SqliteInbox>,
    pub(crate) services: PushServices,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) config: PushConfig,
    /// Says which devices show their page, for the runs that follow.
    pub(crate) presence: Arc<dyn Presence>,
    folder: TempDir,
    lane: u64,
}

/// A run of the role.
pub(crate) struct Running {
    pub(crate) registry: Registry,
    shutdown: CancellationToken,
    task: JoinHandle<Result<Report, NotifierError>>,
}

pub(crate) fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

impl Site {
    /// Starts tables and services. The role has all services, and may ask this machine.
    pub(crate) async fn start() -> Site {
        let folder = tempfile::tempdir().unwrap();
        certificates::make(folder.path());
        let services = PushServices::start(folder.path()).await;
        let store = Arc::new(SqliteInbox::open(&folder.path().join("inbox.sqlite")).await.unwrap());
        let metrics = BusMetrics::new(&Registry::new()).unwrap();
        let bus =
            EmbeddedBus::open(&folder.path().join("bus.sqlite"), BusConfig::default(), metrics).unwrap();
        let config = config(folder.path(), &services.url());
        Site { store, services, bus, config, presence: Arc::new(Unknown), folder, lane: 0 }
    }

    /// Runs the role until it is stopped or killed.
    pub(crate) fn run(&self) -> Running {
        let (registry, shutdown) = (Registry::new(), CancellationToken::new());
        let parts = Parts {
            store: Arc::clone(&self.store) as Arc<dyn PushStore>,
            bus: Arc::clone(&self.bus),
            presence: Arc::clone(&self.presence),
            tls: ClientTls::load(Some(self.folder.path().join("ca.pem").as_path())).unwrap(),
        };
        let metrics = NotifierMetrics::new(&registry).unwrap();
        let task = tokio::spawn(run(self.config.clone(), parts, metrics, shutdown.clone()));
        Running { registry, shutdown, task }
    }

    /// Takes an event, as if it was accepted five seconds ago: what it makes is due at once.
    pub(crate) async fn take(&mut self, event: Event) {
        self.take_at(event, barrage_clock::unix_ms() - 5_000).await;
    }

    pub(crate) async fn take_at(&mut self, event: Event, at_ms: u64) {
        let after = Sequence(self.lane);
        self.lane += 1;
        let entry = Entry { sequence: Sequence(self.lane), at_ms, event };
        self.store.project(0, after, Sequence(self.lane), &[entry]).await.unwrap();
    }

    /// Sends a letter of somebody whom the receiver trusts.
    pub(crate) async fn letter(&mut self, sender: &str, to: &str, text: &str) {
        let event = self.letter_event(sender, to, text);
        self.take(event).await;
    }

    /// The same of a letter that is accepted now: its notification is due in five seconds.
    pub(crate) async fn letter_later(&mut self, sender: &str, to: &str, text: &str) {
        let event = self.letter_event(sender, to, text);
        self.take_at(event, barrage_clock::unix_ms()).await;
    }

    fn letter_event(&self, sender: &str, to: &str, text: &str) -> Event {
        let id = MessageId::parse(&format!("m{}", self.lane)).unwrap();
        let body = serde_json::json!({ "text": text }).to_string();
        let letter = Letter { id, kind: LetterKind::Text, body };
        Event::Letter { sender: user(sender), to: user(to), letter, standing: Standing::Trusted }
    }

    /// Makes another key of Web Push for the runs that follow.
    pub(crate) fn new_key(&mut self) {
        let (_, pem) = VapidKey::generate("").unwrap();
        self.config.vapid_key_file = Some(file(self.folder.path(), "other.key", &pem));
    }

    /// Reads a conversation up to a position.
    pub(crate) async fn read(&mut self, reader: &str, other: &str, position: u64) {
        let conversation = ConversationId::direct(&user(reader), &user(other));
        let place = Place { user: user(reader), conversation, position: Position(position) };
        self.take(Event::Read(place)).await;
    }

    /// Registers a browser whose push service is played.
    pub(crate) async fn browser(&self, name: &str, id: &str) {
        self.browser_with(name, id, KEYS).await;
    }

    pub(crate) async fn browser_with(&self, name: &str, id: &str, keys: &str) {
        let address = format!("{}/send/{name}-{id}", self.services.url());
        self.device(name, id, "web", &address, Some(keys)).await;
    }

    pub(crate) async fn device(
        &self,
        name: &str,
        id: &str,
        service: &str,
        address: &str,
        keys: Option<&str>,
    ) {
        let device = NewDevice {
            device: id.into(),
            service: service.into(),
            address: address.into(),
            keys: keys.map(str::to_owned),
            at_ms: barrage_clock::unix_ms(),
        };
        self.store.register_device(&user(name), &device).await.unwrap();
    }

    /// Waits until the services have got so many requests, and returns all of them.
    pub(crate) async fn requests(&self, count: usize) -> Vec<PushRequest> {
        let what = format!("{count} requests");
        let found = async || Some(self.services.requests()).filter(|requests| requests.len() >= count);
        wait::until(SOON, &what, found).await
    }

    /// Waits until nothing waits any more.
    pub(crate) async fn empty(&self) {
        let is_empty = async || (self.store.waiting().await.unwrap() == 0).then_some(());
        wait::until(SOON, "an empty queue", is_empty).await;
    }
}

impl Running {
    /// Stops the role as a signal does.
    pub(crate) async fn stop(self) -> Report {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap()
    }

    /// Waits until the role ends by itself.
    pub(crate) async fn ended(self) -> Result<Report, NotifierError> {
        tokio::time::timeout(SOON, self.task).await.expect("an end").unwrap()
    }

    /// Ends the role in the middle of what it does, as a kill.
    pub(crate) async fn kill(self) {
        self.task.abort();
        drop(self.task.await);
    }

    /// Returns the value of a series, such as `name{label="value"}`; 0 when it is absent.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let text = prometheus::TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }
}

fn config(folder: &Path, url: &str) -> PushConfig {
    let (_, pem) = VapidKey::generate("").unwrap();
    // A service account has an RSA key.
    let made =
        Command::new("openssl").args(["genpkey", "-quiet", "-algorithm", "RSA"]).output().expect("openssl");
    let key = String::from_utf8(made.stdout).unwrap();
    let account = serde_json::json!({
        "project_id": "project-1",
        "client_email": "push@example.com",
        "private_key": key,
        "token_uri": format!("{url}/token"),
    });
    PushConfig {
        contact: "mailto:ops@example.com".into(),
        vapid_key_file: Some(file(folder, "vapid.key", &pem)),
        allow_networks: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
        apns: Some(ApnsConfig {
            key_file: file(folder, "apns.p8", &pem),
            key_id: "KEY".into(),
            team_id: "TEAM".into(),
            topic: "com.example.app".into(),
            url: url.into(),
        }),
        fcm: Some(FcmConfig {
            account_file: file(folder, "account.json", &account.to_string()),
            url: url.into(),
        }),
        vendors: vec![VendorConfig {
            name: "huawei".into(),
            url: format!("{url}/vendor/send"),
            template: r#"{"to":"{token}","title":"{title}","text":"{body}","n":"{badge}"}"#.into(),
            authorization_file: file(folder, "vendor.key", "Bearer secret\n"),
            gone_statuses: vec![410],
            bytes_max: 4_096,
        }],
        poll_interval_ms: 20,
        retry_ms: 50,
        timeout_ms: 2_000,
        lease_secs: 5,
        ..PushConfig::default()
    }
}
