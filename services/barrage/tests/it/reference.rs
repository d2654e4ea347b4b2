//! The generated pages of docs/reference are current.
//!
//! `WRITE_REFERENCE=1 cargo test -p barrage --test it reference::` writes them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use barrage_protocol::Code;
use barrage_protocol::code::Advice;
use barrage_testkit::{NatsServer, RawSocket, RedisServer, Server, ServerOptions, certificates, wait};
use tokio::process::Command;

use crate::support::{BINARY, MESSAGES, chat, gift, start_probe};

const WRITE: &str = "WRITE_REFERENCE";

/// Compares a page with the committed one, or writes the page.
fn compare(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(name);
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(path, page).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let line = |(a, b): (&str, &str)| (a != b).then(|| format!("{a:?} in the file, {b:?} now"));
    let difference = committed.lines().zip(page.lines()).find_map(line);
    let difference = difference.unwrap_or_else(|| "the lengths differ".into());
    assert!(
        committed == page,
        "docs/reference/{name} is not current: {difference}\nrun `{WRITE}=1 cargo test -p barrage --test it reference::`"
    );
}

/// Runs `barrage` and returns its standard output.
async fn output(arguments: &[&str]) -> String {
    let output = Command::new(BINARY).args(arguments).env("COLUMNS", "100").output().await.unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn configuration_page_is_current() {
    compare("configuration.md", &output(&["config", "reference"]).await);
}

#[test]
fn errors_page_is_current() {
    let mut page = String::from(
        "# Error codes\n\n\
         Generated from `services/protocol/src/code.rs`; do not edit.\n\n\
         An HTTP refusal has the body `{\"error\": {\"code\": ..., \"message\": ..., \"retry_after_ms\": ...}}`. A\n\
         WebSocket refusal is an `error` frame with the same fields and the close code below. The range of the\n\
         close code tells a client how to continue.\n\n\
         | Close codes | What a client does |\n| --- | --- |\n",
    );
    for (range, advice) in [
        ("4000 to 4099", "does not retry with the same request or token"),
        ("4100 to 4199", "retries with backoff and full jitter"),
        ("4200 to 4299", "reconnects at once and resumes"),
        ("4300 to 4399", "reconnects at the time and place that the frame before names"),
    ] {
        writeln!(page, "| {range} | {advice} |").unwrap();
    }
    page.push_str(
        "\n| Code | HTTP status | Close code | Retry | Meaning |\n| --- | --- | --- | --- | --- |\n",
    );
    for code in Code::ALL {
        let retry = match code.advice() {
            Advice::Never => "no",
            Advice::Backoff => "with backoff",
            Advice::Now => "at once",
            Advice::Named => "as named",
        };
        let meaning = code.meaning().split_whitespace().collect::<Vec<_>>().join(" ");
        let (label, status, close) = (code.label(), code.status(), code.close());
        writeln!(page, "| `{label}` | {status} | {close} | {retry} | {meaning} |").unwrap();
    }
    compare("errors.md", &page);
}

/// Names of the subcommands in a help text.
fn subcommands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty() && *name != "help").map(str::to_owned).collect()
}

#[tokio::test]
async fn cli_page_is_current() {
    let mut page = String::from(
        "# Command line of `barrage`\n\nGenerated from `barrage --help`; do not edit. `barrage-loadtest --help` and\n\
         `barrage-autoscaler --help` describe the other programs.\n",
    );
    let mut open = vec![Vec::<String>::new()];
    while let Some(path) = open.pop() {
        let words: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let help = output(&words).await;
        let name = ["barrage".to_owned()].into_iter().chain(path.clone()).collect::<Vec<_>>().join(" ");
        let help: Vec<_> = help.trim_end().lines().map(str::trim_end).collect();
        let help = help.join("\n");
        write!(page, "\n## `{name}`\n\n```text\n{help}\n```\n").unwrap();
        for name in subcommands(&help).into_iter().rev() {
            open.push(path.iter().cloned().chain([name]).collect());
        }
    }
    compare("cli.md", &page);
}

/// Type, help and label names of a metric.
#[derive(Debug, Default)]
struct Metric {
    kind: String,
    help: String,
    labels: BTreeSet<String>,
}

