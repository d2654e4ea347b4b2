//! The channel between a client and the platform: connect times by place, the first post after idling,
//! posts beside a gateway at its knee, and heartbeats.

use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::{Map, Value, json};

use super::figures::{self, median, thousandths};
use super::site::admin::sleep;
use super::site::{Build, Deployment, POSTS_ROOM, Part, Processes};
use crate::run::{command, note, root, run};
use crate::setup;

/// Viewers of the gateway that delivers at its knee. One message is one write for each of them.
const VIEWERS: u32 = 1_000;
/// Posts a second beside them.
const POSTS_PER_S: f64 = 50.0;
/// Messages a second by which the knee is found.
const TRIAL_PER_S: f64 = 30.0;
/// Share of a core that deliveries take at the knee. The load tester finds the knee of a gateway where
/// its delays begin to grow, some way below a full core.
const KNEE_SHARE: f64 = 0.85;
/// Time before the first count.
const WARM_UP: Duration = Duration::from_secs(2);

/// How long and how often the bench measures.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// Seconds of each measurement of posts.
    #[arg(long, default_value_t = 10)]
    secs: u32,
    /// Rounds of posts, with and without load, in one process and in two, by turns; medians are printed.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Round trip of the simulated network of the first post, in milliseconds.
    #[arg(long, default_value_t = 50)]
    round_trip_ms: u32,
    /// Viewers of the simulated regions.
    #[arg(long, default_value_t = 300)]
    region_viewers: u32,
}

/// Measures all parts and prints their figures.
pub(crate) fn main(build: &Build, plan: &Plan, as_json: bool) -> anyhow::Result<()> {
    let mut printed = Map::new();
    note("connect times in simulated regions");
    regions(build, plan, &mut printed)?;
    note(&format!("first post after idling, {} ms of round trip", plan.round_trip_ms));
    first_post(build, plan, &mut printed)?;
    posts(build, plan, &mut printed)?;
    let beats = output(build, &["heartbeats"])?;
    for key in ["heartbeats_per_hour", "loss_noticed_s_p99"] {
        insert(&mut printed, key, number(&beats, key)?);
    }
    figures::print(&printed, as_json)
}

/// Takes the connect times of the load tester's regions.
fn regions(build: &Build, plan: &Plan, printed: &mut Map<String, Value>) -> anyhow::Result<()> {
    let tester = build.program("barrage-loadtest");
    let file = root().join("target/bench/regions.json");
    std::fs::create_dir_all(root().join("target/bench"))?;
    let viewers = plan.region_viewers.to_string();
    let mut tester = command(&tester, &["regions", "--viewers", &viewers, "--barrage", &build.barrage()]);
    tester.arg("--nats-server").arg(setup::nats_server()?).arg("--json").arg(&file);
    // Its table is no part of the JSON object.
    tester.stdout(std::process::Stdio::null());
    run(tester)?;
    let figures: Map<String, Value> = serde_json::from_slice(&std::fs::read(&file)?)?;
    for key in ["connect_p50_ms_placed", "connect_p50_ms_shuffled"] {
        insert(printed, key, number(&figures, key)?);
    }
    Ok(())
}

/// Measures the first post over TLS, by turns without and with a connection that was opened ahead.
fn first_post(build: &Build, plan: &Plan, printed: &mut Map<String, Value>) -> anyhow::Result<()> {
    let deployment = Deployment::start_encrypted(build)?;
    let (address, authority) = deployment.encrypted_uplink();
    let (token, round_trip) = (deployment.token()?, plan.round_trip_ms.to_string());
    let arguments = ["first-post", "--address", address, "--ca", &authority, "--token", &token];
    let more = ["--room", POSTS_ROOM, "--round-trip-ms", &round_trip];
    let figures = output(build, &[&arguments[..], &more].concat())?;
    for key in ["first_post_ms_cold", "first_post_ms_warm"] {
        insert(printed, key, number(&figures, key)?);
    }
    Ok(())
}

/// Times of posts of one topology: the p99 of each round, without and with load.
#[derive(Default)]
struct Times {
    idle: Vec<f64>,
    at_knee: Vec<f64>,
    delivered_per_s: Vec<f64>,
}

