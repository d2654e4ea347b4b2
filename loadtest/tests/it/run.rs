//! The load tester against the real server: what it counts is what the server did, and what
//! goes wrong is said.

use std::process::Stdio;
use std::time::{Duration, Instant};

use barrage_testkit::wait;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::site::{LOADTEST, Site, said};

const RAMP_AND_HOLD: &str = "phases: [{phase: ramp, secs: 0.5, to: 1}, {phase: hold, secs: 1.5}]\n";

#[tokio::test(flavor = "multi_thread")]
async fn smoke_counts_what_the_server_did() {
    let site = Site::start().await;
    let (output, report) = site.run("smoke", &["--viewers", "300"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(report["figures"]["viewers.peak"], 300.0);
    assert_eq!(report["totals"]["joins"], 300);
    assert_eq!(site.server.metric("barrage_gateway_joins_total").await, 300.0);
    let balance = &report["balance"];
    assert!(balance["gifts_owed"].as_u64().unwrap() > 1_000, "{balance}");
    // Every gift to every viewer, and not one more, by both sides' counts.
    assert_eq!(balance["gifts_owed"], report["totals"]["delivered"]["gift"]);
    assert_eq!((&balance["gifts_lost"], &balance["gifts_doubled"]), (&0.into(), &0.into()));
    // Open loop: four chats a minute of 300 viewers, and so on, over the phases.
    let due = report["totals"]["posts"]["chat"].as_f64().unwrap();
    let wanted = 10.0 + 40.0 + 120.0 + 15.0;
    assert!((due - wanted).abs() < 6.0 * wanted.sqrt(), "{due} instead of {wanted}");
    let page = std::fs::read_to_string(site.dir.path().join("report.html")).unwrap();
    assert!(page.contains("Latency, intended send to viewer") && page.contains("passed"));
}

/// The giant room, a thousandth of it: each viewer still receives what the whole room would.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_the_giant_room_loses_and_doubles_no_gift() {
    let site = Site::start().await;
    let giant = include_str!("../../scenarios/three-hundred-thousand.yaml");
    let short = giant
        .replace("secs: 120", "secs: 1")
        .replace("secs: 60", "secs: 5")
        .replace("settle_secs: 10", "settle_secs: 2");
    let path = site.dir.path().join("giant.yaml");
    std::fs::write(&path, short).unwrap();
    let (output, report) = site.run(path.to_str().unwrap(), &["--viewers", "300", "--processes", "2"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(report["notes"][0].as_str().unwrap().contains("300 of the room's 300000 viewers (0.10 %)"));
    let posts = report["totals"]["posts"]["chat"].as_f64().unwrap();
    assert!((posts - 245.0).abs() < 6.0 * 245_f64.sqrt(), "{posts} chats in five seconds");
    let interval = report["figures"]["frame.interval"].as_f64().unwrap();
    assert!((20.0..2_000.0).contains(&interval), "{interval} ms between two batches");
    assert_eq!(
        (&report["balance"]["gifts_lost"], &report["balance"]["gifts_doubled"]),
        (&0.into(), &0.into())
    );
}

/// What the tester serves while it runs is what the server counts.
#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_served_while_the_test_runs() {
    let site = Site::start().await;
    let scenario = site.scenario("phases: [{phase: ramp, secs: 0.5, to: 1}, {phase: hold, secs: 4}]\n");
    let address = barrage_testkit::process::free_address().to_string();
    let mut child = site.prepared("run", &scenario, &["--metrics-listen", &address]).spawn().unwrap();
    let (viewers, joins) = ("barrage_loadtest_viewers 100", "barrage_loadtest_joins_total 100");
    wait::until_true(Duration::from_secs(20), "metrics of 100 viewers", async || {
        let Ok(answer) = reqwest::get(format!("http://{address}/metrics")).await else { return false };
        let text = answer.text().await.unwrap_or_default();
        text.lines().any(|line| line == viewers) && text.lines().any(|line| line == joins)
    })
    .await;
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_threshold_exits_with_1() {
    let site = Site::start().await;
    let scenario = site.scenario(&format!("{RAMP_AND_HOLD}thresholds: [p50 < 0.001ms, loss.gift == 0]\n"));
    let (output, report) = site.run(&scenario, &[]).await;
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("BROKEN  p50 < 0.001ms"), "{}", said(&output));
    assert_eq!(report["verdict"]["outcome"], "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn reset_viewers_reconnect_and_miss_no_gift() {
    let site = Site::start().await;
    let scenario = site.scenario(
        "phases: [{phase: ramp, secs: 0.5, to: 1}, {phase: hold, secs: 3}]\n\
         faults: [{at_secs: 1, cut_share: 0.5}]\nslow: {share: 0.1, bytes_per_s: 3000}\n\
         viewer_identity: token\nhistory: 30\n\
         thresholds: [loss.gift == 0, doubled.gift == 0, viewers.lost == 0, history.failed == 0]\n",
    );
    let (output, report) = site.run(&scenario, &["--processes", "2"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let reconnects = report["totals"]["reconnects"].as_u64().unwrap();
    assert!((25..=75).contains(&reconnects), "{reconnects}");
    assert_eq!(report["totals"]["histories"], report["totals"]["joins"], "once, and not at a reconnect");
    assert!(report["figures"]["history.p99"].as_f64().unwrap() > 0.0);
    assert_eq!(report["processes"], 2);
}

/// While the server stands still, posts stay due, and the wait is in the latencies.
#[tokio::test(flavor = "multi_thread")]
async fn server_stall_counts_in_full_in_latencies() {
    let site = Site::start().await;
    let scenario = site.scenario(
        "phases: [{phase: ramp, secs: 0.5, to: 1}, {phase: hold, secs: 4}]\n\
         faults: [{at_secs: 1, cut_share: 0}]\n",
    );
    let pid = site.pid();
    let hook = format!("kill -STOP {pid}; sleep 1.5; kill -CONT {pid}");
    let (output, report) = site.run(&scenario, &["--hook", &hook]).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let figure = |name: &str| report["figures"][name].as_f64().unwrap();
    assert!(figure("max") >= 1_350.0, "{}", said(&output));
    // A third of the time nothing moved: what was due then waited 0.75 s on average.
    assert!(figure("p90") >= 700.0, "{}", said(&output));
    let due = report["totals"]["posts"]["chat"].as_f64().unwrap();
    assert!((due - 212.0).abs() < 6.0 * 212_f64.sqrt(), "{due}");
    assert_eq!(report["balance"]["gifts_lost"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_server_fails_the_run() {
    let site = Site::start().await;
    let scenario = site.scenario(&format!(
        "{RAMP_AND_HOLD}faults: [{{at_secs: 1, cut_share: 0}}]\nthresholds: [viewers.lost == 0]\n"
    ));
    let (output, report) = site.run(&scenario, &["--hook", &format!("kill -9 {}", site.pid())]).await;
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_eq!(report["figures"]["viewers.lost"], 1.0);
    assert!(report["figures"]["posts.failed"].as_f64().unwrap() > 0.0);
}

const LONG: &str = "phases: [{phase: ramp, secs: 0.5, to: 1}, {phase: hold, secs: 120}]\n\
                    thresholds: [loss.gift == 0]\n";

/// A long run whose viewers have all joined, and have got messages.
async fn long_run(site: &Site) -> Child {
    let scenario = site.scenario(LONG);
    let mut run = site.prepared("run", &scenario, &[]);
    let child = run.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let metric = async |name: &'static str| site.server.metric(name).await;
    let until = async |name: &'static str, least: f64| {
        while metric(name).await < least {
            assert!(Instant::now() < deadline, "{name} is below {least} after a minute");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    until("barrage_gateway_joins_total", 100.0).await;
    // Ten more to each viewer: the last one has then read its hello.
    let delivered = metric("barrage_gateway_deliveries_total").await;
    until("barrage_gateway_deliveries_total", delivered + 1_000.0).await;
    child
}

async fn interrupt(child: &Child) {
    let pid = child.id().unwrap().to_string();
    assert!(tokio::process::Command::new("kill").args(["-INT", &pid]).status().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_run_keeps_its_measurements() {
    let site = Site::start().await;
    let child = long_run(&site).await;
    interrupt(&child).await;
    let ended = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output());
    let output = ended.await.expect("the run ends long before its scenario").unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    let report = site.report();
    assert_eq!(report["verdict"]["outcome"], "interrupted", "{}", said(&output));
    assert!(report["interrupted_at_secs"].as_f64().unwrap() < 100.0);
    assert_eq!(report["totals"]["joins"], 100);
    assert!(report["totals"]["delivered"]["chat"].as_u64().unwrap() > 0);
    let balance = &report["balance"];
    assert!(balance["gifts_owed"].as_u64().unwrap() > 0, "{balance}");
    assert_eq!((&balance["gifts_lost"], &balance["stays_lost"]), (&0.into(), &0.into()), "{balance}");
    assert!(!report["series"].as_array().unwrap().is_empty());
    let page = std::fs::read_to_string(site.dir.path().join("report.html")).unwrap();
    assert!(page.contains("interrupted") && page.contains("not judged"));
}

#[tokio::test(flavor = "multi_thread")]
async fn second_interrupt_ends_the_run_without_a_report() {
    let site = Site::start().await;
    let mut child = long_run(&site).await;
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    interrupt(&child).await;
    while let Some(line) = told.next_line().await.unwrap() {
        if line.starts_with("interrupted") {
            break;
        }
    }
    interrupt(&child).await;
    let status = tokio::time::timeout(Duration::from_secs(30), child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(130));
    assert_eq!(site.report(), serde_json::Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_runs_are_compared_and_a_condition_fails_the_comparison() {
    let site = Site::start().await;
    let scenario = site.scenario(RAMP_AND_HOLD);
    let (output, _) = site.run(&scenario, &["--repeat", "2"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let file = |n: u32| site.dir.path().join(format!("report-{n}.json")).to_str().unwrap().to_owned();
    assert!(site.dir.path().join("report-2.html").is_file());
    let (one, two) = (file(1), file(2));
    let compare = |more: Vec<&str>| {
        let mut command = tokio::process::Command::new(LOADTEST);
        command.args(["compare", &one, &two, "--to", &two, &one]).args(more);
        async move { command.output().await.unwrap() }
    };
    let output = compare(vec!["--fail-on", "p99 > +10%"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("2 runs: 2 passed"), "{}", said(&output));
    let output = compare(vec!["--fail-on", "deliveries_per_s > 0"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("fails on deliveries_per_s > 0"), "{}", said(&output));
    let output = compare(vec!["--fail-on", "p9999 > +10%"]).await;
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
    assert!(said(&output).contains("did you mean `p999`?"), "{}", said(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rooms_are_created_and_watched() {
    let site = Site::start().await;
    let rest =
        format!("{RAMP_AND_HOLD}rooms: {{count: 20, name: r, zipf: 1}}\nthresholds: [loss.gift == 0]\n");
    let scenario = site.scenario(&rest);
    let (output, report) = site.run(&scenario, &[]).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    // A gift reaches one room's viewers, not all.
    let gifts = report["totals"]["posts"]["gift"].as_u64().unwrap();
    let owed = report["balance"]["gifts_owed"].as_u64().unwrap();
    assert!(owed > gifts && owed < gifts * 60, "{owed} of {gifts}");
}

#[tokio::test]
async fn scenario_that_cannot_run_names_the_reason() {
    let dir = TempDir::new().unwrap();
    let bad = dir.path().join("bad.yaml");
    std::fs::write(&bad, "name: bad\nviewrs: 3\n").unwrap();
    let run = |arguments: Vec<String>| async move {
        let output = tokio::process::Command::new(LOADTEST).args(arguments).output().await.unwrap();
        (output.status.code(), said(&output))
    };
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let (code, text) = run(words("run smoke --target http://127.0.0.1:1")).await;
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("the target does not answer"), "{text}");
    assert!(text.contains("127.0.0.1:1") && text.contains("refused"), "{text}");
    let (code, text) = run(vec!["check".into(), bad.to_str().unwrap().into()]).await;
    assert_eq!(code, Some(64), "{text}");
    assert!(text.contains("viewrs"), "{text}");
    let (code, text) = run(words("run no-such")).await;
    assert_eq!(code, Some(64), "{text}");
    assert!(text.contains("celebrity"), "{text}");
    let (code, text) = run(words("run smoke --viewers 900000 --processes 2")).await;
    assert_eq!(code, Some(64), "{text}");
    assert!(text.contains("give --processes"), "{text}");
    assert_eq!(run(words("--no-such-flag")).await.0, Some(64));
}
