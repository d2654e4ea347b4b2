//! `tune`.

use anyhow::Context;
use barrage_autoscaler::simulate::{Campaign, html};
use barrage_autoscaler::tune::{Candidate, Search, tune};

use crate::cli::{self, Tune};

pub(crate) fn main(asked: &Tune) -> anyhow::Result<()> {
    let search = Search {
        campaign: Campaign {
            traces: asked.crowds.read_traces()?,
            contenders: Vec::new(),
            seeds: asked.crowds.seeds(),
            knee: cli::read_knee(asked.crowds.capacity.as_deref())?,
            policy: cli::read_policy(asked.crowds.config.as_deref())?,
        },
        trials: asked.trials,
        slack: asked.slack / 100.0,
        threads: cli::threads(),
    };
    let runs = search.trials.max(1) * search.campaign.traces.len() * search.campaign.seeds.len();
    let bar = cli::progress(runs, "tuning");
    let tuned = tune(&search, &|| bar.inc(1));
    bar.finish_and_clear();
    let (before, after) = (&tuned.candidates[0], &tuned.candidates[tuned.best]);
    cli::say(&format!("{}\n{}", words("before", before), words("after", after)))?;
    let policy = toml::to_string(&after.policy)?;
    match &asked.out {
        Some(path) => {
            std::fs::write(path, &policy).with_context(|| format!("cannot write {}", path.display()))?;
        }
        None => cli::say(&format!("\n{policy}"))?,
    }
    if let Some(path) = &asked.html {
        let page = html::trade_off(&tuned, &policy);
        std::fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn words(when: &str, candidate: &Candidate) -> String {
    format!(
        "{when:<7} overload and waiting {:>14.0} viewer-seconds, {:>8.1} gateway hours, {:.1} reversals",
        candidate.pain, candidate.gateway_hours, candidate.reversed
    )
}
