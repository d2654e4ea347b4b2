//! Pages on a ring of three Redis servers, one of which dies and comes back.

use std::time::Duration;

use barrage_counters::{Pages, SharedPage};
use barrage_guarded::BreakerMetrics;
use barrage_quota::{RedisPages, RedisPagesConfig};
use barrage_testkit::{RedisServer, wait};
use prometheus::Registry;

const PATIENCE: Duration = Duration::from_secs(30);

fn pages(servers: &[RedisServer], deadline_ms: u64) -> RedisPages {
    let urls = servers.iter().map(|server| server.url().into()).collect();
    let config = RedisPagesConfig { urls, deadline_ms, ..RedisPagesConfig::default() };
    RedisPages::new(&config, &BreakerMetrics::new(&Registry::new()).unwrap()).unwrap()
}

fn key(n: usize) -> String {
    format!("room-{n}")
}

async fn put_all(pages: &RedisPages, count: usize) {
    for n in 0..count {
        pages.put(&key(n), format!("page {n}").into(), Duration::from_secs(60)).await;
    }
}

/// Numbers of the pages that are found, each with its own text.
async fn found(pages: &RedisPages, count: usize) -> Vec<usize> {
    let mut found = Vec::new();
    for n in 0..count {
        if let Some(SharedPage { page, left }) = pages.get(&key(n)).await {
            assert_eq!(page, format!("page {n}"));
            assert!(left <= Duration::from_secs(60), "{left:?}");
            found.push(n);
        }
    }
    found
}

#[tokio::test]
async fn a_dead_server_costs_its_own_pages_alone_and_comes_back() {
    let mut servers = [RedisServer::start().await, RedisServer::start().await, RedisServer::start().await];
    // A busy machine causes no failed call.
    let (one, other) = (pages(&servers, 500), pages(&servers, 500));
    wait::until_true(PATIENCE, "all servers", async || {
        put_all(&one, 60).await;
        found(&other, 60).await.len() == 60
    })
    .await;
    servers[0].kill();
    let left = found(&other, 60).await;
    assert!((15..55).contains(&left.len()), "{left:?}: the pages of one server of three are gone");
    // The breaker is open: nothing waits for the dead server, and the others still share.
    let began = barrage_clock::now();
    assert_eq!(found(&other, 60).await, left);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    servers[0].restart().await;
    wait::until_true(PATIENCE, "the server that came back", async || {
        put_all(&one, 60).await;
        found(&other, 60).await.len() == 60
    })
    .await;
}

#[tokio::test]
async fn a_page_ends_with_its_time_and_when_it_is_removed() {
    let servers = [RedisServer::start().await];
    let (one, other) = (pages(&servers, 500), pages(&servers, 500));
    wait::until_true(PATIENCE, "the server", async || {
        one.put("a", "page".into(), Duration::from_secs(60)).await;
        other.get("a").await.is_some()
    })
    .await;
    one.remove("a").await;
    assert_eq!(other.get("a").await, None);
    one.put("b", "page".into(), Duration::from_millis(300)).await;
    wait::until_true(PATIENCE, "the end of the page's time", async || other.get("b").await.is_none()).await;
}

#[tokio::test]
async fn a_server_that_hangs_costs_the_deadline_at_most() {
    let servers = [RedisServer::start().await];
    let pages = pages(&servers, 30);
    wait::until_true(PATIENCE, "the server", async || {
        pages.put("a", "page".into(), Duration::from_secs(60)).await;
        pages.get("a").await.is_some()
    })
    .await;
    servers[0].pause();
    let began = barrage_clock::now();
    for _ in 0..200 {
        assert_eq!(pages.get("a").await, None);
    }
    // Five calls wait for the deadline; then the breaker is open, but for some probes.
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    servers[0].resume();
    wait::until_true(PATIENCE, "the server that goes on", async || pages.get("a").await.is_some()).await;
}

#[tokio::test]
async fn a_page_that_waited_in_a_server_that_hung_is_not_shown_after_its_end() {
    let servers = [RedisServer::start().await];
    let (one, other) = (pages(&servers, 50), pages(&servers, 500));
    wait::until_true(PATIENCE, "the server", async || {
        one.put("a", "page".into(), Duration::from_secs(60)).await;
        other.get("a").await.is_some()
    })
    .await;
    let life = Duration::from_secs(2);
    servers[0].pause();
    one.put("b", "page".into(), life).await;
    tokio::time::sleep(life).await;
    servers[0].resume();
    // Redis answers behind all that waited.
    wait::until_true(PATIENCE, "the server that goes on", async || other.get("a").await.is_some()).await;
    assert_eq!(other.get("b").await, None);
}
