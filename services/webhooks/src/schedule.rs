//! What follows from the outcome of one attempt. Pure.

use std::time::Duration;

use crate::config::WebhooksConfig;

/// Share of a wait that is added at random, so that events that failed together do not come back together.
const JITTER: f64 = 0.2;

/// Outcome of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver answered within the longest time of a request.
    Answered {
        /// HTTP status of the answer.
        status: u16,
        /// Time to wait that the receiver asked for in `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// No answer came: time-out, refused address, no connection.
    Unanswered,
}

/// What becomes of the event, and of the receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The receiver has the event.
    Delivered,
    /// The event waits until then. With `pause` nothing is sent to the receiver for so long.
    Retry { wait: Duration, pause: Option<Duration> },
    /// No attempt is left. With `pause` nothing is sent to the receiver for so long.
    Exhausted { pause: Option<Duration> },
    /// The receiver wants no event any more: it answered 410.
    Gone,
}

/// Decides about an event after an attempt with `attempts` before it. `chance` is a random number from 0 to 1.
pub(crate) fn judge(outcome: &Outcome, attempts: u32, config: &WebhooksConfig, chance: f64) -> Verdict {
    let (status, retry_after) = match outcome {
        Outcome::Answered { status: 200..=299, .. } => return Verdict::Delivered,
        Outcome::Answered { status: 410, .. } => return Verdict::Gone,
        Outcome::Answered { status, retry_after } => (Some(*status), *retry_after),
        Outcome::Unanswered => (None, None),
    };
    let asked = retry_after.map(|wait| wait.min(Duration::from_secs(config.retry_after_secs_max)));
    let is_throttled = matches!(status, Some(429 | 502 | 503 | 504));
    let pause = asked.filter(|_| is_throttled);
    let planned = usize::try_from(attempts).ok().and_then(|at| config.retry_secs.get(at));
    let Some(secs) = planned else { return Verdict::Exhausted { pause } };
    let wait = Duration::from_secs(*secs).mul_f64(1.0 + JITTER * chance.clamp(0.0, 1.0));
    Verdict::Retry { wait: wait.max(asked.unwrap_or_default()), pause }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(status: u16, retry_after_secs: Option<u64>, attempts: u32) -> Verdict {
        let retry_after = retry_after_secs.map(Duration::from_secs);
        judge(&Outcome::Answered { status, retry_after }, attempts, &WebhooksConfig::default(), 0.5)
    }

    fn retry(wait_ms: u64, pause_secs: Option<u64>) -> Verdict {
        Verdict::Retry { wait: Duration::from_millis(wait_ms), pause: pause_secs.map(Duration::from_secs) }
    }

    #[test]
    fn only_success_delivers_and_410_ends() {
        for status in [200, 201, 204, 299] {
            assert_eq!(after(status, None, 0), Verdict::Delivered);
        }
        assert_eq!(after(410, None, 0), Verdict::Gone);
        for status in [100, 301, 302, 307, 400, 404, 500] {
            assert_eq!(after(status, None, 0), retry(5_500, None), "{status}");
        }
        assert_eq!(judge(&Outcome::Unanswered, 0, &WebhooksConfig::default(), 0.0), retry(5_000, None));
    }

    #[test]
    fn attempts_take_days_and_end() {
        let mut waited = Duration::ZERO;
        let mut attempts = 0;
        while let Verdict::Retry { wait, .. } = after(500, None, attempts) {
            (waited, attempts) = (waited + wait, attempts + 1);
        }
        assert_eq!((attempts, after(500, None, attempts)), (9, Verdict::Exhausted { pause: None }));
        assert!(waited > Duration::from_secs(3 * 86_400), "{waited:?}");
    }

    #[test]
    fn retry_after_lengthens_the_wait_and_pauses_a_throttling_receiver() {
        assert_eq!(after(429, Some(60), 0), retry(60_000, Some(60)));
        assert_eq!(after(503, Some(1), 0), retry(5_500, Some(1)));
        assert_eq!(after(500, Some(60), 0), retry(60_000, None), "one event failed, not the receiver");
        assert_eq!(after(429, Some(u64::MAX), 0), retry(86_400_000, Some(86_400)));
        let pause = Some(Duration::from_secs(60));
        assert_eq!(
            after(429, Some(60), 9),
            Verdict::Exhausted { pause },
            "the other events wait all the same"
        );
    }
}
