//! All runs of a comparison, on several threads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use barrage_scaling::{Knee, PolicyConfig};

use super::outcome::Outcome;
use super::simulation::{Run, Setup, run};
use super::timeline::Timeline;
use crate::contenders::Contender;
use crate::input::Trace;

/// A comparison: every trace under every contender with every seed.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// Traces that each policy is simulated over.
    pub traces: Vec<Trace>,
    /// Policies that the campaign compares, each on every trace.
    pub contenders: Vec<Contender>,
    /// Seeds of each run; results are means over them.
    pub seeds: Vec<u64>,
    /// Knee of every gateway that the campaign simulates.
    pub knee: Knee,
    /// Policy of this autoscaler; its floor and ceiling hold for all contenders.
    pub policy: PolicyConfig,
}

/// Figures and timelines of all contenders on one trace.
#[derive(Debug, Clone)]
pub struct TraceResult {
    /// Name of the trace that the contenders ran on.
    pub trace: String,
    /// Figures of each contender, as means over the seeds.
    pub outcomes: BTreeMap<Contender, Outcome>,
    /// The first seed over time, by contender.
    pub timelines: BTreeMap<Contender, Timeline>,
}

impl Campaign {
    /// Returns the number of simulated runs: traces times contenders times seeds.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.traces.len() * self.contenders.len() * self.seeds.len()
    }

    fn job(&self, number: usize) -> (usize, Contender, u64) {
        let per_trace = self.contenders.len() * self.seeds.len();
        let rest = number % per_trace;
        let contender = self.contenders[rest / self.seeds.len()];
        (number / per_trace, contender, self.seeds[rest % self.seeds.len()])
    }
}

/// Runs a campaign on `threads` threads, and calls `done` after each run, on any of them.
pub fn run_all(campaign: &Campaign, threads: usize, done: &(dyn Fn() + Sync)) -> Vec<TraceResult> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut runs = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= campaign.runs() {
                return runs;
            }
            let (trace, contender, seed) = campaign.job(number);
            let setup = Setup {
                trace: campaign.traces[trace].clone(),
                knee: campaign.knee.clone(),
                policy: campaign.policy.clone(),
                seed,
            };
            runs.push((number, run(&setup, contender)));
            done();
        }
    };
    let runs = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a run does not panic")).collect()
    });
    gather(campaign, runs)
}

fn gather(campaign: &Campaign, runs: BTreeMap<usize, Run>) -> Vec<TraceResult> {
    let mut outcomes: BTreeMap<(usize, Contender), Vec<Outcome>> = BTreeMap::new();
    let mut timelines: BTreeMap<(usize, Contender), Timeline> = BTreeMap::new();
    for (number, run) in runs {
        let (trace, contender, _) = campaign.job(number);
        outcomes.entry((trace, contender)).or_default().push(run.outcome);
        timelines.entry((trace, contender)).or_insert(run.timeline);
    }
    let of = |trace: usize| TraceResult {
        trace: campaign.traces[trace].name.clone(),
        outcomes: campaign
            .contenders
            .iter()
            .map(|contender| (*contender, Outcome::mean(&outcomes[&(trace, *contender)])))
            .collect(),
        timelines: campaign
            .contenders
            .iter()
            .map(|contender| (*contender, timelines[&(trace, *contender)].clone()))
            .collect(),
    };
    (0..campaign.traces.len()).map(of).collect()
}
