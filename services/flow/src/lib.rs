//! Flow control: the pure algorithms that decide how much may pass.
//!
//! Everything here is a value over a clock that the caller brings: `now` is a
//! [`std::time::Duration`] since an origin of the caller's choice, the same for all calls on one
//! value. No decision reads a clock, sleeps or allocates, so that every law can be tested against a
//! naive model.
//!
//! - [`TokenBucket`]: an average with bursts (posts of a user, joins of an address).
//! - [`LeakyBucket`]: spaces arrivals evenly (egress, admitted joins).
//! - [`SlidingWindow`]: a hard limit on every window, without a double burst at an edge.
//! - [`DisplaySample`]: the part of a flooded room's messages that is shown.
//! - [`Breaker`]: stops calls of a dependency that fails.
//! - [`Lease`]: units of a shared limit, taken in batches and spent locally.
//! - [`Cost`]: what a piece of work costs on this machine, from measured ones.
//! - [`Ring`]: which of several servers has a key, so that few keys move when a server comes or goes.
//!
//! The shells are elsewhere: `barrage-counters` and `barrage-quota` keep a limit for each key,
//! `barrage-guarded` calls a dependency behind a breaker.

mod breaker;
mod cost;
mod leaky_bucket;
mod lease;
mod meter;
mod ring;
mod rule;
mod sample;
mod sliding_window;
mod token_bucket;
mod verdict;

pub use breaker::{Breaker, BreakerConfig, BreakerState, CallOutcome, Forced, Permit};
pub use cost::{Cost, CostRange, interval_at_share};
pub use leaky_bucket::{BucketOutcome, LeakyBucket};
pub use lease::{Lease, LeaseConfig, LeaseGrant, LeaseRequest, LeaseTerms, Step};
pub use ring::Ring;
pub use rule::{PERIOD_MAX, Rate, Rule, RuleError, Window};
pub use sample::{DisplaySample, Sampled};
pub use sliding_window::{GRAINS, SlidingWindow};
pub use token_bucket::TokenBucket;
pub use verdict::Verdict;
