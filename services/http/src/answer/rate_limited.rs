//! The refusal of a limiter, with the figures of its rate.

use barrage_flow::Verdict;
use barrage_protocol::Code;
use barrage_protocol::code::{LimitHit, Refusal};

/// Makes the refusal of a limiter, with its figures. `rule` is the limit's name in the
/// configuration; `scope` names what is counted: `address`, `user`, `platform`.
#[must_use]
pub fn rate_limited(message: String, rule: &str, scope: &str, verdict: &Verdict, window_ms: u64) -> Refusal {
    let mut refusal = Refusal::new(Code::RateLimited, message);
    refusal.retry_after_ms = verdict.retry_after_ms();
    if let Verdict::Refuse { limit, remaining, .. } = verdict {
        refusal.limit = Some(Box::new(LimitHit {
            limit: u64::from(*limit),
            remaining: u64::from(*remaining),
            window_ms,
            ..LimitHit::rule(rule, scope)
        }));
    }
    refusal
}
