//! Traces: processor time of a server that traces 1 % of its messages, against one that traces none.
//! Both run at the same time on the same core, so that both meet the same load from the rest of the
//! machine.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Map, json};

use super::figures::{self, median, thousandths};
use super::site::admin::{self, sleep};
use super::site::{Build, Callgrind, Collector, Core, Part, Platform, Process, ROOM};
use crate::run::{note, root};

/// Public and admin address of the server without traces, and of the one with traces.
const OFF: [&str; 2] = ["127.0.0.1:18480", "127.0.0.1:18481"];
const ON: [&str; 2] = ["127.0.0.1:18482", "127.0.0.1:18483"];
/// Viewers of each server.
const VIEWERS: u32 = 100;
/// Speed of the replay: some 300 messages a second.
const SPEED: &str = "300";
/// Time before the first count, in which the rooms become hot.
const WARM_UP: Duration = Duration::from_secs(3);
/// Time after counted messages, in which the process exports its last spans.
const SETTLE: Duration = Duration::from_secs(3);
/// One message in a hundred, whichever its class, with the spans of all parts.
const SAMPLING: [(&str, &str); 5] = [
    ("UPLINK_CHAT", "0.01"),
    ("UPLINK_GIFT", "0.01"),
    ("UPLINK_LIKE", "0.01"),
    ("DOWNLINK_CHAT", "1"),
    ("DOWNLINK_GIFT", "1"),
];

/// Measures pairs of servers, and prints the median of the differences in per cent.
pub(crate) fn main(build: &Build, secs: u32, rounds: u32, as_json: bool) -> anyhow::Result<()> {
    let collector = Collector::start()?;
    let (mut per_cent, mut off, mut on, mut spans) = (Vec::new(), Vec::new(), Vec::new(), 0.0);
    for round in 1..=rounds {
        let pair = measure(build, &collector, secs, round)?;
        let more = (pair.on_us / pair.off_us - 1.0) * 100.0;
        note(&format!(
            "round {round} of {rounds}: {:.3} against {:.3} us a delivery, {more:+.2} %, {:.0} spans",
            pair.on_us, pair.off_us, pair.spans
        ));
        per_cent.push(more);
        off.push(pair.off_us);
        on.push(pair.on_us);
        spans += pair.spans;
    }
    ensure!(spans > 0.0, "the server exported no span; was the sampling understood?");
    let mut printed = Map::new();
    printed.insert("cpu_pct_at_1pct_sampling".into(), json!(thousandths(median(&mut per_cent))));
    printed.insert("measured_by".into(), json!("processor time"));
    printed.insert("cpu_us_per_delivery_off".into(), json!(thousandths(median(&mut off))));
    printed.insert("cpu_us_per_delivery_1pct".into(), json!(thousandths(median(&mut on))));
    printed.insert("spans_exported".into(), json!(spans));
    figures::print(&printed, as_json)
}

/// Counts the instructions of one server per delivery: without traces, with 1 % of the messages
/// sampled, and with all of them. Another binary is counted without traces by turns with this one.
pub(crate) fn counted(build: &Build, other: Option<&str>, rounds: u32, as_json: bool) -> anyhow::Result<()> {
    let collector = Collector::start()?;
    let ours = build.barrage();
    let (mut off, mut one, mut all) = (Vec::new(), Vec::new(), Vec::new());
    let (mut of_other, mut ratios) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        note(&format!("round {round} of {rounds}"));
        off.push(count(build, &ours, "off", None)?);
        if let Some(other) = other {
            of_other.push(count(build, other, "other", None)?);
            ratios.push(off[off.len() - 1] / of_other[of_other.len() - 1]);
        }
        one.push(count(build, &ours, "1pct", Some((&collector, "0.01")))?);
        all.push(count(build, &ours, "all", Some((&collector, "1")))?);
    }
    let (off, one, all) = (median(&mut off), median(&mut one), median(&mut all));
    let mut printed = Map::new();
    // A hundredth of the cost of all: the sampled share of a short run is a matter of chance.
    let pct_of_all = json!(thousandths(all / off - 1.0));
    printed.insert("cpu_pct_at_1pct_sampling".into(), pct_of_all.clone());
    printed.insert("measured_by".into(), json!("instructions of all messages sampled, by a hundredth"));
    printed.insert("instructions_per_delivery_off".into(), json!(off.round()));
    printed.insert("instructions_per_delivery_1pct".into(), json!(one.round()));
    printed.insert("instructions_per_delivery_all".into(), json!(all.round()));
    printed.insert("instructions_pct_at_1pct_sampling".into(), json!(thousandths((one / off - 1.0) * 100.0)));
    printed.insert("instructions_pct_at_1pct_of_all".into(), pct_of_all);
    if other.is_some() {
        printed.insert("instructions_per_delivery_other".into(), json!(median(&mut of_other).round()));
        printed.insert("off_to_other_ratio".into(), json!(thousandths(median(&mut ratios))));
    }
    figures::print(&printed, as_json)
}

