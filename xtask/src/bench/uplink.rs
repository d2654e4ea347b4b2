//! Posts: how many the whole platform takes in a second of its processor time, with all checks on, beside a bare
//! hyper service that parses the same JSON. The client is on the other core.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Map, json};

use super::figures::{self, ByTurns, median, thousandths};
use super::site::admin::sleep;
use super::site::{Build, Part, PostLog, PostServer, Process};
use crate::run::note;

/// Time of posts before each count.
const WARM_UP: Duration = Duration::from_millis(1_500);

/// How long, how often and by how many connections the bench posts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) connections: u32,
    /// Time of each count.
    pub(crate) time: Duration,
    pub(crate) rounds: u32,
}

/// What was counted of one process.
#[derive(Debug, Clone, Copy)]
struct Counted {
    posts_per_cpu_s: f64,
    posts_per_s: f64,
    p99_ms: f64,
}

/// Measures the limit and the platform on either log, by turns, and prints the medians.
pub(crate) fn with_limit(build: &Build, plan: Plan, as_json: bool) -> anyhow::Result<()> {
    let (limit, limit_address) = Part::post_limit(build)?;
    let embedded = PostServer::start(&build.barrage(), PostLog::Embedded)?;
    let nats = PostServer::start(&build.barrage(), PostLog::Nats)?;
    let mut posts: [Vec<f64>; 3] = Default::default();
    let (mut ratios, mut ratios_nats, mut per_s) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=plan.rounds {
        let of_limit = || {
            let flood = Part::flood(build, &limit_address, &embedded.key(), plan.connections, None)?;
            count(flood, &limit.process, plan.time)
        };
        let of = |server: &PostServer| {
            count(server.flood(build, plan.connections, None)?, &server.process, plan.time)
        };
        // The limit is first in every other round: all meet the same load from the rest of the machine.
        let (bare, own, own_nats) = if round % 2 == 0 {
            let (own_nats, own) = (of(&nats)?, of(&embedded)?);
            (of_limit()?, own, own_nats)
        } else {
            (of_limit()?, of(&embedded)?, of(&nats)?)
        };
        note(&format!(
            "round {round} of {}: limit {:.0}, embedded {:.0}, NATS {:.0} posts per CPU-second; p99 {:.1} and {:.1} ms",
            plan.rounds,
            bare.posts_per_cpu_s,
            own.posts_per_cpu_s,
            own_nats.posts_per_cpu_s,
            own.p99_ms,
            own_nats.p99_ms
        ));
        for (all, counted) in posts.iter_mut().zip([bare, own, own_nats]) {
            all.push(counted.posts_per_cpu_s);
        }
        ratios.push(own.posts_per_cpu_s / bare.posts_per_cpu_s);
        ratios_nats.push(own_nats.posts_per_cpu_s / bare.posts_per_cpu_s);
        per_s.push(own.posts_per_s);
    }
    let half = median(&mut per_s) / 2.0;
    let mut at_half = Vec::new();
    for _ in 0..plan.rounds {
        let flood = embedded.flood(build, plan.connections, Some(half))?;
        at_half.push(count(flood, &embedded.process, plan.time)?.p99_ms);
    }
    let mut printed = Map::new();
    let names = ["limit_posts_per_cpu_s", "posts_per_cpu_s_embedded", "posts_per_cpu_s_nats"];
    for (name, values) in names.into_iter().zip(&mut posts) {
        printed.insert(name.into(), json!(median(values).round()));
        printed.insert(format!("{name}_spread"), json!(spread(values)));
    }
    for (name, values) in [("ratio_embedded", &mut ratios), ("ratio_nats", &mut ratios_nats)] {
        printed.insert(name.into(), json!(thousandths(median(values))));
        printed.insert(format!("{name}_spread"), json!(spread(values)));
    }
    printed.insert("posts_per_s_at_half".into(), json!(half.round()));
    printed.insert("post_p99_ms_at_half".into(), json!(thousandths(median(&mut at_half))));
    figures::print(&printed, as_json)
}

/// Measures this checkout's binary by turns with another one, on the embedded log.
pub(crate) fn against(build: &Build, other: &str, plan: Plan, as_json: bool) -> anyhow::Result<()> {
    let mut figures = Map::new();
    let turns = ByTurns::measure(plan.rounds, &build.barrage(), other, |binary| {
        let server = PostServer::start(binary, PostLog::Embedded)?;
        let flood = server.flood(build, plan.connections, None)?;
        Ok(count(flood, &server.process, plan.time)?.posts_per_cpu_s)
    })?;
    turns.add_to(&mut figures, "posts_per_cpu_s_embedded");
    figures::print(&figures, as_json)
}

/// Counts posts and the processor time of the process that takes them.
fn count(mut flood: Part, process: &Process, time: Duration) -> anyhow::Result<Counted> {
    sleep(WARM_UP);
    flood.mark()?;
    let before = process.cpu_secs()?;
    sleep(time);
    let marked = flood.mark()?;
    let cpu_secs = process.cpu_secs()? - before;
    let failed = marked["failed"].as_f64().unwrap_or_default();
    ensure!(failed == 0.0, "{failed} connections failed: {}", marked["last_error"]);
    let posts = marked["posts"].as_f64().context("the client counted no posts")?;
    ensure!(posts > 0.0 && cpu_secs > 0.0, "{posts} posts were answered in {cpu_secs} s of processor time");
    Ok(Counted {
        posts_per_cpu_s: posts / cpu_secs,
        posts_per_s: posts / time.as_secs_f64(),
        p99_ms: marked["p99_ms"].as_f64().context("no post was answered")?,
    })
}

/// Returns the difference of the greatest and the smallest value, by the median.
fn spread(values: &mut [f64]) -> f64 {
    let middle = median(values);
    thousandths((values[values.len() - 1] - values[0]) / middle)
}
