//! Cost of one decision in this process.

use std::hint::black_box;
use std::time::{Duration, Instant};

use barrage_counters::LocalQuotaMetrics;
use barrage_counters::{LocalQuota, LocalQuotaConfig, Quota, QuotaKey, Subject};
use barrage_flow::{LeakyBucket, Rate, Rule, SlidingWindow, TokenBucket, Window};
use prometheus::Registry;
use serde_json::{Value, json};

use super::case::connect;

const DECISIONS: u32 = 5_000_000;
/// Decisions timed together, so that reading the clock adds nothing.
const BATCH: u32 = 16;

fn per_s<T>(name: &str, mut decide: impl FnMut(Duration) -> T) -> Value {
    let began = Instant::now();
    for n in 0..DECISIONS {
        black_box(decide(Duration::from_nanos(u64::from(n) * 100)));
    }
    json!({ "local": name, "local_decisions_per_s": f64::from(DECISIONS) / began.elapsed().as_secs_f64() })
}

/// Measures each algorithm alone, and the local quota.
pub(crate) fn measure() -> Vec<Value> {
    let rate = Rate::per_sec(1_000_000, 1_000).expect("a rate");
    let window = Window::new(1_000_000, Duration::from_secs(1)).expect("a window");
    let mut bucket = TokenBucket::full(rate, Duration::ZERO);
    let mut leaky = LeakyBucket::empty(rate, Duration::ZERO);
    let mut sliding = SlidingWindow::empty(window, Duration::ZERO);
    let metrics = LocalQuotaMetrics::new(&Registry::new()).expect("a new registry");
    let quota = LocalQuota::new(&LocalQuotaConfig::default(), metrics);
    let key = QuotaKey { purpose: "measure", subject: Subject::Platform };
    vec![
        per_s("token bucket", |now| bucket.take(1, now)),
        per_s("leaky bucket", |now| leaky.enter(1, now)),
        per_s("sliding window", |now| sliding.take(1, now)),
        per_s("local quota", |now| quota.decide(&key, 1, &Rule::Rate(rate), now)),
    ]
}

/// Measures a decision from a lease, through the trait, as services use it.
pub(crate) async fn leased(redis: &str) -> Value {
    let rate = Rate::per_sec(100_000_000, 400_000_000).expect("a rate");
    taken("leased quota", redis, rate, 200_000, BATCH).await
}

/// Measures decisions of Redis in sequence: the limit is too small for a lease.
pub(crate) async fn exact(redis: &str) -> Value {
    let rate = Rate::per_sec(10, 400_000_000).expect("a rate");
    taken("asked for each decision", redis, rate, 10_000, 1).await
}

async fn taken(name: &str, redis: &str, rate: Rate, times: usize, batch: u32) -> Value {
    let quota = connect(redis, 1, &Registry::new());
    let key = QuotaKey { purpose: "measure", subject: Subject::Platform };
    let origin = Instant::now();
    let mut took_ns = Vec::new();
    let mut refused = 0;
    while took_ns.len() < times {
        let began = Instant::now();
        for _ in 0..batch {
            let verdict = quota.take(&key, 1, &Rule::Rate(rate), began - origin).await;
            refused += u32::from(!verdict.is_admit());
        }
        took_ns.push(began.elapsed().as_nanos() as f64 / f64::from(batch));
    }
    took_ns.sort_by(f64::total_cmp);
    let at = |share: f64| took_ns[(share * took_ns.len() as f64) as usize] / 1_000.0;
    let mean_ns = took_ns.iter().sum::<f64>() / took_ns.len() as f64;
    json!({
        "local": name, "local_decisions_per_s": 1e9 / mean_ns, "refused": refused,
        "local_decision_p50_us": at(0.5), "local_decision_p99_us": at(0.99),
    })
}
