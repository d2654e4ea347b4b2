//! Entry's answers over an embedded bus with gateways that the test reports.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use barrage_bus::{
    Bus, BusConfig, BusMetrics, Change, EmbeddedBus, EntryReport, Factor, InstanceReport, Role, RoomSettings,
};
use barrage_entry::{Entry, EntryConfig, LocalEndpoints, admin_router, router};
use barrage_flow::metrics::FlowMetrics;
use barrage_flow::{LocalQuota, LocalQuotaConfig};
use barrage_http::{AdminGate, AuditLog, ClientAddr};
use barrage_protocol::code::ErrorBody;
use barrage_protocol::entry::{EntryAnswer, Transport};
use barrage_protocol::{Code, RoomId};
use barrage_scaling::LoadReport;
use barrage_token::{Claims, Keyring, Role as TokenRole, Rooms, TicketError, TokenConfig};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use prometheus::Registry;
use serde_json::Value;
use tower_service::Service;

/// All clients of these tests ask from one address.
fn unbounded() -> EntryConfig {
    EntryConfig { address_grants_max: 1_000_000, ..EntryConfig::default() }
}

struct Site {
    router: Router,
    bus: Arc<dyn Bus>,
    registry: Registry,
    keyring: Arc<Keyring>,
    _dir: tempfile::TempDir,
}

impl Site {
    async fn new(config: EntryConfig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::new();
        let metrics = BusMetrics::new(&registry).unwrap();
        let bus: Arc<dyn Bus> =
            EmbeddedBus::open(&EmbeddedBus::file(dir.path()), BusConfig::default(), metrics).unwrap();
        for (room, closed) in [("demo", false), ("over", true)] {
            let settings = RoomSettings { closed, ..RoomSettings::default() };
            bus.change(Change::Room(RoomId::parse(room).unwrap(), settings)).await.unwrap();
        }
        let quota = LocalQuota::new(&LocalQuotaConfig::default(), FlowMetrics::new(&registry).unwrap());
        let keyring = Arc::new(Keyring::from_secret(&[7; 32], &TokenConfig::default()).unwrap());
        let (quota, here) = (Arc::new(quota), LocalEndpoints { is_tls: false, ports: vec![8080, 9090] });
        let signing = Arc::clone(&keyring);
        let entry = Entry::new(Arc::clone(&bus), quota, here, config, &registry, signing).unwrap();
        let gate = AdminGate::new(Arc::clone(&keyring), Arc::new(AuditLog), &registry).unwrap();
        let router = router(Arc::clone(&entry)).merge(gate.guard(admin_router(entry)));
        Site { router, bus, registry, keyring, _dir: dir }
    }

    async fn report(&self, id: &str, base_urls: &[&str], connections: u64, draining: bool) {
        let base_urls: Vec<String> = base_urls.iter().map(|url| (*url).to_owned()).collect();
        let load =
            LoadReport { connections: connections as f64, connections_max: 100, ..LoadReport::default() };
        self.report_load(id, base_urls, draining, load).await;
    }

    /// One that takes so many joins a second, and has so many seats.
    async fn limited(&self, id: &str, joins_per_s_max: u32, connections_max: u64) {
        let load = LoadReport { connections_max, joins_per_s_max, ..LoadReport::default() };
        self.report_load(id, Vec::new(), false, load).await;
    }

    async fn report_load(&self, id: &str, base_urls: Vec<String>, draining: bool, load: LoadReport) {
        for role in [Role::Gateway, Role::Uplink] {
            let base_urls = base_urls.clone();
            let new = InstanceReport::new(role, id);
            let report = InstanceReport { base_urls, draining, load: load.clone(), ..new };
            self.bus.report(report).await.unwrap();
        }
    }

    async fn ask(&self, request: http::request::Builder, body: &str) -> (StatusCode, HeaderMap, Bytes) {
        self.ask_from(IpAddr::from([10, 1, 2, 3]), request, body).await
    }

