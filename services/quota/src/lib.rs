//! Limits that all instances share: counts in Redis, spent locally by lease.
//!
//! [`RedisQuota`] is a [`barrage_counters::Quota`], as [`barrage_counters::LocalQuota`] is; callers
//! cannot see which one they have. [`RedisOnline`] sums the viewers of rooms. [`RedisPages`] shares pages of
//! histories, on a ring of servers.
//!
//! # How a decision is made
//!
//! 1. **A limit that is worth it is leased** ([`barrage_flow::Lease`] has the rules, and why they
//!    break no limit). While a lease lasts no caller waits for Redis: the next batch is requested
//!    ahead of need, in a task of its own, with one request per key in flight. Only the first
//!    decision of a key that was silent waits for its first batch.
//! 2. **A small limit** (with the defaults: below 128 a second, such as a user's) **is decided by
//!    Redis each time**, so that it is exact to the unit. A refusal is remembered for as long as it
//!    must hold, so that a flood of posts costs Redis nothing.
//! 3. **One script call per request**, on the server's clock, sets the key's expiry, takes back the
//!    units that an earlier batch will not use, and answers the granted units, their life, the rest,
//!    and the time to come back.
//! 4. **When Redis does not answer**, the breaker opens. Each instance then spends its share of the
//!    limit, counted in this process, until calls succeed again. One log line and
//!    `barrage_quota_fallback` report it. A caller waits for the deadline at most.
//!
//! # Accuracy
//!
//! - Over the limit: by nothing, while Redis answers and keeps its counts. A bucket's leases leave a
//!   lease's worth of its burst untouched, and a window counts a lease where it ends. While Redis is
//!   away or late: by the rest of the shares' bursts, one burst in all. Grants of Redis are charged to
//!   the share, and the units that the share of a leased limit admits are charged to Redis with the
//!   next request, so that repeated outages do not add up. A Redis that lost its counts starts with
//!   full buckets.
//! - Under the limit: the burst of a leased bucket is smaller by [`barrage_flow::LeaseTerms::reserve`],
//!   a quarter of it at most (a single cost that needs the whole burst can have it). Units that an
//!   instance leased and did not spend lapse with the lease, and so do units in an answer that came
//!   too late. A window holds each unit up to a lease and a sixteenth of its length too long.
//!
//! # Redis
//!
//! Version 7 or later, alone or as the node of a cluster for each key, with or without TLS. Each call
//! uses one key, named `barrage:{quota:<purpose>:<subject>}:<kind>`.

mod config;
mod error;
mod generations;
mod inspect;
mod key;
mod key_states;
mod metrics;
mod online;
mod redis_counts;
mod redis_pages;
mod redis_quota;
mod refusal;
mod share;

pub use config::{RedisPagesConfig, RedisQuotaConfig};
pub use error::QuotaError;
pub use inspect::{RedisInfo, inspect};
pub use metrics::{QuotaMetrics, RedisMetrics};
pub use online::RedisOnline;
pub use redis_pages::{PAGE_SERVERS_MAX, RedisPages};
pub use redis_quota::RedisQuota;
