use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use barrage_clock::steady_ms;

/// Age of a heartbeat beyond which its part counts as dead. Each part beats at least once a second, the hub of a
/// quiet room every four seconds.
pub const HEARTBEAT_AGE_MAX: Duration = Duration::from_secs(10);

/// Time between two heartbeats of a task that waits for another party.
pub(crate) const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);

/// Moment at which one part of the gateway last ran, for `/healthz`.
#[derive(Debug)]
pub(crate) struct Heartbeat(AtomicU64);

impl Heartbeat {
    pub(crate) fn new() -> Self {
        Heartbeat(AtomicU64::new(steady_ms()))
    }

    pub(crate) fn beat(&self) {
        self.0.store(steady_ms(), Ordering::Relaxed);
    }

    pub(crate) fn age(&self) -> Duration {
        Duration::from_millis(steady_ms().saturating_sub(self.0.load(Ordering::Relaxed)))
    }

    /// Waits for another party, such as the bus, and beats meanwhile: a task that waits is alive.
    pub(crate) async fn while_waiting<T>(&self, waiting: impl Future<Output = T>) -> T {
        let mut waiting = std::pin::pin!(waiting);
        loop {
            self.beat();
            if let Ok(done) = tokio::time::timeout(HEARTBEAT_EVERY, waiting.as_mut()).await {
                return done;
            }
        }
    }
}

/// Heartbeats of the parts that live as long as the gateway.
#[derive(Debug)]
pub(crate) struct Heartbeats {
    pub(crate) shards: Box<[Heartbeat]>,
    pub(crate) evictions: Heartbeat,
    pub(crate) load: Heartbeat,
    pub(crate) notices: Heartbeat,
    pub(crate) report: Heartbeat,
    has_failed: AtomicBool,
}

impl Heartbeats {
    pub(crate) fn new(shards: usize) -> Self {
        Heartbeats {
            shards: (0..shards).map(|_| Heartbeat::new()).collect(),
            evictions: Heartbeat::new(),
            load: Heartbeat::new(),
            notices: Heartbeat::new(),
            report: Heartbeat::new(),
            has_failed: AtomicBool::new(false),
        }
    }

    /// Records that a shard ended before the gateway did.
    pub(crate) fn fail(&self) {
        self.has_failed.store(true, Ordering::Release);
    }

    /// Whether a shard ended before the gateway did.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_beats_while_it_waits() {
        let heartbeat = Heartbeat(AtomicU64::new(0));
        let slow = tokio::time::sleep(Duration::from_secs(30));
        heartbeat.while_waiting(slow).await;
        assert!(heartbeat.age() < HEARTBEAT_AGE_MAX);
    }
}
