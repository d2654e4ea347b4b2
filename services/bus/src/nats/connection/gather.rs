//! A connection on a thread of its own, which reads messages in groups.
//!
//! A gateway's messages arrive one by one, and waking for each takes the core from the threads
//! that write to viewers: at a thousand messages a second that was a tenth of a gateway's work.
//! As network cards moderate their interrupts, the thread therefore sleeps for a moment before it
//! waits again while messages arrive fast. Topics are followed on the same thread, so that a
//! message wakes no other thread on its way. Publishes and requests use the same connection and
//! wait for it too.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_nats::Statistics;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Shortest time over which the rate is measured.
const MEASURED_MIN: Duration = Duration::from_millis(20);
/// Messages that arrive slower than this are read one by one.
const INTERVAL_MAX: Duration = Duration::from_millis(2);
/// A nap lasts no longer than this many messages take to arrive.
const GROUP_MESSAGES: u32 = 8;

/// The thread of one connection. Dropping this ends it.
pub(crate) struct Gatherer {
    pub(crate) runtime: Handle,
    statistics: Arc<OnceLock<Arc<Statistics>>>,
    _ended: oneshot::Sender<()>,
}

impl Gatherer {
    /// Starts the thread, whose naps last at most `nap_max`.
    pub(crate) fn start(nap_max: Duration) -> std::io::Result<Self> {
        let statistics = Arc::new(OnceLock::<Arc<Statistics>>::new());
        let (counted, pace, origin) =
            (Arc::clone(&statistics), Mutex::new(Pace::new(nap_max)), barrage_clock::now());
        let before_wait = move || {
            let messages = counted.get().map_or(0, |it| it.in_messages.load(Ordering::Relaxed));
            nap(pace.lock().nap(origin.elapsed(), messages));
        };
        let runtime = Builder::new_current_thread().enable_all().on_thread_park(before_wait).build()?;
        let handle = runtime.handle().clone();
        let (ended, end) = oneshot::channel();
        let until_end = move || drop(runtime.block_on(end));
        std::thread::Builder::new().name("nats".into()).spawn(until_end)?;
        Ok(Gatherer { runtime: handle, statistics, _ended: ended })
    }

    /// Runs a task on the thread; tasks that it spawns stay there.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> std::io::Result<T> {
        self.runtime.spawn(task).await.map_err(std::io::Error::other)
    }

    /// Sets the statistics that count the messages of the connection.
    pub(crate) fn count(&self, statistics: Arc<Statistics>) {
        drop(self.statistics.set(statistics));
    }
}

#[allow(clippy::disallowed_methods, reason = "this thread serves one connection, which is meant to wait")]
fn nap(time: Duration) {
    if !time.is_zero() {
        std::thread::sleep(time);
    }
}

/// Derives the length of a nap from the rate of messages. Pure; times count from any origin.
#[derive(Debug)]
struct Pace {
    nap_max: Duration,
    since: Duration,
    messages: u64,
    nap: Duration,
}

impl Pace {
    fn new(nap_max: Duration) -> Self {
        Pace { nap_max, since: Duration::ZERO, messages: 0, nap: Duration::ZERO }
    }

    /// Returns the nap to take at `now`, after `messages` messages in total.
    fn nap(&mut self, now: Duration, messages: u64) -> Duration {
        let elapsed = now.saturating_sub(self.since);
        if elapsed >= MEASURED_MIN {
            let came = u32::try_from(messages.saturating_sub(self.messages)).unwrap_or(u32::MAX);
            let interval = elapsed.checked_div(came).unwrap_or(Duration::MAX);
            let is_fast = interval <= INTERVAL_MAX;
            self.nap = if is_fast { (interval * GROUP_MESSAGES).min(self.nap_max) } else { Duration::ZERO };
            (self.since, self.messages) = (now, messages);
        }
        self.nap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn naps_only_while_messages_are_fast_and_at_most_for_a_group() {
        let mut pace = Pace::new(ms(4));
        assert_eq!(pace.nap(ms(10), 10), Duration::ZERO, "not measured yet");
        assert_eq!(pace.nap(ms(20), 20), ms(4), "one a millisecond, and eight are too long");
        assert_eq!(pace.nap(ms(30), 400), ms(4), "until it is measured again");
        assert_eq!(pace.nap(ms(40), 420), Duration::from_micros(400), "twenty a millisecond");
        assert_eq!(pace.nap(ms(90), 444), Duration::ZERO, "one in two milliseconds and a little");
        assert_eq!(pace.nap(ms(5_000), 444), Duration::ZERO, "none");
    }

    #[test]
    fn a_bound_of_zero_never_naps() {
        let mut pace = Pace::new(Duration::ZERO);
        assert_eq!(pace.nap(ms(20), 1_000), Duration::ZERO);
    }
}