/// Returns the instructions per delivery of a server, with a share of all messages sampled.
fn count(build: &Build, binary: &str, name: &str, traced: Option<(&Collector, &str)>) -> anyhow::Result<f64> {
    const POSTS: u32 = 200;
    const POST_BYTES_MIN: f64 = 60.0;
    let callgrind = Callgrind::new(&format!("trace-{name}"))?;
    let mut environment = Vec::new();
    if let Some((collector, share)) = traced {
        environment.push(("BARRAGE_TRACE__ENDPOINT".to_owned(), collector.url.clone()));
        environment.extend(SAMPLING.map(|(key, downlink)| {
            let share = if key.starts_with("UPLINK") { share } else { downlink };
            (format!("BARRAGE_TRACE__SAMPLING__{key}"), share.to_owned())
        }));
    }
    let mut server = Platform::start(binary, &environment, &callgrind)?;
    let pid = server.process.0.id();
    let mut viewers = server.viewers(build, VIEWERS)?;
    viewers.mark()?;
    // Each post waits for the one before, so that all batches have one message.
    let mut post = |posts: u32| {
        (0..posts).try_for_each(|_| {
            server.post(1, 1.0)?;
            viewers.read_all(f64::from(VIEWERS) * POST_BYTES_MIN)
        })
    };
    post(POSTS / 4)?;
    sleep(SETTLE);
    let before = Platform::metric("barrage_gateway_deliveries_total", "")?;
    let counted = callgrind.count(pid, || {
        post(POSTS)?;
        sleep(SETTLE);
        Ok(())
    })?;
    let deliveries = Platform::metric("barrage_gateway_deliveries_total", "")? - before;
    let due = f64::from(POSTS * VIEWERS);
    ensure!((deliveries - due).abs() < 0.5, "{deliveries} deliveries instead of {due}");
    let spans = Platform::metric("barrage_trace_spans_total", "exported")?;
    let per_delivery = counted.sum().instructions / deliveries;
    note(&format!("  {name}: {per_delivery:.0} instructions per delivery, {spans:.0} spans"));
    Ok(per_delivery)
}

/// Processor time of both servers, in microseconds for each message delivered to a viewer.
struct Pair {
    off_us: f64,
    on_us: f64,
    spans: f64,
}

fn measure(build: &Build, collector: &Collector, secs: u32, round: u32) -> anyhow::Result<Pair> {
    let mut endpoints = [(OFF, None), (ON, Some(collector.url.as_str()))];
    // The first to start has older sockets and threads: each is first in every other round.
    if round.is_multiple_of(2) {
        endpoints.reverse();
    }
    let mut servers = endpoints
        .iter()
        .map(|(addresses, url)| Ok((*addresses, serve(build, *addresses, *url)?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    servers.sort_by_key(|([public, _], _)| *public != OFF[0]);
    let _viewers = servers
        .iter()
        .map(|([public, _], _)| Part::viewers(build, public, VIEWERS, &["--one-in", "1000000"]))
        .collect::<anyhow::Result<Vec<_>>>()?;
    sleep(WARM_UP);
    let marks = || -> anyhow::Result<Vec<(f64, f64)>> {
        let mark = |([_, admin], process): &([&str; 2], Process)| {
            let delivered = admin::metric(admin, "barrage_gateway_deliveries_total", "")?;
            Ok((process.run_secs()?, delivered))
        };
        servers.iter().map(mark).collect()
    };
    let spans = || admin::metric(ON[1], "barrage_trace_spans_total", "exported");
    let (before, spans_before) = (marks()?, spans()?);
    sleep(Duration::from_secs(secs.into()));
    let (after, spans_after) = (marks()?, spans()?);
    let us = |at: usize| -> anyhow::Result<f64> {
        let delivered = after[at].1 - before[at].1;
        ensure!(delivered > 1_000.0, "a server delivered {delivered} messages in {secs} s");
        Ok((after[at].0 - before[at].0) * 1e6 / delivered)
    };
    Ok(Pair { off_us: us(0)?, on_us: us(1)?, spans: spans_after - spans_before })
}

/// Starts the whole platform in one process on the measured core, replaying in a loop.
fn serve(build: &Build, [public, admin]: [&str; 2], collector: Option<&str>) -> anyhow::Result<Process> {
    let folder = root().join("target/bench/trace").join(admin.replace(':', "-"));
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let recording = root().join("services/recording/assets/demo.xml");
    let arguments = ["up", "--listen", public, "--admin-listen", admin, "--room", ROOM, "--loop"];
    let mut server = Core::Measured.command(&build.barrage(), &arguments);
    server.args(["--speed", SPEED, "--replay"]).arg(recording).arg("--data-dir").arg(&folder);
    // The display limit of a room is no part of this measurement.
    server.env("BARRAGE_UPLINK__LIMITS__ROOM_DISPLAY_CHAT_PER_S", "1000000");
    if let Some(url) = collector {
        server.env("BARRAGE_TRACE__ENDPOINT", url);
        server.envs(SAMPLING.map(|(key, share)| (format!("BARRAGE_TRACE__SAMPLING__{key}"), share)));
    }
    server.stdout(Stdio::null()).stderr(Stdio::null()).current_dir(root());
    let server = Process(server.spawn().context("the server cannot be started")?);
    admin::wait_ready(admin)?;
    Ok(server)
}
