//! Sources of endpoints, against real TLS servers on several loopback addresses. The name `localhost`
//! stands for the platform: DNS answers 127.0.0.1 for it, and the other addresses are known from lists.

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::response::Html;
use barrage_client::{Event, HttpPool, Sender, SenderConfig, SourceConfig, Viewer, ViewerConfig};
use barrage_protocol::entry::{Endpoint, EntryAnswer, Transport};
use barrage_protocol::post::{Outcome, Post};
use barrage_testkit::wait;
use tokio::net::TcpListener;

use crate::fake::{Fake, PATIENCE, Ws, hello, hello_of, next, soon};
use crate::tls_front::{Certificates, Front, Shown, free_port, loopback};

const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// Entry, gateway and uplink in one plain server behind TLS fronts of one port.
struct Platform {
    fake: Fake,
    certificates: Certificates,
    port: u16,
    folder: tempfile::TempDir,
}

impl Platform {
    /// Starts the plain server. Its entry names `localhost` and has these addresses for it.
    async fn start(addresses: &[u8]) -> Self {
        let (fake, port) = (Fake::start(Ws::Taken).await, free_port());
        let platform =
            Platform { fake, certificates: Certificates::make(), port, folder: tempfile::tempdir().unwrap() };
        platform.fake.entry_says(platform.answer(addresses));
        platform
    }

    fn answer(&self, addresses: &[u8]) -> EntryAnswer {
        let url = |scheme: &str, resource: &str| {
            format!("{scheme}://localhost:{}/v1/rooms/demo/{resource}", self.port)
        };
        let endpoint = |transport, scheme, resource| Endpoint {
            transport,
            url: url(scheme, resource),
            gateway: "g1".to_owned(),
        };
        let ips: Vec<IpAddr> = addresses.iter().map(|n| loopback(*n)).collect();
        EntryAnswer {
            downlinks: vec![endpoint(Transport::Ws, "wss", "ws"), endpoint(Transport::Sse, "https", "sse")],
            uplinks: vec![self.entry_url()],
            addresses: [("localhost".to_owned(), ips)].into(),
            issued_ms: Some(barrage_clock::unix_ms()),
            ..self.fake.entry_answer()
        }
    }

    /// An embedded list of this age with these addresses, and without endpoints.
    fn list(&self, age_ms: u64, addresses: &[u8]) -> EntryAnswer {
        EntryAnswer {
            downlinks: Vec::new(),
            uplinks: Vec::new(),
            issued_ms: Some(barrage_clock::unix_ms() - age_ms),
            ..self.answer(addresses)
        }
    }

    async fn front(&self, n: u8, shown: Shown) -> Front {
        Front::start((loopback(n), self.port), &self.certificates, shown, self.fake.address).await
    }

    /// A server of somebody else, with a certificate of the same authority for another name.
    async fn impostor(&self, n: u8) -> Front {
        self.front(n, Shown::OtherHost).await
    }

    fn entry_url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    fn keep_file(&self) -> PathBuf {
        self.folder.path().join("entry.json")
    }

    fn config(&self) -> ViewerConfig {
        let sources = SourceConfig { keep_file: Some(self.keep_file()), ..SourceConfig::default() };
        ViewerConfig { sources, race: false, ..ViewerConfig::new(self.entry_url(), "demo".parse().unwrap()) }
    }

    fn pool(&self) -> HttpPool {
        HttpPool::with_tls(&self.certificates.trusted())
    }

    /// Connects a viewer that has its hello; `None` when its first connect fails.
    async fn watch(&mut self, config: ViewerConfig) -> Option<Viewer> {
        let mut viewer = Viewer::start_with(config, &self.pool());
        tokio::select! {
            event = next(&mut viewer) => {
                assert!(matches!(event, Event::Reconnecting { .. }), "{event:?}");
                return None;
            }
            _ = self.fake.joined(0) => {}
        }
        hello_of(&mut viewer).await;
        Some(viewer)
    }

    /// Waits until the good answer is on disk.
    async fn kept(&self) {
        let file = self.keep_file();
        wait::until_true(PATIENCE, "the answer on disk", async || file.exists()).await;
    }

    /// Waits until the good answer is on disk, and deletes it.
    async fn forget(&self) {
        self.kept().await;
        std::fs::remove_file(self.keep_file()).unwrap();
    }
}

