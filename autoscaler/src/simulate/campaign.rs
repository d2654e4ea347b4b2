//! Many runs, on all processors.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use barrage_scaling::{Knee, PolicyConfig};

use super::contender::Contender;
use super::outcome::Outcome;
use super::timeline::Timeline;
use super::trace::Trace;
use super::world::{Run, Setup, run};

/// Every trace under every contender with every seed.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// Traces.
    pub traces: Vec<Trace>,
    /// Contenders.
    pub contenders: Vec<Contender>,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// A gateway's knee.
    pub knee: Knee,
    /// This autoscaler's policy.
    pub policy: PolicyConfig,
}

/// One trace's results.
#[derive(Debug, Clone)]
pub struct Result {
    /// The trace's name.
    pub trace: String,
    /// Means over the seeds, by contender.
    pub outcomes: BTreeMap<Contender, Outcome>,
    /// The first seed over time, by contender.
    pub timelines: BTreeMap<Contender, Timeline>,
}

impl Campaign {
    /// How many runs it takes.
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

/// Runs it on `threads` threads; `done` is called after each run, on any of them.
pub fn run_all(campaign: &Campaign, threads: usize, done: &(dyn Fn() + Sync)) -> Vec<Result> {
    let next = AtomicUsize::new(0);
    let runs: Mutex<BTreeMap<usize, Run>> = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= campaign.runs() {
                        break;
                    }
                    let (trace, contender, seed) = campaign.job(number);
                    let setup = Setup {
                        trace: campaign.traces[trace].clone(),
                        knee: campaign.knee.clone(),
                        policy: campaign.policy.clone(),
                        seed,
                    };
                    let run = run(&setup, contender);
                    runs.lock().expect("no run panics while it holds the lock").insert(number, run);
                    done();
                }
            });
        }
    });
    let runs = runs.into_inner().expect("all threads have ended");
    gather(campaign, runs)
}

fn gather(campaign: &Campaign, runs: BTreeMap<usize, Run>) -> Vec<Result> {
    let mut outcomes: BTreeMap<(usize, Contender), Vec<Outcome>> = BTreeMap::new();
    let mut timelines: BTreeMap<(usize, Contender), Timeline> = BTreeMap::new();
    for (number, run) in runs {
        let (trace, contender, _) = campaign.job(number);
        outcomes.entry((trace, contender)).or_default().push(run.outcome);
        timelines.entry((trace, contender)).or_insert(run.timeline);
    }
    let of = |trace: usize| Result {
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
