//! Several processes on one cluster: rules that the embedded engine cannot break.

use std::time::Duration;

use barrage_bus::nats::{Level, NatsError};
use barrage_bus::{
    BusConfig, Change, InstanceReport, Log, NatsBus, NatsConfig, RangeLimits, Registry, Role, RoomSettings,
    SettingsStore,
};
use barrage_protocol::frame::RepairOutcome;
use barrage_protocol::{Class, Sequence};
use barrage_scaling::LoadReport;
use barrage_testkit::NatsServer;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::drafts::{draft, topic};
use crate::engine::{connect, metrics, nats_config};
use crate::suite::next_message;

fn report(id: &str) -> InstanceReport {
    let load = LoadReport { connections: 1.0, deliveries_per_s: 4.0, ..LoadReport::default() };
    InstanceReport { load, ..InstanceReport::new(Role::Gateway, id) }
}

/// Waits until a condition holds; panics with its name after `within`.
async fn until(condition: &str, within: Duration, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(within, wait).await.unwrap_or_else(|_| panic!("not within {within:?}: {condition}"));
}

#[tokio::test]
async fn a_message_has_the_same_position_in_every_process() {
    let server = NatsServer::start().await;
    let (a, b) = (connect(&server, BusConfig::default()).await, connect(&server, BusConfig::default()).await);
    let mut at_a = a.subscribe(&topic("r")).await.unwrap();
    let mut at_b = b.subscribe(&topic("r")).await.unwrap();
    for n in 0..20 {
        let publisher = if n % 2 == 0 { &a } else { &b };
        publisher.publish(vec![draft("r", "u", &format!("m{n}"), Class::Gift)]).await.unwrap();
    }
    for _ in 0..20 {
        let (one, other) = (next_message(&mut at_a).await, next_message(&mut at_b).await);
        assert_eq!(one, other);
    }
    let again = a.publish(vec![draft("r", "u", "m1", Class::Gift)]).await.unwrap()[0];
    assert!(again.duplicate);
}

#[tokio::test]
async fn a_setting_is_in_force_in_every_process_within_a_second() {
    let server = NatsServer::start().await;
    let a = connect(&server, BusConfig::default()).await;
    let mut others = Vec::new();
    for _ in 0..10 {
        others.push(connect(&server, BusConfig::default()).await);
    }
    let muted = RoomSettings { mute_all: true, ..RoomSettings::default() };
    a.change(Change::Room("r".parse().unwrap(), muted)).await.unwrap();
    let began = barrage_clock::now();
    for other in &others {
        let mut settings = other.settings();
        let in_force = settings.wait_for(|settings| settings.rooms.contains_key(&"r".parse().unwrap()));
        tokio::time::timeout(Duration::from_secs(1), in_force)
            .await
            .expect("the setting is not in force within a second")
            .unwrap();
    }
    println!("in force on 10 others {:?} after the change returned", began.elapsed());
}

#[tokio::test]
async fn a_silent_gateway_is_no_longer_listed_after_five_seconds() {
    let server = NatsServer::start().await;
    let (a, b) = (connect(&server, BusConfig::default()).await, connect(&server, BusConfig::default()).await);
    a.report(InstanceReport::new(Role::Uplink, "gateway.1")).await.unwrap();
    a.report(report("gateway.1")).await.unwrap();
    assert_eq!((a.instances().len(), a.uplinks().len()), (2, 1));
    let reported = barrage_clock::now();
    assert_eq!(a.gateways()[0].report, report("gateway.1"));
    until("the other process lists it", Duration::from_secs(1), || b.gateways().len() == 1).await;
    let late = connect(&server, BusConfig::default()).await;
    until("a new process lists it", Duration::from_secs(1), || late.gateways().len() == 1).await;
    assert!(late.gateways()[0].age < Duration::from_secs(5));
    let gone = || b.gateways().is_empty() && late.gateways().is_empty();
    until("no process lists it", Duration::from_secs(6), gone).await;
    assert!(reported.elapsed() > Duration::from_secs(4) && reported.elapsed() < Duration::from_secs(6));
}

