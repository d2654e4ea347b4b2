//! Signs of life of the tasks of this process.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior};

/// How often the supervisor wakes a task that waits for work.
const WAKE_EVERY: Duration = Duration::from_secs(1);

/// What wakes a task at least once a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Its own timer. Its beat stops when that loop hangs, wherever the loop waits.
    Ticks,
    /// The supervisor, because the task waits for work without a timer. Its beat stops when the
    /// task blocks its thread.
    Waits,
}

/// The moment at which a task was last polled.
#[derive(Debug, Clone)]
pub(crate) struct Beat {
    started: Instant,
    last_ms: Arc<AtomicU64>,
}

impl Beat {
    /// A beat at this moment.
    pub(crate) fn new() -> Self {
        Beat { started: Instant::now(), last_ms: Arc::default() }
    }

    /// Moves the beat to this moment.
    pub(crate) fn strike(&self) {
        self.last_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    /// Time since the last beat.
    pub(crate) fn age(&self) -> Duration {
        let last_ms = self.last_ms.load(Ordering::Relaxed);
        Duration::from_millis(self.now_ms().saturating_sub(last_ms))
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A task that strikes its beat each time before the runtime polls it.
pub(crate) struct Beating<T> {
    task: Pin<Box<dyn Future<Output = T> + Send>>,
    beat: Beat,
    wake: Option<Interval>,
}

impl<T> Beating<T> {
    /// Wraps a task.
    pub(crate) fn new(task: impl Future<Output = T> + Send + 'static, beat: Beat, pace: Pace) -> Self {
        let wake = (pace == Pace::Waits).then(|| {
            let mut wake = tokio::time::interval(WAKE_EVERY);
            wake.set_missed_tick_behavior(MissedTickBehavior::Delay);
            wake
        });
        Beating { task: Box::pin(task), beat, wake }
    }
}

impl<T> Future for Beating<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        if let Some(wake) = &mut self.wake {
            while wake.poll_tick(context).is_ready() {}
        }
        self.beat.strike();
        self.task.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn age_after(secs: u64, pace: Pace, task: impl Future<Output = ()> + Send + 'static) -> Duration {
        let beat = Beat::new();
        let task = tokio::spawn(Beating::new(task, beat.clone(), pace));
        for _ in 0..10 * secs {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        task.abort();
        beat.age()
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_waits_beats_and_a_loop_that_hangs_does_not() {
        assert!(age_after(20, Pace::Waits, std::future::pending()).await <= WAKE_EVERY);
        let ticking = async {
            loop {
                tokio::time::sleep(Duration::from_millis(700)).await;
            }
        };
        assert!(age_after(20, Pace::Ticks, ticking).await <= Duration::from_millis(700));
        let hanging = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            std::future::pending::<()>().await;
        };
        let age = age_after(20, Pace::Ticks, hanging).await;
        assert!((14_800..=15_200).contains(&age.as_millis()), "{age:?}");
    }
}
