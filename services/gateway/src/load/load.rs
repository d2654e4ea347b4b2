use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use barrage_flow::{BucketOutcome, LeakyBucket, Rate, RuleError, Verdict};
use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::{Costs, Level};

/// Unit in which egress is counted, in bytes, so that rates fit 32 bits.
const EGRESS_UNIT_BYTES: u64 = 1024;
/// Parts of the whole in which the kept share of chat is stored.
const CHAT_SHARE_UNIT: f64 = 1_000_000.0;
/// Parts of the whole in which the factor on windows is stored.
const STRETCH_UNIT: f64 = 1_000.0;

/// Measures that the gateway's parts report, and the overload level that follows from them.
#[derive(Debug)]
pub(crate) struct Load {
    level: AtomicU8,
    chat_share_ppm: AtomicU32,
    window_stretch_milli: AtomicU32,
    /// Longest lag since the last measurement, in microseconds.
    lag_us: AtomicU64,
    /// Longest lag since the last load report, in microseconds.
    reported_lag_us: AtomicU64,
    egress: EgressLimit,
    /// Costs of the fan-out, as measured.
    pub(crate) costs: Costs,
    /// Runtimes of the shards, whose busy time is measured.
    workers: Mutex<Vec<Handle>>,
}

impl Load {
    pub(crate) fn new(egress: EgressLimit, shards: usize) -> Self {
        Load {
            level: AtomicU8::new(0),
            chat_share_ppm: AtomicU32::new(CHAT_SHARE_UNIT as u32),
            window_stretch_milli: AtomicU32::new(STRETCH_UNIT as u32),
            lag_us: AtomicU64::new(0),
            reported_lag_us: AtomicU64::new(0),
            egress,
            costs: Costs::new(shards),
            workers: Mutex::default(),
        }
    }

    pub(crate) fn level(&self) -> Level {
        Level::ALL[usize::from(self.level.load(Ordering::Relaxed))]
    }

    /// Share of chat that is kept, 0 to 1.
    pub(crate) fn chat_share(&self) -> f64 {
        f64::from(self.chat_share_ppm.load(Ordering::Relaxed)) / CHAT_SHARE_UNIT
    }

    /// Puts a level and a share of chat in force, after a measurement.
    pub(crate) fn set_level(&self, level: Level, chat_share: f64) {
        self.level.store(level as u8, Ordering::Relaxed);
        self.chat_share_ppm.store((chat_share * CHAT_SHARE_UNIT) as u32, Ordering::Relaxed);
    }

    /// Factor on the batching windows by the measured cost of writes, 1 at least.
    pub(crate) fn window_stretch(&self) -> f64 {
        f64::from(self.window_stretch_milli.load(Ordering::Relaxed)) / STRETCH_UNIT
    }

    /// Puts a factor on the batching windows in force, after a measurement.
    pub(crate) fn set_window_stretch(&self, stretch: f64) {
        self.window_stretch_milli.store((stretch * STRETCH_UNIT) as u32, Ordering::Relaxed);
    }

    pub(crate) fn egress(&self) -> &EgressLimit {
        &self.egress
    }

    /// Records how long a batch took from its due time to its last write on a shard.
    pub(crate) fn record_lag(&self, lag: Duration) {
        self.lag_us.fetch_max(micros(lag), Ordering::Relaxed);
    }

    /// Returns the longest lag since the last measurement. `timer_lag` counts as well: the time
    /// by which the measurement itself was late.
    pub(crate) fn measure_lag(&self, timer_lag: Duration) -> Duration {
        let delivered = Duration::from_micros(self.lag_us.swap(0, Ordering::Relaxed));
        let lag = timer_lag.max(delivered);
        self.reported_lag_us.fetch_max(micros(lag), Ordering::Relaxed);
        lag
    }

    /// Returns the longest lag since the last load report, and starts anew.
    pub(crate) fn take_reported_lag(&self) -> Duration {
        Duration::from_micros(self.reported_lag_us.swap(0, Ordering::Relaxed))
    }

    /// Adds a shard's runtime to those that are measured.
    pub(crate) fn add_worker(&self, runtime: Handle) {
        self.workers.lock().push(runtime);
    }

    /// Returns the busy time of each shard's thread since its start.
    pub(crate) fn busy_times(&self) -> Vec<Duration> {
        let workers = self.workers.lock();
        workers.iter().map(|worker| worker.metrics().worker_total_busy_duration(0)).collect()
    }
}

/// Leaky bucket that smooths the bytes sent to all viewers. Holds one second's worth.
#[derive(Debug)]
pub(crate) struct EgressLimit {
    started_at: Instant,
    bucket: Mutex<LeakyBucket>,
}

impl EgressLimit {
    /// Makes an empty bucket. A rate below `EGRESS_UNIT_BYTES` counts as one unit a second.
    pub(crate) fn new(bytes_per_s: u64) -> Result<Self, RuleError> {
        let units = bytes_per_s / EGRESS_UNIT_BYTES;
        let units = u32::try_from(units).unwrap_or(u32::MAX).max(1);
        let bucket = LeakyBucket::empty(Rate::per_sec(units, units)?, Duration::ZERO);
        Ok(EgressLimit { started_at: barrage_clock::now(), bucket: Mutex::new(bucket) })
    }

    /// Counts bytes that were sent or queued. Ignores the part that the bucket has no room for:
    /// the bucket is full then, and the overload level rises.
    pub(crate) fn count(&self, bytes: u64) {
        let units = u32::try_from(bytes.div_ceil(EGRESS_UNIT_BYTES)).unwrap_or(u32::MAX);
        let (mut bucket, now) = (self.bucket.lock(), self.started_at.elapsed());
        if let BucketOutcome::Refused(Verdict::Refuse { remaining, .. }) = bucket.enter(units, now) {
            bucket.enter(remaining, now);
        }
    }

    /// Returns how long the next batch must wait for the limit.
    pub(crate) fn wait(&self) -> Duration {
        self.bucket.lock().backlog(self.started_at.elapsed())
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_lag_is_measured_and_reported_once() {
        let load = Load::new(EgressLimit::new(1 << 20).unwrap(), 1);
        load.record_lag(Duration::from_millis(30));
        load.record_lag(Duration::from_millis(20));
        assert_eq!(load.measure_lag(Duration::from_millis(5)), Duration::from_millis(30));
        assert_eq!(load.measure_lag(Duration::from_millis(5)), Duration::from_millis(5));
        assert_eq!(load.take_reported_lag(), Duration::from_millis(30));
        assert_eq!(load.take_reported_lag(), Duration::ZERO);
    }

    #[test]
    fn egress_beyond_the_rate_waits_for_a_second_at_most() {
        let egress = EgressLimit::new(1 << 20).unwrap();
        assert_eq!(egress.wait(), Duration::ZERO);
        egress.count(1 << 30);
        let wait = egress.wait();
        assert!(wait > Duration::from_millis(500) && wait <= Duration::from_secs(1), "{wait:?}");
    }
}
