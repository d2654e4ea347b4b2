//! The embedded engine of quotas: counts in this process.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use async_trait::async_trait;
use barrage_flow::{Rule, Verdict};
use parking_lot::Mutex;

use crate::metrics::LocalQuotaMetrics;
use crate::quota::{Quota, QuotaKey};
use crate::shard::{Change, Shard};

barrage_part::part! {
    /// Bounds of the limits that this process counts itself.
    @[derive(Eq)]
    pub struct LocalQuotaConfig {
        /// Keys with a count; about 60 MB when full. At the bound an idle key is forgotten, which
        /// changes nothing. Without an idle key, the key that was unused for the longest is forgotten
        /// and starts full when it comes back: made-up keys can win one more burst, and never lock a
        /// sender out. Raise this when `barrage_flow_quota_forgotten_total{state="live"}` grows.
        keys_max: usize = 200_000, between(1, 1 << 30);
        /// Locks that the keys are spread over; more than the cores that can meet.
        shards: usize = 32, between(1, 1_024);
    }
}

/// Counts in this process: a sharded, bounded map of keys.
#[derive(Debug)]
pub struct LocalQuota {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    metrics: LocalQuotaMetrics,
}

impl LocalQuota {
    /// Creates an engine without keys. Figures of zero count as one; each shard holds its share of
    /// the keys, rounded up.
    #[must_use]
    pub fn new(config: &LocalQuotaConfig, metrics: LocalQuotaMetrics) -> Self {
        let shards = config.shards.clamp(1, 1024);
        let keys_max = config.keys_max.div_ceil(shards).clamp(1, u32::MAX as usize - 1);
        LocalQuota {
            shards: (0..shards).map(|_| Mutex::new(Shard::new(keys_max))).collect(),
            hasher: RandomState::new(),
            metrics,
        }
    }

    fn shard(&self, key: &QuotaKey) -> &Mutex<Shard> {
        let shard = self.hasher.hash_one(key) % self.shards.len() as u64;
        &self.shards[usize::try_from(shard).expect("below the number of shards")]
    }

    /// Gives back units without a future; see [`Quota::give_back`].
    pub fn return_units(&self, key: &QuotaKey, units: u32, rule: &Rule, age: Duration, now: Duration) -> u32 {
        // Taken before this engine was: it has no count of them.
        let Some(taken) = now.checked_sub(age) else { return 0 };
        self.shard(key).lock().give_back(key, units, rule, taken, now)
    }

    /// Decides without a future: the counts are in memory.
    pub fn decide(&self, key: &QuotaKey, cost: u32, rule: &Rule, now: Duration) -> Verdict {
        let (verdict, change) = {
            let mut shard = self.shard(key).lock();
            shard.take(key, cost, rule, now)
        };
        self.metrics.decided(&verdict);
        match change {
            Change::Known => {}
            Change::Added => self.metrics.keys.inc(),
            Change::ReplacedIdle => self.metrics.forgotten_idle.inc(),
            Change::ReplacedLive => self.metrics.forgotten_live.inc(),
        }
        verdict
    }
}

#[async_trait]
impl Quota for LocalQuota {
    async fn take(&self, key: &QuotaKey, cost: u32, rule: &Rule, now: Duration) -> Verdict {
        self.decide(key, cost, rule, now)
    }

    async fn give_back(&self, key: &QuotaKey, units: u32, rule: &Rule, age: Duration, now: Duration) -> u32 {
        self.return_units(key, units, rule, age, now)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use futures_util::FutureExt;
    use prometheus::Registry;

    use super::*;
    use crate::quota::Subject;
    use barrage_flow::Rate;

    fn quota(config: &LocalQuotaConfig) -> LocalQuota {
        LocalQuota::new(config, LocalQuotaMetrics::new(&Registry::new()).unwrap())
    }

    fn key(n: u32) -> QuotaKey {
        QuotaKey { purpose: "post", subject: Subject::Address(IpAddr::V4(n.into())) }
    }

    #[test]
    fn purposes_and_subjects_have_separate_counts() {
        let quota: Arc<dyn Quota> = Arc::new(quota(&LocalQuotaConfig::default()));
        let rule = Rule::Rate(Rate::per_sec(1, 1).unwrap());
        let take = |key: &QuotaKey| quota.take(key, 1, &rule, Duration::ZERO).now_or_never().unwrap();
        assert!(take(&key(1)).is_admit());
        assert!(!take(&key(1)).is_admit());
        assert!(take(&key(2)).is_admit());
        assert!(take(&QuotaKey { purpose: "like", ..key(1) }).is_admit());
    }

    #[test]
    fn a_flood_of_keys_stays_within_keys_max_and_refuses_no_new_key() {
        let quota = quota(&LocalQuotaConfig { keys_max: 100, shards: 4 });
        let rule = Rule::Rate(Rate::per_sec(1, 1).unwrap());
        for n in 0..10_000 {
            assert!(quota.decide(&key(n), 1, &rule, Duration::ZERO).is_admit());
        }
        assert!(quota.metrics.keys.get() <= 100);
        let forgotten = quota.metrics.forgotten_live.get();
        assert_eq!(forgotten, 10_000 - u64::try_from(quota.metrics.keys.get()).unwrap());
        assert_eq!(quota.metrics.forgotten_idle.get(), 0);
    }

    #[test]
    fn threads_share_one_limit() {
        let quota = quota(&LocalQuotaConfig::default());
        let rule = Rule::Rate(Rate::per_sec(1, 1_000).unwrap());
        let admitted = std::thread::scope(|scope| {
            let take =
                || (0..1_000).filter(|_| quota.decide(&key(9), 1, &rule, Duration::ZERO).is_admit()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!(admitted, 1_000);
    }

    #[test]
    fn an_unknown_configuration_key_is_an_error() {
        assert!(toml::from_str::<LocalQuotaConfig>("keys = 5").is_err());
        let read: LocalQuotaConfig = toml::from_str("keys_max = 5").unwrap();
        assert_eq!(read, LocalQuotaConfig { keys_max: 5, ..LocalQuotaConfig::default() });
    }
}
