//! `simulate`.

use std::collections::BTreeMap;

use anyhow::Context;
use barrage_autoscaler::simulate::{
    Campaign, Contender, Outcome, Setup, Trace, html, legend, observations, run_all, table, verdict,
};
use clap::ValueEnum;

use crate::cli::{self, Simulate};

pub(crate) fn main(asked: &Simulate) -> anyhow::Result<()> {
    let contenders = if asked.contenders.is_empty() {
        Contender::value_variants().to_vec()
    } else {
        asked.contenders.clone()
    };
    let campaign = Campaign {
        traces: asked.crowds.read_traces()?,
        contenders,
        seeds: asked.crowds.seeds(),
        knee: cli::read_knee(asked.crowds.capacity.as_deref())?,
        policy: cli::read_policy(asked.crowds.config.as_deref())?,
    };
    if let Some(path) = &asked.record {
        record(&campaign, path)?;
    }
    let progress = cli::Progress::new(campaign.runs(), "simulating");
    let results = run_all(&campaign, cli::threads(), &|| progress.step());
    progress.finish();
    for result in &results {
        cli::say(&format!("{}\n  {}\n\u{20}", table(result), verdict(result).join("\n  ")))?;
    }
    cli::say(&legend(&campaign.contenders))?;
    if let Some(path) = &asked.html {
        let page = html::page(&campaign, &results);
        std::fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if asked.json {
        let by_trace: BTreeMap<&str, &BTreeMap<Contender, Outcome>> =
            results.iter().map(|result| (result.trace.as_str(), &result.outcomes)).collect();
        let json = match results.as_slice() {
            [one] => serde_json::to_string(&one.outcomes)?,
            _ => serde_json::to_string(&by_trace)?,
        };
        cli::say(&json)?;
    }
    Ok(())
}

fn record(campaign: &Campaign, path: &std::path::Path) -> anyhow::Result<()> {
    let trace: &Trace = campaign.traces.first().context("no trace")?;
    let setup = Setup {
        trace: trace.clone(),
        knee: campaign.knee.clone(),
        policy: campaign.policy.clone(),
        seed: campaign.seeds.first().copied().unwrap_or(1),
    };
    let mut text = String::new();
    for seen in observations(&setup) {
        text.push_str(&serde_json::to_string(&seen)?);
        text.push('\n');
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
