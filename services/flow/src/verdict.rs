//! The answer of a limiter: admitted, or refused with the time to wait.

use std::time::Duration;

/// The answer of every limiter. A refusal contains the limit, its rest and the time to come back, so
/// that a client retries only once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Passes, and is counted against the limit.
    Admit,
    /// Does not pass, and is not counted.
    Refuse {
        /// Wait after which the same cost passes if nothing else is admitted until then;
        /// [`Duration::MAX`] when the cost exceeds the limit.
        retry_after: Duration,
        /// The limit: burst of a bucket, limit of a window.
        limit: u32,
        /// Units that a smaller cost could take now.
        remaining: u32,
    },
}

impl Verdict {
    /// Returns whether the cost passes; only then is it counted.
    #[must_use]
    pub const fn is_admit(&self) -> bool {
        matches!(self, Verdict::Admit)
    }

    /// Returns the wait in whole milliseconds, rounded up, for answers; `None` when it passes, and
    /// when no wait helps.
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
    fn retry_after_ms_is_rounded_up_and_absent_when_no_wait_helps() {
        let refuse = |retry_after| Verdict::Refuse { retry_after, limit: 1, remaining: 0 };
        assert_eq!(refuse(Duration::from_nanos(1)).retry_after_ms(), Some(1));
        assert_eq!(refuse(Duration::from_millis(7)).retry_after_ms(), Some(7));
        assert_eq!(refuse(Duration::MAX).retry_after_ms(), None);
        assert_eq!(Verdict::Admit.retry_after_ms(), None);
    }
}
