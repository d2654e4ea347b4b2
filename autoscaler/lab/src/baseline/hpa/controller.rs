//! One pass of the HPA: metrics, stabilisation, limits.

use super::behavior::{Behavior, Events};
use super::pods::Pod;
use super::ratio::{Metric, Tolerance, replicas_for};

/// Settings of one HPA object that the simulated controller reads.
#[derive(Debug, Clone, PartialEq)]
pub struct HpaConfig {
    /// Fewest replicas: a lower desired number is raised to it.
    pub replicas_min: u32,
    /// Most replicas: a higher desired number is cut to it.
    pub replicas_max: u32,
    /// Band of the metric's ratio to its target within which the replicas stay.
    pub tolerance: Tolerance,
    /// Limits on the rate at which the replicas change.
    pub behavior: Behavior,
}

/// Outcome of one pass of the HPA controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HpaOutcome {
    /// Set the target's replicas to this number.
    Scale(u32),
    /// Keep the replicas: the desired number is the current one, or the target has 0 replicas.
    Keep,
    /// The metrics give no result, so the replicas stay.
    Failed,
}

/// One HPA with its state, which a restart would lose.
#[derive(Debug, Clone)]
pub struct Hpa {
    config: HpaConfig,
    recommendations: Vec<(f64, u32)>,
    events: Events,
}

impl Hpa {
    /// Returns an HPA without history, as after a restart of the controller.
    #[must_use]
    pub fn new(config: HpaConfig) -> Self {
        Hpa { config, recommendations: Vec::new(), events: Events::default() }
    }

    /// Runs one pass. The caller calls it every 15 s.
    pub fn reconcile(&mut self, metrics: &[Metric], pods: &[Pod], current: u32, now_secs: f64) -> HpaOutcome {
        if self.recommendations.is_empty() {
            self.recommendations.push((now_secs, current));
        }
        let HpaConfig { replicas_min, replicas_max, .. } = self.config;
        let desired = if current == 0 {
            return HpaOutcome::Keep;
        } else if current > replicas_max {
            replicas_max
        } else if current < replicas_min {
            replicas_min
        } else {
            match self.proposal(metrics, pods, current, now_secs) {
                None => return HpaOutcome::Failed,
                Some(proposal) => {
                    let stable = self.stabilize(proposal, current, now_secs);
                    self.limit(stable, current, now_secs)
                }
            }
        };
        if desired == current {
            return HpaOutcome::Keep;
        }
        self.events.note(current, desired, &self.config.behavior, now_secs);
        HpaOutcome::Scale(desired)
    }

    /// Returns the greatest proposal. A metric without a result forbids scale-in.
    fn proposal(&self, metrics: &[Metric], pods: &[Pod], current: u32, now_secs: f64) -> Option<u32> {
        let answers: Vec<_> = metrics
            .iter()
            .map(|metric| replicas_for(metric, pods, current, self.config.tolerance, now_secs))
            .collect();
        let most = answers.iter().filter_map(|answer| answer.ok()).max()?;
        let broken = answers.iter().any(Result::is_err);
        if broken && most < current { None } else { Some(most) }
    }

    fn stabilize(&mut self, proposal: u32, current: u32, now_secs: f64) -> u32 {
        let Behavior { up, down } = &self.config.behavior;
        let (mut least_up, mut most_down) = (proposal, proposal);
        for (at, replicas) in &self.recommendations {
            if *at > now_secs - up.window_secs {
                least_up = least_up.min(*replicas);
            }
            if *at > now_secs - down.window_secs {
                most_down = most_down.max(*replicas);
            }
        }
        let keep = up.window_secs.max(down.window_secs);
        self.recommendations.retain(|(at, _)| *at > now_secs - keep);
        self.recommendations.push((now_secs, proposal));
        current.max(least_up).min(most_down)
    }

    fn limit(&self, desired: u32, current: u32, now_secs: f64) -> u32 {
        let HpaConfig { replicas_min, replicas_max, behavior, .. } = &self.config;
        if desired > current {
            let most = self.events.most(&behavior.up, current, now_secs).max(current);
            desired.min(most.min(*replicas_max))
        } else if desired < current {
            let least = self.events.least(&behavior.down, current, now_secs).min(current);
            desired.max(least.max(*replicas_min))
        } else {
            desired.clamp(*replicas_min, *replicas_max)
        }
    }
}
