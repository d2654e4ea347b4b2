//! Redis is stopped, killed and started again under load.

use std::io::Write;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use barrage_flow::Rule;
use barrage_quota::RedisQuotaConfig;
use barrage_testkit::RedisServer;
use parking_lot::Mutex;

use crate::instance::{Instance, key, ms, rate};

/// The deadline is 20 ms; the rest is for a busy machine, and far below the outage.
const WAIT_MAX: Duration = Duration::from_millis(20 + 580);
/// Decisions by share, of a few hundred, that a busy machine may cause without an outage.
const STRAY_MAX: u64 = 100;
/// Outages are timed: only one test runs at a time.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn count(&self, words: &str) -> usize {
        String::from_utf8_lossy(&self.0.lock()).matches(words).count()
    }
}

/// Takes of one key, one after the other, until `done`; returns the admitted units and the longest
/// wait.
async fn load(
    instance: &Instance,
    purpose: &'static str,
    rule: &Rule,
    done: impl Fn() -> bool,
) -> (u32, Duration) {
    let (mut admitted, mut longest) = (0, Duration::ZERO);
    let began = barrage_clock::now();
    while !done() {
        assert!(began.elapsed() < ms(8_000), "the awaited state did not come within 8 s");
        let asked = barrage_clock::now();
        admitted += u32::from(instance.take(&key(purpose), 1, rule).await.is_admit());
        longest = longest.max(asked.elapsed());
        tokio::time::sleep(ms(1)).await;
    }
    (admitted, longest)
}

/// Runs the load on a leased limit and a small one at the same time.
async fn both(instance: &Instance, done: impl Fn() -> bool) -> (u32, u32, Duration) {
    let (large, small) = (rate(200, 400), rate(10, 10));
    let ((large, longest), (small, longest_small)) =
        tokio::join!(load(instance, "large", &large, &done), load(instance, "small", &small, &done));
    (large, small, longest.max(longest_small))
}

async fn outage(mut server: RedisServer, stop: fn(&mut RedisServer), back: impl AsyncFn(&mut RedisServer)) {
    let instance = Instance::with_default_deadline(&server, 4);
    let for_ms = |length| {
        let until = barrage_clock::now() + ms(length);
        move || barrage_clock::now() >= until
    };
    let (large, _, longest) = both(&instance, for_ms(300)).await;
    assert!(large > 0 && longest <= WAIT_MAX, "{large} before, {longest:?}");
    assert!(instance.metric("barrage_quota_decisions_total", Some("share")) < STRAY_MAX);

    stop(&mut server);
    let (_, _, longest) = both(&instance, || instance.spends_its_share()).await;
    assert!(longest <= WAIT_MAX, "waited {longest:?} when Redis stopped");
    // The bursts of the shares may still be unspent: 400 / 4 and 10 / 4.
    let (large, small, longest) = both(&instance, for_ms(1_500)).await;
    assert!(longest <= WAIT_MAX, "waited {longest:?} while Redis was away");
    assert!(instance.spends_its_share());
    // A second more than measured, for a busy machine; the whole limits would be 700 and 25.
    let share = 50.0 * 2.5;
    assert!((40.0..=100.0 + share).contains(&f64::from(large)), "{large} admitted by a share of 50 a second");
    assert!((1..=2 + 7).contains(&small), "{small} admitted by a share of 2.5 a second");

    back(&mut server).await;
    let (_, _, longest) = both(&instance, || !instance.spends_its_share()).await;
    assert!(longest <= WAIT_MAX, "waited {longest:?} while Redis came back");
    let shared = instance.metric("barrage_quota_decisions_total", Some("share"));
    let (large, _, _) = both(&instance, for_ms(1_000)).await;
    assert!(large > 100, "a share of 50 a second instead of the whole limit: {large}");
    let stray = instance.metric("barrage_quota_decisions_total", Some("share")) - shared;
    assert!(stray < STRAY_MAX, "{stray} decisions by share after Redis was back");
}

/// The log of the whole process.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).expect("no other subscriber");
    log
});

async fn logged(test: impl Future<Output = ()>) {
    let _alone = ONE_AT_A_TIME.lock().await;
    let lines = || (LOG.count("Redis is away"), LOG.count("Redis is back"));
    let before = lines();
    test.await;
    let after = lines();
    // One outage; a busy machine may cause short ones of its own.
    let (away, back) = (after.0 - before.0, after.1 - before.1);
    assert!(
        (1..=3).contains(&away) && (1..=3).contains(&back),
        "{away} lines of outages, {back} of recoveries"
    );
}

#[tokio::test]
async fn a_stopped_redis_is_bridged_by_shares_until_it_continues() {
    let server = RedisServer::start().await;
    logged(outage(server, |server| server.pause(), async |server: &mut RedisServer| server.resume())).await;
}

#[tokio::test]
async fn a_killed_redis_is_bridged_by_shares_until_it_restarts() {
    let server = RedisServer::start().await;
    logged(outage(server, RedisServer::kill, RedisServer::restart)).await;
}

#[tokio::test]
async fn an_instance_that_starts_without_redis_uses_it_later() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let mut server = RedisServer::start().await;
    server.kill();
    let instance = Instance::with_default_deadline(&server, 1);
    let (_, _, longest) = both(&instance, || instance.spends_its_share()).await;
    assert!(longest <= WAIT_MAX, "{longest:?}");
    server.restart().await;
    both(&instance, || !instance.spends_its_share()).await;
}

#[tokio::test]
async fn an_invalid_configuration_fails_at_once() {
    let at = |url: &str, deadline_ms| RedisQuotaConfig {
        url: url.into(),
        deadline_ms,
        ..RedisQuotaConfig::default()
    };
    for config in [at("http://127.0.0.1", 20), at("rediss:127.0.0.1", 20), at("redis://127.0.0.1", 0)] {
        let refused = std::panic::catch_unwind(|| Instance::with(&config, 1));
        assert!(refused.is_err(), "{config:?}");
    }
}
