//! Fan-out: deliveries per second of the gateway's processor time. The limit beside it is a loop of
//! sends, with frames as large, to as many sockets, in the same run.

use std::time::Duration;

use anyhow::Context;
use serde_json::{Map, Value, json};

use super::figures::{self, ByTurns, median, thousandths};
use super::media::Uploads;
use super::site::admin::sleep;
use super::site::{Build, Gateway, Part, Platform, Process, Read, Readers, SlowCore};
use crate::run::note;

/// Time between the first delivery and the first count.
pub(super) const WARM_UP: Duration = Duration::from_secs(3);

/// A room and its traffic; the cases differ in batches and viewers.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) viewers: u32,
    pub(super) messages_per_s: f64,
    pub(super) window_ms: u64,
}

pub(super) const CASES: [Case; 3] = [
    Case { name: "per_message", viewers: 1_000, messages_per_s: 100.0, window_ms: 1 },
    Case { name: "per_message_10k", viewers: 10_000, messages_per_s: 10.0, window_ms: 1 },
    Case { name: "window50", viewers: 5_000, messages_per_s: 1_000.0, window_ms: 50 },
];

/// The room of the whole product on one core: posts over HTTP, and the windows of the default configuration.
const WHOLE: Case = Case { name: "whole", viewers: 5_000, messages_per_s: 1_000.0, window_ms: 50 };

/// How a machine is played that is slower than this one.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Machine {
    /// Plays a slow machine: the measured process gets this share of its core, by a cgroup (version 1 or 2,
    /// as root).
    #[arg(long, value_name = "SHARE")]
    cpu_share: Option<f64>,
    /// Plays a machine with dear sends: this many processes read on the other core and wait in the kernel, so
    /// that the sender pays for waking them.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=16))]
    readers_per_core: u32,
    /// Measures this case alone: `per_message`, `per_message_10k` or `window50`.
    #[arg(long, value_name = "NAME", value_parser = CASES.map(|case| case.name))]
    case: Option<String>,
}

impl Machine {
    /// Slows a process down until the value is dropped.
    fn slow(&self, process: &Process) -> anyhow::Result<Option<SlowCore>> {
        let core = self.cpu_share.map(SlowCore::new).transpose()?;
        core.iter().try_for_each(|core| core.add(process))?;
        Ok(core)
    }

