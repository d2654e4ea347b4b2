//! Flow control: decisions per second, leases in Redis at 1, 4 and 16 instances, moderation.

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use super::site::{Build, Part, Server};
use crate::run::{note, say};

/// Measures quotas and moderation, and prints a table or one JSON object.
pub(crate) fn main(build: &Build, secs: u32, as_json: bool) -> anyhow::Result<()> {
    note("measuring the quota; this takes about twelve times --secs");
    let redis = Server::redis()?;
    let quota = Part::output(build, &["quota", "--redis", &redis.url, "--secs", &secs.to_string()])?;
    note("measuring the moderation");
    let moderation = Part::output(build, &["moderation"])?;
    let moderation = moderation.last().context("the moderation printed no figures")?;

    let locals = quota.iter().filter_map(|line| Some((line.get("local")?.as_str()?, line)));
    let pure = ["token bucket", "leaky bucket", "sliding window"];
    let slowest = locals
        .clone()
        .filter(|(name, _)| pure.contains(name))
        .filter_map(|(_, line)| line["local_decisions_per_s"].as_f64())
        .fold(f64::INFINITY, f64::min);
    let leased_p99_us = locals
        .filter(|(name, _)| *name == "leased quota")
        .find_map(|(_, line)| line["local_decision_p99_us"].as_f64());
    let cases: Vec<_> = quota.iter().filter(|line| line.get("instances").is_some()).collect();
    if cases.is_empty() || !slowest.is_finite() {
        bail!("the quota printed no figures");
    }
    let worst = |key: &str| cases.iter().filter_map(|case| case[key].as_f64()).fold(0.0, f64::max);
    let summary = json!({
        "local_decisions_per_s": slowest,
        "leased_decision_p99_us": leased_p99_us,
        "redis_calls_share": worst("redis_calls_share"),
        "over_admission_pct_max_10s": worst("over_admission_pct_max_10s"),
        "under_admission_pct": worst("under_admission_pct"),
        "moderation_p99_us": moderation["moderation_p99_us"],
    });
    if as_json {
        let mut all = summary.as_object().cloned().unwrap_or_default();
        all.insert("cases".into(), json!(cases));
        all.insert("moderation".into(), json!(moderation));
        return say(&Value::Object(all).to_string());
    }
    say("| instances | skew | load | over % in 10 s | under % | calls per decision | decisions by share |")?;
    say("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")?;
    for case in &cases {
        say(&row(case))?;
    }
    for (name, value) in summary.as_object().into_iter().flatten() {
        say(&format!("{name}: {value}"))?;
    }
    Ok(())
}

/// Returns a case as a row of a Markdown table.
fn row(case: &Map<String, Value>) -> String {
    let number = |key: &str| case[key].as_f64().unwrap_or_default();
    format!(
        "| {} | {} | {} | {:.2} | {:.2} | {:.5} | {} of {} |",
        case["instances"],
        case["skew"].as_str().unwrap_or_default(),
        case["load"],
        number("over_admission_pct_max_10s"),
        number("under_admission_pct"),
        number("redis_calls_share"),
        number("by_share"),
        number("decisions"),
    )
}
