//! `tune`.

use anyhow::Context;
use barrage_autoscaler::simulate::{Campaign, html};
use barrage_autoscaler::tune::{Candidate, Choice, Difference, Search, Tuned, differences, front, tune};
use barrage_scaling::PolicyConfig;

use crate::cli::{self, Tune};

/// Lines of the trade-off on the terminal; the cheapest ones beyond are left out, the page has
/// all of them.
const TRADE_OFFS_MAX: usize = 12;

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
        choice: asked.slack.map_or(Choice::Knee, |percent| Choice::Slack(percent / 100.0)),
        threads: cli::threads(),
    };
    let runs = search.trials.max(1) * search.campaign.traces.len() * search.campaign.seeds.len();
    let progress = cli::Progress::new(runs, "tuning");
    let tuned = tune(&search, &|| progress.step());
    progress.finish();
    let (before, after) = (&tuned.candidates[0], &tuned.candidates[tuned.best]);
    cli::say(&trade_offs(&tuned))?;
    cli::say(&format!("{}\n{}\n", words("before", before), words("after", after)))?;
    cli::say(&changes(&before.policy, &after.policy))?;
    let policy = toml::to_string(&after.policy)?;
    match &asked.out {
        Some(path) => {
            std::fs::write(path, &policy).with_context(|| format!("cannot write {}", path.display()))?;
        }
        None => cli::say("\n--out FILE writes the whole policy.")?,
    }
    if let Some(path) = &asked.html {
        let page = html::trade_off(&tuned, &policy);
        std::fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The policies that no other one beats in cost and suffering at once, with the choice marked.
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
        text.push_str(&format!("{:>13.1}  {:>30.0}{mark}\n", candidate.gateway_hours, candidate.pain));
    }
    text
}

/// The numbers that differ from the policy to begin with.
fn changes(before: &PolicyConfig, after: &PolicyConfig) -> String {
    let changed = differences(before, after);
    if changed.is_empty() {
        return "The policy to begin with stays: nothing that was tried is worth its cost.".into();
    }
    let width = changed.iter().map(|it| it.key.len()).max().unwrap_or_default();
    let line = |it: &Difference| format!("{:<width$} = {}  # before: {}\n", it.key, it.after, it.before);
    changed.iter().map(line).collect()
}

fn words(when: &str, candidate: &Candidate) -> String {
    format!(
        "{when:<7} overload and waiting {:>14.0} viewer-seconds, {:>8.1} gateway hours, {:.1} reversals",
        candidate.pain, candidate.gateway_hours, candidate.reversed
    )
}
