//! Heartbeats of the tasks of this process: the time of each task's last poll.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior};

/// How often the supervisor wakes a task that waits for work.
const WAKE_EVERY: Duration = Duration::from_secs(1);

/// Source of the wake-ups that a task gets at least once a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wakeup {
    /// The task has a timer of its own. The heartbeat stops when the task's loop hangs, wherever
    /// the loop waits.
    OwnTimer,
    /// The supervisor wakes the task, which waits for work without a timer. The heartbeat stops
    /// when the task blocks its thread.
    Supervisor,
}

/// Time of the last poll of a task. Clones share the time.
#[derive(Debug, Clone)]
pub(crate) struct Heartbeat {
    started: Instant,
    last_ms: Arc<AtomicU64>,
}

impl Heartbeat {
    /// Creates a heartbeat that counts as struck now.
    pub(crate) fn new() -> Self {
        Heartbeat { started: Instant::now(), last_ms: Arc::default() }
    }

    /// Records that the task is polled at this moment.
    pub(crate) fn record(&self) {
        self.last_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    /// Returns the time since the last poll.
    pub(crate) fn age(&self) -> Duration {
        let last_ms = self.last_ms.load(Ordering::Relaxed);
        Duration::from_millis(self.now_ms().saturating_sub(last_ms))
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A task that records its heartbeat before each poll.
pub(crate) struct Monitored<T> {
    task: Pin<Box<dyn Future<Output = T> + Send>>,
    heartbeat: Heartbeat,
    wake: Option<Interval>,
}

impl<T> Monitored<T> {
    /// Wraps a task, so that each poll updates its heartbeat.
    pub(crate) fn new(
        task: impl Future<Output = T> + Send + 'static,
        heartbeat: Heartbeat,
        wakeup: Wakeup,
    ) -> Self {
        let wake = (wakeup == Wakeup::Supervisor).then(|| {
            let mut wake = tokio::time::interval(WAKE_EVERY);
            wake.set_missed_tick_behavior(MissedTickBehavior::Delay);
            wake
        });
        Monitored { task: Box::pin(task), heartbeat, wake }
    }
}

impl<T> Future for Monitored<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        if let Some(wake) = &mut self.wake {
            while wake.poll_tick(context).is_ready() {}
        }
        self.heartbeat.record();
        self.task.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn age_after(
        secs: u64,
        wakeup: Wakeup,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> Duration {
        let heartbeat = Heartbeat::new();
        let task = tokio::spawn(Monitored::new(task, heartbeat.clone(), wakeup));
        for _ in 0..10 * secs {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        task.abort();
        heartbeat.age()
    }

    #[tokio::test(start_paused = true)]
    async fn heartbeat_of_a_waiting_task_stays_young() {
        assert!(age_after(20, Wakeup::Supervisor, std::future::pending()).await <= WAKE_EVERY);
    }

    #[tokio::test(start_paused = true)]
    async fn heartbeat_of_a_loop_stops_when_the_loop_hangs() {
        let ticking = async {
            loop {
                tokio::time::sleep(Duration::from_millis(700)).await;
            }
        };
        assert!(age_after(20, Wakeup::OwnTimer, ticking).await <= Duration::from_millis(700));
        let hanging = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            std::future::pending::<()>().await;
        };
        let age = age_after(20, Wakeup::OwnTimer, hanging).await;
        assert!((14_800..=15_200).contains(&age.as_millis()), "{age:?}");
    }
}
