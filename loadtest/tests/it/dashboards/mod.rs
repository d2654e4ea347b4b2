//! A real Prometheus scrapes a real fleet under load: every query of the dashboards, every variable
//! and every rule has data.

mod checks;
mod played;
mod prometheus;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use barrage_testkit::{ServerOptions, process, programs};
use serde_json::json;

use crate::site::Site;
use checks::Check;
use prometheus::Prometheus;

/// Longest time until all queries had data once.
const DATA_MAX: Duration = Duration::from_secs(60);
/// Load for longer than the queries need: viewers that stay, reconnect and post.
const LOAD: &str = "phases: [{phase: ramp, secs: 2, to: 1}, {phase: hold, secs: 60}]\n\
                    faults: [{at_secs: 6, cut_share: 0.3}]\n";

#[tokio::test(flavor = "multi_thread")]
async fn every_panel_and_rule_has_data_from_a_fleet_under_load() {
    let arguments = ["--cluster", "--gateways", "2", "--uplinks", "1"].map(str::to_owned).to_vec();
    let environment = vec![("PATH".to_owned(), programs::path_with_nats())];
    let site = Site::of(ServerOptions { arguments, environment, ..ServerOptions::default() }).await;
    let (tester, autoscaler) = (process::free_address(), played::serve().await);
    let members = site.server.members.iter().map(|member| member.admin);
    let prometheus = Prometheus::start(members.chain([tester, autoscaler])).await;
    let scenario = site.scenario(LOAD);
    let address = tester.to_string();
    let _load =
        site.prepared("run", &scenario, &["--metrics-listen", &address]).kill_on_drop(true).spawn().unwrap();

    let mut open = checks::all();
    let began = Instant::now();
    let mut look = tokio::time::interval(Duration::from_secs(1));
    while !open.is_empty() {
        look.tick().await;
        visit(&site).await;
        open = still_open(&prometheus, open).await;
        assert!(began.elapsed() < DATA_MAX, "no data after {DATA_MAX:?}:\n{}", list(&open));
    }
    let (unwell, firing) = (prometheus.unwell_rules().await, prometheus.firing().await);
    assert!(unwell.is_empty(), "{unwell:#?}");
    assert_eq!(firing, ["BarrageWatchdog"], "alerts of a fleet that is well");
}

/// Does what viewers of the load tester do not: reads the history, reports a race, shows a bad token.
async fn visit(site: &Site) {
    let http = reqwest::Client::new();
    let public = |name: &str| -> SocketAddr {
        site.server.members.iter().find(|member| member.name == name).unwrap().public[0]
    };
    let history = format!("http://{}/v1/rooms/demo/history", public("uplink-1"));
    assert!(http.get(history).send().await.unwrap().status().is_success());
    let race =
        json!({ "results": [{ "gateway": "gateway-1", "elapsed_ms": 42 }, { "gateway": "gateway-2" }] });
    let report = http.post(format!("http://{}/v1/entry/race", site.server.public)).body(race.to_string());
    assert_eq!(report.send().await.unwrap().status(), 204);
    let post = http.post(format!("http://{}/v1/rooms/demo/messages", public("uplink-1"))).bearer_auth("bad");
    assert_eq!(post.body("{}").send().await.unwrap().status(), 401);
}

/// Returns the checks that have no data yet.
async fn still_open(prometheus: &Prometheus, checks: Vec<Check>) -> Vec<Check> {
    let mut open = Vec::new();
    for check in checks {
        if !prometheus.has_data(&check).await {
            open.push(check);
        }
    }
    open
}

fn list(checks: &[Check]) -> String {
    checks.iter().map(|check| format!("  {}: {}\n", check.place, check.query)).collect()
}
