//! The knee of a real gateway, as far as its own settings let it come.

use barrage_scaling::CapacityFile;
use serde_json::Value;

use crate::site::{LOADTEST, Site, said};

/// A busy machine may make a figure smaller, never larger than the gateway's settings.
#[tokio::test(flavor = "multi_thread")]
async fn capacity_search_finds_a_knee_and_names_its_limit() {
    let site = Site::with(&[("BARRAGE_GATEWAY__VIEWERS_MAX", "60")]).await;
    let [out, details] = ["capacity.json", "details.json"].map(|name| site.dir.path().join(name));
    let mut command = tokio::process::Command::new(LOADTEST);
    command.args(["capacity", "--quiet", "--repeats", "1", "--hold-secs", "1", "--trials-max", "4"]);
    command.args(["--viewers-max", "160", "--room-viewers", "20", "--build", "b", "--machine", "m"]);
    command.args(["--p99-ms", "5000", "--join-p99-ms", "5000", "--tester-lag-ms", "5000"]);
    command.args(["--target", &format!("http://{}", site.server.public)]);
    command.args(["--admin", &format!("http://{}", site.server.admin)]);
    command.arg("--token-key").arg(site.server.data_dir().join("token.key"));
    command.arg("--out").arg(&out).arg("--details").arg(&details);
    let output = command.output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let file = CapacityFile::read(&out).unwrap();
    assert_eq!((file.build.as_str(), file.machine.as_str()), ("b", "m"));
    assert!((20.0..=60.0).contains(&file.knee.connections), "{file:?}");
    assert!(file.knee.joins_per_s > 0.0 && file.knee.joins_per_s <= 60.0, "{file:?}");
    // Fifty messages a second to twenty viewers at the least, and what a long one weighs.
    assert!(file.knee.deliveries_per_s.unwrap() > 500.0, "{file:?}");
    let per_message = file.knee.egress_bytes_per_s.unwrap() / file.knee.deliveries_per_s.unwrap();
    assert!(per_message > 50.0, "{file:?}");
    let details: Value = serde_json::from_slice(&std::fs::read(&details).unwrap()).unwrap();
    let connections = &details["searched"][0]["samples"][0];
    assert_eq!(connections["ended"]["what"], "gateway.viewers_max", "{connections}");
    assert!(said(&output).contains("limited by configuration gateway.viewers_max"), "{}", said(&output));
}
