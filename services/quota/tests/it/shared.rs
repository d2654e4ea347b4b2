//! Counts that several instances share, and keys in Redis.

use std::collections::HashMap;

use barrage_counters::{QuotaKey, Subject};
use barrage_flow::Forced;
use barrage_testkit::RedisServer;
use barrage_testkit::ports::free_address;
use redis::AsyncCommands;

use crate::engines::flood;
use crate::instance::{Instance, connect, key, ms, rate, window};

#[tokio::test]
async fn two_instances_share_a_small_limit_to_the_unit() {
    let server = RedisServer::start().await;
    let instances = [Instance::shared(&server, 2), Instance::shared(&server, 2)];
    let (key, rule) = (key("post"), rate(1, 30));
    let mut admitted = 0;
    for n in 0..60 {
        admitted += u32::from(instances[n % 2].take(&key, 1, &rule).await.is_admit());
    }
    assert_eq!(admitted, 30);
}

#[tokio::test]
async fn three_instances_share_a_leased_limit() {
    let server = RedisServer::start().await;
    let instances = [(); 3].map(|()| Instance::shared(&server, 3));
    let rule = rate(3_000, 3_000);
    let began = instances[0].origin;
    let [a, b, c] = &instances;
    let length = ms(2_000);
    let (a, b, c) = tokio::join!(
        flood(a, "post", &rule, length),
        flood(b, "post", &rule, length),
        flood(c, "post", &rule, length)
    );
    let elapsed_s = began.elapsed().as_secs_f64();
    let count = (a.len() + b.len() + c.len()) as f64;
    let (law, least) = (3_000.0 + 3_000.0 * elapsed_s, 0.95 * (2_250.0 + 3_000.0 * 2.0));
    assert!(count <= law && count >= least, "{count} admitted, {law} allowed, {least} at least");
    assert!(a.len() > 300 && b.len() > 300 && c.len() > 300, "each instance admitted some");
    for instance in &instances {
        let calls = instance.metric("barrage_quota_redis_calls_total", None);
        let decisions = instance.metric("barrage_quota_decisions_total", None);
        assert!(calls * 50 < decisions, "{calls} calls for {decisions} decisions");
    }
}

#[tokio::test]
async fn a_server_that_lost_the_scripts_receives_them_again() {
    let server = RedisServer::start().await;
    let instance = Instance::shared(&server, 1);
    let mut connection = connect(&server).await;
    for (purpose, rule) in [("rate", rate(1, 2)), ("window", window(2, 60_000))] {
        assert!(instance.take(&key(purpose), 1, &rule).await.is_admit());
        redis::cmd("SCRIPT").arg("FLUSH").exec_async(&mut connection).await.unwrap();
        assert!(instance.take(&key(purpose), 1, &rule).await.is_admit());
        assert!(!instance.take(&key(purpose), 1, &rule).await.is_admit(), "the count is the same");
    }
    assert_eq!(instance.metric("barrage_quota_decisions_total", Some("redis")), 6);
}

#[tokio::test]
async fn every_key_expires_and_has_a_hash_tag() {
    let server = RedisServer::start().await;
    let instance = Instance::shared(&server, 1);
    for rule in [rate(1, 5), rate(10_000, 10_000), window(5, 1_000), window(10_000, 1_000)] {
        for subject in [Subject::Platform, Subject::address("192.0.2.1".parse().unwrap())] {
            // An admission, a refusal and another length each write.
            let key = QuotaKey { purpose: "post", subject };
            for cost in [1, 10_001] {
                instance.take(&key, cost, &rule).await;
            }
        }
    }
    instance.take(&QuotaKey { purpose: "post", subject: Subject::Platform }, 1, &window(5, 2_000)).await;
    let mut connection = connect(&server).await;
    let keys: Vec<String> = connection.keys("*").await.unwrap();
    assert_eq!(keys.len(), 4);
    for key in keys {
        assert!(key.starts_with("barrage:{quota:post:") && key.contains("}:"), "{key}");
        let left_ms: i64 = connection.pttl(&key).await.unwrap();
        assert!((1..=10_000).contains(&left_ms), "{key} expires in {left_ms} ms");
    }
}

#[tokio::test]
async fn units_admitted_by_the_share_are_charged_to_redis_afterwards() {
    let server = RedisServer::start().await;
    let instance = Instance::shared(&server, 1);
    let breaker = instance.breaker.clone().unwrap();
    let rules = [("rate", rate(1_000, 9_000)), ("window", window(9_000, 60_000))];
    breaker.force(Forced::Open);
    for (purpose, rule) in &rules {
        for _ in 0..3_000 {
            assert!(instance.take(&key(purpose), 1, rule).await.is_admit());
        }
    }
    assert_eq!(instance.metric("barrage_quota_decisions_total", Some("share")), 6_000);
    assert!(instance.spends_its_share());
    breaker.force(Forced::No);
    for (purpose, rule) in &rules {
        let by_lease = || instance.metric("barrage_quota_decisions_total", Some("lease"));
        let before = by_lease();
        let leased = async {
            while by_lease() == before {
                instance.take(&key(purpose), 1, rule).await;
            }
        };
        tokio::time::timeout(ms(10_000), leased).await.expect("no lease came");
    }
    assert!(!instance.spends_its_share());
    let mut connection = connect(&server).await;
    let owed: f64 = connection.hget("barrage:{quota:rate:user:r1}:rate", "owed").await.unwrap();
    // Without the charge one lease would be owed. The range allows for seconds and retries of a busy
    // machine.
    assert!((1_000.0..=7_000.0).contains(&owed), "{owed}");
    let counts: HashMap<String, u64> =
        connection.hgetall("barrage:{quota:window:user:r1}:window").await.unwrap();
    let counted: u64 = counts.iter().filter(|(field, _)| *field != "grain").map(|(_, count)| count).sum();
    assert!((3_001..=7_000).contains(&counted), "{counted}");
}

#[tokio::test]
async fn the_scripts_work_on_a_node_of_a_redis_cluster() {
    // Not 10,000 above the other one: that port may be somebody else's.
    let bus_port = free_address().port().to_string();
    let server = RedisServer::start_with(&["--cluster-enabled", "yes", "--cluster-port", &bus_port]).await;
    let mut connection = connect(&server).await;
    redis::cmd("CLUSTER").arg(&["ADDSLOTSRANGE", "0", "16383"]).exec_async(&mut connection).await.unwrap();
    let ready = async {
        loop {
            let info: String = redis::cmd("CLUSTER").arg("INFO").query_async(&mut connection).await.unwrap();
            if info.contains("cluster_state:ok") {
                break;
            }
            tokio::time::sleep(ms(20)).await;
        }
    };
    tokio::time::timeout(ms(10_000), ready).await.expect("the cluster did not start");
    let instance = Instance::shared(&server, 1);
    for (purpose, rule) in [("rate", rate(1, 1)), ("window", window(1, 60_000))] {
        assert!(instance.take(&key(purpose), 1, &rule).await.is_admit());
        assert!(!instance.take(&key(purpose), 1, &rule).await.is_admit());
    }
    assert_eq!(instance.metric("barrage_quota_decisions_total", Some("redis")), 4);
    let slot = async |name: &str| -> u64 {
        let mut connection = connection.clone();
        redis::cmd("CLUSTER").arg(&["KEYSLOT", name]).query_async(&mut connection).await.unwrap()
    };
    assert_eq!(slot("barrage:{quota:rate:user:r1}:rate").await, slot("quota:rate:user:r1").await);
}
