//! A connection on a thread of its own, which reads messages in groups.
//!
//! A gateway's messages arrive one by one, and waking for each takes the core from the threads
//! that write to viewers: at a thousand messages a second that was a tenth of a gateway's work.
//! As network cards moderate their interrupts, the thread therefore sleeps for a moment before it
//! waits again while messages arrive fast. The length of a nap follows from the processor time that a
//! wake costs on this machine. Topics are followed on the same thread, so that a message wakes no other
//! thread on its way. Publishes and requests use the same connection and wait for it too.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_nats::Statistics;
use barrage_flow::{Cost, CostRange, interval_at_share};
use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Shortest time over which the rate is measured.
const MEASURED_MIN: Duration = Duration::from_millis(20);
/// Messages that a nap must gather at least; else a nap delays a message and saves no wake.
const GROUP_MIN: u32 = 2;
/// Share of the time that the wakes of this thread may take. Small, because a wake costs the thread that it
/// interrupts several times as much: 87 µs in all, where this thread itself used some 20.
const WAKE_SHARE: f64 = 0.004;
/// Processor time of a wake before the first measurement.
const WAKE_ASSUMED: Duration = Duration::from_micros(20);
/// Range of the measured processor time of a wake, and of a message.
const WAKE_RANGE: CostRange = CostRange {
    fixed_min: Duration::from_micros(1),
    fixed_max: Duration::from_micros(500),
    unit_max: Duration::from_micros(200),
};

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
            nap(pace.lock().nap(origin.elapsed(), thread_time(), messages));
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

/// Returns the processor time that this thread has used so far.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

/// Derives the length of a nap from the rate of messages and the cost of a wake. Pure; times count from any
/// origin.
#[derive(Debug)]
struct Pace {
    nap_max: Duration,
    since: Duration,
    messages: u64,
    nap: Duration,
    /// Processor time of a wake, and of each message that it reads.
    wake: Cost,
    /// Processor time and messages before the last wake.
    before: (Duration, u64),
}

impl Pace {
    fn new(nap_max: Duration) -> Self {
        Pace {
            nap_max,
            since: Duration::ZERO,
            messages: 0,
            nap: Duration::ZERO,
            wake: Cost::new(WAKE_ASSUMED, WAKE_RANGE),
            before: (Duration::ZERO, 0),
        }
    }

    /// Returns the nap to take at `now`, after so much processor time and `messages` messages in total.
    fn nap(&mut self, now: Duration, used: Duration, messages: u64) -> Duration {
        let (used_before, messages_before) = std::mem::replace(&mut self.before, (used, messages));
        let read = messages.saturating_sub(messages_before) as f64;
        self.wake.measure(read, used.saturating_sub(used_before));
        let elapsed = now.saturating_sub(self.since);
        if elapsed >= MEASURED_MIN {
            let came = u32::try_from(messages.saturating_sub(self.messages)).unwrap_or(u32::MAX);
            let interval = elapsed.checked_div(came).unwrap_or(Duration::MAX);
            let nap = interval_at_share(self.wake.fixed(), WAKE_SHARE).min(self.nap_max);
            self.nap = if interval.saturating_mul(GROUP_MIN) <= nap { nap } else { Duration::ZERO };
            (self.since, self.messages) = (now, messages);
        }
        self.nap
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The nap after two seconds of naps, at a rate in bursts of five, on a machine with these costs.
    fn settled(per_s: f64, wake_us: f64, message_us: f64) -> Duration {
        let mut pace = Pace::new(ms(5));
        let (mut now, mut used, mut came) = (0.0, 0.0, 0);
        while now < 2.0 {
            let nap = pace.nap(Duration::from_secs_f64(now), Duration::from_secs_f64(used), came);
            now += nap.as_secs_f64().max(1.0 / per_s);
            let read = (now * per_s / 5.0) as u64 * 5 - came;
            came += read;
            used += (wake_us + read as f64 * message_us) / 1e6;
        }
        pace.nap
    }

    #[test]
    fn naps_only_while_messages_are_fast() {
        let mut pace = Pace::new(ms(4));
        let used = |wakes: u32| WAKE_ASSUMED * wakes;
        assert_eq!(pace.nap(ms(10), used(1), 10), Duration::ZERO, "not measured yet");
        assert_eq!(pace.nap(ms(20), used(2), 20), ms(4), "one a millisecond");
        assert_eq!(pace.nap(ms(30), used(3), 20), ms(4), "until it is measured again");
        assert_eq!(pace.nap(ms(80), used(4), 48), Duration::ZERO, "one in two milliseconds and a little");
        assert_eq!(pace.nap(ms(5_000), used(5), 48), Duration::ZERO, "none");
    }

    #[test]
    fn a_bound_of_zero_never_naps() {
        let mut pace = Pace::new(Duration::ZERO);
        assert_eq!(pace.nap(ms(20), ms(1), 1_000), Duration::ZERO);
    }

    #[test]
    fn dear_wakes_make_long_naps_and_dear_messages_do_not() {
        assert_eq!(settled(2_000.0, 50.0, 10.0), ms(5), "the bound");
        let fast = settled(2_000.0, 6.0, 2.0);
        assert!(fast > Duration::from_micros(800) && fast < ms(4), "{fast:?}");
        assert_eq!(settled(100.0, 20.0, 10.0), Duration::ZERO);
    }

    proptest! {
        /// On any machine and at any rate, a nap is within its bound, and gathers messages.
        #[test]
        fn a_nap_is_bounded_and_worth_it(per_s in 1.0_f64..50_000.0, wake_us in 0.1_f64..1_000.0, message_us in 0.1_f64..100.0) {
            let nap = settled(per_s, wake_us, message_us);
            prop_assert!(nap <= ms(5));
            prop_assert!(nap.is_zero() || nap.as_secs_f64() * per_s > 0.5 * f64::from(GROUP_MIN), "{nap:?}");
        }
    }
}
