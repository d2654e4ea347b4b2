//! Questions: URLs, limits, codes, regions.

use barrage_bus::{InstanceReport, Place, Role};
use barrage_entry::{EntryConfig, HostAddresses};
use barrage_protocol::Code;
use barrage_protocol::code::ErrorBody;
use barrage_protocol::entry::Transport;
use barrage_scaling::LoadReport;
use http::{Request, StatusCode};

use crate::site::{Site, urls};

#[tokio::test]
async fn address_over_its_rate_gets_a_time_to_come_back() {
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
async fn urls_use_the_host_that_the_client_used() {
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
async fn answer_has_addresses_of_its_hosts_other_entries_and_its_time() {
    let host = |host: &str, ips: &[&str]| HostAddresses {
        host: host.into(),
        ips: ips.iter().map(|ip| ip.parse().unwrap()).collect(),
    };
    let addresses = vec![
        host("live.example", &["192.0.2.1", "2001:db8::1"]),
        host("g1.example", &["192.0.2.7"]),
        host("far.example", &["192.0.2.9"]),
    ];
    let urls = vec!["https://live.example".to_owned(), "https://live-2.example".to_owned()];
    let site = Site::new(EntryConfig { addresses, urls: urls.clone(), ..EntryConfig::default() }).await;
    site.report("g1", &["https://g1.example:14000"], 0, false).await;
    let before_ms = barrage_clock::unix_ms();
    for target in ["/v1/entry?room=demo", "/v1/entry?room=demo&purpose=send", "/v1/entry/fallback"] {
        let answer = site.answer(target).await;
        let found: Vec<_> = answer.addresses.iter().map(|(host, ips)| (host.as_str(), ips.len())).collect();
        assert_eq!(found, [("g1.example", 1), ("live.example", 2)], "{target}");
        assert_eq!(answer.entries, urls, "{target}");
        assert!((before_ms..=barrage_clock::unix_ms()).contains(&answer.issued_ms.unwrap()), "{target}");
    }
    let plain = Site::new(EntryConfig::default()).await;
    plain.report("g1", &[], 0, false).await;
    let (_, _, body) = plain.get("/v1/entry?room=demo").await;
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert!(json.get("addresses").is_none() && json.get("entries").is_none(), "{json}");
}

#[tokio::test]
async fn instances_report_their_own_addresses_and_a_drain_ends_them() {
    let site = Site::new(EntryConfig::default()).await;
    let report = |role, id: &str, url: &str, ip: &str, draining| {
        let place = Place::default().with_addresses(&[ip.to_owned()]);
        let load = LoadReport { connections_max: 1_000, ..LoadReport::default() };
        let base_urls = vec![url.to_owned()];
        InstanceReport { base_urls, draining, load, place, ..InstanceReport::new(role, id) }
    };
    let post = "https://post.example";
    for report in [
        report(Role::Gateway, "g1", "https://g1.example:14000", "192.0.2.7", false),
        report(Role::Uplink, "u1", post, "192.0.2.8", false),
        report(Role::Uplink, "u2", post, "192.0.2.9", false),
        report(Role::Uplink, "u3", post, "192.0.2.10", true),
    ] {
        site.bus.report(report).await.unwrap();
    }
    let answer = site.answer("/v1/entry?room=demo").await;
    let found: Vec<_> = answer.addresses.iter().map(|(host, ips)| (host.as_str(), ips.len())).collect();
    assert_eq!(found, [("g1.example", 1), ("post.example", 2)]);
    assert!(!answer.addresses["post.example"].contains(&"192.0.2.10".parse().unwrap()));
}

#[tokio::test]
async fn full_and_draining_gateways_are_not_listed() {
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
    // A short time, because no other newcomer waits.
    assert!((2_000..4_000).contains(&refusal.retry_after_ms.unwrap()), "{refusal:?}");
    assert!(headers.contains_key("retry-after"));
    assert_eq!(site.count("barrage_entry_turned_away_total"), 1);
    // A client that takes no slot gets the list of gateways.
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
async fn wrong_question_gets_its_code() {
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
async fn answer_names_region_and_carrier() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("regions.csv");
    std::fs::write(&file, "# regions\n10.0.0.0/8,cn-east,telecom\n10.1.0.0/16,cn-north,unicom\n").unwrap();
    let site = Site::new(EntryConfig { region_file: Some(file), ..EntryConfig::default() }).await;
    site.report("g1", &[], 0, false).await;
    let answer = site.answer("/v1/entry?room=demo").await;
    assert_eq!((answer.region.as_deref(), answer.carrier.as_deref()), (Some("cn-north"), Some("unicom")));
}

#[tokio::test]
async fn counters_exist_at_zero_from_the_start() {
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
