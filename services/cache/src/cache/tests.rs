use std::sync::atomic::{AtomicU32, Ordering};

use tokio::time::sleep;

use super::*;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn keys_of_a_cache_are_told_apart_and_replaced_and_removed() {
    let cache = Cache::<(String, u32), u32>::new(10, LONG);
    let key = |name: &str, number| (name.to_owned(), number);
    cache.insert(key("a", 1), 10).await;
    cache.insert(key("a", 2), 20).await;
    cache.insert(key("a", 1), 11).await;
    assert_eq!(cache.get(&key("a", 1)).await, Some(11));
    assert_eq!(cache.get(&key("a", 2)).await, Some(20));
    assert_eq!(cache.get(&key("b", 1)).await, None);
    cache.remove(&key("a", 1)).await;
    assert_eq!(cache.get(&key("a", 1)).await, None);
    assert_eq!(cache.clone().get(&key("a", 2)).await, Some(20), "a clone shares the entries");
    cache.clear();
    assert_eq!(cache.get(&key("a", 2)).await, None);
}

#[tokio::test]
async fn values_end_after_their_time_also_those_that_were_replaced() {
    let fixed = Cache::<u8, u8>::new(10, SHORT);
    let own = Cache::<u8, Duration>::weighed(10, |_| 1, |life| *life);
    fixed.insert(1, 1).await;
    own.insert(1, LONG).await;
    own.insert(1, SHORT).await;
    own.insert(2, SHORT).await;
    own.insert(2, LONG).await;
    assert_eq!(fixed.get(&1).await, Some(1));
    sleep(SHORT * 2).await;
    assert_eq!(fixed.get(&1).await, None);
    assert_eq!(own.get(&1).await, None);
    assert_eq!(own.get(&2).await, Some(LONG));
}

#[tokio::test]
async fn weights_are_bounded_together() {
    let cache = Cache::<u32, u32>::weighed(100, |value| *value, |_| LONG);
    for key in 0..50 {
        cache.insert(key, 10).await;
        cache.sweep().await;
        assert!(cache.weight() <= 100, "{}", cache.weight());
    }
    assert!(cache.weight() >= 50);
}

#[tokio::test]
async fn one_load_serves_all_who_wait_and_an_error_is_not_kept() {
    let cache = Cache::<u8, u8, &str>::new(10, LONG);
    let loads = AtomicU32::new(0);
    let load = |result| {
        let loads = &loads;
        async move {
            loads.fetch_add(1, Ordering::Relaxed);
            sleep(SHORT).await;
            result
        }
    };
    let (one, other) = tokio::join!(cache.load(1, load(Err("no"))), cache.load(1, load(Ok(2))));
    // The first load fails for both.
    assert_eq!((one, other), (Err(Arc::new("no")), Err(Arc::new("no"))));
    let (one, other) = tokio::join!(cache.load(1, load(Ok(3))), cache.load(1, load(Ok(4))));
    assert_eq!((one, other), (Ok(3), Ok(3)));
    assert_eq!(loads.load(Ordering::Relaxed), 2);
    assert_eq!(cache.get(&1).await, Some(3));
}
