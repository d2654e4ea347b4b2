//! Counts that instances may share: quotas of keys, and online viewers of rooms.
//!
//! Both are traits with two engines. [`Pages`] has one engine, in Redis; without it instances share no pages. This crate has the traits and the embedded engines, which count
//! in this process ([`LocalQuota`], [`LocalOnline`]). `barrage-quota` has the engines that share
//! counts through Redis. Callers cannot see which engine is behind a trait.

mod local_quota;
mod metrics;
mod online;
mod pages;
mod quota;
mod shard;

pub use local_quota::{LocalQuota, LocalQuotaConfig};
pub use metrics::LocalQuotaMetrics;
pub use online::{LocalOnline, Online};
pub use pages::{Pages, SharedPage};
pub use quota::{Quota, QuotaKey, Subject};
