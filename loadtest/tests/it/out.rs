//! Results beside the report: Prometheus by remote write, the HdrHistogram log, JUnit.

use std::time::Duration;

use barrage_testkit::process::{Process, Recipe, free_address};
use barrage_testkit::wait;
use serde_json::Value;
use tempfile::TempDir;

use crate::site::{Site, said};

/// Starts a real Prometheus that scrapes nothing and takes writes.
async fn prometheus(folder: &TempDir) -> Process {
    let address = free_address();
    let config = folder.path().join("prometheus.yml");
    std::fs::write(&config, "global: {scrape_interval: 1h}\n").unwrap();
    let storage = format!("--storage.tsdb.path={}", folder.path().join("tsdb").display());
    let arguments = [
        "prometheus".to_owned(),
        format!("--config.file={}", config.display()),
        storage,
        format!("--web.listen-address={address}"),
        "--web.enable-remote-write-receiver".to_owned(),
    ];
    let recipe = Recipe {
        name: "prometheus".into(),
        command: arguments.into(),
        environment: Vec::new(),
        folder: folder.path().into(),
        address,
    };
    Process::start(recipe).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_in_prometheus_in_an_hdr_log_and_in_junit() {
    let site = Site::start().await;
    let folder = TempDir::new().unwrap();
    let prometheus = prometheus(&folder).await;
    let base = format!("http://{}", prometheus.recipe.address);
    let ready =
        async || reqwest::get(format!("{base}/-/ready")).await.is_ok_and(|it| it.status().is_success());
    wait::until_true(Duration::from_secs(30), "a Prometheus that takes writes", ready).await;
    let scenario = site.scenario(
        "phases: [{phase: ramp, secs: 0.5, to: 1}, {phase: hold, secs: 1.5}]\nthresholds: [viewers.peak == 100, p99 < 0ms]\n",
    );
    let (hdr, junit) = (folder.path().join("run.hlog"), folder.path().join("run.xml"));
    let outs = [
        format!("prometheus={base}/api/v1/write"),
        format!("hdr={}", hdr.display()),
        format!("junit={}", junit.display()),
    ];
    let flags: Vec<_> = outs.iter().flat_map(|out| ["--out", out]).collect();
    let (output, report) = site.run(&scenario, &flags).await;
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(!report["notes"].to_string().contains("--out"), "{}", report["notes"]);

    let ask = async |query: &str| {
        let answer =
            reqwest::Client::new().get(format!("{base}/api/v1/query")).query(&[("query", query)]).send();
        let answer: Value = answer.await.unwrap().json().await.unwrap();
        answer["data"]["result"][0]["value"][1].as_str().map(|value| value.parse::<f64>().unwrap())
    };
    let joins = ask(r#"barrage_loadtest_joins_total{scenario="short",job="barrage-loadtest"}"#).await;
    assert_eq!(joins, report["totals"]["joins"].as_f64());
    let gifts = ask(r#"barrage_loadtest_deliveries_total{class="gift"}"#).await;
    assert_eq!(gifts, report["totals"]["delivered"]["gift"].as_f64());
    let buckets = ask(r#"barrage_loadtest_latency_seconds_bucket{kind="join",le="+Inf"}"#).await;
    assert_eq!(buckets, Some(100.0));

    let log = std::fs::read_to_string(&hdr).unwrap();
    assert!(log.starts_with("#[Histogram log format version 1.3]\n"), "{log}");
    for kind in ["chat", "gift", "post", "join", "timer"] {
        assert!(log.lines().any(|line| line.starts_with(&format!("Tag={kind},"))), "{kind} is not in\n{log}");
    }
    let junit = std::fs::read_to_string(&junit).unwrap();
    assert!(junit.contains(r#"tests="3" failures="1" errors="0" skipped="0""#), "{junit}");
    assert!(junit.contains(r#"name="viewers.peak == 100" time="0"/>"#), "{junit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_refuses_is_noted_and_ends_nothing() {
    let site = Site::start().await;
    let scenario = site.scenario("phases: [{phase: ramp, secs: 0.5, to: 1}, {phase: hold, secs: 1}]\n");
    // A path that the server does not have; it takes no compressed body either.
    let out = format!("prometheus=http://{}/nothing", site.server.public);
    let (output, report) = site.run(&scenario, &["--out", &out]).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let notes = report["notes"].to_string();
    assert!(notes.contains("writes failed") && notes.contains("status 4"), "{notes}");
    let (output, _) = site.run(&scenario, &["--out", "statsd=x"]).await;
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
}

/// Posts that wait for a server that stands still leave late, and the report says so.
#[tokio::test(flavor = "multi_thread")]
async fn posts_that_leave_late_are_told() {
    let site = Site::start().await;
    let scenario = site.scenario(
        "phases: [{phase: ramp, secs: 0.5, to: 1}, {phase: hold, secs: 2.5}]\nfaults: [{at_secs: 1, cut_share: 0}]\n",
    );
    let often = std::fs::read_to_string(&scenario).unwrap().replace("min: 30", "min: 1200");
    std::fs::write(&scenario, often).unwrap();
    let hook = format!("kill -STOP {0}; sleep 1; kill -CONT {0}", site.pid());
    let (output, report) = site.run(&scenario, &["--hook", &hook]).await;
    let late = report["figures"]["posts.late"].as_f64().unwrap();
    assert!(late > 0.05 && late < 1.0, "{late}: {}", said(&output));
    assert!(report["notes"].to_string().contains("the planned rate was not kept"), "{}", report["notes"]);
}
