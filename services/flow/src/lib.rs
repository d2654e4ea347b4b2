//! Flow control: the algorithms that decide how much may pass, and the quota
//! that keeps one of them per key.
//!
//! Everything here is a value over a clock that the caller brings: `now` is a
//! [`std::time::Duration`] since an origin of the caller's choice, the same for
//! all calls on one object. No decision reads a clock, sleeps or
//! allocates, so that every law can be tested against a naive model.
//!
//! - [`TokenBucket`]: an average with bursts (posts of a user, joins of an address).
//! - [`LeakyBucket`]: a smooth stream out of a rough one (egress, joins let in).
//! - [`SlidingWindow`]: a hard bound on every window, with no double burst at an
//!   edge (a room's display quota).
//! - [`Breaker`]: stops asking what does not answer; [`Guarded`] puts a call behind
//!   one and under a deadline (this alone reads a clock).
//! - [`Quota`]: one of these per key, behind a trait; [`LocalQuota`] keeps them
//!   in this process.

pub mod breaker;
pub mod guarded;
pub mod leaky_bucket;
pub mod lease;
pub mod ledger;
pub mod local_quota;
mod meter;
pub mod metrics;
pub mod online;
pub mod quota;
pub mod rate;
pub mod sample;
mod shard;
pub mod sliding_window;
pub mod token_bucket;
pub mod verdict;

pub use breaker::{Breaker, BreakerConfig, BreakerState, CallOutcome, Forced};
pub use guarded::{BreakerMetrics, CallError, Guarded};
pub use leaky_bucket::{LeakyBucket, Passage};
pub use lease::{Ask, Grant, Lease, LeaseConfig, LeaseTerms, Step};
pub use ledger::{Book, Counts, Fate, Ledger};
pub use local_quota::{LocalQuota, LocalQuotaConfig};
pub use online::{LocalOnline, Online};
pub use quota::{Quota, QuotaKey, Rule, Subject};
pub use rate::{Rate, RuleError, Window};
pub use sample::{DisplaySample, Sampled};
pub use sliding_window::SlidingWindow;
pub use token_bucket::TokenBucket;
pub use verdict::Verdict;
