//! A group of thousands in a fleet: the time to the last device, and what a message costs the courier.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::{Map, Value, json};

use super::site::{ADMIN, ENVIRONMENT, PUBLIC, tester};
use crate::bench::figures::{self, thousandths};
use crate::bench::site::{Build, KEY, Process, Server, admin, empty_folder};
use crate::run::{command, note};

/// Time after the last message in which the idle courier is measured.
const SETTLE_SECS: f64 = 12.0;
/// Time after the last message from which on the courier counts as idle.
const IDLE_AFTER: Duration = Duration::from_secs(2);
/// Time between two looks at the courier.
const LOOK: Duration = Duration::from_millis(100);

/// Size of the group and pace of its messages.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct GroupPlan {
    /// Members of the group.
    #[arg(long, default_value_t = 10_000)]
    members: u32,
    /// Members with an attached device.
    #[arg(long, default_value_t = 2_000)]
    online: u32,
    /// Messages a second of all members.
    #[arg(long, default_value_t = 20)]
    rate: u32,
    /// Time of the messages, in seconds.
    #[arg(long, default_value_t = 30)]
    secs: u32,
}

/// What the courier had done at one moment.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    sent: f64,
    cpu_secs: f64,
    mail_bytes: f64,
}

/// Runs a fleet with one courier and two gateways, and a group in it.
pub(crate) fn group(build: &Build, plan: GroupPlan, as_json: bool) -> anyhow::Result<()> {
    let folder = empty_folder("group")?;
    let (nats, redis) = (Server::nats(&folder)?, Server::redis()?);
    let (_fleet, courier) = start(build, &folder, &nats.url, &redis.url)?;
    let GroupPlan { members, online, rate, secs } = plan;
    note(&format!("{members} members, {online} online, {rate} messages a second for {secs} s"));
    let load = format!(
        "settle_secs: {SETTLE_SECS}\nfan_group: {{members: {members}, online: {online}, per_s: {rate}, secs: {secs}}}\n"
    );
    let key = folder.join("data/token.key");
    let (mut tester, json) = tester(build, &folder, &key, "fan-group", &load)?;
    let mut tester = Process(tester.spawn().context("the load tester cannot be started")?);
    let mut looks = Vec::new();
    let status = loop {
        looks.push(look(&courier)?);
        if let Some(status) = tester.0.try_wait()? {
            break status;
        }
        admin::sleep(LOOK);
    };
    ensure!(status.success(), "the load tester failed ({status})");
    let report: Value = serde_json::from_slice(&std::fs::read(json)?)?;
    let cost = Cost::of(&looks).context("the courier was not seen at its work; give more --secs")?;
    let mut printed = Map::new();
    for (name, figure) in [
        ("last_viewer_p50_ms", "last.p50"),
        ("last_viewer_p99_ms", "last.p99"),
        ("viewer_p99_ms", "letter.p99"),
        ("lost", "letters.lost"),
        ("late", "letters.late"),
        ("tester_lag_p99_ms", "tester.lag.p99"),
    ] {
        printed.insert(name.into(), json!(report["figures"][figure].as_f64().map(thousandths)));
    }
    printed.insert("messages".into(), report["counts"]["accepted"].clone());
    printed.insert("bells".into(), report["counts"]["bells"].clone());
    printed.insert("courier_cpu_ms_per_message".into(), json!(thousandths(cost.cpu_ms)));
    printed.insert("courier_idle_cpu_ms_per_s".into(), json!(thousandths(cost.idle_cpu_ms_per_s)));
    printed.insert("bytes_to_gateways_per_message".into(), json!(cost.mail_bytes.round()));
    figures::print(&printed, as_json)
}

