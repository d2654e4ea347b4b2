//! The rules that both engines must keep: counts in this process, and in Redis.

use std::time::Duration;

use barrage_flow::{Rule, Verdict};
use barrage_testkit::RedisServer;

use crate::instance::{Instance, key, ms, rate, window};

#[tokio::test]
async fn local_quota_keeps_the_rules() {
    suite(&Instance::local()).await;
}

#[tokio::test]
async fn redis_quota_keeps_the_rules() {
    let server = RedisServer::start().await;
    let instance = Instance::shared(&server, 1);
    suite(&instance).await;
    assert_eq!(
        instance.metric("barrage_quota_decisions_total", Some("share")),
        0,
        "no decision was made by a share"
    );
}

async fn suite(instance: &Instance) {
    tokio::join!(
        a_small_bucket_is_exact(instance),
        a_cost_is_taken_whole_or_not_at_all(instance),
        a_small_window_is_exact(instance),
        a_changed_rule_takes_effect(instance),
        units_of_a_window_come_back(instance),
    );
    // These two need a whole processor and run one after the other.
    a_large_bucket_keeps_its_law(instance).await;
    a_large_window_keeps_its_law(instance).await;
}

async fn a_small_bucket_is_exact(instance: &Instance) {
    // One token a second: a busy machine may need some tenths for the first six calls.
    let (key, rule) = (key("bucket"), rate(1, 5));
    for _ in 0..5 {
        assert!(instance.take(&key, 1, &rule).await.is_admit());
    }
    let Verdict::Refuse { retry_after, limit: 5, remaining: 0 } = instance.take(&key, 1, &rule).await else {
        panic!("the sixth call must be refused")
    };
    assert!(retry_after > ms(50) && retry_after <= ms(1_000), "{retry_after:?}");
    for _ in 0..100 {
        assert!(!instance.take(&key, 1, &rule).await.is_admit(), "a flood is refused");
    }
    assert!(instance.take(&crate::instance::key("other"), 1, &rule).await.is_admit(), "another key");
    tokio::time::sleep(retry_after).await;
    assert!(instance.take(&key, 1, &rule).await.is_admit(), "the cost passes after retry_after");
}

async fn a_cost_is_taken_whole_or_not_at_all(instance: &Instance) {
    let (key, rule) = (key("cost"), rate(1, 5));
    assert!(instance.take(&key, 3, &rule).await.is_admit());
    let refused = instance.take(&key, 3, &rule).await;
    assert!(matches!(refused, Verdict::Refuse { limit: 5, remaining: 2, .. }), "{refused:?}");
    let never = instance.take(&key, 6, &rule).await;
    assert_eq!(never, Verdict::Refuse { retry_after: Duration::MAX, limit: 5, remaining: 2 });
    assert!(instance.take(&key, 0, &rule).await.is_admit());
    assert!(instance.take(&key, 2, &rule).await.is_admit());
    assert!(!instance.take(&key, 1, &rule).await.is_admit());
}

async fn a_small_window_is_exact(instance: &Instance) {
    let (key, rule) = (key("window"), window(4, 400));
    let began = instance.origin.elapsed();
    for _ in 0..4 {
        assert!(instance.take(&key, 1, &rule).await.is_admit());
    }
    let filled = instance.origin.elapsed();
    let Verdict::Refuse { retry_after, limit: 4, remaining: 0 } = instance.take(&key, 1, &rule).await else {
        panic!("the fifth call must be refused")
    };
    assert!(retry_after <= ms(425) + ms(1), "the window and its grain: {retry_after:?}");
    assert!(retry_after + (filled - began) >= ms(390), "{retry_after:?}");
    tokio::time::sleep(retry_after).await;
    assert!(instance.take(&key, 1, &rule).await.is_admit());
}

