//! `simulate`: runs the chosen contenders over traces and prints their figures.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use clap::ValueEnum;

use crate::cli::{self, Simulate};
use crate::console::print;
use crate::contenders::Contender;
use crate::input::Trace;
use crate::progress::Progress;
use crate::report::{campaign_page, legend, table, verdict};
use crate::run::{Campaign, Outcome, Setup, observations, run_all};

pub(crate) fn run(args: &Simulate) -> anyhow::Result<()> {
    let contenders = if args.contenders.is_empty() {
        Contender::value_variants().to_vec()
    } else {
        args.contenders.clone()
    };
    let campaign = Campaign {
        traces: args.workload.read_traces()?,
        contenders,
        seeds: args.workload.seeds(),
        knee: cli::read_knee(args.workload.capacity.as_deref())?,
        policy: cli::read_policy(args.workload.config.as_deref())?,
    };
    if let Some(path) = &args.record {
        record(&campaign, path)?;
    }
    let progress = Progress::new(campaign.runs(), "simulating");
    let results = run_all(&campaign, cli::threads(), &|| progress.step());
    progress.finish();
    for result in &results {
        print(&format!("{}\n  {}\n\u{20}", table(result), verdict(result).join("\n  ")))?;
    }
    print(&legend(&campaign.contenders))?;
    if let Some(path) = &args.html {
        let page = campaign_page(&campaign, &results);
        std::fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if args.json {
        let by_trace: BTreeMap<&str, &BTreeMap<Contender, Outcome>> =
            results.iter().map(|result| (result.trace.as_str(), &result.outcomes)).collect();
        let json = match results.as_slice() {
            [one] => serde_json::to_string(&one.outcomes)?,
            _ => serde_json::to_string(&by_trace)?,
        };
        print(&json)?;
    }
    Ok(())
}

/// Writes the observations of the first trace and seed, one JSON object a line.
fn record(campaign: &Campaign, path: &Path) -> anyhow::Result<()> {
    let trace: &Trace = campaign.traces.first().context("no trace")?;
    let setup = Setup {
        trace: trace.clone(),
        knee: campaign.knee.clone(),
        policy: campaign.policy.clone(),
        seed: campaign.seeds.first().copied().unwrap_or(1),
    };
    let mut text = String::new();
    for observation in observations(&setup) {
        text.push_str(&serde_json::to_string(&observation)?);
        text.push('\n');
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
