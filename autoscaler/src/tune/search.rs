//! Half of the trials at random over all knobs, the rest around the best so far.

use barrage_scaling::PolicyConfig;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::knob::Knob;
use crate::simulate::{Campaign, Contender, Outcome, run_all};

/// How to search.
#[derive(Debug, Clone)]
pub struct Search {
    /// Traces, seeds, knee and the policy to begin with; its contenders are not used.
    pub campaign: Campaign,
    /// Policies to try, the first one included.
    pub trials: usize,
    /// A policy whose overload and waiting are this share above the least is as good,
    /// if it is cheaper.
    pub slack: f64,
    /// Threads.
    pub threads: usize,
}

/// A policy that was tried.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The policy.
    pub policy: PolicyConfig,
    /// Overload and waiting over all traces, in viewer-seconds.
    pub pain: f64,
    /// Gateway hours over all traces.
    pub gateway_hours: f64,
    /// Reversals over all traces.
    pub reversed: f64,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Tuned {
    /// Everything that was tried, the policy to begin with first.
    pub candidates: Vec<Candidate>,
    /// Index of the chosen one.
    pub best: usize,
}

/// Searches; `done` is called after each run of the simulator.
#[must_use]
pub fn tune(search: &Search, done: &(dyn Fn() + Sync)) -> Tuned {
    let seed = search.campaign.seeds.first().copied().unwrap_or(1);
    let mut rng = StdRng::seed_from_u64(seed);
    let mut candidates = vec![judge(search, search.campaign.policy.clone(), done)];
    while candidates.len() < search.trials.max(1) {
        let mut policy = candidates[best(&candidates, search.slack)].policy.clone();
        let explores = candidates.len() < search.trials / 2;
        for _ in 0..if explores { Knob::ALL.len() } else { 2 } {
            let knob = Knob::ALL[rng.random_range(0..Knob::ALL.len())];
            knob.set(&mut policy, knob.values()[rng.random_range(0..knob.values().len())]);
        }
        candidates.push(judge(search, policy, done));
    }
    let best = best(&candidates, search.slack);
    Tuned { candidates, best }
}

fn judge(search: &Search, policy: PolicyConfig, done: &(dyn Fn() + Sync)) -> Candidate {
    let campaign =
        Campaign { policy: policy.clone(), contenders: vec![Contender::Ours], ..search.campaign.clone() };
    let results = run_all(&campaign, search.threads, done);
    let sum = |field: fn(&Outcome) -> f64| {
        results.iter().flat_map(|result| result.outcomes.values()).map(field).sum::<f64>()
    };
    Candidate {
        policy,
        pain: sum(Outcome::pain),
        gateway_hours: sum(|outcome| outcome.gateway_hours),
        reversed: sum(|outcome| outcome.reversed_actions),
    }
}

/// The cheapest of those that hurt hardly more than the least hurting.
fn best(candidates: &[Candidate], slack: f64) -> usize {
    let least = candidates.iter().map(|candidate| candidate.pain).fold(f64::INFINITY, f64::min);
    // A viewer-second is nothing; without it a single one would outweigh any cost.
    let enough = least * (1.0 + slack) + 1.0;
    (0..candidates.len())
        .filter(|n| candidates[*n].pain <= enough)
        .min_by(|a, b| candidates[*a].gateway_hours.total_cmp(&candidates[*b].gateway_hours))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(pain: f64, gateway_hours: f64) -> Candidate {
        Candidate { policy: PolicyConfig::default(), pain, gateway_hours, reversed: 0.0 }
    }

    #[test]
    fn pain_comes_first_and_cost_decides_among_equals() {
        let candidates =
            [candidate(100.0, 30.0), candidate(300.0, 10.0), candidate(105.0, 25.0), candidate(112.0, 20.0)];
        assert_eq!(best(&candidates, 0.1), 2);
        assert_eq!(best(&candidates, 0.0), 0);
        assert_eq!(best(&candidates, 5.0), 1);
    }
}