#[tokio::test]
async fn a_process_that_lost_the_servers_removes_no_instance() {
    let mut server = NatsServer::start().await;
    let (a, b) = (connect(&server, BusConfig::default()).await, connect(&server, BusConfig::default()).await);
    a.report(report("gateway.1")).await.unwrap();
    until("the other process lists it", Duration::from_secs(1), || b.gateways().len() == 1).await;
    server.kill();
    // Longer than an instance may be silent.
    let killed = barrage_clock::now();
    while killed.elapsed() < Duration::from_secs(6) {
        assert_eq!(b.gateways().len(), 1, "after {:?}", killed.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.restart().await;
    let restarted = barrage_clock::now();
    until("the silent instance is removed after the servers are back", Duration::from_secs(20), || {
        b.gateways().is_empty()
    })
    .await;
    assert!(
        restarted.elapsed() > Duration::from_secs(4),
        "it had no time to report: {:?}",
        restarted.elapsed()
    );
}

#[tokio::test]
async fn a_long_repair_from_the_stream_is_cut_and_continues() {
    let server = NatsServer::start().await;
    let config = NatsConfig { scan_messages_max: 250, ..nats_config(&server) };
    let bus = NatsBus::connect(config, BusConfig::default(), metrics()).await.unwrap();
    let package = (0..1_000).map(|n| draft("r", "u", &format!("m{n}"), Class::Chat)).collect();
    let last = bus.publish(package).await.unwrap().last().unwrap().sequence;
    let limits = RangeLimits { chat_max: 10, precious_max: 10, ..RangeLimits::default() };
    let (mut position, mut parts) = (Sequence::ZERO, 0);
    while position < last {
        let range = bus.range(&topic("r"), position, None, limits).await.unwrap();
        assert_eq!((range.outcome, range.skipped), (RepairOutcome::Partial, 240));
        (position, parts) = (range.covered_to, parts + 1);
    }
    assert_eq!(parts, 4);
}

/// Viewers of a gateway that died resume on another one, all at once: the missed messages are read
/// for the first viewer, and are in memory for the others.
#[tokio::test]
async fn messages_before_the_subscription_are_read_once() {
    let mut server = NatsServer::start().await;
    let bus = connect(&server, BusConfig::default()).await;
    let mut sequences = Vec::new();
    for n in 0..60 {
        let class = if n % 3 == 0 { Class::Gift } else { Class::Chat };
        sequences
            .push(bus.publish(vec![draft("r", "u", &format!("m{n}"), class)]).await.unwrap()[0].sequence);
        bus.publish(vec![draft("other", "u", &format!("m{n}"), Class::Chat)]).await.unwrap();
    }
    let gateway = connect(&server, BusConfig::default()).await;
    let mut subscription = gateway.subscribe(&topic("r")).await.unwrap();
    assert_eq!(subscription.start, sequences[59]);
    let late = bus.publish(vec![draft("r", "u", "late", Class::Gift)]).await.unwrap()[0].sequence;
    assert_eq!(next_message(&mut subscription).await.sequence, late);
    let ranges = (0..60).map(|n| {
        let (gateway, after) = (gateway.clone(), sequences[n]);
        async move { gateway.range(&topic("r"), after, None, RangeLimits::default()).await.unwrap() }
    });
    for (n, range) in futures_util::future::join_all(ranges).await.into_iter().enumerate() {
        let positions: Vec<_> = range.messages.iter().map(|message| message.sequence).collect();
        assert_eq!(positions, [&sequences[n + 1..], &[late]].concat());
        assert_eq!((range.outcome, range.covered_to), (RepairOutcome::Complete, late));
        assert!(range.messages.windows(2).all(|pair| pair[1].previous == pair[0].sequence));
    }
    // Without servers, memory must answer.
    server.kill();
    let range = gateway.range(&topic("r"), sequences[10], Some(late), RangeLimits::default()).await.unwrap();
    assert_eq!((range.outcome, range.messages.len()), (RepairOutcome::Complete, 49));
}

/// The stream keeps messages for a day, for the archiver; a repair reaches only to the retention time.
#[tokio::test]
async fn a_repair_from_the_stream_ends_at_the_retention_time() {
    let server = NatsServer::start().await;
    let bus = connect(&server, BusConfig { retention_secs: 2, ..BusConfig::default() }).await;
    for n in 0..3 {
        bus.publish(vec![draft("r", "u", &format!("m{n}"), Class::Gift)]).await.unwrap();
    }
    let whole = bus.range(&topic("r"), Sequence::ZERO, None, RangeLimits::default()).await.unwrap();
    assert_eq!((whole.outcome, whole.messages.len()), (RepairOutcome::Complete, 3));
    let old = async {
        loop {
            let late = bus.publish(vec![draft("r", "u", "late", Class::Gift)]).await.unwrap()[0].sequence;
            let range = bus.range(&topic("r"), Sequence::ZERO, None, RangeLimits::default()).await.unwrap();
            assert_eq!(range.covered_to, late);
            if range.outcome == RepairOutcome::Gone {
                return range.messages.len();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let left = tokio::time::timeout(Duration::from_secs(10), old)
        .await
        .expect("the repair still reaches messages older than the retention time");
    assert!(left < 4);
    assert_eq!(bus.read_all(0, Sequence::ZERO, 10).await.unwrap().len(), 4);
    bus.publish(vec![draft("new", "u", "m", Class::Gift)]).await.unwrap();
    let fresh = bus.range(&topic("new"), Sequence::ZERO, None, RangeLimits::default()).await.unwrap();
    assert_eq!((fresh.outcome, fresh.messages.len()), (RepairOutcome::Complete, 1));
}

#[tokio::test]
async fn the_check_reports_risks_of_the_configuration() {
    let server = NatsServer::start().await;
    let bus = connect(&server, BusConfig::default()).await;
    let findings = bus.check().await.unwrap();
    assert!(findings.iter().all(|finding| finding.level != Level::Bad), "{findings:?}");
    assert!(findings.iter().any(|it| it.level == Level::Risk && it.text.contains("sync_interval")));
    assert!(findings.iter().any(|it| it.level == Level::Risk && it.text.contains("1 replica")));
}

#[tokio::test]
async fn a_start_that_cannot_succeed_returns_its_reason() {
    let absent = NatsConfig {
        urls: vec!["nats://127.0.0.1:1".into()],
        connect_timeout_ms: 500,
        start_deadline_ms: 0,
        ..NatsConfig::default()
    };
    let refused = NatsBus::connect(absent, BusConfig::default(), metrics()).await.err().unwrap();
    assert!(matches!(refused, NatsError::Connect(_)), "{refused}");
    let server = NatsServer::start().await;
    let replicated = NatsConfig { replicas: 3, ..nats_config(&server) };
    let refused = NatsBus::connect(replicated, BusConfig::default(), metrics()).await.err().unwrap();
    assert!(matches!(refused, NatsError::Setup { .. }), "{refused}");
    let wild = NatsConfig { prefix: "a.>".into(), ..nats_config(&server) };
    let refused = NatsBus::connect(wild, BusConfig::default(), metrics()).await.err().unwrap();
    assert!(matches!(refused, NatsError::Config(_)), "{refused}");
    let undeclared = NatsConfig { declare: false, prefix: "other".into(), ..nats_config(&server) };
    let refused = NatsBus::connect(undeclared, BusConfig::default(), metrics()).await.err().unwrap();
    assert!(matches!(refused, NatsError::Setup { .. }), "{refused}");
}

#[tokio::test]
async fn a_password_in_the_address_is_used_and_never_shown() {
    let server = NatsServer::start_with(&["--user", "u", "--pass", "right"]).await;
    for (credentials, is_accepted) in [("u:right@", true), ("u:wrong@", false), ("", false)] {
        let urls = vec![server.url().replace("//", &format!("//{credentials}")).into()];
        let config = NatsConfig { urls, ..nats_config(&server) };
        let opened = NatsBus::connect(config, BusConfig::default(), metrics()).await;
        assert_eq!(opened.is_ok(), is_accepted, "{credentials}");
        assert!(!opened.err().is_some_and(|error| error.to_string().contains("wrong")));
    }
}

/// Starts a fake server that greets with an old version; returns its address.
async fn greet_as(version: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let info = format!(
        r#"{{"server_id":"x","server_name":"x","version":"{version}","go":"","host":"","port":1,"max_payload":1024,"proto":1,"headers":true}}"#
    );
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(format!("INFO {info}\r\n").as_bytes()).await.unwrap();
        let (reading, mut writing) = stream.split();
        let mut lines = BufReader::new(reading).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if line == "PING" {
                writing.write_all(b"PONG\r\n").await.unwrap();
            }
        }
    });
    format!("nats://{address}")
}

#[tokio::test]
async fn a_server_older_than_2_12_2_is_refused_with_its_version() {
    for version in ["2.9.10", "2.11.11", "2.12.1"] {
        let config = NatsConfig { urls: vec![greet_as(version).await.into()], ..NatsConfig::default() };
        let refused = NatsBus::connect(config, BusConfig::default(), metrics()).await.err().unwrap();
        assert!(matches!(&refused, NatsError::TooOld { found } if found == version), "{refused}");
    }
}
