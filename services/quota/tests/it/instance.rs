//! One instance: a quota with a connection, clock and metrics of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use barrage_counters::{LocalQuota, LocalQuotaConfig, LocalQuotaMetrics, Quota, QuotaKey, Subject};
use barrage_flow::{Rate, Rule, Verdict, Window};
use barrage_guarded::{BreakerMetrics, Guarded};
use barrage_protocol::UserId;
use barrage_quota::{QuotaMetrics, RedisMetrics, RedisQuota, RedisQuotaConfig};
use barrage_testkit::RedisServer;
use prometheus::Registry;
use redis::aio::MultiplexedConnection;
use tokio::sync::watch;

pub(crate) struct Instance {
    pub(crate) quota: Arc<dyn Quota>,
    pub(crate) origin: Instant,
    pub(crate) registry: Registry,
    /// Breaker of a shared quota.
    pub(crate) breaker: Option<Arc<Guarded>>,
}

impl Instance {
    pub(crate) fn local() -> Self {
        let registry = Registry::new();
        let metrics = LocalQuotaMetrics::new(&registry).unwrap();
        let quota = Arc::new(LocalQuota::new(&LocalQuotaConfig::default(), metrics));
        Instance { quota, origin: barrage_clock::now(), registry, breaker: None }
    }

    /// Creates one of `instances` with a long deadline, so that a busy machine causes no decisions by
    /// share.
    pub(crate) fn shared(server: &RedisServer, instances: usize) -> Self {
        let config =
            RedisQuotaConfig { url: server.url().into(), deadline_ms: 500, ..RedisQuotaConfig::default() };
        Self::with(&config, instances)
    }

    /// Creates one of `instances` with the default deadline.
    pub(crate) fn with_default_deadline(server: &RedisServer, instances: usize) -> Self {
        let config = RedisQuotaConfig { url: server.url().into(), ..RedisQuotaConfig::default() };
        Self::with(&config, instances)
    }

    pub(crate) fn with(config: &RedisQuotaConfig, instances: usize) -> Self {
        let registry = Registry::new();
        let metrics = QuotaMetrics::new(&registry, RedisMetrics::new(&registry).unwrap()).unwrap();
        let breakers = BreakerMetrics::new(&registry).unwrap();
        // The receiver keeps the last value after the sender is dropped.
        let instances = watch::channel(instances).1;
        let quota = RedisQuota::new(config, instances, metrics, &breakers).unwrap();
        let breaker = Some(quota.breaker());
        Instance { quota: Arc::new(quota), origin: barrage_clock::now(), registry, breaker }
    }

    pub(crate) async fn take(&self, key: &QuotaKey, cost: u32, rule: &Rule) -> Verdict {
        self.quota.take(key, cost, rule, self.origin.elapsed()).await
    }

    /// Sums a metric over the label sets that contain `value`.
    pub(crate) fn metric(&self, name: &str, value: Option<&str>) -> u64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).expect("a registered metric");
        let metrics = family.get_metric().iter().filter(|metric| {
            value.is_none_or(|value| metric.get_label().iter().any(|label| label.value() == value))
        });
        metrics
            .map(|metric| metric.get_counter().get_value() as u64 + metric.get_gauge().get_value() as u64)
            .sum()
    }

    pub(crate) fn spends_its_share(&self) -> bool {
        self.metric("barrage_quota_fallback", None) == 1
    }
}

pub(crate) fn key(purpose: &'static str) -> QuotaKey {
    QuotaKey { purpose, subject: Subject::User(UserId::parse("r1").unwrap()) }
}

pub(crate) fn rate(per_s: u32, burst: u32) -> Rule {
    Rule::Rate(Rate::per_sec(per_s, burst).unwrap())
}

pub(crate) fn window(limit: u32, ms: u64) -> Rule {
    Rule::Window(Window::new(limit, Duration::from_millis(ms)).unwrap())
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Opens a connection for the test itself.
pub(crate) async fn connect(server: &RedisServer) -> MultiplexedConnection {
    let client = redis::Client::open(server.url()).expect("a valid address");
    client.get_multiplexed_async_connection().await.expect("a server that answers")
}