async fn a_changed_rule_takes_effect(instance: &Instance) {
    let key = key("changed");
    assert!(instance.take(&key, 4, &rate(1, 5)).await.is_admit());
    assert!(!instance.take(&key, 1, &rate(1, 2)).await.is_admit(), "a lowered burst");
    assert!(instance.take(&key, 5, &rate(1, 8)).await.is_admit(), "a raised burst keeps the count");
    assert!(!instance.take(&key, 2, &rate(1, 8)).await.is_admit());
    assert!(
        instance.take(&key, 3, &window(3, 60_000)).await.is_admit(),
        "a rule of another kind starts with an empty count"
    );
    assert!(!instance.take(&key, 1, &window(3, 60_000)).await.is_admit());
    assert!(!instance.take(&key, 1, &window(3, 50_000)).await.is_admit(), "another length keeps the count");
}

async fn units_of_a_window_come_back(instance: &Instance) {
    let (one, rule) = (key("given-back"), window(1_000, 60_000));
    assert!(instance.take(&one, 700, &rule).await.is_admit());
    assert!(!instance.take(&one, 700, &rule).await.is_admit());
    let give_back = async |key: &barrage_counters::QuotaKey, units, rule: &Rule, age| {
        instance.quota.give_back(key, units, rule, age, instance.origin.elapsed()).await
    };
    assert_eq!(give_back(&one, 400, &rule, ms(0)).await, 400);
    assert_eq!(give_back(&key("unknown"), 400, &rule, ms(0)).await, 0);
    assert_eq!(give_back(&one, 400, &rule, ms(90_000)).await, 0, "they would have left the window");
    assert_eq!(give_back(&one, 400, &rate(1, 5), ms(0)).await, 0, "a rate refills by itself");
    // An instance may repeat its refusal for a second.
    let mut verdict = instance.take(&one, 700, &rule).await;
    for _ in 0..20 {
        if verdict.is_admit() {
            break;
        }
        tokio::time::sleep(ms(100)).await;
        verdict = instance.take(&one, 700, &rule).await;
    }
    assert!(verdict.is_admit(), "{verdict:?}");
    assert!(!instance.take(&one, 1, &rule).await.is_admit(), "1,000 again");
}

/// Times before and after the admission of a unit.
pub(crate) type Admitted = (Duration, Duration);

/// Takes units without pause for `length`; returns the admissions.
pub(crate) async fn flood(
    instance: &Instance,
    purpose: &'static str,
    rule: &Rule,
    length: Duration,
) -> Vec<Admitted> {
    let key = key(purpose);
    let began = instance.origin.elapsed();
    let mut admitted = Vec::new();
    loop {
        let before = instance.origin.elapsed();
        if before - began > length {
            return admitted;
        }
        if instance.take(&key, 1, rule).await.is_admit() {
            admitted.push((before, instance.origin.elapsed()));
        }
        // Lets other tasks run.
        tokio::task::yield_now().await;
    }
}

async fn a_large_bucket_keeps_its_law(instance: &Instance) {
    let admitted = flood(instance, "large", &rate(4_000, 4_000), ms(1_500)).await;
    let span = admitted[admitted.len() - 1].1 - admitted[0].0;
    let law = 4_000.0 + 4_000.0 * span.as_secs_f64();
    let least = 0.95 * (3_000.0 + 4_000.0 * 1.5);
    let count = admitted.len() as f64;
    assert!(count <= law && count >= least, "{count} admitted, {law} allowed, {least} at least");
}

async fn a_large_window_keeps_its_law(instance: &Instance) {
    let admitted = flood(instance, "large-window", &window(3_000, 800), ms(2_000)).await;
    for (at, (first, _)) in admitted.iter().enumerate() {
        let inside = admitted[at..].iter().take_while(|(_, after)| *after - *first < ms(800)).count();
        assert!(inside <= 3_000, "{inside} within a window from {first:?}");
    }
    assert!(admitted.len() > 2 * 3_000, "{} admitted in two windows and a half", admitted.len());
}
