//! An instance's share of a limit while Redis does not answer.

use barrage_flow::{PERIOD_MAX, Rate, Rule, Window};

/// Divides a rule by the number of instances. A limit of fewer units than instances becomes one unit
/// in a longer time, so that together they still keep it. A burst is at least one unit, and a period
/// at most a day.
pub(crate) fn share_of(rule: &Rule, instances: usize) -> Rule {
    let instances = u32::try_from(instances).unwrap_or(u32::MAX).max(1);
    let share = match rule {
        Rule::Rate(rate) => {
            let per = rate.per().saturating_mul(instances).min(PERIOD_MAX);
            Rate::new(rate.units(), per, (rate.burst() / instances).max(1)).map(Rule::Rate)
        }
        Rule::Window(window) => {
            let units = (window.limit() / instances).max(1);
            let longer = instances.div_ceil(window.limit());
            let length = window.length().saturating_mul(longer).min(PERIOD_MAX);
            Window::new(units, length).map(Rule::Window)
        }
    };
    share.unwrap_or(*rule)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn per_s(rule: &Rule) -> f64 {
        match rule {
            Rule::Rate(rate) => f64::from(rate.units()) / rate.per().as_secs_f64(),
            Rule::Window(window) => f64::from(window.limit()) / window.length().as_secs_f64(),
        }
    }

    proptest! {
        #[test]
        fn all_shares_together_are_at_most_the_limit(
            units in 1_u32..5_000,
            per_ms in 1_u64..10_000,
            instances in 1_usize..100,
        ) {
            let per = Duration::from_millis(per_ms);
            let rate = Rule::Rate(Rate::new(units, per, units).unwrap());
            let window = Rule::Window(Window::new(units, per).unwrap());
            for rule in [rate, window] {
                let together = per_s(&share_of(&rule, instances)) * instances as f64;
                prop_assert!(together <= per_s(&rule) * 1.000_001);
                prop_assert!(together >= per_s(&rule) * 0.45, "{together} of {}", per_s(&rule));
            }
        }
    }

    #[test]
    fn zero_known_instances_count_as_one() {
        let rule = Rule::Rate(Rate::per_sec(100, 300).unwrap());
        assert_eq!(share_of(&rule, 0), rule);
        assert_eq!(share_of(&rule, 4), Rule::Rate(Rate::new(100, Duration::from_secs(4), 75).unwrap()));
    }
}
