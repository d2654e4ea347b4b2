//! The last refusal of a limit that is too small to lease.

use std::time::Duration;

use barrage_flow::{Rule, Verdict};

/// Longest time that a refusal is repeated without asking. A shared count can only
/// have more as time goes by, except that Redis may start anew.
const REPEATED_MAX: Duration = Duration::from_secs(1);

/// What no single cost may exceed.
pub(crate) fn limit_of(rule: &Rule) -> u32 {
    match rule {
        Rule::Rate(rate) => rate.burst(),
        Rule::Window(window) => window.limit(),
    }
}

/// Until when nothing larger than `fits` is worth asking for: one who floods is
/// refused here, at no cost to Redis.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal {
    limit: u32,
    fits: u32,
    comes: Duration,
    asked_again: Duration,
}

impl Refusal {
    pub(crate) fn new(limit: u32, retry_after: Duration, fits: u32, now: Duration) -> Self {
        let asked_again = now + retry_after.min(REPEATED_MAX);
        Refusal { limit, fits, comes: now + retry_after, asked_again }
    }

    /// `None`: it is worth asking.
    pub(crate) fn repeat(&self, cost: u32, now: Duration) -> Option<Verdict> {
        let holds = cost > self.fits && cost <= self.limit && now < self.asked_again;
        holds.then(|| self.verdict(self.comes - now))
    }

    pub(crate) fn verdict(&self, retry_after: Duration) -> Verdict {
        Verdict::Refuse { retry_after, limit: self.limit, remaining: self.fits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_repeated_until_it_may_have_changed() {
        let second = Duration::from_secs(1);
        let refusal = Refusal::new(10, second * 3, 2, second);
        assert_eq!(refusal.repeat(3, second * 3 / 2), Some(refusal.verdict(second * 5 / 2)));
        assert_eq!(refusal.repeat(2, second * 3 / 2), None, "it fits");
        assert_eq!(refusal.repeat(11, second * 3 / 2), None, "it never fits");
        assert_eq!(refusal.repeat(3, second * 2), None);
    }
}
