//! Several gateways on one embedded bus, with an entry that names the gateways that do not drain,
//! in the order of their ids.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use barrage_bus::{Bus, BusConfig, BusMetrics, Change, Draft, EmbeddedBus, EmbeddedMail, RoomSettings};
use barrage_client::{Event, HttpPool, Viewer, ViewerConfig};
use barrage_gateway::{Access, Gateway, GatewayConfig, GatewayError, GatewayMetrics};
use barrage_http::{AdminGate, AllowedOrigins, AuditLog, Front, HttpConfig, Tls};
use barrage_ledger::Ledger;
use barrage_protocol::entry::{Endpoint, EntryAnswer, RacePlan, Transport};
use barrage_protocol::{Class, RoomId};
use barrage_token::{Claims, Keyring, Role, Rooms, TokenConfig};
use barrage_trace::Tracer;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use prometheus::Registry;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

const PATIENCE: Duration = Duration::from_secs(40);
/// Time for which an expired token is still accepted.
pub(crate) const LEEWAY_SECS: u64 = 2;

pub(crate) fn room() -> RoomId {
    "demo".parse().unwrap()
}

pub(crate) struct Fleet {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) mail: Arc<EmbeddedMail>,
    pub(crate) keyring: Arc<Keyring>,
    entry: SocketAddr,
    http: HttpPool,
    _folder: tempfile::TempDir,
}

pub(crate) struct Member {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) running: JoinHandle<Result<(), GatewayError>>,
    registry: Registry,
    admin: Router,
    token: String,
}

