//! One case: a number of instances, a load, and its spread over the instances.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use barrage_counters::{Quota, QuotaKey, Subject};
use barrage_flow::{Rate, Rule, Window};
use barrage_guarded::BreakerMetrics;
use barrage_protocol::UserId;
use barrage_quota::{QuotaMetrics, RedisMetrics, RedisQuota, RedisQuotaConfig};
use prometheus::Registry;
use rand_distr::{Distribution, Poisson};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::options::Options;

const WARM_UP_SECS: u32 = 3;
const SLOT: Duration = Duration::from_millis(10);
const SLOTS_PER_10_S: usize = 1_000;
const TICK: Duration = Duration::from_millis(2);

/// Spread of the load over the instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Skew {
    /// All instances get equal shares of the load.
    Even,
    /// The first instance gets 80 % of the load, the others share the rest.
    First,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) instances: usize,
    /// Offered load as a multiple of the limit.
    pub(crate) load: f64,
    pub(crate) skew: Skew,
}

/// Decisions of all instances, by slots of time.
struct Counts {
    admitted: Vec<AtomicU64>,
    offered: Vec<AtomicU64>,
    began: Instant,
}

impl Counts {
    fn slot(&self) -> usize {
        let slot = self.began.elapsed().as_nanos() / SLOT.as_nanos();
        usize::try_from(slot).unwrap_or(usize::MAX).min(self.admitted.len() - 1)
    }

    fn admit(&self) {
        self.admitted[self.slot()].fetch_add(1, Ordering::Relaxed);
    }
}

impl Case {
    fn share_of(&self, instance: usize) -> f64 {
        match self.skew {
            Skew::Even => 1.0 / self.instances as f64,
            Skew::First if instance == 0 => 0.8,
            Skew::First => 0.2 / (self.instances - 1) as f64,
        }
    }

    /// Runs the case and returns its figures.
    pub(crate) async fn run(self, options: Options) -> Value {
        let rule = if options.window {
            Rule::Window(Window::new(options.limit, Duration::from_secs(1)).expect("a limit"))
        } else {
            Rule::Rate(Rate::per_sec(options.limit, options.limit * options.burst_secs).expect("a limit"))
        };
        let name = format!("{}-{:?}-{}", self.instances, self.skew, self.load as u32);
        let key =
            QuotaKey { purpose: "measure", subject: Subject::User(UserId::parse(&name).expect("a name")) };
        let slots = ((options.secs + WARM_UP_SECS) * 100) as usize + 1;
        let zeros = || (0..slots).map(|_| AtomicU64::new(0)).collect();
        let counts = Arc::new(Counts { admitted: zeros(), offered: zeros(), began: Instant::now() });
        let mut registries = Vec::new();
        let mut tasks = Vec::new();
        for instance in 0..self.instances {
            let registry = Registry::new();
            let quota = connect(&options.redis, self.instances, &registry);
            registries.push(registry);
            let per_s = f64::from(options.limit) * self.load * self.share_of(instance);
            let end = Duration::from_secs(u64::from(options.secs + WARM_UP_SECS));
            tasks.push(tokio::spawn(offer(quota, key.clone(), rule, per_s, end, Arc::clone(&counts))));
        }
        for task in tasks {
            task.await.expect("an instance does not panic");
        }
        self.report(&options, &counts, &registries)
    }

    fn report(&self, options: &Options, counts: &Counts, registries: &[Registry]) -> Value {
        let read = |slots: &[AtomicU64]| slots.iter().map(|n| n.load(Ordering::Relaxed)).collect::<Vec<_>>();
        let (admitted, offered) = (read(&counts.admitted), read(&counts.offered));
        let warm = (WARM_UP_SECS * 100) as usize;
        let limit = f64::from(options.limit);
        let burst = if options.window { 0.0 } else { limit * f64::from(options.burst_secs) };
        let sum = |slots: &[u64]| slots.iter().sum::<u64>() as f64;
        let worst = |slots: &[u64]| slots.windows(SLOTS_PER_10_S).map(sum).fold(0.0, f64::max);
        let over = |most: f64, law: f64| ((most / law - 1.0) * 100.0).max(0.0);
        let entitled = sum(&offered[warm..]).min(limit * f64::from(options.secs));
        let calls = total(registries, "barrage_quota_redis_calls_total", "");
        let decisions = total(registries, "barrage_quota_decisions_total", "");
        json!({
            "instances": self.instances, "load": self.load, "skew": format!("{:?}", self.skew).to_lowercase(),
            "over_admission_pct_max_10s": round(over(worst(&admitted), limit * 10.0 + burst)),
            "over_rate_alone_pct_max_10s": round(over(worst(&admitted[warm..]), limit * 10.0)),
            "under_admission_pct": round(((1.0 - sum(&admitted[warm..]) / entitled) * 100.0).max(0.0)),
            "redis_calls_share": calls / decisions, "decisions_per_call": round(decisions / calls),
            "by_share": total(registries, "barrage_quota_decisions_total", "share"), "decisions": decisions,
        })
    }
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Connects an instance that assumes a number of instances.
pub(crate) fn connect(url: &str, instances: usize, registry: &Registry) -> RedisQuota {
    let config = RedisQuotaConfig { url: url.into(), ..RedisQuotaConfig::default() };
    let redis = RedisMetrics::new(registry).expect("a new registry");
    let metrics = QuotaMetrics::new(registry, redis).expect("a new registry");
    let breakers = BreakerMetrics::new(registry).expect("a new registry");
    RedisQuota::new(&config, watch::channel(instances).1, metrics, &breakers).expect("a server")
}

/// Offers independent arrivals, drawn per tick. A decision that waits for Redis does not delay the
/// next one.
async fn offer(quota: RedisQuota, key: QuotaKey, rule: Rule, per_s: f64, end: Duration, counts: Arc<Counts>) {
    let mut ticks = tokio::time::interval(TICK);
    let mut offered_until = Duration::ZERO;
    loop {
        ticks.tick().await;
        let now = counts.began.elapsed();
        if now >= end {
            return;
        }
        let mean = per_s * (now - offered_until).as_secs_f64();
        offered_until = now;
        let arrivals = Poisson::new(mean.max(1e-9)).expect("a mean above 0").sample(&mut rand::rng()) as u64;
        counts.offered[counts.slot()].fetch_add(arrivals, Ordering::Relaxed);
        for _ in 0..arrivals {
            match quota.decide_here(&key, 1, &rule, counts.began.elapsed()) {
                Some(verdict) if verdict.is_admit() => counts.admit(),
                Some(_) => {}
                None => {
                    let (quota, key, counts) = (quota.clone(), key.clone(), Arc::clone(&counts));
                    tokio::spawn(async move {
                        if quota.take(&key, 1, &rule, counts.began.elapsed()).await.is_admit() {
                            counts.admit();
                        }
                    });
                }
            }
        }
    }
}

/// Sums a counter over all instances; an empty `label` matches every label.
fn total(registries: &[Registry], name: &str, label: &str) -> f64 {
    let families = registries.iter().flat_map(Registry::gather).filter(|family| family.name() == name);
    let metrics = families.flat_map(|family| family.get_metric().to_vec());
    let chosen =
        metrics.filter(|metric| label.is_empty() || metric.get_label().iter().any(|it| it.value() == label));
    chosen.map(|metric| metric.get_counter().get_value()).sum()
}