    async fn ask_from(
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

    /// On the admin side.
    async fn admin(&self, role: TokenRole, method: &str, target: &str, body: &str) -> (StatusCode, Value) {
        let claims = Claims {
            sub: "operator".parse().unwrap(),
            name: None,
            rooms: Rooms(vec!["*".into()]),
            role,
            exp: unix_ms() / 1_000 + 60,
            nbf: None,
            aud: String::new(),
        };
        let token = self.keyring.mint(claims).unwrap();
        let request = Request::builder().method(method).uri(format!("/v1/admin/{target}"));
        let (status, _, body) =
            self.ask(request.header("authorization", format!("Bearer {token}")), body).await;
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn get(&self, target: &str) -> (StatusCode, HeaderMap, Bytes) {
        self.ask(Request::get(target).header("host", "live.example:8080"), "").await
    }

    async fn answer(&self, target: &str) -> EntryAnswer {
        let (status, headers, body) = self.get(target).await;
        assert_eq!((status, &headers["cache-control"]), (StatusCode::OK, &"no-store".parse().unwrap()));
        serde_json::from_slice(&body).unwrap()
    }

    async fn refusal(&self, target: &str) -> (StatusCode, Code) {
        let (status, _, body) = self.get(target).await;
        (status, serde_json::from_slice::<ErrorBody>(&body).unwrap().error.code)
    }

    /// A counter's value or a histogram's count, summed over labels.
    fn count(&self, name: &str) -> u64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        let value = |metric: &prometheus::proto::Metric| match family.get_field_type() {
            prometheus::proto::MetricType::HISTOGRAM => metric.get_histogram().get_sample_count(),
            _ => metric.get_counter().get_value() as u64,
        };
        family.get_metric().iter().map(value).sum()
    }
}

fn urls(answer: &EntryAnswer, transport: Transport) -> Vec<&str> {
    answer.downlinks.iter().filter(|e| e.transport == transport).map(|e| e.url.as_str()).collect()
}

#[tokio::test]
async fn an_address_that_asks_too_often_is_told_when_to_come_back() {
    let site = Site::new(EntryConfig { address_per_s: 2, ..EntryConfig::default() }).await;
    site.report("a", &[], 1, false).await;
    for _ in 0..6 {
        let asked = Request::get("/v1/entry?room=demo").header("host", "chat.example");
        assert_eq!(site.ask(asked, "").await.0, StatusCode::OK);
    }
    let asked = Request::get("/v1/entry?room=demo").header("host", "chat.example");
    let (status, headers, body) = site.ask(asked, "").await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(headers["retry-after"], "1");
    let ErrorBody { error } = serde_json::from_slice(&body).unwrap();
    assert_eq!(error.limit.unwrap().rule, "entry.address_per_s");
}

#[tokio::test]
async fn urls_follow_the_host_that_the_client_used() {
    let site = Site::new(EntryConfig::default()).await;
    site.report("g1", &[], 0, false).await;
    let answer = site.answer("/v1/entry?room=demo").await;
    let wanted = ["ws://live.example:8080/v1/rooms/demo/ws", "ws://live.example:9090/v1/rooms/demo/ws"];
    assert_eq!(urls(&answer, Transport::Ws), wanted);
    assert_eq!(urls(&answer, Transport::Sse).len(), 2);
    assert_eq!(answer.uplinks, ["http://live.example:8080", "http://live.example:9090"]);
    assert_eq!(answer.downlinks[0].transport, Transport::Ws);
    assert_eq!(answer.downlinks.last().unwrap().transport, Transport::Poll);
    let embedded = site.answer("/v1/entry/fallback").await;
    assert_eq!(embedded.downlinks[0].url, "ws://live.example:8080/v1/rooms/{room}/ws");
}

#[tokio::test]
async fn full_and_draining_gateways_are_not_named() {
    let site = Site::new(EntryConfig::default()).await;
    site.report("open", &["https://a.example"], 50, false).await;
    site.report("full", &["https://b.example"], 100, false).await;
    site.report("leaving", &["https://c.example"], 0, true).await;
    for _ in 0..20 {
        let answer = site.answer("/v1/entry?room=demo").await;
        assert_eq!(urls(&answer, Transport::Ws), ["wss://a.example/v1/rooms/demo/ws"]);
    }
    site.report("open", &["https://a.example"], 100, false).await;
    let (status, headers, body) = site.get("/v1/entry?room=demo").await;
    let refusal = serde_json::from_slice::<ErrorBody>(&body).unwrap().error;
    assert_eq!((status, refusal.code), (StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded));
    // Soon: nobody else waits.
    assert!((2_000..4_000).contains(&refusal.retry_after_ms.unwrap()), "{refusal:?}");
    assert!(headers.contains_key("retry-after"));
    assert_eq!(site.count("barrage_entry_turned_away_total"), 1);
    // Who takes nobody's turn is told where the gateways are.
    for target in ["/v1/entry?room=demo&purpose=send", "/v1/entry/fallback"] {
        assert_eq!(urls(&site.answer(target).await, Transport::Ws).len(), 2, "{target}");
    }
    site.report("open", &["https://a.example"], 50, true).await;
    site.report("full", &["https://b.example"], 50, true).await;
    assert_eq!(
        site.refusal("/v1/entry?room=demo").await,
        (StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded)
    );
    assert_eq!(site.count("barrage_entry_empty_total"), 1);
}

#[tokio::test]
async fn bad_questions_get_their_code() {
    let site = Site::new(EntryConfig::default()).await;
    site.report("g1", &[], 0, false).await;
    assert_eq!(site.refusal("/v1/entry?room=nobody").await, (StatusCode::NOT_FOUND, Code::UnknownRoom));
    assert_eq!(site.refusal("/v1/entry?room=over").await, (StatusCode::GONE, Code::RoomClosed));
    for target in [
        "/v1/entry?room=demo&purpose=x",
        "/v1/entry",
        "/v1/entry?room=",
        "/v1/entry?room=a.b",
        "/v1/entry?room=..%2Fx",
    ] {
        assert_eq!(site.refusal(target).await, (StatusCode::BAD_REQUEST, Code::BadRequest), "{target}");
    }
    for host in ["", "a/b", "a\"b", "user@host"] {
        let request = Request::get("/v1/entry?room=demo").header("host", host);
        assert_eq!(site.ask(request, "").await.0, StatusCode::BAD_REQUEST, "{host:?}");
    }
}

#[tokio::test]
async fn the_race_is_run_over_incompressible_bytes_and_reports_count_for_known_gateways() {
    let site = Site::new(EntryConfig { race_bytes: 4_096, ..EntryConfig::default() }).await;
    site.report("near", &["http://near"], 0, false).await;
    site.report("far", &["http://far"], 0, false).await;
    let (status, headers, bytes) = site.get("/v1/race").await;
    assert_eq!((status, &headers["cache-control"]), (StatusCode::OK, &"no-store".parse().unwrap()));
    assert_eq!(bytes.len(), 4_096);
    assert!(barrage_protocol::deflate::deflate(&bytes, 9).len() >= 4_000);
    assert_eq!(site.answer("/v1/entry?room=demo").await.race.bytes, 4_096);

    let report =
        async |text: &str| site.ask(Request::post("/v1/entry/race").header("host", "h"), text).await.0;
    for _ in 0..20 {
        let text = r#"{"results":[{"gateway":"near","elapsed_ms":10},{"gateway":"far","elapsed_ms":900},{"gateway":"invented","elapsed_ms":18446744073709551615}]}"#;
        assert_eq!(report(text).await, StatusCode::NO_CONTENT);
    }
    let many = vec![r#"{"gateway":"near"}"#; 17].join(",");
    assert_eq!(report(&format!(r#"{{"results":[{many}]}}"#)).await, StatusCode::BAD_REQUEST);
    assert_eq!(report("[]").await, StatusCode::BAD_REQUEST);
    assert_eq!(report(&"x".repeat(5_000)).await, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn reports_move_newcomers_to_the_faster_gateway() {
    let site = Site::new(unbounded()).await;
    site.limited("near", 0, 100_000).await;
    site.limited("far", 0, 100_000).await;
    let text = r#"{"results":[{"gateway":"near","elapsed_ms":10},{"gateway":"far","elapsed_ms":900},{"gateway":"invented"}]}"#;
    let (status, ..) = site.ask(Request::post("/v1/entry/race").header("host", "h"), text).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(site.count("barrage_entry_race_seconds"), 2);
    assert_eq!(site.count("barrage_entry_race_failures_total"), 0);
    let mut near_first = 0;
    for _ in 0..400 {
        near_first += u32::from(site.answer("/v1/entry?room=demo").await.downlinks[0].gateway == "near");
    }
    // 20 in 21; below 320 the odds are smaller than those of a broken machine.
    assert!(near_first > 320, "{near_first}");
}

/// A gateway is no better than it was measured, whatever it says of itself.
#[tokio::test]
async fn the_capacity_file_bounds_what_a_gateway_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("capacity.toml");
    std::fs::write(&file, "[knee]\nconnections = 50\njoins_per_s = 1000\n").unwrap();
    let config = EntryConfig { address_per_s: 1_000, capacity_file: Some(file), ..unbounded() };
    let site = Site::new(config).await;
    site.limited("a", 4_000, 17_000).await;
    for _ in 0..49 {
        site.answer("/v1/entry?room=demo").await;
    }
    assert_eq!(site.get("/v1/entry?room=demo").await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn factors_are_told_by_admins_alone_and_shut_a_gateway_whoever_was_told() {
    let site = Site::new(EntryConfig { address_per_s: 1_000, ..unbounded() }).await;
    // Three gateways, and another entry that was told of g2; silence would take them off the list.
    let report = async || {
        for id in ["g1", "g2", "g3"] {
            site.limited(id, 0, 1_000).await;
        }
        let factor = Factor { factor: 0.0, until_ms: unix_ms() + 60_000 };
        let load = EntryReport { factors: [("g2".to_owned(), factor)].into(), ..EntryReport::default() };
        let other = InstanceReport { entry: Some(load), ..InstanceReport::new(Role::Entry, "entry-2") };
        site.bus.report(other).await.unwrap();
    };
    report().await;
    site.answer("/v1/entry?room=demo").await;
    let admin = async |method: &str, target: &str, body: &str| {
        site.admin(TokenRole::Admin, method, target, body).await
    };
    let (status, _) = site.admin(TokenRole::Moderator, "PUT", "factors", r#"{"factors": {"g1": 0}}"#).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, body) = admin("PUT", "factors", r#"{"factors": {"g1": 2}}"#).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::BAD_REQUEST, &"bad_request".into()));
    assert_eq!(admin("PUT", "factors", r#"{"factor": {}}"#).await.0, StatusCode::BAD_REQUEST);
    let (status, body) = admin("PUT", "factors", r#"{"factors": {"g1": 0}}"#).await;
    assert_eq!((status, body["factors"].as_object().unwrap().len()), (StatusCode::OK, 2));
    // They count from the next weighing on.
    let shut = async {
        // Each has the two ports of this host.
        while urls(&site.answer("/v1/entry?room=demo").await, Transport::Ws).len() > 2 {
            report().await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), shut)
        .await
        .expect("g1 and g2 are still offered");
    for _ in 0..20 {
        report().await;
        let answer = site.answer("/v1/entry?room=demo").await;
        assert!(answer.downlinks.iter().all(|endpoint| endpoint.gateway == "g3"), "{answer:?}");
    }
    let (_, body) = admin("GET", "weights", "").await;
    let weight = |n: usize| body["weights"][n]["weight"].as_f64().unwrap();
    assert!(weight(0) == 0.0 && weight(1) == 0.0 && weight(2) > 0.0, "{body}");
}

#[tokio::test]
async fn a_crowd_is_announced_changed_listed_and_taken_back() {
    let site = Site::new(EntryConfig::default()).await;
    let admin = async |method: &str, target: &str, body: &str| {
        site.admin(TokenRole::Admin, method, target, body).await
    };
    // Forty days ahead: within the year that is allowed, whatever the date.
    let starts = time::OffsetDateTime::now_utc() + time::Duration::days(40);
    let starts = starts.replace_time(time::Time::from_hms(12, 0, 0).unwrap());
    let rfc3339 = &time::format_description::well_known::Rfc3339;
    let at = starts.to_offset(time::UtcOffset::from_hms(8, 0, 0).unwrap()).format(rfc3339).unwrap();
    assert!(at.ends_with("T20:00:00+08:00"), "{at}");
    let post = format!(r#"{{"at": "{at}", "room": "demo", "viewers": 300000, "lasts_secs": 7200}}"#);
    assert_eq!(site.admin(TokenRole::Host, "POST", "prewarm", &post).await.0, StatusCode::FORBIDDEN);
    let (status, made) = admin("POST", "prewarm", &post).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!(made["at"].as_str().unwrap(), starts.format(rfc3339).unwrap(), "{made}");
    let (status, changed) = admin("POST", "prewarm", &post.replace("300000", "400000")).await;
    assert_eq!((status, &changed["id"]), (StatusCode::CREATED, &made["id"]));
    let (_, listed) = admin("GET", "prewarm", "").await;
    assert_eq!(listed["prewarms"].as_array().unwrap(), &[changed]);
    assert_eq!(site.bus.settings().borrow().prewarms(unix_ms())[0].1.viewers, 400_000);
    for wrong in ["20:00", "demo", "300000", "7200"] {
        let (status, _) = admin("POST", "prewarm", &post.replace(wrong, "x y")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "without {wrong}");
    }
    let (status, _) = admin("POST", "prewarm", &post.replace("demo", "nobody")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let one = format!("prewarm/{}", made["id"].as_str().unwrap());
    assert_eq!(admin("DELETE", &one, "").await.0, StatusCode::NO_CONTENT);
    assert_eq!(admin("DELETE", &one, "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(admin("GET", "prewarm", "").await.1["prewarms"], serde_json::json!([]));
}

#[tokio::test]
async fn the_caller_is_told_where_it_was_placed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("regions.csv");
    std::fs::write(&file, "# ours\n10.0.0.0/8,cn-east,telecom\n10.1.0.0/16,cn-north,unicom\n").unwrap();
    let site = Site::new(EntryConfig { region_file: Some(file), ..EntryConfig::default() }).await;
    site.report("g1", &[], 0, false).await;
    let answer = site.answer("/v1/entry?room=demo").await;
    assert_eq!((answer.region.as_deref(), answer.carrier.as_deref()), (Some("cn-north"), Some("unicom")));
}

fn unix_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

/// 80 joins a second of 100 are given out: a quarter of a second's worth comes at once, a
/// minute's worth gets a moment, the rest is turned away.
#[tokio::test]
async fn a_crowd_gets_moments_that_the_fleet_can_admit() {
    let config = EntryConfig { address_per_s: 1_000_000, ..unbounded() };
    let site = Site::new(config).await;
    site.limited("a", 60, 100_000).await;
    site.limited("b", 40, 100_000).await;
    let started_ms = unix_ms();
    let (mut at_once, mut tickets) = (0, Vec::new());
    let turned_away = loop {
        let (status, _, body) = site.get("/v1/entry?room=demo").await;
        if status != StatusCode::OK {
            break serde_json::from_slice::<ErrorBody>(&body).unwrap().error;
        }
        let answer: EntryAnswer = serde_json::from_slice(&body).unwrap();
        match answer.ticket {
            None => at_once += 1,
            Some(ticket) => {
                assert_eq!(answer.race.width, 1, "he goes where his turn is");
                tickets.push((ticket.wait_ms, ticket.token));
            }
        }
    };
    let took_secs = (unix_ms() - started_ms) / 1_000 + 1;
    assert!((20..=22 + 80 * took_secs).contains(&at_once), "{at_once}");
    let given = at_once + tickets.len() as u64;
    assert!((4_800..=4_802 + 80 * took_secs).contains(&given), "{given}");
    assert!(tickets.iter().all(|(wait_ms, _)| (250..=60_000).contains(wait_ms)));
    assert_eq!(turned_away.code, Code::Overloaded);
    assert!((30_000..=60_000).contains(&turned_away.retry_after_ms.unwrap()));
    let room = RoomId::parse("demo").unwrap();
    let mut moments = Vec::new();
    for (wait_ms, text) in &tickets {
        let ticket = site.keyring.check_ticket(text, &room, unix_ms() + wait_ms).unwrap();
        assert_eq!(ticket.expires_ms, ticket.not_before_ms + 30_000);
        moments.push((ticket.not_before_ms, ticket.id));
    }
    // In any second, whatever the clock's grain: 80, and two for the edges of each gateway.
    for (n, (from_ms, _)) in moments.iter().enumerate() {
        let within = moments[n..].iter().take_while(|(at_ms, _)| *at_ms < from_ms + 1_000).count();
        assert!(within <= 84, "{within}");
    }
    let distinct: std::collections::BTreeSet<_> = moments.iter().map(|(_, id)| id).collect();
    assert_eq!(distinct.len(), tickets.len());
    assert_eq!(site.count("barrage_entry_ticket_wait_seconds"), tickets.len() as u64);
    assert_eq!(site.count("barrage_entry_turned_away_total"), 1);
    let early = site.keyring.check_ticket(&tickets.last().unwrap().1, &room, unix_ms());
    assert!(matches!(early, Err(TicketError::TooEarly { .. })), "{early:?}");
    // Who only sends, and a list to embed, need no turn.
    assert!(site.answer("/v1/entry?room=demo&purpose=send").await.ticket.is_none());
    assert!(site.answer("/v1/entry/fallback").await.ticket.is_none());
}

#[tokio::test]
async fn a_ticket_is_never_for_a_seat_that_is_not_there() {
    let site = Site::new(EntryConfig { address_per_s: 1_000_000, ..unbounded() }).await;
    site.limited("a", 10, 25).await;
    for _ in 0..25 {
        site.answer("/v1/entry?room=demo").await;
    }
    let (status, headers, body) = site.get("/v1/entry?room=demo").await;
    let refusal = serde_json::from_slice::<ErrorBody>(&body).unwrap().error;
    assert_eq!((status, refusal.code), (StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded));
    assert!(headers.contains_key("retry-after"));
}

/// Four addresses ask as fast as they may and never connect; the gateway admits 400 joins a second.
#[tokio::test]
async fn addresses_that_never_connect_make_nobody_wait_over_2_s() {
    let site = Site::new(EntryConfig::default()).await;
    site.limited("g1", 400, 100_000).await;
    let ask = async |address: IpAddr| {
        let asked = Request::get("/v1/entry?room=demo").header("host", "chat.example");
        site.ask_from(address, asked, "").await
    };
    let attackers = [1, 2, 3, 4].map(|host| IpAddr::from([192, 0, 2, host]));
    let (mut granted, mut refused) = (0, None);
    for address in attackers.into_iter().cycle().take(4 * 400) {
        let (status, _, body) = ask(address).await;
        match status {
            StatusCode::OK => granted += 1,
            status => {
                assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
                refused = Some(serde_json::from_slice::<ErrorBody>(&body).unwrap().error);
            }
        }
    }
    assert!(
        (400..=800).contains(&granted),
        "as many as are allowed, and those that lapsed meanwhile: {granted}"
    );
    let refused = refused.unwrap();
    assert_eq!(refused.limit.unwrap().rule, "entry.address_grants_max");
    assert!((1..=92_000).contains(&refused.retry_after_ms.unwrap()));
    for host in 0..20 {
        let (status, _, body) = ask(IpAddr::from([198, 51, 100, host])).await;
        assert_eq!(status, StatusCode::OK);
        let answer: EntryAnswer = serde_json::from_slice(&body).unwrap();
        let wait_ms = answer.ticket.map_or(0, |ticket| ticket.wait_ms);
        assert!(wait_ms < 2_000, "an honest newcomer waits {wait_ms} ms");
    }
    // An IPv6 site has 65,536 networks.
    let site_of = |network: u16| IpAddr::from([0x2001, 0xdb8, 7, network, 0, 0, 0, 1]);
    let mut granted = 0;
    for network in 0..600 {
        granted += u32::from(ask(site_of(network)).await.0 == StatusCode::OK);
    }
    assert!((400..=480).contains(&granted), "{granted}");
}

#[tokio::test]
async fn counters_are_there_from_the_start() {
    let site = Site::new(EntryConfig::default()).await;
    let text = prometheus::TextEncoder::new().encode_to_string(&site.registry.gather()).unwrap();
    for reason in ["fleet_full", "queue_full", "address"] {
        let line = format!("barrage_entry_turned_away_total{{reason=\"{reason}\"}} 0");
        assert!(text.contains(&line), "{line} is not in {text}");
    }
    for name in ["answers_total", "empty_total", "race_failures_total"] {
        assert!(text.contains(&format!("barrage_entry_{name} 0")), "{name}");
    }
}
