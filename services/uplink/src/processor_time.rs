//! Share of the processors that this process uses, for the report to the registry.

use std::time::{Duration, Instant};

/// Least time between two readings: over a moment, one thread's time slice would look like full load.
const READ_MIN: Duration = Duration::from_millis(500);

/// The processor time of this process at the last reading.
#[derive(Debug)]
pub(crate) struct ProcessorTime {
    at: Instant,
    used: Duration,
    busy: f64,
}

impl ProcessorTime {
    /// Takes the first reading, from which the next one counts.
    pub(crate) fn start() -> Self {
        ProcessorTime { at: barrage_clock::now(), used: used(), busy: 0.0 }
    }

    /// Returns the share of the usable processors since the last reading, 0 to 1. Within half a second
    /// of a reading its share is returned again.
    pub(crate) fn take_busy(&mut self) -> f64 {
        let now = barrage_clock::now();
        let elapsed = now.duration_since(self.at);
        if elapsed < READ_MIN {
            return self.busy;
        }
        let used = used();
        let cores = std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64);
        let share = used.saturating_sub(self.used).as_secs_f64() / elapsed.as_secs_f64() / cores;
        *self = ProcessorTime { at: now, used, busy: share.clamp(0.0, 1.0) };
        self.busy
    }
}

/// Returns the processor time of this process since its start; zero when the system does not report
/// it, and then the uplink counts as idle.
fn used() -> Duration {
    let stat = procfs::process::Process::myself().and_then(|process| process.stat());
    stat.map_or(Duration::ZERO, |stat| {
        Duration::from_secs_f64((stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_thread_shows_as_a_share_of_the_processors() {
        let mut time = ProcessorTime::start();
        assert_eq!(time.take_busy(), 0.0, "no time has passed");
        let until = barrage_clock::now() + READ_MIN + Duration::from_millis(100);
        let mut sum = 0_u64;
        while barrage_clock::now() < until {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(7));
        }
        let busy = time.take_busy();
        assert!(busy > 0.01 && busy <= 1.0, "{busy}");
    }
}
