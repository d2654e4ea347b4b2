//! The policy's keys that the search changes, and the values that it tries.

use barrage_scaling::PolicyConfig;

/// A key of the policy that the search changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knob {
    /// Setting `target_utilization` of the policy.
    TargetUtilization,
    /// Setting `reserve.replicas` of the policy.
    ReserveReplicas,
    /// Setting `forecast.fast_secs` of the policy.
    FastSecs,
    /// Setting `forecast.growth_max` of the policy.
    GrowthMax,
    /// Setting `forecast.provision_margin` of the policy.
    ProvisionMargin,
    /// Setting `scale_in.window_secs` of the policy.
    WindowSecs,
    /// Setting `scale_in.after_out_secs` of the policy.
    AfterOutSecs,
    /// `drain.spread_secs`; `drain.deadline_secs` is set to twice its value.
    SpreadSecs,
    /// `rebalance.percent`; `rebalance.over_percent` is set to four times its value.
    RebalancePercent,
}

impl Knob {
    /// All settings that the search may change.
    pub const ALL: [Knob; 9] = [
        Knob::TargetUtilization,
        Knob::ReserveReplicas,
        Knob::FastSecs,
        Knob::GrowthMax,
        Knob::ProvisionMargin,
        Knob::WindowSecs,
        Knob::AfterOutSecs,
        Knob::SpreadSecs,
        Knob::RebalancePercent,
    ];

    /// Values that the search tries, in order.
    #[must_use]
    pub const fn values(self) -> &'static [f64] {
        match self {
            Knob::TargetUtilization => &[0.7, 0.75, 0.8, 0.85, 0.88, 0.9, 0.92],
            Knob::ReserveReplicas => &[0.0, 1.0, 2.0, 3.0],
            Knob::FastSecs => &[6.0, 10.0, 15.0, 20.0],
            Knob::GrowthMax => &[0.5, 1.0, 1.5, 2.0, 3.0],
            Knob::ProvisionMargin => &[1.0, 1.15, 1.3, 1.5, 2.0],
            Knob::WindowSecs => &[60.0, 90.0, 120.0, 180.0, 300.0],
            Knob::AfterOutSecs => &[0.0, 180.0, 300.0, 600.0, 900.0],
            Knob::SpreadSecs => &[30.0, 60.0, 90.0, 120.0],
            Knob::RebalancePercent => &[0.5, 1.0, 2.0, 4.0],
        }
    }

    /// Sets the key in a policy, and the keys that depend on it.
    pub fn set(self, policy: &mut PolicyConfig, value: f64) {
        match self {
            Knob::TargetUtilization => policy.target_utilization = value,
            // The values are small whole numbers.
            Knob::ReserveReplicas => policy.reserve.replicas = value as u32,
            Knob::FastSecs => policy.forecast.fast_secs = value,
            Knob::GrowthMax => policy.forecast.growth_max = value,
            Knob::ProvisionMargin => policy.forecast.provision_margin = value,
            Knob::WindowSecs => policy.scale_in.window_secs = value,
            Knob::AfterOutSecs => policy.scale_in.after_out_secs = value,
            Knob::SpreadSecs => {
                policy.drain.spread_secs = value;
                policy.drain.deadline_secs = 2.0 * value;
            }
            Knob::RebalancePercent => {
                policy.rebalance.percent = value;
                policy.rebalance.over_percent = 4.0 * value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_knob_value_gives_a_valid_and_distinct_policy() {
        for knob in Knob::ALL {
            let mut seen = Vec::new();
            for value in knob.values() {
                let mut policy = PolicyConfig::default();
                knob.set(&mut policy, *value);
                assert_eq!(policy.problems(), [], "{knob:?} {value}");
                assert!(!seen.contains(&policy), "{knob:?} {value} changes nothing");
                seen.push(policy);
            }
        }
    }
}
