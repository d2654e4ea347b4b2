//! The search and the choice of its result. Half of the trials change all knobs at random; the
//! others change two knobs of the best policy so far.

use barrage_scaling::PolicyConfig;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::knob::Knob;
use crate::contenders::Contender;
use crate::run::{Campaign, Outcome, run_all};

/// Settings of a search for a better policy.
#[derive(Debug, Clone)]
pub struct Search {
    /// Traces, seeds, knee and the first policy; its contenders are not used.
    pub campaign: Campaign,
    /// Policies to try, including the first one.
    pub trials: usize,
    /// Rule that picks one policy among those tried.
    pub choice: Choice,
    /// Number of threads that run simulations at the same time.
    pub threads: usize,
}

/// How the result is chosen among the policies that were tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Choice {
    /// The knee of the curve of cost against penalty.
    Knee,
    /// The cheapest policy whose penalty is at most this share above the least.
    Slack(f64),
}

/// A policy that the search tried, with its costs.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Policy that was simulated over all traces.
    pub policy: PolicyConfig,
    /// Overload and waiting over all traces, in viewer-seconds.
    pub penalty: f64,
    /// Gateway hours of the policy, summed over all traces.
    pub gateway_hours: f64,
    /// Scale actions that were reversed within ten minutes, over all traces.
    pub reversed: f64,
}

/// Result of a search: all tried policies and the chosen one.
#[derive(Debug, Clone)]
pub struct Tuned {
    /// All policies that were tried, the first policy first.
    pub candidates: Vec<Candidate>,
    /// Index of the chosen policy in `candidates`.
    pub best: usize,
}

/// Searches a better policy, and calls `done` after each run of the simulator.
#[must_use]
pub fn tune(search: &Search, done: &(dyn Fn() + Sync)) -> Tuned {
    let seed = search.campaign.seeds.first().copied().unwrap_or(1);
    let mut rng = StdRng::seed_from_u64(seed);
    let mut candidates = vec![judge(search, search.campaign.policy.clone(), done)];
    while candidates.len() < search.trials.max(1) {
        let mut policy = candidates[choose(&candidates, search.choice)].policy.clone();
        let explores = candidates.len() < search.trials / 2;
        for _ in 0..if explores { Knob::ALL.len() } else { 2 } {
            let knob = Knob::ALL[rng.random_range(0..Knob::ALL.len())];
            knob.set(&mut policy, knob.values()[rng.random_range(0..knob.values().len())]);
        }
        candidates.push(judge(search, policy, done));
    }
    let best = choose(&candidates, search.choice);
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
        penalty: sum(Outcome::penalty),
        gateway_hours: sum(|outcome| outcome.gateway_hours),
        reversed: sum(|outcome| outcome.reversed_actions),
    }
}

fn choose(candidates: &[Candidate], choice: Choice) -> usize {
    match choice {
        Choice::Knee => knee(candidates),
        Choice::Slack(slack) => best(candidates, slack),
    }
}

/// Finds the knee of the curve, with both axes relative to the first candidate: beyond it, one
/// more percent of gateway hours removes less than one percent of the penalty. The result never
/// has a greater penalty than the first candidate.
fn knee(candidates: &[Candidate]) -> usize {
    let Some(first) = candidates.first() else { return 0 };
    // One viewer-second is negligible, and avoids a division by zero.
    let (penalty, hours) = (first.penalty.max(1.0), first.gateway_hours.max(f64::MIN_POSITIVE));
    let score = |n: &usize| candidates[*n].penalty / penalty + candidates[*n].gateway_hours / hours;
    let is_no_worse = |n: &usize| candidates[*n].penalty <= penalty;
    (0..candidates.len()).filter(is_no_worse).min_by(|a, b| score(a).total_cmp(&score(b))).unwrap_or(0)
}

/// Returns the candidates that no other one beats in both cost and penalty, the cheapest first.
#[must_use]
pub fn front(candidates: &[Candidate]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (&candidates[*a], &candidates[*b]);
        a.gateway_hours.total_cmp(&b.gateway_hours).then(a.penalty.total_cmp(&b.penalty))
    });
    let mut least = f64::INFINITY;
    order.retain(|n| {
        let is_better = candidates[*n].penalty < least;
        least = least.min(candidates[*n].penalty);
        is_better
    });
    order
}

/// Finds the cheapest candidate whose penalty is within `slack` of the least.
fn best(candidates: &[Candidate], slack: f64) -> usize {
    let least = candidates.iter().map(|candidate| candidate.penalty).fold(f64::INFINITY, f64::min);
    // One viewer-second is negligible; without it a single one would outweigh any cost.
    let enough = least * (1.0 + slack) + 1.0;
    (0..candidates.len())
        .filter(|n| candidates[*n].penalty <= enough)
        .min_by(|a, b| candidates[*a].gateway_hours.total_cmp(&candidates[*b].gateway_hours))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(penalty: f64, gateway_hours: f64) -> Candidate {
        Candidate { policy: PolicyConfig::default(), penalty, gateway_hours, reversed: 0.0 }
    }

    /// The curve of a search over one trace. The present policy costs 28.1 hours; the last million
    /// viewer-seconds would cost 28 % more than the point before.
    fn curve() -> Vec<Candidate> {
        vec![
            candidate(19e6, 28.1),
            candidate(4e9, 21.0),
            candidate(9e6, 29.0),
            candidate(2e6, 31.2),
            candidate(2.5e6, 33.0),
            candidate(1.6e6, 35.5),
            candidate(1e6, 39.9),
        ]
    }

    #[test]
    fn knee_is_neither_the_most_expensive_policy_nor_one_with_more_penalty() {
        assert_eq!(knee(&curve()), 3);
        // The least penalty costs 42 % more gateway hours.
        assert_eq!(best(&curve(), 0.1), 6);
    }

    #[test]
    fn first_policy_stays_when_no_other_is_worth_its_cost() {
        assert_eq!(knee(&[candidate(2.0e6, 28.0), candidate(1.9e6, 40.0)]), 0);
        assert_eq!(knee(&[candidate(19e6, 28.0), candidate(2e6, 29.0)]), 1);
        // When the first policy has no penalty, the cheapest without a penalty is chosen.
        assert_eq!(knee(&[candidate(0.0, 30.0), candidate(0.0, 25.0), candidate(50.0, 10.0)]), 1);
        assert_eq!(knee(&[candidate(5.0, 3.0)]), 0);
    }

    #[test]
    fn front_contains_the_candidates_that_no_other_beats() {
        assert_eq!(front(&curve()), [1, 0, 2, 3, 5, 6]);
        assert_eq!(front(&[candidate(5.0, 1.0), candidate(5.0, 1.0)]).len(), 1);
    }

    #[test]
    fn slack_admits_near_equals_and_cost_decides_among_them() {
        let candidates =
            [candidate(100.0, 30.0), candidate(300.0, 10.0), candidate(105.0, 25.0), candidate(112.0, 20.0)];
        assert_eq!(best(&candidates, 0.1), 2);
        assert_eq!(best(&candidates, 0.0), 0);
        assert_eq!(best(&candidates, 5.0), 1);
    }
}
