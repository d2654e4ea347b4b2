//! Whether reports can be judged by their age. Pure: time is passed in.

use std::time::Duration;

use barrage_bus::Registered;

/// After the registry hears again, every living gateway has so long to report.
const GRACE: Duration = Duration::from_secs(5);

/// Follows the registry's hearing. While it hears nothing, and until the gateways have reported
/// again, an old report says nothing about its gateway.
#[derive(Debug, Default)]
pub(crate) struct Hearing {
    was_deaf: bool,
    /// When the registry began to hear again.
    resumed: Option<Duration>,
}

impl Hearing {
    /// Whether old reports are to be blamed on the registry. `hears` is what the registry says of
    /// itself at this moment.
    pub(crate) fn is_deaf(&mut self, hears: bool, gateways: &[Registered], now: Duration) -> bool {
        if !hears {
            *self = Hearing { was_deaf: true, resumed: None };
            return true;
        }
        if !self.was_deaf {
            return false;
        }
        let since = now.saturating_sub(*self.resumed.get_or_insert(now));
        let waits = since < GRACE && gateways.iter().any(|gateway| gateway.age > since);
        if !waits {
            *self = Hearing::default();
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
    fn old_reports_have_a_grace_after_the_registry_hears_again() {
        let mut hearing = Hearing::default();
        let mut at =
            |secs, hears, ages: &[u64]| hearing.is_deaf(hears, &gateways(ages), Duration::from_secs(secs));
        assert!(!at(0, true, &[9, 9]), "without a deaf registry an old report is a silent gateway");
        assert!(at(10, false, &[3, 3]));
        assert!(at(40, false, &[33, 33]));
        assert!(at(41, true, &[34, 34]));
        assert!(at(42, true, &[0, 35]), "one has not reported yet");
        assert!(!at(43, true, &[1, 0]));
        assert!(!at(44, true, &[2, 30]));
        assert!(at(50, false, &[8, 36]));
        assert!(at(51, true, &[9, 37]));
        assert!(!at(56, true, &[0, 42]), "the grace has an end");
    }
}
