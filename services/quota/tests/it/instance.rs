//! One instance: a quota of its own with its own connection, clock and metrics.

use std::sync::Arc;
use std::time::{Duration, Instant};

use barrage_flow::metrics::FlowMetrics;
use barrage_flow::{
    BreakerMetrics, Guarded, LocalQuota, LocalQuotaConfig, Quota, QuotaKey, Rate, Rule, Subject, Verdict,
    Window,
};
use barrage_protocol::RoomId;
use barrage_quota::{QuotaMetrics, RedisQuota, RedisQuotaConfig};
use prometheus::Registry;
use tokio::sync::watch;

use crate::server::Server;

pub(crate) struct Instance {
    pub(crate) quota: Arc<dyn Quota>,
    pub(crate) origin: Instant,
    pub(crate) registry: Registry,
    /// Of a shared one.
    pub(crate) breaker: Option<Arc<Guarded>>,
}

impl Instance {
    pub(crate) fn local() -> Self {
        let registry = Registry::new();
        let metrics = FlowMetrics::new(&registry).unwrap();
        let quota = Arc::new(LocalQuota::new(&LocalQuotaConfig::default(), metrics));
        Instance { quota, origin: Instant::now(), registry, breaker: None }
    }

    /// One of `instances`, patient: on a busy machine too all that it decides is shared.
    pub(crate) fn shared(server: &Server, instances: usize) -> Self {
        let config =
            RedisQuotaConfig { url: server.url().into(), deadline_ms: 500, ..RedisQuotaConfig::default() };
        Self::with(&config, instances)
    }

    /// One of `instances`, with the default deadline.
    pub(crate) fn impatient(server: &Server, instances: usize) -> Self {
        let config = RedisQuotaConfig { url: server.url().into(), ..RedisQuotaConfig::default() };
        Self::with(&config, instances)
    }

    pub(crate) fn with(config: &RedisQuotaConfig, instances: usize) -> Self {
        let registry = Registry::new();
        let metrics = QuotaMetrics::new(&registry).unwrap();
        let breakers = BreakerMetrics::new(&registry).unwrap();
        // The sender may go: the last value stays.
        let instances = watch::channel(instances).1;
        let quota = RedisQuota::new(config, instances, metrics, &breakers).unwrap();
        let breaker = Some(quota.breaker());
        Instance { quota: Arc::new(quota), origin: Instant::now(), registry, breaker }
    }

    pub(crate) async fn take(&self, key: &QuotaKey, cost: u32, rule: &Rule) -> Verdict {
        self.quota.take(key, cost, rule, self.origin.elapsed()).await
    }

    /// The sum of a metric over the labels that have `value` among them.
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

    pub(crate) fn is_on_its_share(&self) -> bool {
        self.metric("barrage_quota_fallback", None) == 1
    }
}

pub(crate) fn key(purpose: &'static str) -> QuotaKey {
    QuotaKey { purpose, subject: Subject::Room(RoomId::parse("r1").unwrap()) }
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
