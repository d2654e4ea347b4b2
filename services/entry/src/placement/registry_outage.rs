//! Outages of the registry: while it receives nothing, the age of a report says nothing about its
//! gateway. Pure: time is an argument.

use std::time::Duration;

use barrage_bus::Registered;

/// Time after an outage within which every live gateway reports again.
const GRACE: Duration = Duration::from_secs(5);

/// Follows the outages of the registry. An outage lasts until the gateways have reported again, or
/// until [`GRACE`] is over.
#[derive(Debug, Default)]
pub(crate) struct RegistryOutage {
    was_out: bool,
    /// Time at which the registry received again.
    resumed: Option<Duration>,
}

impl RegistryOutage {
    /// Whether old reports are caused by an outage. `hears` is whether the registry receives now.
    pub(crate) fn observe(&mut self, hears: bool, gateways: &[Registered], now: Duration) -> bool {
        if !hears {
            *self = RegistryOutage { was_out: true, resumed: None };
            return true;
        }
        if !self.was_out {
            return false;
        }
        let since = now.saturating_sub(*self.resumed.get_or_insert(now));
        let waits = since < GRACE && gateways.iter().any(|gateway| gateway.age > since);
        if !waits {
            *self = RegistryOutage::default();
        }
        waits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrage_bus::{InstanceReport, Role};

    fn gateways(ages_secs: &[u64]) -> Vec<Registered> {
        let one = |age: &u64| Registered {
            report: InstanceReport::new(Role::Gateway, format!("g{age}")),
            age: Duration::from_secs(*age),
        };
        ages_secs.iter().map(one).collect()
    }

    #[test]
    fn old_reports_are_excused_until_the_grace_after_an_outage_ends() {
        let mut outage = RegistryOutage::default();
        let mut at =
            |secs, hears, ages: &[u64]| outage.observe(hears, &gateways(ages), Duration::from_secs(secs));
        assert!(!at(0, true, &[9, 9]), "without an outage an old report means a silent gateway");
        assert!(at(10, false, &[3, 3]));
        assert!(at(40, false, &[33, 33]));
        assert!(at(41, true, &[34, 34]));
        assert!(at(42, true, &[0, 35]), "one gateway has not reported again");
        assert!(!at(43, true, &[1, 0]));
        assert!(!at(44, true, &[2, 30]));
        assert!(at(50, false, &[8, 36]));
        assert!(at(51, true, &[9, 37]));
        assert!(!at(56, true, &[0, 42]), "the grace is over");
    }
}