/// Adds the metrics of a scrape.
fn read_metrics(text: &str, found: &mut BTreeMap<String, Metric>) {
    let mut name = String::new();
    for line in text.lines() {
        if let Some((of, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            of.clone_into(&mut name);
            found.entry(name.clone()).or_default().help = help.to_owned();
        } else if let Some((of, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            found.entry(of.to_owned()).or_default().kind = kind.to_owned();
        } else if let Some((_, labels)) = line.split_once('{') {
            let labels = labels.rsplit_once('}').map_or(labels, |(labels, _)| labels);
            let names = labels.split(',').filter_map(|label| label.split_once('=')).map(|(label, _)| label);
            let metric = found.entry(name.clone()).or_default();
            metric.labels.extend(names.filter(|label| *label != "le").map(str::to_owned));
        }
    }
}

/// Exercises a server, so that metrics with labels have series, and scrapes it.
async fn scrape(environment: Vec<(String, String)>, found: &mut BTreeMap<String, Metric>) {
    let server = Server::start(BINARY, ServerOptions { environment, ..ServerOptions::default() }).await;
    let token = server.token("u1", "demo", "viewer").await;
    let mut viewer = RawSocket::joined(server.public, "demo").await;
    assert_eq!(server.get("/v1/entry?room=demo").await.status, 200);
    assert_eq!(server.post(MESSAGES, &token, gift("g1")).await.status, 200);
    assert_eq!(server.post(MESSAGES, &token, chat("c1", "hello")).await.status, 200);
    viewer.next_batch().await;
    server.get("/v1/rooms/demo/poll?after=0").await;
    wait::until_true(Duration::from_secs(20), "the messages in the history", async || {
        let history = server.get("/v1/rooms/demo/history").await;
        history.body["messages"].as_array().is_some_and(|messages| messages.len() == 2)
    })
    .await;
    wait::until_true(Duration::from_secs(20), "the ledger of a stage that has settled", async || {
        server.metrics().await.contains("barrage_ledger_messages_total{")
    })
    .await;
    read_metrics(&server.metrics().await, found);
}

/// Scrapes a server with a certificate.
async fn scrape_certificate(found: &mut BTreeMap<String, Metric>) {
    let folder = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let files = [("CERT", file("cert.pem")), ("KEY", file("key.pem"))];
    let environment = files.map(|(name, file)| (format!("BARRAGE_HTTP__TLS_{name}_FILE"), file)).to_vec();
    let server = Server::start(BINARY, ServerOptions { environment, ..ServerOptions::default() }).await;
    read_metrics(&server.metrics().await, found);
}

/// Scrapes a probe of two sites.
async fn scrape_probe(found: &mut BTreeMap<String, Metric>) {
    let (server, folder) =
        (Server::start(BINARY, ServerOptions::default()).await, tempfile::tempdir().unwrap());
    let site = format!("[{{name=\"other\",entry_url=\"http://{}\"}}]", server.public);
    let probe = start_probe(&server, folder.path(), &[("PROBE__SITES", site.as_str())]).await;
    let text = wait::until(Duration::from_secs(20), "a message from site to site", async || {
        let url = format!("http://{}/metrics", probe.recipe.address);
        let text = reqwest::get(url).await.unwrap().text().await.unwrap();
        let is_whole = text.contains("barrage_probe_site_delay_milliseconds{")
            && text.contains("barrage_probe_gateway_up{")
            && text.contains("barrage_probe_phase_seconds_count{phase=\"entry\"}");
        is_whole.then_some(text)
    });
    read_metrics(&text.await, found);
}

#[tokio::test]
async fn metrics_page_is_current() {
    let (nats, redis) = (NatsServer::start().await, RedisServer::start().await);
    let mut found = BTreeMap::new();
    let hook = ("BARRAGE_MODERATION__HOOK__URL".to_owned(), "http://127.0.0.1:9/".to_owned());
    let media = ("BARRAGE_MEDIA__LISTEN".to_owned(), "[\"127.0.0.1:0\"]".to_owned());
    let irc = ("BARRAGE_IRC__LISTEN".to_owned(), "[\"127.0.0.1:0\"]".to_owned());
    let push = ("BARRAGE_PUSH__CONTACT".to_owned(), "mailto:ops@example.com".to_owned());
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, format!("whsec_{}", "A".repeat(32))).unwrap();
    let receiver =
        format!("[{{name=\"shop\",url=\"http://127.0.0.1:9/\",secret_file=\"{}\"}}]", secret.display());
    let receiver = ("BARRAGE_WEBHOOKS__ENDPOINTS".to_owned(), receiver);
    scrape(vec![hook, irc, media, push, receiver], &mut found).await;
    let servers = [("NATS__URLS", format!("[\"{}\"]", nats.url())), ("REDIS__URL", redis.url())];
    scrape(servers.map(|(name, value)| (format!("BARRAGE_{name}"), value)).to_vec(), &mut found).await;
    scrape_certificate(&mut found).await;
    scrape_probe(&mut found).await;
    // Depends on the machine; the page describes them in words.
    found.retain(|name, _| !name.starts_with("barrage_host_conntrack_"));
    let mut page = String::from(
        "# Metrics\n\n\
         Generated from the registries of running processes with all roles; do not edit. `GET /metrics` on the\n\
         admin listener returns these metrics in Prometheus' text format. Durations are in seconds, sizes in\n\
         bytes. No label contains a room, a user or an address.\n\n\
         Where the kernel's firewall tracks connections and `/proc/sys/net/netfilter` is readable, there are also\n\
         the gauges `barrage_host_conntrack_entries` and `barrage_host_conntrack_entries_limit`. The machine's\n\
         processors, memory, disks and network are the business of `node_exporter`.\n\n\
         | Name | Type | Labels | Meaning |\n| --- | --- | --- | --- |\n",
    );
    for (name, metric) in &found {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let help = metric.help.replace('|', "\\|");
        writeln!(page, "| `{name}` | {} | {} | {help} |", metric.kind, labels.join(", ")).unwrap();
    }
    assert!(found.len() > 70, "{} metrics", found.len());
    compare("metrics.md", &page);
}
