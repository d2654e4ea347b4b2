//! Refusals by a limit.

use barrage_flow::Verdict;
use barrage_protocol::Code;
use barrage_protocol::code::{LimitHit, Refusal};

use crate::ApiError;

/// What a limiter refused, with its figures; `rule` is the configuration's name of
/// it, `scope` whose count it is.
#[must_use]
pub fn rate_limited(message: String, rule: &str, scope: &str, verdict: &Verdict, window_ms: u64) -> ApiError {
    let mut refusal = Refusal::new(Code::RateLimited, message);
    refusal.retry_after_ms = verdict.retry_after_ms();
    if let Verdict::Refuse { limit, remaining, .. } = verdict {
        refusal.limit = Some(Box::new(LimitHit {
            rule: rule.into(),
            scope: scope.into(),
            limit: u64::from(*limit),
            remaining: u64::from(*remaining),
            window_ms,
            offered: None,
        }));
    }
    ApiError(refusal)
}