/// Measures posts without load and beside a gateway at its knee, in one process and in two.
fn posts(build: &Build, plan: &Plan, printed: &mut Map<String, Value>) -> anyhow::Result<()> {
    let (mut one, mut two) = (Times::default(), Times::default());
    for round in 1..=plan.rounds {
        note(&format!("posts: round {round} of {}", plan.rounds));
        let mut turns = [(Processes::One, &mut one), (Processes::Two, &mut two)];
        // Each is first in every other round: both meet the same load from the rest of the machine.
        if round.is_multiple_of(2) {
            turns.reverse();
        }
        for (processes, times) in turns {
            measure(build, plan, processes, times).with_context(|| format!("{processes:?} of processes"))?;
        }
    }
    // The default deployment: gateways and uplinks are processes of their own.
    insert(printed, "post_p99_ms_idle", median(&mut two.idle));
    insert(printed, "post_p99_ms_downlink_at_knee", median(&mut two.at_knee));
    insert(printed, "post_p99_ms_idle_one_process", median(&mut one.idle));
    insert(printed, "post_p99_ms_downlink_at_knee_one_process", median(&mut one.at_knee));
    insert(printed, "deliveries_per_s_at_knee", median(&mut two.delivered_per_s).round());
    insert(printed, "deliveries_per_s_at_knee_one_process", median(&mut one.delivered_per_s).round());
    Ok(())
}

fn measure(build: &Build, plan: &Plan, processes: Processes, times: &mut Times) -> anyhow::Result<()> {
    let deployment = Deployment::start(build, processes)?;
    let secs = Duration::from_secs(plan.secs.into());
    let _viewers = deployment.viewers(VIEWERS)?;
    let mut posts = deployment.posts(POSTS_PER_S)?;
    sleep(WARM_UP);
    let idle = p99_ms(&mut posts, secs)?;
    let per_s = knee(&deployment)?;
    let _publisher = deployment.publish(per_s)?;
    sleep(WARM_UP);
    let delivered = || deployment.metric("barrage_gateway_deliveries_total");
    let before = delivered()?;
    let at_knee = p99_ms(&mut posts, secs)?;
    let delivered_per_s = (delivered()? - before) / secs.as_secs_f64();
    note(&format!(
        "  {processes:?}: p99 {idle:.1} ms, {at_knee:.1} ms beside {delivered_per_s:.0} deliveries a second"
    ));
    ensure!(
        delivered_per_s > per_s * f64::from(VIEWERS) * 0.5,
        "the gateway delivered {delivered_per_s:.0} a second of {per_s:.0} messages: it is beyond its knee"
    );
    times.idle.push(idle);
    times.at_knee.push(at_knee);
    times.delivered_per_s.push(delivered_per_s);
    Ok(())
}

/// Finds the messages a second at which deliveries take [`KNEE_SHARE`] of the gateway's core.
fn knee(deployment: &Deployment<'_>) -> anyhow::Result<f64> {
    let share = |secs: f64| -> anyhow::Result<f64> {
        let before = deployment.gateway.cpu_secs()?;
        sleep(Duration::from_secs_f64(secs));
        Ok((deployment.gateway.cpu_secs()? - before) / secs)
    };
    let without = share(2.0)?;
    let _trial = deployment.publish(TRIAL_PER_S)?;
    sleep(WARM_UP);
    let of_trial = share(3.0)? - without;
    ensure!(of_trial > 0.005, "the gateway took no processor time for {TRIAL_PER_S} messages a second");
    Ok((TRIAL_PER_S * (KNEE_SHARE - without).max(0.1) / of_trial).round())
}

/// Returns the p99 of the posts of a time.
fn p99_ms(posts: &mut Part, time: Duration) -> anyhow::Result<f64> {
    posts.mark()?;
    sleep(time);
    let marked = posts.mark()?;
    let failed = marked["failed"].as_f64().unwrap_or_default();
    ensure!(failed == 0.0, "{failed} posts failed: {}", marked["last_error"]);
    marked["p99_ms"].as_f64().context("no post was answered")
}

/// Runs a part to its end and returns the JSON object that it prints.
fn output(build: &Build, arguments: &[&str]) -> anyhow::Result<Map<String, Value>> {
    Part::output(build, arguments)?.pop().context("the part printed nothing")
}

fn number(figures: &Map<String, Value>, key: &str) -> anyhow::Result<f64> {
    figures.get(key).and_then(Value::as_f64).with_context(|| format!("{key} was not measured"))
}

fn insert(printed: &mut Map<String, Value>, key: &str, value: f64) {
    printed.insert(key.into(), json!(thousandths(value)));
}
