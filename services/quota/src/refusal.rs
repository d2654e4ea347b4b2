//! The last refusal of a limit that is too small to lease.

use std::time::Duration;

use barrage_flow::{Rule, Verdict};

/// Longest time for which a refusal is repeated without asking Redis. A shared count frees units only
/// as time passes, except that Redis may restart with empty counts.
const REPEATED_MAX: Duration = Duration::from_secs(1);

/// Returns the greatest cost that a rule can admit.
pub(crate) fn limit_of(rule: &Rule) -> u32 {
    match rule {
        Rule::Rate(rate) => rate.burst(),
        Rule::Window(window) => window.limit(),
    }
}

/// A refusal that is repeated while costs above `fits` cannot pass, so that a flood of posts costs
/// Redis nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal {
    limit: u32,
    fits: u32,
    passes_at: Duration,
    repeated_until: Duration,
}

impl Refusal {
    pub(crate) fn new(limit: u32, retry_after: Duration, fits: u32, now: Duration) -> Self {
        let repeated_until = now + retry_after.min(REPEATED_MAX);
        Refusal { limit, fits, passes_at: now + retry_after, repeated_until }
    }

    /// Returns the refusal again; `None` when Redis must be asked.
    pub(crate) fn repeat(&self, cost: u32, now: Duration) -> Option<Verdict> {
        let holds = cost > self.fits && cost <= self.limit && now < self.repeated_until;
        holds.then(|| self.verdict(self.passes_at - now))
    }

    pub(crate) fn verdict(&self, retry_after: Duration) -> Verdict {
        Verdict::Refuse { retry_after, limit: self.limit, remaining: self.fits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_repeated_until_it_may_have_changed() {
        let second = Duration::from_secs(1);
        let refusal = Refusal::new(10, second * 3, 2, second);
        assert_eq!(refusal.repeat(3, second * 3 / 2), Some(refusal.verdict(second * 5 / 2)));
        assert_eq!(refusal.repeat(2, second * 3 / 2), None, "it fits");
        assert_eq!(refusal.repeat(11, second * 3 / 2), None, "it never fits");
        assert_eq!(refusal.repeat(3, second * 2), None);
    }
}