#[tokio::test]
async fn client_connects_from_disk_while_entry_is_dead() {
    let mut platform = Platform::start(&[2]).await;
    let by_name = platform.front(1, Shown::Localhost).await;
    assert!(platform.watch(platform.config()).await.is_some());
    platform.kept().await;
    let mode = std::fs::metadata(platform.keep_file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Entry is away on every address and by name. Gateways are on 127.0.0.2 alone, which the stored
    // answer names; there, too, entry says nothing of use.
    drop(by_name);
    let _gateway = platform.front(2, Shown::Localhost).await;
    platform.fake.entry_says(EntryAnswer { downlinks: Vec::new(), ..platform.answer(&[]) });
    assert!(platform.watch(platform.config()).await.is_some());
    // Without the file nothing is left to try.
    platform.forget().await;
    assert!(platform.watch(platform.config()).await.is_none());
}

#[tokio::test]
async fn stored_answer_serves_another_room_without_its_ticket() {
    let mut platform = Platform::start(&[]).await;
    let front = platform.front(1, Shown::Localhost).await;
    platform.fake.ticket("only-once", 1);
    let mut viewer = Viewer::start_with(platform.config(), &platform.pool());
    assert!(matches!(next(&mut viewer).await, Event::Waiting { .. }));
    platform.fake.joined(0).await;
    platform.kept().await;
    let text = std::fs::read_to_string(platform.keep_file()).unwrap();
    assert!(text.contains("/rooms/{room}/ws") && !text.contains("only-once"), "{text}");
    drop((viewer, front));
}

#[tokio::test]
async fn forged_dns_is_refused_by_the_certificate_and_the_address_is_used() {
    let mut platform = Platform::start(&[2]).await;
    // DNS says 127.0.0.1, where another server is.
    let impostor = platform.impostor(1).await;
    assert!(platform.watch(platform.config()).await.is_none());
    assert!(!impostor.arrivals().is_empty());
    let right = platform.front(2, Shown::Localhost).await;
    let config = ViewerConfig { fallback: Some(platform.list(0, &[2])), ..platform.config() };
    assert!(platform.watch(config).await.is_some());
    assert!(right.arrivals().len() >= 2, "entry and gateway are reached by address");
}

#[tokio::test]
async fn address_of_another_server_is_refused_and_the_next_one_is_used() {
    let mut platform = Platform::start(&[2, 3]).await;
    let (wrong, right) = (platform.impostor(2).await, platform.front(3, Shown::Localhost).await);
    let config = ViewerConfig { fallback: Some(platform.list(0, &[2, 3])), ..platform.config() };
    assert!(platform.watch(config.clone()).await.is_some());
    assert!(!wrong.arrivals().is_empty() && !right.arrivals().is_empty());
    // With wrong addresses alone, DNS is asked at last.
    drop(right);
    let _by_name = platform.front(1, Shown::Localhost).await;
    platform.fake.entry_says(platform.answer(&[2]));
    let config = ViewerConfig { fallback: Some(platform.list(0, &[2])), ..config };
    platform.forget().await;
    assert!(platform.watch(config).await.is_some());
}

#[tokio::test]
async fn event_stream_and_post_leave_a_wrong_address_for_dns() {
    let mut platform = Platform::start(&[2]).await;
    let _entry = platform.front(1, Shown::Localhost).await;
    // Gateway and uplink have a port of their own, to which no connection is open yet.
    let (mut answer, entry_url) = (platform.answer(&[2]), platform.entry_url());
    platform.port = free_port();
    let others = platform.answer(&[2]);
    (answer.downlinks, answer.uplinks) = (others.downlinks, others.uplinks);
    platform.fake.entry_says(answer);
    let (wrong, _right) = (platform.impostor(2).await, platform.front(1, Shown::Localhost).await);
    let transports = vec![Transport::Sse];
    let config = ViewerConfig { transports, entry_url: entry_url.clone(), ..platform.config() };
    let mut viewer = Viewer::start_with(config, &platform.pool());
    let events = platform.fake.request().await.stream();
    let first = format!("id: 1\nevent: hello\ndata: {}\n\n", hello(0, false, 60_000));
    events.send(first.into()).await.unwrap();
    assert_eq!(hello_of(&mut viewer).await, Transport::Sse);
    assert!(!wrong.arrivals().is_empty(), "the address is tried before DNS");
    let arrivals = wrong.arrivals().len();
    let sender = SenderConfig::through_entry(entry_url, "t");
    let sender = Sender::with_tls(sender, &platform.certificates.trusted()).unwrap();
    let posting = tokio::spawn(async move {
        let post = Post::Like { id: "m1".parse().unwrap(), count: 1 };
        sender.send(&"demo".parse().unwrap(), &post).await
    });
    let asked = platform.fake.request().await;
    assert_eq!(asked.path, "/v1/rooms/demo/messages");
    assert!(wrong.arrivals().len() > arrivals, "the address is tried before DNS");
    asked.json(r#"{"outcome":"broadcast","sequence":7}"#);
    assert_eq!(soon(posting).await.unwrap().unwrap().outcome, Outcome::Broadcast);
}

/// A captive portal answers every request with 200 and its login page.
#[tokio::test]
async fn captive_portal_in_the_place_of_entry_is_passed_over() {
    let mut platform = Platform::start(&[]).await;
    let _front = platform.front(1, Shown::Localhost).await;
    let portal = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let portal_url = format!("http://{}", portal.local_addr().unwrap());
    let page = Router::new().fallback(async || Html("<!doctype html><title>Log in to this network</title>"));
    tokio::spawn(async move { axum::serve(portal, page).await });
    let mut config = ViewerConfig { entry_url: portal_url, ..platform.config() };
    assert!(platform.watch(config.clone()).await.is_none());
    config.sources.entries = vec![platform.entry_url()];
    assert!(platform.watch(config).await.is_some());
}

#[tokio::test]
async fn silent_address_does_not_delay_the_next_source_for_its_whole_timeout() {
    let mut platform = Platform::start(&[]).await;
    let silent = Front::silent((loopback(2), platform.port)).await;
    let by_name = platform.front(1, Shown::Localhost).await;
    let config = ViewerConfig { fallback: Some(platform.list(0, &[2])), ..platform.config() };
    assert!(platform.watch(config).await.is_some());
    let waited = by_name.arrivals()[0] - silent.arrivals()[0];
    assert!((Duration::from_millis(900)..Duration::from_millis(2_900)).contains(&waited), "{waited:?}");
}

#[tokio::test]
async fn list_of_three_years_ago_helps_over_tls_and_its_plain_addresses_are_not_used() {
    let mut platform = Platform::start(&[2]).await;
    let right = platform.front(2, Shown::Localhost).await;
    // The name leads nowhere; the address of the old list is the last way, and its certificate is right.
    let config = ViewerConfig { fallback: Some(platform.list(3 * 365 * DAY_MS, &[2])), ..platform.config() };
    assert!(platform.watch(config.clone()).await.is_some());
    assert!(!right.arrivals().is_empty());
    platform.forget().await;
    right.stop().await;
    let now_elsewhere = Front::silent((loopback(2), platform.port)).await;
    let entry_url = format!("http://localhost:{}", platform.port);
    assert!(platform.watch(ViewerConfig { entry_url, ..config }).await.is_none());
    assert!(now_elsewhere.arrivals().is_empty());
}

#[tokio::test]
async fn clock_that_is_wrong_by_a_day_changes_nothing_and_by_weeks_passes_the_stored_answer_over() {
    let mut platform = Platform::start(&[]).await;
    let entry = platform.front(1, Shown::Localhost).await;
    let mut config = platform.config();
    assert!(platform.watch(config.clone()).await.is_some());
    platform.kept().await;
    for clock in [a_day_behind as fn() -> u64, a_day_ahead] {
        let sources = SourceConfig { unix_ms: clock, ..SourceConfig::default() };
        assert!(platform.watch(ViewerConfig { sources, ..config.clone() }).await.is_some());
    }
    // The gateway lives, and entry answers with what is of no use.
    platform.fake.entry_says(EntryAnswer { downlinks: Vec::new(), ..platform.answer(&[]) });
    for (clock, connects) in [
        (a_day_behind as fn() -> u64, true),
        (a_day_ahead, true),
        (ten_days_ahead, false),
        (ten_days_behind, false),
    ] {
        config.sources.unix_ms = clock;
        assert_eq!(platform.watch(config.clone()).await.is_some(), connects, "{}", clock());
    }
    drop(entry);
}

fn a_day_ahead() -> u64 {
    barrage_clock::unix_ms() + DAY_MS
}

fn a_day_behind() -> u64 {
    barrage_clock::unix_ms() - DAY_MS
}

fn ten_days_ahead() -> u64 {
    barrage_clock::unix_ms() + 10 * DAY_MS
}

fn ten_days_behind() -> u64 {
    barrage_clock::unix_ms() - 10 * DAY_MS
}

/// Answers that are too old by the client's clock are used when nothing newer is there, and not stored.
#[tokio::test]
async fn answer_that_is_too_old_gives_way_to_a_newer_one() {
    let mut platform = Platform::start(&[]).await;
    let _front = platform.front(1, Shown::Localhost).await;
    let issued_ms = Some(barrage_clock::unix_ms() - 5 * DAY_MS);
    platform.fake.entry_says(EntryAnswer { issued_ms, ..platform.answer(&[]) });
    assert!(platform.watch(platform.config()).await.is_some(), "nobody is locked out by a clock");
    assert!(!platform.keep_file().exists());
    let newer = Fake::start(Ws::Refused).await;
    newer.entry_says(platform.answer(&[]));
    let mut config = platform.config();
    config.sources.entries = vec![format!("http://{}", newer.address)];
    assert!(platform.watch(config).await.is_some());
    platform.kept().await;
}
