//! A real Prometheus scrapes an exposition.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use barrage_exposition::{Exemplars, Exposition, Format, MetricsConfig, TracedHistogram};
use barrage_testkit::wait;
use prometheus::{HistogramOpts, HistogramVec, IntCounter, Registry};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

const NAME: &str = "barrage_gateway_push_seconds";
const STEP_MAX: Duration = Duration::from_secs(30);

/// Answers every request with a scrape, in the format that the request asks for.
async fn serve(exposition: Exposition) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, exposition.clone()));
        }
    });
    address
}

async fn answer(mut stream: TcpStream, exposition: Exposition) {
    let (mut accept, mut lines) = (String::new(), BufReader::new(&mut stream).lines());
    while let Ok(Some(line)) = lines.next_line().await
        && !line.is_empty()
    {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("accept:") {
            value.trim().clone_into(&mut accept);
        }
    }
    let format = Format::of(&accept);
    let (kind, body) = (format.content_type(), exposition.answer(format));
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _sent = stream.write_all((head + &body).as_bytes()).await;
}

/// Starts a Prometheus server that scrapes an address every second, and keeps exemplars.
async fn prometheus(folder: &Path, target: SocketAddr) -> (Child, SocketAddr) {
    let configuration = format!(
        "scrape_configs:\n- job_name: barrage\n  scrape_interval: 1s\n  static_configs:\n  - targets: ['{target}']\n"
    );
    std::fs::write(folder.join("prometheus.yml"), configuration).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let child = Command::new("prometheus")
        .args([
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            "--enable-feature=exemplar-storage",
        ])
        .arg(format!("--web.listen-address={port}"))
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("`prometheus` of Debian");
    (child, port)
}

async fn query(server: SocketAddr, path: &str) -> Value {
    let Ok(answer) = reqwest::get(format!("http://{server}/api/v1/{path}")).await else { return Value::Null };
    answer.json::<Value>().await.map_or(Value::Null, |answer| answer["data"].clone())
}

#[tokio::test]
async fn prometheus_keeps_the_trace_ids_of_a_scrape_in_open_metrics() {
    barrage_testkit::ClientTls::make_ring_default();
    let (registry, exemplars, bounds) = (Registry::new(), Exemplars::default(), [0.1, 1.0, 10.0]);
    let opts = HistogramOpts::new(NAME, "Push time.").buckets(bounds.to_vec());
    let times = HistogramVec::new(opts, &["class"]).unwrap();
    let writes = IntCounter::new("barrage_gateway_writes_total", "Writes.").unwrap();
    registry.register(Box::new(times.clone())).unwrap();
    registry.register(Box::new(writes.clone())).unwrap();
    let gift = TracedHistogram::new(times.with_label_values(&["gift"]), &bounds);
    gift.show_in(&exemplars, NAME, &[("class", "gift")]);
    gift.observe(0.05, None);
    gift.observe(2.5, Some(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c));
    writes.inc_by(3);
    let target = serve(Exposition::new(registry, exemplars, &MetricsConfig::default())).await;
    let folder = tempfile::tempdir().unwrap();
    let (_child, server) = prometheus(folder.path(), target).await;

    let mut found = Value::Null;
    wait::until_true(STEP_MAX, "the exemplar in Prometheus", async || {
        found = query(server, &format!("query_exemplars?query={NAME}_bucket&start=0&end=9999999999")).await;
        found.as_array().is_some_and(|series| !series.is_empty())
    })
    .await;
    let series = &found[0];
    assert_eq!(series["seriesLabels"]["class"], "gift");
    assert_eq!(series["seriesLabels"]["le"], "10.0");
    let exemplar = &series["exemplars"][0];
    assert_eq!(exemplar["labels"]["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(exemplar["value"], "2.5");
    let value = query(server, "query?query=barrage_gateway_writes_total").await;
    assert_eq!(value["result"][0]["value"][1], "3");
}
