//! Simulated entry: the real weights, with grants second by second.

use std::time::Duration;

use barrage_scaling::{Candidate, GatewayId, Knee, Weigher, WeightsConfig};

use super::fleet::Fleet;

/// Rounds of placement. Viewers that a full gateway cannot take go to others in the next round.
const ROUNDS: usize = 4;

pub(crate) struct Entry {
    weigher: Weigher,
    factor_secs: f64,
    knee: Knee,
    shares: Vec<f64>,
    left: Vec<f64>,
}

impl Entry {
    pub(crate) fn new(config: &WeightsConfig, knee: Knee) -> Entry {
        let weigher = Weigher::new(config.clone());
        Entry { weigher, factor_secs: config.factor_secs, knee, shares: Vec::new(), left: Vec::new() }
    }

    /// Computes the weights and the grants of a second.
    pub(crate) fn tick(&mut self, fleet: &Fleet, now_secs: f64) {
        let knee = || self.knee.clone();
        let gateways = fleet.gateways.iter();
        let seen: Vec<Candidate> =
            gateways.map(|gateway| Candidate { load: gateway.observed(now_secs), knee: knee() }).collect();
        let weights = self.weigher.tick(&seen, 1, Duration::from_secs_f64(now_secs));
        self.shares = weights.iter().map(|weight| weight.weight).collect();
        self.left = weights.iter().map(|weight| weight.seats).collect();
    }

    /// Sets the autoscaler's factor 0 for these gateways.
    pub(crate) fn shut(&mut self, ids: &[GatewayId], now_secs: f64) {
        for id in ids {
            self.weigher.advise(id, 0.0, Duration::from_secs_f64(now_secs + self.factor_secs));
        }
    }

    /// Places viewers on all gateways but `sources`. Returns the viewers without a grant.
    pub(crate) fn place(
        &mut self,
        fleet: &mut Fleet,
        viewers: f64,
        sources: &[GatewayId],
        now_secs: f64,
    ) -> f64 {
        let mut rest = viewers;
        let now = Duration::from_secs_f64(now_secs);
        for _ in 0..ROUNDS {
            let open = |n: usize| self.left[n] > 0.0 && !sources.contains(&fleet.gateways[n].id);
            let shares: Vec<f64> =
                (0..self.shares.len()).map(|n| if open(n) { self.shares[n] } else { 0.0 }).collect();
            let sum: f64 = shares.iter().sum();
            if rest <= 1e-6 || sum <= 0.0 {
                break;
            }
            let round = rest;
            for (n, share) in shares.into_iter().enumerate().filter(|(_, share)| *share > 0.0) {
                let granted = (round * share / sum).min(self.left[n]);
                self.left[n] -= granted;
                rest -= granted;
                fleet.gateways[n].viewers += granted;
                fleet.gateways[n].joins += granted;
                self.weigher.granted(&fleet.gateways[n].id, granted, now);
            }
        }
        rest.max(0.0)
    }
}
