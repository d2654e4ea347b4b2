//! Fan-out: deliveries per second of the gateway's processor time. The limit beside it is a loop of
//! sends, with frames as large, to as many sockets, in the same run.

use std::time::Duration;

use anyhow::Context;
use serde_json::{Map, Value, json};

use super::figures::{self, ByTurns, median, thousandths};
use super::site::admin::sleep;
use super::site::{Build, Gateway, Part};
use crate::run::note;

/// Time between the first delivery and the first count.
const WARM_UP: Duration = Duration::from_secs(3);

/// A room and its traffic; the cases differ in batches and viewers.
struct Case {
    name: &'static str,
    viewers: u32,
    messages_per_s: f64,
    window_ms: u64,
}

const CASES: [Case; 3] = [
    Case { name: "per_message", viewers: 1_000, messages_per_s: 100.0, window_ms: 1 },
    Case { name: "per_message_10k", viewers: 10_000, messages_per_s: 10.0, window_ms: 1 },
    Case { name: "window50", viewers: 5_000, messages_per_s: 1_000.0, window_ms: 50 },
];

/// Figures of one run of a gateway.
struct Delivered {
    per_cpu_s: f64,
    frame_bytes: f64,
    frames_per_s: f64,
    messages_per_frame: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// Measures each case by turns with its limit, and prints the medians.
pub(crate) fn with_limit(build: &Build, secs: u32, rounds: u32, as_json: bool) -> anyhow::Result<()> {
    let mut figures = Map::new();
    for case in &CASES {
        let (mut gateway, mut limit, mut ratio) = (Vec::new(), Vec::new(), Vec::new());
        for round in 1..=rounds {
            note(&format!("{}: round {round} of {rounds}", case.name));
            let delivered = of_gateway(build, &build.barrage(), case, secs)?;
            let bare = of_limit(build, case, &delivered, secs)?;
            note(&format!(
                "  {:.0} deliveries per CPU-second, limit {bare:.0}, {:.0} bytes and {:.1} messages a frame, \
                 p50 {:.1} ms, p99 {:.1} ms",
                delivered.per_cpu_s,
                delivered.frame_bytes,
                delivered.messages_per_frame,
                delivered.p50_ms,
                delivered.p99_ms
            ));
            gateway.push(delivered.per_cpu_s);
            limit.push(bare);
            ratio.push(delivered.per_cpu_s / bare);
        }
        for (kind, values) in [("limit", &mut limit), ("gateway", &mut gateway)] {
            figures.insert(format!("{kind}_{}", case.name), json!(median(values).round()));
        }
        figures.insert(format!("{}_ratio", case.name), json!(thousandths(median(&mut ratio))));
    }
    let (rate, p99_ms) = at_half_saturation(build, &figures, secs)?;
    figures.insert("half_saturation_messages_per_s".into(), json!(rate));
    figures.insert("p99_ms_at_half_saturation".into(), json!(p99_ms));
    figures::print(&figures, as_json)
}

/// Measures each case by turns with another binary, and prints medians and ratios.
pub(crate) fn against(
    build: &Build,
    other: &str,
    secs: u32,
    rounds: u32,
    as_json: bool,
) -> anyhow::Result<()> {
    let mut figures = Map::new();
    for case in &CASES {
        note(case.name);
        let measure = |binary: &str| Ok(of_gateway(build, binary, case, secs)?.per_cpu_s);
        ByTurns::measure(rounds, &build.barrage(), other, measure)?.add_to(&mut figures, case.name);
    }
    figures::print(&figures, as_json)
}

/// Measures the batched room again, at half of the message rate that would fill the core.
fn at_half_saturation(build: &Build, figures: &Map<String, Value>, secs: u32) -> anyhow::Result<(f64, f64)> {
    let batched = &CASES[2];
    let per_cpu_s = figures["gateway_window50"].as_f64().context("window50 was not measured")?;
    let messages_per_s = (per_cpu_s / f64::from(batched.viewers) / 2.0).round();
    note(&format!("half of the saturation: {messages_per_s} messages per second"));
    let delivered = of_gateway(build, &build.barrage(), &Case { messages_per_s, ..*batched }, secs)?;
    Ok((messages_per_s, delivered.p99_ms))
}

fn of_gateway(build: &Build, binary: &str, case: &Case, secs: u32) -> anyhow::Result<Delivered> {
    let window = format!("window_ms = {0}\nwindow_ms_max = {0}\n", case.window_ms);
    let gateway = Gateway::start(build, binary, "fanout", &window)?;
    let mut viewers = gateway.viewers(case.viewers, &[])?;
    let _publisher = gateway.publish(case.messages_per_s)?;
    sleep(WARM_UP);
    let writes = || gateway.metric("barrage_gateway_writes_total", "");
    viewers.mark()?;
    let (cpu_before, writes_before) = (gateway.process.cpu_secs()?, writes()?);
    sleep(Duration::from_secs(secs.into()));
    let (cpu, frames) = (gateway.process.cpu_secs()? - cpu_before, writes()? - writes_before);
    let read = viewers.mark()?;
    let number = |key: &str| read[key].as_f64().with_context(|| format!("the viewers counted no {key}"));
    let deliveries = number("messages")? / number("sampled")? * f64::from(case.viewers);
    let dropped = gateway.metric("barrage_gateway_left_out_total", "chat")?;
    if dropped > 0.0 {
        note(&format!("  the gateway dropped {dropped:.0} messages"));
    }
    Ok(Delivered {
        per_cpu_s: deliveries / cpu,
        frame_bytes: number("bytes")? / frames,
        frames_per_s: frames / f64::from(case.viewers) / number("secs")?,
        messages_per_frame: deliveries / frames,
        p50_ms: number("p50_ms")?,
        p99_ms: number("p99_ms")?,
    })
}

/// Returns deliveries per CPU-second of the limit, with frames as large as the gateway's.
fn of_limit(build: &Build, case: &Case, delivered: &Delivered, secs: u32) -> anyhow::Result<f64> {
    let (frame_bytes, frames_per_s) = (delivered.frame_bytes, delivered.frames_per_s);
    let (mut limit, address) = Part::limit(build, case.viewers, frame_bytes, frames_per_s)?;
    let _viewers = Part::viewers(build, &address, case.viewers, &[])?;
    sleep(WARM_UP);
    let sends = |limit: &mut Part| limit.mark()?["sends"].as_f64().context("the limit counted no sends");
    let (cpu_before, sends_before) = (limit.process.cpu_secs()?, sends(&mut limit)?);
    sleep(Duration::from_secs(secs.into()));
    let (cpu, sent) = (limit.process.cpu_secs()? - cpu_before, sends(&mut limit)? - sends_before);
    Ok(sent * delivered.messages_per_frame / cpu)
}
