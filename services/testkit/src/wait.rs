//! Waits with a deadline, in place of fixed sleeps and unbounded loops.

use std::future::Future;
use std::time::Duration;

/// Time between two looks at a condition.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Polls `condition` until it returns a value, and returns that value.
///
/// Panics with `expected` when the deadline passes first. A condition that is called once and does
/// not return within the deadline panics as well.
pub async fn until<T>(
    deadline: Duration,
    expected: &str,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> T {
    let polling = async {
        loop {
            if let Some(value) = condition().await {
                return value;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    within(deadline, expected, polling).await
}

/// Polls `condition` until it is true. Panics with `expected` when the deadline passes first.
pub async fn until_true(deadline: Duration, expected: &str, mut condition: impl AsyncFnMut() -> bool) {
    until(deadline, expected, async || condition().await.then_some(())).await;
}

/// Awaits `work`. Panics with `expected` when the deadline passes first.
pub async fn within<T>(deadline: Duration, expected: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(deadline, work).await {
        Ok(value) => value,
        Err(_) => panic!("not within {deadline:?}: {expected}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn until_returns_the_first_value() {
        let mut calls = 0;
        let value = until(Duration::from_secs(1), "a third call", async || {
            calls += 1;
            (calls == 3).then_some(calls)
        });
        assert_eq!(value.await, 3);
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "not within 2s: a condition that holds")]
    async fn until_true_panics_at_the_deadline_with_the_expectation() {
        until_true(Duration::from_secs(2), "a condition that holds", async || false).await;
    }
}
