//! Scenarios of letters against the real server: what the tester counts is what the server did.

use std::ffi::OsStr;

use barrage_testkit::{Server, ServerOptions, certificates};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::site::{LOADTEST, barrage, said};

/// Runs a scenario of letters, which must pass, and returns its report.
async fn passes(server: &Server, scenario: &str) -> Value {
    passes_with(server, scenario, &[]).await
}

async fn passes_with(server: &Server, scenario: &str, more: &[&OsStr]) -> Value {
    let folder = TempDir::new().unwrap();
    let (file, json) = (folder.path().join("load.yaml"), folder.path().join("report.json"));
    // No time is judged: other tests run beside this one.
    let text = format!("name: short\nsettle_secs: 1\ntester_lag_p99_ms_max: 5000\n{scenario}");
    std::fs::write(&file, text).unwrap();
    let target = format!("http://{}", server.public);
    let mut command = Command::new(LOADTEST);
    command.arg("run").arg(&file).args(["--quiet", "--target", &target, "--token-key"]);
    command.arg(server.data_dir().join("token.key")).arg("--json").arg(&json).args(more);
    let output = command.output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_groups_and_returning_devices_are_counted_as_the_server_counts_them() {
    let server = Server::start(&barrage(), ServerOptions::default()).await;
    let sent = async || server.metric("barrage_courier_events_total{outcome=\"sent\"}").await;
    let letters = "letters: {users: 20, per_s: 40, secs: 1}\nthresholds: [letters.lost == 0, letters.failed == 0, \
                   letters.refused == 0, devices.lost == 0, letter.p99 > 0ms]\n";
    let report = passes(&server, letters).await;
    let counts = &report["counts"];
    assert_eq!((&counts["accepted"], &counts["due"]), (&40.into(), &40.into()), "{report}");
    assert_eq!(counts["shown"].as_u64().unwrap() + counts["late"].as_u64().unwrap(), 40, "{report}");
    assert!((sent().await - 40.0).abs() < 0.5, "{}", sent().await);

    let group = "fan_group: {members: 12, online: 6, per_s: 20, secs: 1}\nthresholds: [letters.lost == 0, \
                 letters.refused == 0, last.max > 0ms]\n";
    let report = passes(&server, group).await;
    assert_eq!(
        (&report["counts"]["accepted"], &report["counts"]["due"]),
        (&20.into(), &120.into()),
        "{report}"
    );
    assert!((sent().await - 60.0).abs() < 0.5, "{}", sent().await);

    let away = "away: {conversations: 4, items: 280, devices: 10, within_secs: 0.5}\nthresholds: \
                [away.round_trips == 1, devices.lost == 0, attach.max < 30s, unchanged.bytes < 500]\n";
    let report = passes(&server, away).await;
    assert_eq!(report["counts"]["attached"], 10, "{report}");
    let (bytes, plain) = (&report["figures"]["away.bytes"], &report["counts"]["plain bytes"]);
    assert!(bytes.as_f64().unwrap() > 100.0 && bytes.as_f64() < plain.as_f64(), "{report}");
    assert!((sent().await - 340.0).abs() < 0.5, "{}", sent().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_are_counted_as_the_server_counts_them() {
    let media = barrage_testkit::process::free_address();
    let environment = vec![
        ("BARRAGE_MEDIA__LISTEN".to_owned(), format!("[\"{media}\"]")),
        ("BARRAGE_HTTP__LIMITS__UPLOADS_PER_S".to_owned(), "1000".to_owned()),
    ];
    let options = ServerOptions { environment, ..ServerOptions::default() };
    let server = Server::start(&barrage(), options).await;
    let album = "album: {users: 3, per_s: 8, side_px: 120, reads: 2, secs: 1}\nthresholds: [pictures.wrong == 0, \
                 pictures.failed == 0, pictures.refused == 0, ready.max > 0ms, read.max > 0ms]\n";
    let report = passes(&server, album).await;
    let counts = &report["counts"];
    assert_eq!((&counts["pictures"], &counts["ready"], &counts["reads"]), (&8.into(), &8.into(), &16.into()));
    let ready = server.metric("barrage_media_checks_total{result=\"ready\"}").await;
    let read = server.metric("barrage_media_deliveries_total{answer=\"whole\"}").await;
    assert!((ready - 8.0).abs() < 0.5 && (read - 16.0).abs() < 0.5, "{ready} {read}");
}

#[tokio::test]
async fn wrong_use_of_a_scenario_of_letters_is_said() {
    for (arguments, expected) in [
        (&["run", "letters"][..], "letters need --token-key"),
        (&["run", "letters", "--html", "x.html"], "--html is not for scenarios of letters"),
        (&["run", "away", "--members", "3"], "members: Some(3)"),
        (&["run", "smoke", "--rate", "3"], "smoke is no scenario of letters"),
    ] {
        let output = Command::new(LOADTEST).args(arguments).output().await.unwrap();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(expected), "{arguments:?}: {}", said(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_of_a_live_host_are_notified_once_and_join_at_the_pace() {
    let folder = TempDir::new().unwrap();
    certificates::make(folder.path());
    let set = |name: &str, value: &str| (format!("BARRAGE_{name}"), value.to_owned());
    let environment = vec![
        set("CA_FILE", &folder.path().join("ca.pem").to_string_lossy()),
        set("PUSH__CONTACT", "mailto:ops@example.com"),
        set("PUSH__ALLOW_NETWORKS", r#"["127.0.0.0/8", "::1/128"]"#),
        set("PUSH__LIVE__AHEAD_SECS", "0"),
        set("PUSH__LIVE__NOTICES_PER_S_MAX", "40"),
    ];
    let server = Server::start(&barrage(), ServerOptions { environment, ..ServerOptions::default() }).await;
    let live = "live: {followers: 80, opening_share: 0.5, planned_joins_per_s: 20, secs: 60}\nthresholds: \
                [pushes.missing == 0, pushes.twice == 0, joins.failed == 0, push.max > 1s, open.max > 0ms]\n";
    let admin = format!("http://{}", server.admin);
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let more = [
        OsStr::new("--admin"),
        OsStr::new(&admin),
        OsStr::new("--push-cert"),
        cert.as_os_str(),
        OsStr::new("--push-key"),
        key.as_os_str(),
    ];
    let report = passes_with(&server, live, &more).await;
    let counts = &report["counts"];
    assert_eq!(
        (&counts["followers"], &counts["pushes"], &counts["joins"]),
        (&80.into(), &80.into(), &40.into())
    );
    assert_eq!(counts["told by the server"], 80, "{report}");
    // Two seconds of notices: not all at once.
    let peak = report["figures"]["joins_per_s.peak"].as_f64().unwrap();
    assert!((10.0..=30.0).contains(&peak), "{report}");
    assert!((server.metric("barrage_push_live_followers_total").await - 80.0).abs() < 0.5);
}
