//! Fan-out: deliveries per second of processor time, beside those of a loop of sends of
//! frames as large to as many sockets in the same run.

use std::time::Duration;

use anyhow::Context;
use serde_json::{Map, Value, json};

use super::ready::sleep;
use super::site::{self, Site};
use super::{against_figures, by_turns, median, print_figures};
use crate::run::note;

/// For the first deliveries, before anything is counted.
const WARM_UP: Duration = Duration::from_secs(3);

/// A room and what is said in it.
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

/// What one run of the gateway came to.
struct Delivered {
    per_cpu_s: f64,
    frame_bytes: f64,
    frames_per_s: f64,
    messages_per_frame: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// Measures each case by turns with its limit, and prints the medians.
pub(crate) fn main(secs: u32, rounds: u32, as_json: bool) -> anyhow::Result<()> {
    site::build()?;
    let mut figures = Map::new();
    for case in &CASES {
        let (mut gateway, mut limit, mut ratio) = (Vec::new(), Vec::new(), Vec::new());
        for round in 1..=rounds {
            note(&format!("{}: round {round} of {rounds}", case.name));
            let delivered = of_gateway(site::BARRAGE, case, secs)?;
            let bare = of_limit(case, &delivered, secs)?;
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
        figures
            .insert(format!("{}_ratio", case.name), json!((median(&mut ratio) * 1_000.0).round() / 1_000.0));
    }
    let (rate, p99_ms) = at_half_saturation(&figures, secs)?;
    figures.insert("half_saturation_messages_per_s".into(), json!(rate));
    figures.insert("p99_ms_at_half_saturation".into(), json!(p99_ms));
    print_figures(&figures, as_json)
}

/// Measures each case by turns with another binary, and prints medians and ratios.
pub(crate) fn against(other: &str, secs: u32, rounds: u32, as_json: bool) -> anyhow::Result<()> {
    site::build()?;
    let mut figures = Map::new();
    for case in &CASES {
        note(case.name);
        let turns = by_turns(rounds, other, |binary| Ok(of_gateway(binary, case, secs)?.per_cpu_s))?;
        against_figures(case.name, &turns, &mut figures);
    }
    print_figures(&figures, as_json)
}

/// The batched room again, at half of the messages that would fill the core.
fn at_half_saturation(figures: &Map<String, Value>, secs: u32) -> anyhow::Result<(f64, f64)> {
    let batched = &CASES[2];
    let per_cpu_s = figures["gateway_window50"].as_f64().context("no figure")?;
    let messages_per_s = (per_cpu_s / f64::from(batched.viewers) / 2.0).round();
    note(&format!("{messages_per_s} messages a second: half of the saturation"));
    let delivered = of_gateway(site::BARRAGE, &Case { messages_per_s, ..*batched }, secs)?;
    Ok((messages_per_s, delivered.p99_ms))
}

fn of_gateway(binary: &str, case: &Case, secs: u32) -> anyhow::Result<Delivered> {
    let window_ms = case.window_ms;
    let site =
        Site::start(binary, "fanout", &format!("window_ms = {window_ms}\nwindow_ms_max = {window_ms}\n"))?;
    let mut crowd = site.crowd(case.viewers, &[])?;
    crowd.says()?;
    let _publisher = site.publish(case.messages_per_s)?;
    sleep(WARM_UP);
    let writes = || site.metric("barrage_gateway_writes_total", "");
    crowd.mark()?;
    let (cpu_before, writes_before) = (site.gateway.cpu_secs()?, writes()?);
    sleep(Duration::from_secs(secs.into()));
    let (cpu, frames) = (site.gateway.cpu_secs()? - cpu_before, writes()? - writes_before);
    let read = crowd.mark()?;
    let number = |key: &str| read[key].as_f64().with_context(|| format!("the crowd says no {key}"));
    let deliveries = number("messages")? / number("looked_at")? * f64::from(case.viewers);
    let left_out = site.metric("barrage_gateway_left_out_total", "chat")?;
    if left_out > 0.0 {
        note(&format!("  {left_out:.0} messages were left out"));
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

/// Deliveries per CPU-second of the loop, with the frames that the gateway made.
fn of_limit(case: &Case, delivered: &Delivered, secs: u32) -> anyhow::Result<f64> {
    let (mut limit, address) = site::limit(case.viewers, delivered.frame_bytes, delivered.frames_per_s)?;
    let mut crowd = site::crowd(&address, case.viewers, &[])?;
    crowd.says()?;
    sleep(WARM_UP);
    let sends = |limit: &mut site::Part| {
        limit.mark()?["sends"].as_f64().context("the limit does not say what it sent")
    };
    let (cpu_before, sends_before) = (limit.process.cpu_secs()?, sends(&mut limit)?);
    sleep(Duration::from_secs(secs.into()));
    let (cpu, sent) = (limit.process.cpu_secs()? - cpu_before, sends(&mut limit)? - sends_before);
    Ok(sent * delivered.messages_per_frame / cpu)
}
