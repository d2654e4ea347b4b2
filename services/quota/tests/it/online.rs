//! Viewers by room, over gateways that come and go.

use barrage_counters::Online;
use barrage_protocol::RoomId;
use barrage_quota::{RedisMetrics, RedisOnline, RedisQuotaConfig};
use barrage_testkit::RedisServer;
use prometheus::Registry;

use crate::instance::connect;

fn room(name: &str, viewers: u64) -> (RoomId, u64) {
    (name.parse().unwrap(), viewers)
}

#[tokio::test]
async fn gateways_are_summed_and_one_that_left_is_not() {
    let mut server = RedisServer::start().await;
    let config = RedisQuotaConfig { url: server.url().into(), ..RedisQuotaConfig::default() };
    let registry = Registry::new();
    let metrics = RedisMetrics::new(&registry).unwrap();
    let [one, other] = [(); 2].map(|()| RedisOnline::new(&config, metrics.clone()).unwrap());
    assert_eq!(one.exchange("a", &[room("r", 3), room("s", 1)]).await, Some(vec![3, 1]));
    assert_eq!(other.exchange("b", &[room("r", 4)]).await, Some(vec![7]));
    assert_eq!(one.exchange("a", &[room("r", 5)]).await, Some(vec![9]));
    assert_eq!(one.exchange("a", &[room("r", 0)]).await, Some(vec![4]));
    // Many rooms need several round trips.
    let many: Vec<_> = (0..1_200).map(|n| room(&format!("room-{n}"), n)).collect();
    let sums = other.exchange("b", &many).await.unwrap();
    assert_eq!(sums, (0..1_200).collect::<Vec<u64>>());
    // The next exchange restores counts and script that Redis has lost.
    let mut connection = connect(&server).await;
    redis::cmd("FLUSHALL").exec_async(&mut connection).await.unwrap();
    redis::cmd("SCRIPT").arg("FLUSH").exec_async(&mut connection).await.unwrap();
    assert_eq!(one.exchange("a", &[room("r", 2)]).await, Some(vec![2]));
    server.kill();
    assert_eq!(one.exchange("a", &[room("r", 2)]).await, None);
    let times = registry.gather().remove(0);
    // 1,200 rooms are three calls; the last call failed.
    assert_eq!(times.get_metric()[0].get_histogram().get_sample_count(), 9);
}

#[tokio::test]
async fn the_count_of_a_gateway_that_died_lapses() {
    let server = RedisServer::start().await;
    let config = RedisQuotaConfig { url: server.url().into(), ..RedisQuotaConfig::default() };
    let online = RedisOnline::new(&config, RedisMetrics::new(&Registry::new()).unwrap()).unwrap();
    assert_eq!(online.exchange("dead", &[room("r", 8)]).await, Some(vec![8]));
    let mut connection = connect(&server).await;
    // Shortens the count's life as eleven seconds would.
    let count: String =
        redis::cmd("HGET").arg("barrage:online:{r}").arg("dead").query_async(&mut connection).await.unwrap();
    let (viewers, until) = count.split_once(':').unwrap();
    let lapsed = format!("{viewers}:{}", until.parse::<u64>().unwrap() - 11_000);
    redis::cmd("HSET")
        .arg("barrage:online:{r}")
        .arg("dead")
        .arg(lapsed)
        .exec_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(online.exchange("alive", &[room("r", 1)]).await, Some(vec![1]));
    let life_ms: i64 =
        redis::cmd("PTTL").arg("barrage:online:{r}").query_async(&mut connection).await.unwrap();
    assert!((1..=20_000).contains(&life_ms), "{life_ms}");
}
