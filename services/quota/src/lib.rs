//! Limits that all instances share: counts in Redis, spent locally by lease.
//!
//! [`RedisQuota`] is a [`barrage_flow::Quota`], as [`barrage_flow::LocalQuota`] is; what
//! asks for a verdict does not know which one it has.
//!
//! # How a decision is made
//!
//! 1. **A limit that is worth it is leased** ([`barrage_flow::lease`] has the rules and
//!    why they break no limit). While a lease lasts no request waits for Redis: the next
//!    batch is asked for ahead of need, off the request's path, one ask per key at a time.
//!    Only the first decision of a key that was silent waits for its first batch.
//! 2. **A small limit** (with the defaults: below 128 a second, such as a user's) **is
//!    asked for each decision**, so that it is exact to the unit. A refusal is remembered
//!    for as long as it must hold, so that one who floods costs Redis nothing.
//! 3. **One script call per ask**, on the server's clock, sets the key's expiry, takes
//!    back what an earlier batch will not use, and answers what was granted, for how long,
//!    what is left and when to come back.
//! 4. **When Redis is away**, the breaker opens; each instance spends its share of the
//!    limit, counted in this process, until calls succeed again. One log line and
//!    `barrage_quota_fallback` say so. A request waits for the deadline at most, whatever
//!    Redis does.
//!
//! # What the limit may be missed by
//!
//! - Over: by nothing, while Redis is there and keeps its counts: a bucket's leases leave
//!   a lease's worth of its burst untouched, and a window counts a lease where it ends.
//!   While Redis is away or late, by what is left of the shares' bursts, one burst in all;
//!   what Redis grants is charged to the share, and what the share of a leased limit
//!   admits is told to Redis with the next ask, so that going and coming does not add up.
//!   A Redis that lost its counts starts with full buckets.
//! - Under: a leased bucket's burst is smaller by [`barrage_flow::LeaseTerms::reserve`], a
//!   quarter of it at most (a single cost that needs the whole burst can have it). What an
//!   instance leased and did not spend lapses with the lease, and so does what Redis
//!   granted in an answer that came too late. A window holds each unit up to a lease and a
//!   sixteenth of its length longer than it must.
//!
//! # Redis
//!
//! Version 7 or later, alone or as a cluster's node for each key: one key per call, named
//! `barrage:{quota:<purpose>:<subject>}:<kind>`, without TLS.

mod book;
mod config;
mod error;
mod generations;
mod keeper;
mod key;
mod look;
mod metrics;
mod online;
mod redis_quota;
mod refusal;
mod share;

pub use config::RedisQuotaConfig;
pub use error::QuotaError;
pub use look::{Seen, look};
pub use metrics::QuotaMetrics;
pub use online::RedisOnline;
pub use redis_quota::RedisQuota;
