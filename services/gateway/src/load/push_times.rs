use std::sync::atomic::{AtomicU64, Ordering};

/// Upper ends of the histogram's buckets, in milliseconds; one more bucket is open.
pub(crate) const PUSH_BOUNDS_MS: [u64; 14] =
    [1, 2, 5, 10, 20, 50, 75, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];
/// Reported for the open bucket, in milliseconds.
const BEYOND_MS: u64 = 20_000;

/// Histogram of the time from a message's acceptance to the viewers' sockets, since the last report.
#[derive(Debug, Default)]
pub(crate) struct PushTimes([AtomicU64; PUSH_BOUNDS_MS.len() + 1]);

impl PushTimes {
    /// Counts viewers that were written to after this time.
    pub(crate) fn add(&self, elapsed_ms: u64, viewers: u64) {
        let bucket = PUSH_BOUNDS_MS.partition_point(|bound| *bound < elapsed_ms);
        self.0[bucket].fetch_add(viewers, Ordering::Relaxed);
    }

    /// Returns the upper end of the bucket of the 99th percentile, in milliseconds, and empties
    /// the histogram. 0 when nothing was counted.
    pub(crate) fn take_p99_ms(&self) -> u64 {
        let counts: Vec<u64> = self.0.iter().map(|count| count.swap(0, Ordering::Relaxed)).collect();
        let all: u64 = counts.iter().sum();
        let mut within = 0;
        let reached = counts.iter().position(|count| {
            within += count;
            within * 100 >= all * 99
        });
        match reached {
            _ if all == 0 => 0,
            Some(bucket) => PUSH_BOUNDS_MS.get(bucket).copied().unwrap_or(BEYOND_MS),
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_99th_percentile_ignores_the_slowest_hundredth_and_starts_anew() {
        let pushes = PushTimes::default();
        assert_eq!(pushes.take_p99_ms(), 0);
        pushes.add(40, 99);
        pushes.add(4_000, 1);
        assert_eq!(pushes.take_p99_ms(), 50);
        pushes.add(40, 98);
        pushes.add(4_000, 2);
        assert_eq!(pushes.take_p99_ms(), 5_000);
        pushes.add(60_000, 1);
        assert_eq!(pushes.take_p99_ms(), 20_000);
        assert_eq!(pushes.take_p99_ms(), 0);
    }
}