    /// Cases that were asked for.
    fn cases(&self) -> impl Iterator<Item = &'static Case> {
        CASES.iter().filter(|case| self.case.as_ref().is_none_or(|name| name == case.name))
    }

    fn add_to(&self, figures: &mut Map<String, Value>) {
        figures.insert("cpu_share".into(), json!(self.cpu_share.unwrap_or(1.0)));
        figures.insert("readers_per_core".into(), json!(self.readers_per_core));
    }
}

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
pub(crate) fn with_limit(
    build: &Build,
    machine: &Machine,
    secs: u32,
    rounds: u32,
    as_json: bool,
) -> anyhow::Result<()> {
    let mut figures = Map::new();
    machine.add_to(&mut figures);
    for case in machine.cases() {
        let (mut gateway, mut limit, mut ratio) = (Vec::new(), Vec::new(), Vec::new());
        for round in 1..=rounds {
            note(&format!("{}: round {round} of {rounds}", case.name));
            let delivered = of_gateway(build, &build.barrage(), machine, case, secs)?;
            let bare = of_limit(build, machine, case, &delivered, secs)?;
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
    if let Some(per_cpu_s) = figures.get("gateway_window50").and_then(Value::as_f64) {
        let (rate, delivered) = at_half_saturation(build, machine, per_cpu_s, secs)?;
        figures.insert("half_saturation_messages_per_s".into(), json!(rate));
        figures.insert("p99_ms_at_half_saturation".into(), json!(delivered.p99_ms));
        // The window grows with the load, also below saturation.
        let window_ms = thousandths(1_000.0 / delivered.frames_per_s);
        figures.insert("window_ms_at_half_saturation".into(), json!(window_ms));
    }
    figures::print(&figures, as_json)
}

/// Measures each case by turns with another binary, and prints medians and ratios.
pub(crate) fn against(
    build: &Build,
    machine: &Machine,
    other: &str,
    secs: u32,
    rounds: u32,
    as_json: bool,
) -> anyhow::Result<()> {
    let mut figures = Map::new();
    for case in machine.cases() {
        note(case.name);
        let measure = |binary: &str| Ok(of_gateway(build, binary, machine, case, secs)?.per_cpu_s);
        ByTurns::measure(rounds, &build.barrage(), other, measure)?.add_to(&mut figures, case.name);
    }
    figures::print(&figures, as_json)
}

/// Measures each case by turns alone and beside uploads to another server, and prints medians and ratios.
pub(crate) fn beside_uploads(
    build: &Build,
    machine: &Machine,
    uploads: u32,
    secs: u32,
    rounds: u32,
    as_json: bool,
) -> anyhow::Result<()> {
    let mut figures = Map::new();
    figures.insert("uploads".into(), json!(uploads));
    for case in machine.cases() {
        note(case.name);
        let measure = |run: &str| {
            let running = (run == "beside").then(|| Uploads::start(build, uploads)).transpose()?;
            let delivered = of_gateway(build, &build.barrage(), machine, case, secs)?;
            if let Some(running) = running {
                note(&format!("  {:.0} MB were uploaded beside", running.end()?));
            }
            Ok(delivered.per_cpu_s)
        };
        ByTurns::measure(rounds, "beside", "alone", measure)?.add_to(&mut figures, case.name);
    }
    figures::print(&figures, as_json)
}

/// Measures the batched room again, at half of the message rate that would fill the core.
fn at_half_saturation(
    build: &Build,
    machine: &Machine,
    per_cpu_s: f64,
    secs: u32,
) -> anyhow::Result<(f64, Delivered)> {
    let batched = &CASES[2];
    let messages_per_s = (per_cpu_s / f64::from(batched.viewers) / 2.0).round();
    note(&format!("half of the saturation: {messages_per_s} messages per second"));
    let delivered = of_gateway(build, &build.barrage(), machine, &Case { messages_per_s, ..*batched }, secs)?;
    Ok((messages_per_s, delivered))
}

/// Measures the whole product on one core by turns with the limit of the batched room, and prints the medians.
///
/// One limit sends frames as large and as often as the product did. The other one, the limit of the batched room,
/// sends what 50 ms of the same messages are, twenty times a second.
pub(crate) fn whole(
    build: &Build,
    machine: &Machine,
    secs: u32,
    rounds: u32,
    as_json: bool,
) -> anyhow::Result<()> {
    let mut figures = Map::new();
    machine.add_to(&mut figures);
    let mut columns: [(&str, Vec<f64>); 8] = [
        ("deliveries_per_cpu_s_whole", Vec::new()),
        ("limit_window50", Vec::new()),
        ("limit_equal_frames", Vec::new()),
        ("whole_ratio", Vec::new()),
        ("whole_ratio_equal_frames", Vec::new()),
        ("p99_ms_whole", Vec::new()),
        ("window_ms_whole", Vec::new()),
        ("messages_per_s_whole", Vec::new()),
    ];
    for round in 1..=rounds {
        note(&format!("{}: round {round} of {rounds}", WHOLE.name));
        let delivered = of_platform(build, machine, secs)?;
        let windows_per_s = 1_000.0 / WHOLE.window_ms as f64;
        let in_window = delivered.messages_per_s() / windows_per_s;
        let batched = Delivered {
            frame_bytes: delivered.frame_bytes / delivered.messages_per_frame * in_window,
            frames_per_s: windows_per_s,
            messages_per_frame: in_window,
            ..delivered
        };
        let limit = of_limit(build, machine, &WHOLE, &batched, secs)?;
        let equal = of_limit(build, machine, &WHOLE, &delivered, secs)?;
        let per_cpu_s = delivered.per_cpu_s;
        let row = [
            per_cpu_s,
            limit,
            equal,
            per_cpu_s / limit,
            per_cpu_s / equal,
            delivered.p99_ms,
            1_000.0 / delivered.frames_per_s,
            delivered.messages_per_s(),
        ];
        note(&format!(
            "  {row:.3?}, {:.0} bytes a message",
            delivered.frame_bytes / delivered.messages_per_frame
        ));
        columns.iter_mut().zip(row).for_each(|((_, values), value)| values.push(value));
    }
    for (name, values) in &mut columns {
        figures.insert((*name).into(), json!(thousandths(median(values))));
    }
    figures::print(&figures, as_json)
}

/// Measures `barrage up` on one core: posts over HTTP, the embedded log, and the gateway.
fn of_platform(build: &Build, machine: &Machine, secs: u32) -> anyhow::Result<Delivered> {
    let platform = Platform::start_on_a_core(&build.barrage())?;
    let _slow = machine.slow(&platform.process)?;
    let mut viewers = platform.timed_viewers(build, WHOLE.viewers)?;
    let mut posts = platform.timed_posts(build, WHOLE.messages_per_s)?;
    let writes = || Platform::metric("barrage_gateway_writes_total", "");
    // The windows follow the measured costs within some seconds.
    sleep(WARM_UP * 3);
    posts.mark()?;
    let delivered = measure(&WHOLE, &platform.process, &mut viewers, writes, secs)?;
    let posted = posts.mark()?;
    let dropped = Platform::metric("barrage_gateway_left_out_total", "chat")?;
    note(&format!("  posts: {posted}; the gateway dropped {dropped:.0} messages"));
    Ok(delivered)
}

impl Delivered {
    /// Messages that each viewer was sent in a second.
    fn messages_per_s(&self) -> f64 {
        self.frames_per_s * self.messages_per_frame
    }
}

fn of_gateway(
    build: &Build,
    binary: &str,
    machine: &Machine,
    case: &Case,
    secs: u32,
) -> anyhow::Result<Delivered> {
    let window = format!("window_ms = {0}\nwindow_ms_max = {0}\n", case.window_ms);
    let gateway = Gateway::start(build, binary, "fanout", &window)?;
    let _slow = machine.slow(&gateway.process)?;
    let mut viewers = gateway.readers(case.viewers, machine.readers_per_core)?;
    let _publisher = gateway.publish(case.messages_per_s)?;
    sleep(WARM_UP);
    let writes = || gateway.metric("barrage_gateway_writes_total", "");
    let delivered = measure(case, &gateway.process, &mut viewers, writes, secs)?;
    let dropped = gateway.metric("barrage_gateway_left_out_total", "chat")?;
    if dropped > 0.0 {
        note(&format!("  the gateway dropped {dropped:.0} messages"));
    }
    Ok(delivered)
}

/// Measures what a process delivers to the viewers of a case, for so many seconds.
fn measure(
    case: &Case,
    process: &Process,
    viewers: &mut Readers,
    writes: impl Fn() -> anyhow::Result<f64>,
    secs: u32,
) -> anyhow::Result<Delivered> {
    viewers.mark()?;
    let (cpu_before, writes_before) = (process.cpu_secs()?, writes()?);
    sleep(Duration::from_secs(secs.into()));
    let (cpu, frames) = (process.cpu_secs()? - cpu_before, writes()? - writes_before);
    let Read { bytes, messages, sampled, secs, p50_ms, p99_ms } = viewers.mark()?;
    let deliveries = messages / sampled * f64::from(case.viewers);
    Ok(Delivered {
        per_cpu_s: deliveries / cpu,
        frame_bytes: bytes / frames,
        frames_per_s: frames / f64::from(case.viewers) / secs,
        messages_per_frame: deliveries / frames,
        p50_ms,
        p99_ms,
    })
}

/// Returns deliveries per CPU-second of the limit, with frames as large as the gateway's.
fn of_limit(
    build: &Build,
    machine: &Machine,
    case: &Case,
    delivered: &Delivered,
    secs: u32,
) -> anyhow::Result<f64> {
    let (frame_bytes, frames_per_s) = (delivered.frame_bytes, delivered.frames_per_s);
    let (mut limit, address) = Part::limit(build, case.viewers, frame_bytes, frames_per_s, &[])?;
    let _slow = machine.slow(&limit.process)?;
    let _viewers = Readers::open(build, &address, case.viewers, machine.readers_per_core, &[])?;
    sleep(WARM_UP);
    let sends = |limit: &mut Part| limit.mark()?["sends"].as_f64().context("the limit counted no sends");
    let (cpu_before, sends_before) = (limit.process.cpu_secs()?, sends(&mut limit)?);
    sleep(Duration::from_secs(secs.into()));
    let (cpu, sent) = (limit.process.cpu_secs()? - cpu_before, sends(&mut limit)? - sends_before);
    Ok(sent * delivered.messages_per_frame / cpu)
}