/// Starts the fleet. Returns it with the admin address of its courier.
fn start(build: &Build, folder: &Path, nats: &str, redis: &str) -> anyhow::Result<(Process, String)> {
    let data = folder.join("data");
    std::fs::create_dir_all(&data)?;
    std::fs::write(data.join("token.key"), KEY)?;
    let words = ["up", "--cluster", "--gateways", "2", "--uplinks", "1", "--ready-fd", "1"];
    let mut fleet = command(&build.barrage(), &words);
    fleet.args(["--listen", PUBLIC, "--admin-listen", ADMIN, "--data-dir"]).arg(&data);
    fleet.envs(ENVIRONMENT).env("BARRAGE_INBOX__ENABLED", "true");
    fleet.env("BARRAGE_NATS__URLS", format!("[{nats:?}]")).env("BARRAGE_REDIS__URL", redis);
    // The fleet ends with its input.
    fleet.stdin(Stdio::piped()).stdout(Stdio::piped());
    fleet.stderr(std::fs::File::create(folder.join("fleet.log"))?);
    let mut fleet = Process(fleet.spawn().context("the fleet cannot be started")?);
    let mut line = String::new();
    BufReader::new(fleet.0.stdout.take().context("no standard output")?).read_line(&mut line)?;
    let ready: Value = serde_json::from_str(&line).context("the fleet did not start; see fleet.log")?;
    let members = ready["members"].as_array().context("a fleet without members")?;
    let courier = members.iter().find(|member| member["name"] == "courier");
    let courier =
        courier.and_then(|courier| courier["admin"].as_str()).context("a fleet without a courier")?;
    Ok((fleet, courier.to_owned()))
}

fn look(courier: &str) -> anyhow::Result<Look> {
    let metric = |name, label| admin::metric(courier, name, label);
    Ok(Look {
        at: Instant::now(),
        sent: metric("barrage_courier_events_total", "outcome=\"sent\"")?,
        cpu_secs: metric("process_cpu_seconds_total", "")?,
        mail_bytes: metric("barrage_courier_mail_bytes_total", "")?,
    })
}

/// Cost of a message for the courier.
#[derive(Debug, PartialEq)]
struct Cost {
    /// Processor time beyond that of an idle courier, which answers the same looks.
    cpu_ms: f64,
    idle_cpu_ms_per_s: f64,
    mail_bytes: f64,
}

impl Cost {
    /// Compares the time of the messages with the time behind them.
    fn of(looks: &[Look]) -> Option<Cost> {
        let end = *looks.last()?;
        let first = looks.iter().position(|look| look.sent > looks[0].sent)?.checked_sub(1)?;
        let last = looks.iter().position(|look| look.sent >= end.sent)?;
        let (first, last) = (looks[first], looks[last]);
        let idle = *looks.iter().find(|look| look.at >= last.at + IDLE_AFTER)?;
        let idle_per_s = per_s(idle, end)?;
        // Frames of the last messages leave a moment after their rows.
        let (secs, messages) = ((idle.at - first.at).as_secs_f64(), last.sent - first.sent);
        let cpu_secs = idle.cpu_secs - first.cpu_secs - idle_per_s * secs;
        Some(Cost {
            cpu_ms: cpu_secs * 1_000.0 / messages,
            idle_cpu_ms_per_s: idle_per_s * 1_000.0,
            mail_bytes: (idle.mail_bytes - first.mail_bytes) / messages,
        })
    }
}

/// Processor time a second between two looks; `None` when they are less than a second apart.
fn per_s(from: Look, to: Look) -> Option<f64> {
    let secs = (to.at - from.at).as_secs_f64();
    (secs >= 1.0).then(|| (to.cpu_secs - from.cpu_secs) / secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten messages in the third second, with 5 ms and 1,000 bytes each, and 10 ms a second without any.
    #[test]
    fn cost_of_a_message_is_without_that_of_an_idle_courier() {
        let begin = Instant::now();
        let look = |tenth: u32| {
            let sent = f64::from(tenth.clamp(20, 30) - 20);
            Look {
                at: begin + Duration::from_millis(100) * tenth,
                sent,
                cpu_secs: f64::from(tenth) * 0.001 + sent * 0.005,
                mail_bytes: sent * 1_000.0,
            }
        };
        let looks: Vec<_> = (0..100).map(look).collect();
        let cost = Cost::of(&looks).unwrap();
        let is_near = |value: f64, expected: f64| (value - expected).abs() < 1e-6;
        assert!(is_near(cost.cpu_ms, 5.0) && is_near(cost.mail_bytes, 1_000.0), "{cost:?}");
        assert!(is_near(cost.idle_cpu_ms_per_s, 10.0), "{cost:?}");
        assert_eq!(Cost::of(&looks[..20]), None, "no message was sent");
    }
}
