//! Viewers of simulated regions, placed and shuffled.

use barrage_testkit::programs;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::site::{LOADTEST, barrage, said};

#[tokio::test]
async fn viewers_placed_by_region_connect_faster_and_a_crowd_displaces_no_other_region() {
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("figures.json");
    let output = Command::new(LOADTEST)
        .args(["regions", "--barrage", &barrage(), "--gateways", "1", "--viewers", "120", "--rate", "20"])
        .arg("--nats-server")
        .arg(programs::nats_server())
        .arg("--json")
        .arg(&json)
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let figures: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let of = |name: &str| figures[name].as_f64().unwrap();
    // Of three gateways, a shuffled list names a far one first for two viewers of three. Its three round
    // trips take 360 ms; those to a near one take 30.
    assert!(of("connect_p50_ms_shuffled") >= 360.0, "{figures}");
    assert!(of("connect_p50_ms_placed") < of("connect_p50_ms_shuffled") / 2.0, "{figures}");
    assert!(of("home_share_placed") > 0.9 && of("home_share_shuffled") < 0.6, "{figures}");
    assert!(of("crowd_fullest") <= 1.0 && figures["unserved"] == json!({}), "{figures}");
}
