//! An entry over an embedded bus, with gateways that the test reports.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use barrage_bus::{Bus, BusConfig, BusMetrics, Change, EmbeddedBus, InstanceReport, Role, RoomSettings};
use barrage_counters::{LocalQuota, LocalQuotaConfig, LocalQuotaMetrics};
use barrage_entry::{Entry, EntryConfig, LocalEndpoints, LocalMedia, admin_router, router};
use barrage_http::{AdminGate, AuditLog, ClientAddr};
use barrage_protocol::code::ErrorBody;
use barrage_protocol::entry::{EntryAnswer, Transport};
use barrage_protocol::{Code, RoomId};
use barrage_scaling::LoadReport;
use barrage_token::{Claims, Keyring, Role as TokenRole, Rooms, TokenConfig};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use prometheus::Registry;
use serde_json::Value;
use tower_service::Service;

/// Returns a configuration without a limit of grants: all clients of these tests have one address.
pub(crate) fn unbounded() -> EntryConfig {
    EntryConfig { address_grants_max: 1_000_000, ..EntryConfig::default() }
}

pub(crate) struct Site {
    router: Router,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) registry: Registry,
    pub(crate) keyring: Arc<Keyring>,
    _dir: tempfile::TempDir,
}

impl Site {
    pub(crate) async fn new(config: EntryConfig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::new();
        let metrics = BusMetrics::new(&registry).unwrap();
        let bus: Arc<dyn Bus> =
            EmbeddedBus::open(&EmbeddedBus::file(dir.path()), BusConfig::default(), metrics).unwrap();
        for (room, closed) in [("demo", false), ("over", true)] {
            let settings = RoomSettings { closed, ..RoomSettings::default() };
            bus.change(Change::Room(RoomId::parse(room).unwrap(), settings)).await.unwrap();
        }
        let quota = LocalQuota::new(&LocalQuotaConfig::default(), LocalQuotaMetrics::new(&registry).unwrap());
        let keyring = Arc::new(Keyring::from_secret(&[7; 32], &TokenConfig::default()).unwrap());
        let media = LocalMedia { base_url: None, ports: vec![8082] };
        let (quota, here) =
            (Arc::new(quota), LocalEndpoints { is_tls: false, ports: vec![8080, 9090], media });
        let signing = Arc::clone(&keyring);
        let entry = Entry::new(Arc::clone(&bus), quota, here, config, &registry, signing).unwrap();
        let gate = AdminGate::new(Arc::clone(&keyring), Arc::new(AuditLog), &registry).unwrap();
        let router = router(Arc::clone(&entry)).merge(gate.guard(admin_router(entry)));
        Site { router, bus, registry, keyring, _dir: dir }
    }

    pub(crate) async fn report(&self, id: &str, base_urls: &[&str], connections: u64, draining: bool) {
        let base_urls: Vec<String> = base_urls.iter().map(|url| (*url).to_owned()).collect();
        let load =
            LoadReport { connections: connections as f64, connections_max: 100, ..LoadReport::default() };
        self.report_load(id, base_urls, draining, load).await;
    }

    /// Reports a gateway with these limits.
    pub(crate) async fn limited(&self, id: &str, joins_per_s_max: u32, connections_max: u64) {
        let load = LoadReport { connections_max, joins_per_s_max, ..LoadReport::default() };
        self.report_load(id, Vec::new(), false, load).await;
    }

    pub(crate) async fn report_load(
        &self,
        id: &str,
        base_urls: Vec<String>,
        draining: bool,
        load: LoadReport,
    ) {
        for role in [Role::Gateway, Role::Uplink] {
            let base_urls = base_urls.clone();
            let new = InstanceReport::new(role, id);
            let report = InstanceReport { base_urls, draining, load: load.clone(), ..new };
            self.bus.report(report).await.unwrap();
        }
    }

    pub(crate) async fn ask(
        &self,
        request: http::request::Builder,
        body: &str,
    ) -> (StatusCode, HeaderMap, Bytes) {
        self.ask_from(IpAddr::from([10, 1, 2, 3]), request, body).await
    }

    pub(crate) async fn ask_from(
        &self,
        address: IpAddr,
        request: http::request::Builder,
        body: &str,
    ) -> (StatusCode, HeaderMap, Bytes) {
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        request.extensions_mut().insert(ClientAddr(address));
        let response = self.router.clone().call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, body.collect().await.unwrap().to_bytes())
    }

    /// Calls the admin API.
    pub(crate) async fn admin(
        &self,
        role: TokenRole,
        method: &str,
        target: &str,
        body: &str,
    ) -> (StatusCode, Value) {
        let claims = Claims {
            sub: "operator".parse().unwrap(),
            name: None,
            rooms: Rooms(vec!["*".into()]),
            role,
            exp: barrage_clock::unix_ms() / 1_000 + 60,
            nbf: None,
            attrs: None,
            aud: String::new(),
        };
        let token = self.keyring.mint(claims).unwrap();
        let request = Request::builder().method(method).uri(format!("/v1/admin/{target}"));
        let (status, _, body) =
            self.ask(request.header("authorization", format!("Bearer {token}")), body).await;
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    pub(crate) async fn get(&self, target: &str) -> (StatusCode, HeaderMap, Bytes) {
        self.ask(Request::get(target).header("host", "live.example:8080"), "").await
    }

    pub(crate) async fn answer(&self, target: &str) -> EntryAnswer {
        let (status, headers, body) = self.get(target).await;
        assert_eq!((status, &headers["cache-control"]), (StatusCode::OK, &"no-store".parse().unwrap()));
        serde_json::from_slice(&body).unwrap()
    }

    pub(crate) async fn refusal(&self, target: &str) -> (StatusCode, Code) {
        let (status, _, body) = self.get(target).await;
        (status, serde_json::from_slice::<ErrorBody>(&body).unwrap().error.code)
    }

    /// Returns a counter's value or a histogram's count, summed over labels.
    pub(crate) fn count(&self, name: &str) -> u64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        let value = |metric: &prometheus::proto::Metric| match family.get_field_type() {
            prometheus::proto::MetricType::HISTOGRAM => metric.get_histogram().get_sample_count(),
            _ => metric.get_counter().get_value() as u64,
        };
        family.get_metric().iter().map(value).sum()
    }
}

pub(crate) fn urls(answer: &EntryAnswer, transport: Transport) -> Vec<&str> {
    answer.downlinks.iter().filter(|e| e.transport == transport).map(|e| e.url.as_str()).collect()
}
