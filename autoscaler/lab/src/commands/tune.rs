//! `tune`: searches for better settings of a policy.

use anyhow::Context;
use barrage_scaling::PolicyConfig;

use crate::cli::{self, Tune};
use crate::console::print;
use crate::progress::Progress;
use crate::report::tuning_page;
use crate::run::Campaign;
use crate::tune::{Candidate, Choice, Difference, Search, Tuned, differences, front, tune};

/// Most lines of the trade-off on the terminal. The cheapest policies beyond are omitted; the
/// page shows all.
const TRADE_OFFS_MAX: usize = 12;

pub(crate) fn run(args: &Tune) -> anyhow::Result<()> {
    let search = Search {
        campaign: Campaign {
            traces: args.workload.read_traces()?,
            contenders: Vec::new(),
            seeds: args.workload.seeds(),
            knee: cli::read_knee(args.workload.capacity.as_deref())?,
            policy: cli::read_policy(args.workload.config.as_deref())?,
        },
        trials: args.trials,
        choice: args.slack.map_or(Choice::Knee, |percent| Choice::Slack(percent / 100.0)),
        threads: cli::threads(),
    };
    let runs = search.trials.max(1) * search.campaign.traces.len() * search.campaign.seeds.len();
    let progress = Progress::new(runs, "tuning");
    let tuned = tune(&search, &|| progress.step());
    progress.finish();
    let (before, after) = (&tuned.candidates[0], &tuned.candidates[tuned.best]);
    print(&trade_offs(&tuned))?;
    print(&format!("{}\n{}\n", summary("before", before), summary("after", after)))?;
    print(&changes(&before.policy, &after.policy))?;
    let policy = toml::to_string(&after.policy)?;
    match &args.out {
        Some(path) => {
            std::fs::write(path, &policy).with_context(|| format!("cannot write {}", path.display()))?;
        }
        None => print("\n--out FILE writes the whole policy.")?,
    }
    if let Some(path) = &args.html {
        let page = tuning_page(&tuned, &policy);
        std::fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Lists the policies that no other beats in both cost and penalty, and marks the choice.
fn trade_offs(tuned: &Tuned) -> String {
    let mut text = format!("{:>13}  {:>30}\n", "gateway hours", "overload and waiting, viewer-s");
    let front = front(&tuned.candidates);
    let first = front.len().saturating_sub(TRADE_OFFS_MAX);
    for n in &front[first..] {
        let candidate = &tuned.candidates[*n];
        let mark = match *n {
            n if n == tuned.best => "  <- after",
            0 => "  <- before",
            _ => "",
        };
        text.push_str(&format!("{:>13.1}  {:>30.0}{mark}\n", candidate.gateway_hours, candidate.penalty));
    }
    text
}

/// Lists the numbers that differ from the first policy.
fn changes(before: &PolicyConfig, after: &PolicyConfig) -> String {
    let changed = differences(before, after);
    if changed.is_empty() {
        return "The present policy stays: no policy that was tried is worth its cost.".into();
    }
    let width = changed.iter().map(|it| it.key.len()).max().unwrap_or_default();
    let line = |it: &Difference| format!("{:<width$} = {}  # before: {}\n", it.key, it.after, it.before);
    changed.iter().map(line).collect()
}

fn summary(when: &str, candidate: &Candidate) -> String {
    format!(
        "{when:<7} overload and waiting {:>14.0} viewer-seconds, {:>8.1} gateway hours, {:.1} reversals",
        candidate.penalty, candidate.gateway_hours, candidate.reversed
    )
}
