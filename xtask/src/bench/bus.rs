//! Bus: publishes, deliveries and repairs on one NATS server.

use serde_json::{Value, json};

use super::site::{Build, Part, Server};
use crate::run::{root, say};

/// Measures the cluster engine and prints a line for each measurement, or one JSON object.
pub(crate) fn main(build: &Build, partitions: u16, as_json: bool) -> anyhow::Result<()> {
    let folder = root().join("target/bench/bus");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let nats = Server::nats(&folder)?;
    let arguments = ["bus", "--nats", &nats.url, "--partitions", &partitions.to_string()];
    let measured = Part::output(build, &arguments)?;
    if as_json {
        return say(&json!({ "partitions": partitions, "measured": measured }).to_string());
    }
    for line in measured {
        let rate = line["per_s"].as_u64().map(|per_s| format!("{per_s}/s, ")).unwrap_or_default();
        let name = line["measured"].as_str().unwrap_or_default();
        let us = |key: &str| line.get(key).and_then(Value::as_u64).unwrap_or_default();
        let (p50, p99, max) = (us("p50_us"), us("p99_us"), us("max_us"));
        say(&format!("{name}: {rate}p50 {p50} us, p99 {p99} us, max {max} us"))?;
    }
    Ok(())
}
