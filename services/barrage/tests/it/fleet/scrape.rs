//! `/metrics` of every role: clean by `promtool`, in both formats, and within the bound of series.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use barrage_testkit::{RawSocket, Server, wait};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::fleet;
use crate::support::{BINARY, MESSAGES, chat};

/// Header of a Prometheus server with its default settings.
const PROMETHEUS: &str =
    "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
const SERIES_MAX: usize = 1_500;
const SCRAPE_TIME_MAX: Duration = Duration::from_millis(150);
/// Longest wait until no series begins between two scrapes.
const SAME_MAX: Duration = Duration::from_secs(20);

/// Returns the content type and the text of a scrape.
async fn scrape(http: &reqwest::Client, admin: SocketAddr, accept: &str) -> (String, String) {
    let request = http.get(format!("http://{admin}/metrics")).header("accept", accept);
    let answer = request.send().await.unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    (kind, answer.text().await.unwrap())
}

/// Fails with the findings of `promtool check metrics`.
async fn check(text: &str) {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("`promtool` (Debian: prometheus)");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let findings = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && findings.is_empty(), "{}", String::from_utf8_lossy(&findings));
}

/// Names of the series, in the order of the text.
fn names(text: &str) -> Vec<String> {
    let mut names: Vec<_> =
        samples(text).map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect();
    names.dedup();
    names
}

fn samples(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

#[tokio::test]
async fn scrapes_of_every_role_are_clean_and_within_the_bound() {
    let server = Server::start(BINARY, fleet(&["--cluster", "--gateways", "1", "--uplinks", "1"])).await;
    let gateway = server.members.iter().find(|member| member.name == "gateway-1").unwrap();
    let mut viewer = RawSocket::joined(gateway.public[0], "demo").await;
    let token = server.token("u1", "demo", "viewer").await;
    let uplink = server.members.iter().find(|member| member.name == "uplink-1").unwrap();
    let post = reqwest::Client::new().post(format!("http://{}{MESSAGES}", uplink.public[0]));
    assert!(post.bearer_auth(token).body(chat("c1", "hello")).send().await.unwrap().status().is_success());
    viewer.next_batch().await;
    let http = reqwest::Client::new();
    for member in &server.members {
        let (mut took, mut answer) = (Duration::MAX, Default::default());
        // The fastest of three: tests share the machine.
        for _ in 0..3 {
            let began = Instant::now();
            answer = scrape(&http, member.admin, "*/*").await;
            took = took.min(began.elapsed());
        }
        let (kind, text) = answer;
        assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
        check(&text).await;
        let series = samples(&text).count();
        eprintln!("{}: {series} series in {took:?}", member.name);
        assert!(series <= SERIES_MAX, "{}: {series} series", member.name);
        assert!(took < SCRAPE_TIME_MAX, "{}: {took:?}", member.name);
        assert!(text.contains("barrage_metric_overflow_total 0\n"));

        // A series may begin between two scrapes.
        let same = format!("{}: the same series in both formats", member.name);
        wait::until_true(SAME_MAX, &same, async || {
            let (_, text) = scrape(&http, member.admin, "").await;
            let (kind, open) = scrape(&http, member.admin, PROMETHEUS).await;
            assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
            assert!(open.ends_with("\n# EOF\n"));
            names(&open) == names(&text)
        })
        .await;
    }
    let (_, text) = scrape(&http, gateway.admin, "").await;
    // The probe's messages reach the probe's own connections, so there may be more than one push.
    let pushed = r#"barrage_gateway_push_seconds_count{class="chat"} "#;
    let count = text.lines().find_map(|line| line.strip_prefix(pushed)?.parse::<u64>().ok());
    assert!(count.is_some_and(|count| count >= 1), "{text}");
}