impl Fleet {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let metrics = BusMetrics::new(&Registry::new()).unwrap();
        let bus: Arc<dyn Bus> =
            EmbeddedBus::open(&EmbeddedBus::file(folder.path()), BusConfig::default(), metrics).unwrap();
        bus.change(Change::Room(room(), RoomSettings::default())).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let entry = listener.local_addr().unwrap();
        let router = Router::new().route("/v1/entry", get(answer)).with_state(Arc::clone(&bus));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let config = TokenConfig { leeway_secs: LEEWAY_SECS, ..TokenConfig::default() };
        let keyring = Arc::new(Keyring::from_secret(&[7; 32], &config).unwrap());
        let mail = Arc::new(EmbeddedMail::new());
        Fleet { bus, mail, keyring, entry, http: HttpPool::new(), _folder: folder }
    }

    pub(crate) async fn start(&self, config: GatewayConfig) -> Member {
        self.start_with(config, HttpConfig::default()).await
    }

    pub(crate) async fn start_with(&self, config: GatewayConfig, http: HttpConfig) -> Member {
        let listener = barrage_http::listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let config = GatewayConfig { base_urls: vec![format!("http://{address}")], shards: 2, ..config };
        let (id, registry) = (config.id.clone(), Registry::new());
        let metrics = GatewayMetrics::new(&registry, Ledger::new(&registry).unwrap()).unwrap();
        let keyring = Arc::clone(&self.keyring);
        let access = Access { keyring, anonymous: true, origins: AllowedOrigins::new(&[]) };
        let shutdown = CancellationToken::new();
        let gateway = Gateway::start(
            Arc::clone(&self.bus),
            access,
            config,
            metrics,
            Tracer::default(),
            shutdown.clone(),
        )
        .unwrap()
        .with_mail(self.mail.clone());
        let gate = AdminGate::new(Arc::clone(&self.keyring), Arc::new(AuditLog), &registry).unwrap();
        let (router, admin) = (gateway.router(), gate.guard(gateway.admin_router()));
        let tls = Tls::load(&http).unwrap();
        let front = Front { greeter: Some(gateway.greeter()), tls, ..Front::default() };
        tokio::spawn(barrage_http::serve_public(vec![listener], router, front, http, shutdown.clone()));
        let running = tokio::spawn(gateway.run());
        until(|| self.bus.gateways().iter().any(|gateway| gateway.report.id == id)).await;
        Member { address, shutdown, running, registry, admin, token: self.token(Role::Admin) }
    }

    pub(crate) fn token(&self, role: Role) -> String {
        self.token_of("op", role, 4_000_000_000)
    }

    pub(crate) fn token_of(&self, user: &str, role: Role, exp: u64) -> String {
        let claims = Claims {
            sub: user.parse().unwrap(),
            name: None,
            rooms: Rooms(vec!["*".into()]),
            role,
            exp,
            nbf: None,
            attrs: None,
            aud: String::new(),
        };
        self.keyring.mint(claims).unwrap()
    }

    /// Waits until the notices' topic has reached this position.
    pub(crate) async fn direct_reaches(&self, sequence: u64) {
        let reached = async || {
            let last = self.bus.last(&barrage_bus::Topic::Direct).await.unwrap();
            (last.0 >= sequence).then_some(())
        };
        barrage_testkit::wait::until(PATIENCE, "the notice is on the bus", reached).await;
    }

    /// Publishes a notice for a user; returns its sequence.
    pub(crate) async fn notice(&self, user: &str, text: &str) -> u64 {
        let draft = Draft {
            room: room(),
            class: Class::Signal,
            sender: None,
            id: None,
            fingerprint: 0,
            to: Some(user.parse().unwrap()),
            trace: None,
            body: serde_json::json!({ "type": "signal", "signal": text }).to_string().into(),
        };
        self.bus.publish(vec![draft]).await.unwrap()[0].sequence.0
    }

    pub(crate) async fn gift(&self, id: &str) -> u64 {
        self.gift_of(&serde_json::json!({ "type": "gift", "id": id })).await
    }

    pub(crate) async fn gift_of(&self, body: &Value) -> u64 {
        let body = body.to_string().into();
        let draft = Draft {
            room: room(),
            class: Class::Gift,
            sender: None,
            id: None,
            fingerprint: 0,
            to: None,
            trace: None,
            body,
        };
        self.bus.publish(vec![draft]).await.unwrap()[0].sequence.0
    }

    /// Waits until the switch `fixed-heartbeat` is in force.
    pub(crate) async fn until_switched(&self, value: bool) {
        until(|| self.bus.settings().borrow().switches.fixed_heartbeat == value).await;
    }

    /// Starts a viewer with a token; the test reads its events.
    pub(crate) fn viewer_with(&self, transport: Transport, token: String) -> Viewer {
        let config = ViewerConfig {
            transports: vec![transport],
            race: false,
            token: Some(token),
            connect_timeout: Duration::from_secs(20),
            lines: true,
            ..ViewerConfig::new(format!("http://{}", self.entry), room())
        };
        Viewer::start_with(config, &self.http)
    }

    /// Starts a viewer in the room. Its task ends when it has seen the gift `last`.
    pub(crate) fn viewer(&self, transport: Transport) -> JoinHandle<Seen> {
        let config = ViewerConfig {
            transports: vec![transport],
            race: false,
            connect_timeout: Duration::from_secs(20),
            lines: true,
            ..ViewerConfig::new(format!("http://{}", self.entry), room())
        };
        let mut viewer = Viewer::start_with(config, &self.http);
        tokio::spawn(async move {
            let mut seen = Seen::default();
            loop {
                match viewer.next().await {
                    Some(Event::Hello(..)) => seen.hellos += 1,
                    Some(Event::Message(message)) => {
                        seen.gifts.push(message.sequence.0);
                        if message.body.get().contains("\"last\"") {
                            return seen;
                        }
                    }
                    Some(Event::Reconnecting { .. }) => seen.breaks += 1,
                    Some(Event::Lost | Event::Closed { .. }) | None => panic!("lost or closed: {seen:?}"),
                    Some(_) => {}
                }
            }
        })
    }
}

/// Events that one viewer has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) gifts: Vec<u64>,
    pub(crate) hellos: u32,
    pub(crate) breaks: u32,
}

impl Member {
    pub(crate) async fn admin(&self, method: Method, path: &str, body: &str) -> (StatusCode, Value) {
        self.admin_as(&self.token, method, path, body).await
    }

