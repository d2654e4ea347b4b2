//! What a limiter answers.

use std::time::Duration;

/// The answer of every limiter. A refusal always says what the limit is, what is
/// left of it and when to come back, because a client that knows comes back once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It passes, and has been counted.
    Admit,
    /// It does not pass, and has not been counted.
    Refuse {
        /// The same cost passes after this wait if nothing else is admitted
        /// meanwhile; [`Duration::MAX`] when no wait helps (cost over the limit).
        retry_after: Duration,
        /// The limit that stood in the way: burst of a bucket, limit of a window.
        limit: u32,
        /// What a smaller cost could still take now.
        remaining: u32,
    },
}

impl Verdict {
    /// Whether it passes.
    #[must_use]
    pub const fn is_admit(&self) -> bool {
        matches!(self, Verdict::Admit)
    }

    /// The wait in whole milliseconds, rounded up, as answers carry it; `None`
    /// for an admission and for a refusal that no wait helps.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Verdict::Admit | Verdict::Refuse { retry_after: Duration::MAX, .. } => None,
            Verdict::Refuse { retry_after, .. } => {
                Some(u64::try_from(retry_after.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up_so_that_coming_back_then_is_never_too_early() {
        let refuse = |retry_after| Verdict::Refuse { retry_after, limit: 1, remaining: 0 };
        assert_eq!(refuse(Duration::from_nanos(1)).retry_after_ms(), Some(1));
        assert_eq!(refuse(Duration::from_millis(7)).retry_after_ms(), Some(7));
        assert_eq!(refuse(Duration::MAX).retry_after_ms(), None);
        assert_eq!(Verdict::Admit.retry_after_ms(), None);
    }
}
