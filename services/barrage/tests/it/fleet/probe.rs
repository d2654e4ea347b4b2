//! The probe finds gateways that do not deliver, and counts nowhere.

use std::time::{Duration, Instant};

use barrage_testkit::process::Process;
use barrage_testkit::{NatsServer, Proxy, RawSocket, Server, ServerOptions, Treatment, wait};

use super::{STEP_MAX, fleet};
use crate::support::{BINARY, barrage, start_probe, text_of};

/// Time within which a gateway that does not deliver is found.
const FOUND_MAX: Duration = Duration::from_secs(10);

/// A server whose gateway is reached through a proxy.
async fn behind_a_proxy() -> (Server, Proxy) {
    let proxy = Proxy::start().await;
    let urls = format!("[\"http://{}\"]", proxy.address);
    let settings = [("BARRAGE_GATEWAY__BASE_URLS", urls.as_str()), ("BARRAGE_GATEWAY__ID", "g")];
    let environment = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let server = Server::start(BINARY, ServerOptions { environment, ..ServerOptions::default() }).await;
    proxy.connect_to(server.public);
    (server, proxy)
}

/// Value of a metric by its name with labels; 0 when it is absent.
pub(super) async fn metric(address: impl std::fmt::Display, name: &str) -> f64 {
    let text = reqwest::get(format!("http://{address}/metrics")).await.unwrap().text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

const SUCCESSES: &str = "barrage_probe_attempts_total{outcome=\"success\"}";
const LATE: &str = "barrage_probe_failures_total{phase=\"deliver\"}";

/// Waits until the gauge of a gateway has a value.
async fn is_up(probe: &Process, gateway: &str, value: f64) {
    let name = format!("barrage_probe_gateway_up{{gateway=\"{gateway}\"}}");
    wait::until_true(STEP_MAX, &format!("{name} {value}"), async || {
        metric(probe.recipe.address, SUCCESSES).await > 0.0
            && (metric(probe.recipe.address, &name).await - value).abs() < 0.5
    })
    .await;
}

#[tokio::test]
async fn mute_gateway_is_found_within_ten_seconds_and_its_recovery_at_once() {
    let ((server, proxy), folder) = (behind_a_proxy().await, tempfile::tempdir().unwrap());
    // With the defaults of `[probe]`.
    let probe = start_probe(&server, folder.path(), &[]).await;
    is_up(&probe, "g", 1.0).await;
    proxy.set(Treatment::Mute);
    let muted = Instant::now();
    is_up(&probe, "g", 0.0).await;
    let found = muted.elapsed();
    println!("found after {found:?}");
    assert!(found < FOUND_MAX, "{found:?}");
    assert!(metric(probe.recipe.address, LATE).await >= 3.0);
    assert!(probe.recipe.log_text().contains("failed the probe several times in a row"));
    let examined = format!("http://{}/probe?target=g", probe.recipe.address);
    let mute = reqwest::get(&examined).await.unwrap().text().await.unwrap();
    assert!(mute.contains("probe_success 0\n"), "{mute}");
    proxy.set(Treatment::Pass);
    is_up(&probe, "g", 1.0).await;
    let well = reqwest::get(&examined).await.unwrap().text().await.unwrap();
    assert!(well.contains("probe_success 1\n") && well.contains("phase=\"deliver\""), "{well}");
    let unknown = format!("http://{}/probe?target=none", probe.recipe.address);
    assert_eq!(reqwest::get(unknown).await.unwrap().status(), 404);
}

#[tokio::test]
async fn delay_of_two_seconds_is_a_failure_of_the_delivery() {
    let ((server, proxy), folder) = (behind_a_proxy().await, tempfile::tempdir().unwrap());
    let settings =
        [("PROBE__INTERVAL_MS", "300"), ("PROBE__TIMEOUT_MS", "8000"), ("PROBE__FAILURES_MAX", "2")];
    let probe = start_probe(&server, folder.path(), &settings).await;
    is_up(&probe, "g", 1.0).await;
    proxy.set(Treatment::Slow);
    is_up(&probe, "g", 0.0).await;
    let log = probe.recipe.log_text();
    assert!(log.contains("above the limit of 1000 ms"), "{log}");
}

#[tokio::test]
async fn probes_of_a_fleet_find_a_stopped_nats_and_count_nowhere() {
    let nats = NatsServer::start().await;
    let mut options = fleet(&["--cluster", "--gateways", "2", "--uplinks", "1"]);
    let settings = [
        ("NATS__URLS", format!("[\"{}\"]", nats.url())),
        ("PROBE__INTERVAL_MS", "300".into()),
        ("PROBE__FAILURES_MAX", "2".into()),
    ];
    options.environment.extend(settings.map(|(name, value)| (format!("BARRAGE_{name}"), value)));
    let server = Server::start(BINARY, options).await;
    let admin = |name: &str| server.members.iter().find(|member| member.name == name).unwrap().admin;
    let gateway = server.members.iter().find(|member| member.name == "gateway-1").unwrap();
    let _viewer = RawSocket::joined(gateway.public[0], "demo").await;
    let (probe, up) = (admin("probe"), "barrage_probe_gateway_up{gateway=\"gateway-1\"}");
    wait::until_true(STEP_MAX, "ten successes", async || metric(probe, SUCCESSES).await >= 10.0).await;
    assert_eq!(metric(probe, "barrage_probe_gateways").await, 2.0);

    // One viewer has joined once; the probe has joined many times.
    for (name, viewers) in [("gateway-1", 1.0), ("gateway-2", 0.0)] {
        assert_eq!(metric(admin(name), "barrage_gateway_connections").await, viewers, "{name}");
        assert_eq!(metric(admin(name), "barrage_gateway_joins_total").await, viewers, "{name}");
    }
    let token = server.token("a", "*", "admin").await;
    let rooms = server.admin("GET", "/rooms", &token, &serde_json::json!({})).await;
    assert!(!rooms.body.to_string().contains("barrage-probe"), "{:?}", rooms.body);
    let reserved = server.admin("PUT", "/rooms/barrage-probe", &token, &serde_json::json!({})).await;
    assert_eq!(reserved.status, 400);
    let store = rusqlite::Connection::open(server.data_dir().join("fleet.sqlite")).unwrap();
    let archived: i64 = store
        .query_row("SELECT COUNT(*) FROM messages WHERE room = 'barrage-probe'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(archived, 0);

    nats.pause();
    let paused = Instant::now();
    wait::until_true(STEP_MAX, "the alarm", async || metric(probe, up).await < 0.5).await;
    println!("found after {:?}", paused.elapsed());
    assert!(paused.elapsed() < FOUND_MAX, "{:?}", paused.elapsed());
    nats.resume();
    wait::until_true(STEP_MAX, "the end of the alarm", async || metric(probe, up).await > 0.5).await;
}

#[tokio::test]
async fn probe_without_a_key_ends_with_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let output = barrage(folder.path(), &["probe", "--serve", "--admin-listen", "127.0.0.1:0"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", text_of(&output));
}