    pub(crate) async fn admin_as(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: &str,
    ) -> (StatusCode, Value) {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {token}"));
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.admin.clone().call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// Sum of the counters whose name begins so, over the series with this label value.
    pub(crate) fn metric_with(&self, prefix: &str, label: &str, value: &str) -> u64 {
        let families = self.registry.gather();
        let families = families.iter().filter(|family| family.name().starts_with(prefix));
        let has = |metric: &&prometheus::proto::Metric| {
            metric.get_label().iter().any(|pair| pair.name() == label && pair.value() == value)
        };
        let series = families.flat_map(|family| family.get_metric()).filter(has);
        series.map(|metric| metric.get_counter().get_value()).sum::<f64>() as u64
    }

    /// Number of series of the metrics whose name begins so.
    pub(crate) fn series(&self, prefix: &str) -> usize {
        let families = self.registry.gather();
        let families = families.iter().filter(|family| family.name().starts_with(prefix));
        families.map(|family| family.get_metric().len()).sum()
    }

    /// Sum of a gauge or counter over all labels.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let families = self.registry.gather();
        let Some(family) = families.iter().find(|family| family.name() == name) else { return 0 };
        let value = |metric: &prometheus::proto::Metric| {
            metric.get_counter().get_value() + metric.get_gauge().get_value()
        };
        family.get_metric().iter().map(value).sum::<f64>() as u64
    }

    /// Sum of a counter over the series that have all these label values.
    pub(crate) fn metric_of(&self, name: &str, labels: &[&str]) -> u64 {
        let families = self.registry.gather();
        let metrics = families.iter().filter(|family| family.name() == name).flat_map(|f| f.get_metric());
        let has = |metric: &prometheus::proto::Metric, label: &str| {
            metric.get_label().iter().any(|pair| pair.value() == label)
        };
        let labelled = metrics.filter(|metric| labels.iter().all(|label| has(metric, label)));
        labelled.map(|metric| metric.get_counter().get_value()).sum::<f64>() as u64
    }

    /// Waits until the books of the viewers' stage are settled; returns the conservation error.
    pub(crate) async fn settled_error(&self) -> u64 {
        let took = || self.metric_of("barrage_ledger_messages_total", &["viewers", "took"]);
        until(|| took() == self.metric("barrage_gateway_deliveries_total")).await;
        self.metric("barrage_conservation_error")
    }

    pub(crate) fn viewers(&self) -> u64 {
        self.metric("barrage_gateway_connections")
    }
}

/// Waits until a condition holds; fails after 40 s.
pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
    barrage_testkit::wait::until_true(PATIENCE, "the condition of the test", async || is_so()).await;
}

async fn answer(State(bus): State<Arc<dyn Bus>>) -> Json<EntryAnswer> {
    let mut downlinks = Vec::new();
    for gateway in bus.gateways().iter().filter(|gateway| !gateway.report.draining) {
        let base = &gateway.report.base_urls[0];
        let id = gateway.report.id.clone();
        let url = format!("{}/v1/rooms/demo/ws", base.replacen("http", "ws", 1));
        downlinks.push(Endpoint { transport: Transport::Ws, url, gateway: id.clone() });
        let url = format!("{base}/v1/rooms/demo/sse");
        downlinks.push(Endpoint { transport: Transport::Sse, url, gateway: id.clone() });
        let url = format!("{base}/v1/rooms/demo/poll");
        downlinks.push(Endpoint { transport: Transport::Poll, url, gateway: id });
    }
    Json(EntryAnswer {
        downlinks,
        uplinks: Vec::new(),
        race: RacePlan { width: 1, timeout_ms: 1_000, bytes: 1 },
        ticket: None,
        ttl_ms: 1_000,
        backoff_base_ms: 10,
        backoff_max_ms: 100,
        region: None,
        carrier: None,
        addresses: std::collections::BTreeMap::new(),
        entries: Vec::new(),
        media: None,
        issued_ms: None,
    })
}
