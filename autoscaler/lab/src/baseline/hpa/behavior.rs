//! Limits of the HPA on the rate at which replicas change.

/// Limit on the change within a period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ScalingPolicy {
    /// A limit as an absolute number of pods.
    Pods {
        /// Most pods that one period may change.
        value: u32,
        /// Length of the period that ends now, in seconds.
        period_secs: f64,
    },
    /// Share of the replicas at the period's start.
    Percent {
        /// Most percent of the pods that one period may change.
        value: u32,
        /// Length of the period that ends now, in seconds.
        period_secs: f64,
    },
}

impl ScalingPolicy {
    fn period_secs(self) -> f64 {
        match self {
            ScalingPolicy::Pods { period_secs, .. } | ScalingPolicy::Percent { period_secs, .. } => {
                period_secs
            }
        }
    }
}

/// Rules of one direction. The policy that allows the greatest change decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Length of the stabilisation window, in seconds.
    pub window_secs: f64,
    /// Limits on the change; the one that allows most decides.
    pub policies: Vec<ScalingPolicy>,
}

/// Rules of the HPA for both directions, as in `spec.behavior`.
#[derive(Debug, Clone, PartialEq)]
pub struct Behavior {
    /// Rules for adding pods, as in `spec.behavior.scaleUp`.
    pub up: Rules,
    /// Rules for removing pods, as in `spec.behavior.scaleDown`.
    pub down: Rules,
}

impl Default for Behavior {
    /// Kubernetes' defaults: up without a window, by the greater of four pods and 100 % in 15 s;
    /// down after 300 s, by 100 % in 15 s.
    fn default() -> Self {
        let all = ScalingPolicy::Percent { value: 100, period_secs: 15.0 };
        let four = ScalingPolicy::Pods { value: 4, period_secs: 15.0 };
        Behavior {
            up: Rules { window_secs: 0.0, policies: vec![four, all] },
            down: Rules { window_secs: 300.0, policies: vec![all] },
        }
    }
}

/// Changes so far: the time in seconds and the number of pods.
#[derive(Debug, Clone, Default)]
pub(super) struct Events {
    pub(super) up: Vec<(f64, u32)>,
    pub(super) down: Vec<(f64, u32)>,
}

impl Events {
    fn within(events: &[(f64, u32)], period_secs: f64, now_secs: f64) -> u32 {
        events.iter().filter(|(at, _)| *at > now_secs - period_secs).map(|(_, change)| change).sum()
    }

    fn at_start(&self, current: u32, period_secs: f64, now_secs: f64) -> f64 {
        let added = Self::within(&self.up, period_secs, now_secs);
        let deleted = Self::within(&self.down, period_secs, now_secs);
        f64::from(current) - f64::from(added) + f64::from(deleted)
    }

    pub(super) fn note(&mut self, from: u32, to: u32, behavior: &Behavior, now_secs: f64) {
        let longest = |rules: &Rules| rules.policies.iter().map(|p| p.period_secs()).fold(0.0, f64::max);
        let keep = longest(&behavior.up).max(longest(&behavior.down));
        self.up.retain(|(at, _)| *at > now_secs - keep);
        self.down.retain(|(at, _)| *at > now_secs - keep);
        if to > from {
            self.up.push((now_secs, to - from));
        } else {
            self.down.push((now_secs, from - to));
        }
    }

    pub(super) fn most(&self, rules: &Rules, current: u32, now_secs: f64) -> u32 {
        let limits = rules.policies.iter().map(|policy| {
            let start = self.at_start(current, policy.period_secs(), now_secs);
            match *policy {
                ScalingPolicy::Pods { value, .. } => start + f64::from(value),
                ScalingPolicy::Percent { value, .. } => (start * (1.0 + f64::from(value) / 100.0)).ceil(),
            }
        });
        limits.fold(0.0, f64::max).max(0.0) as u32
    }

    pub(super) fn least(&self, rules: &Rules, current: u32, now_secs: f64) -> u32 {
        let limits = rules.policies.iter().map(|policy| {
            let start = self.at_start(current, policy.period_secs(), now_secs);
            match *policy {
                ScalingPolicy::Pods { value, .. } => start - f64::from(value),
                ScalingPolicy::Percent { value, .. } => (start * (1.0 - f64::from(value) / 100.0)).floor(),
            }
        });
        limits.fold(f64::INFINITY, f64::min).max(0.0) as u32
    }
}
