use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use barrage_flow::{Cost, CostRange, interval_at_share};
use parking_lot::Mutex;

/// Cost of a write before the first measurement; a `send` on a server of 2020 takes 3 to 10 µs.
const WRITE_ASSUMED: Duration = Duration::from_micros(5);
/// Range of the measured cost of a write, and of a byte of its frame.
const WRITE_RANGE: CostRange = CostRange {
    fixed_min: Duration::from_nanos(200),
    fixed_max: Duration::from_micros(200),
    unit_max: Duration::from_nanos(5),
};
/// Writes below which a delivery is too short to be measured.
const WRITES_MIN: u64 = 16;
/// Time of a turn of a room beside its writes, before the first measurement: the hub's part, the encoding and
/// the wake of the shard.
const TURN_ASSUMED: Duration = Duration::from_micros(150);
/// Range of the measured time of a turn, and of its hub's wakes.
const TURN_RANGE: CostRange = CostRange {
    fixed_min: Duration::from_micros(5),
    fixed_max: Duration::from_millis(5),
    unit_max: Duration::from_micros(50),
};
/// Share of the time that turns may take beside the writes of their waves.
const TURN_SHARE: f64 = 0.03;
/// Shortest and longest write loop of a wave, whatever a turn costs. The longest is what other rooms of the
/// shard wait for, and what the last viewer of a wave gets later than the first.
const WAVE_RANGE: (Duration, Duration) = (Duration::from_millis(3), Duration::from_millis(8));
/// Smallest wave, unless the configuration has a smaller bound.
const WAVE_VIEWERS_MIN: usize = 64;
/// Share of the time that a hub's wakes may take while its batch is open.
const COLLECT_SHARE: f64 = 0.004;
/// Shortest and longest time between two collections, whatever a wake costs. The longest bounds the events
/// that wait in a subscription.
const COLLECT_RANGE: (Duration, Duration) = (Duration::from_millis(4), Duration::from_millis(20));

/// Costs of the fan-out on this machine, measured while it runs. Waves and collections follow from them.
#[derive(Debug)]
pub(crate) struct Costs {
    shards: Box<[ShardCosts]>,
    /// Wakes of all hubs; units are the messages that a wake collects.
    wake: Mutex<Cost>,
}

#[derive(Debug)]
struct ShardCosts {
    /// A write to one viewer; units are the bytes of its frame.
    write: Mutex<Cost>,
    /// A turn beside its writes; units are messages.
    turn: Mutex<Cost>,
    /// Fixed costs, in nanoseconds, of the writes that waited for a window, since they were taken last.
    windowed_ns: AtomicU64,
}

impl Costs {
    pub(crate) fn new(shards: usize) -> Self {
        let shard = |_| ShardCosts {
            write: Mutex::new(Cost::new(WRITE_ASSUMED, WRITE_RANGE)),
            turn: Mutex::new(Cost::new(TURN_ASSUMED, TURN_RANGE)),
            windowed_ns: AtomicU64::new(0),
        };
        Costs {
            shards: (0..shards).map(shard).collect(),
            wake: Mutex::new(Cost::new(TURN_ASSUMED / 5, TURN_RANGE)),
        }
    }

    /// Records the write loop of one delivery on a shard: `bytes` went to `writes` viewers. Loops of few
    /// writes are not measured.
    pub(crate) fn wrote(&self, shard: usize, writes: u64, bytes: u64, took: Duration) {
        if writes >= WRITES_MIN {
            let each = took / u32::try_from(writes).unwrap_or(u32::MAX);
            self.shards[shard].write.lock().measure(bytes as f64 / writes as f64, each);
        }
    }

    /// Counts writes whose batch waited for its window: fewer, with a longer window.
    pub(crate) fn wrote_windowed(&self, shard: usize, writes: u64) {
        let shard = &self.shards[shard];
        let fixed_ns = u64::try_from(shard.write.lock().fixed().as_nanos()).unwrap_or(u64::MAX);
        shard.windowed_ns.fetch_add(fixed_ns.saturating_mul(writes), Ordering::Relaxed);
    }

    /// Returns the fixed cost of the windowed writes of each shard since the last call.
    pub(crate) fn take_windowed(&self) -> Vec<Duration> {
        let take = |shard: &ShardCosts| Duration::from_nanos(shard.windowed_ns.swap(0, Ordering::Relaxed));
        self.shards.iter().map(take).collect()
    }

    /// Records the time of a turn beside its writes: from the hub's decision to the first write.
    pub(crate) fn turned(&self, shard: usize, messages: u64, took: Duration) {
        self.shards[shard].turn.lock().measure(messages as f64, took);
    }

    /// Records a wake of a hub that collected so many messages.
    pub(crate) fn woke(&self, messages: u64, took: Duration) {
        self.wake.lock().measure(messages as f64, took);
    }

    /// Viewers of one wave on a shard, `viewers_max` at most.
    pub(crate) fn wave_viewers(&self, shard: usize, viewers_max: usize) -> usize {
        let shard = &self.shards[shard];
        let (turn, write) = (shard.turn.lock().mean(), shard.write.lock().mean());
        wave_viewers(turn, write, viewers_max)
    }

    /// Time between two collections of a hub while its batch is open.
    pub(crate) fn collect_every(&self) -> Duration {
        let (min, max) = COLLECT_RANGE;
        interval_at_share(self.wake.lock().fixed(), COLLECT_SHARE).clamp(min, max)
    }
}

/// Returns the viewers of one wave: as few as the cost of a turn allows.
fn wave_viewers(turn: Duration, write: Duration, viewers_max: usize) -> usize {
    let (min, max) = WAVE_RANGE;
    let loop_ns = interval_at_share(turn, TURN_SHARE).clamp(min, max).as_nanos();
    let viewers = usize::try_from(loop_ns / write.as_nanos().max(1)).unwrap_or(usize::MAX);
    viewers.max(WAVE_VIEWERS_MIN).min(viewers_max)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const US: Duration = Duration::from_micros(1);

    #[test]
    fn before_measurements_a_wave_has_a_thousand_viewers() {
        assert_eq!(Costs::new(1).wave_viewers(0, 4_000), 1_000);
    }

    #[test]
    fn a_slow_machine_has_smaller_waves_and_a_fast_one_larger() {
        let costs = Costs::new(2);
        for _ in 0..300 {
            costs.wrote(0, 1_000, 12_000_000, 20 * US * 1_000);
            costs.wrote(1, 1_000, 12_000_000, 2 * US * 1_000);
        }
        assert!((240..=260).contains(&costs.wave_viewers(0, 4_000)), "{}", costs.wave_viewers(0, 4_000));
        assert!((2_400..=2_600).contains(&costs.wave_viewers(1, 4_000)), "{}", costs.wave_viewers(1, 4_000));
        assert_eq!(costs.wave_viewers(1, 3), 3, "the configured bound holds");
    }

    #[test]
    fn short_loops_are_not_measured() {
        let costs = Costs::new(1);
        (0..100).for_each(|_| costs.wrote(0, WRITES_MIN - 1, 1_000, Duration::from_secs(1)));
        assert_eq!(costs.wave_viewers(0, 4_000), 1_000);
    }

    #[test]
    fn windowed_writes_are_taken_once_with_their_fixed_cost() {
        let costs = Costs::new(2);
        costs.wrote_windowed(1, 1_000);
        assert_eq!(costs.take_windowed(), [Duration::ZERO, WRITE_ASSUMED * 1_000]);
        assert_eq!(costs.take_windowed(), [Duration::ZERO; 2]);
    }

    #[test]
    fn dear_wakes_make_collections_rare() {
        let costs = Costs::new(1);
        assert_eq!(costs.collect_every(), Duration::from_micros(7_500));
        (0..300).for_each(|_| costs.woke(10, 200 * US));
        assert_eq!(costs.collect_every(), COLLECT_RANGE.1);
        (0..600).for_each(|_| costs.woke(10, 6 * US));
        assert_eq!(costs.collect_every(), COLLECT_RANGE.0);
    }

    proptest! {
        /// On any machine, the write loop of a wave is within its range, or the wave at a bound of viewers.
        #[test]
        fn the_loop_of_a_wave_is_bounded(turn_us in 0_u32..10_000, write_ns in 200_u64..200_000, viewers_max in 1_usize..20_000) {
            let write = Duration::from_nanos(write_ns);
            let viewers = wave_viewers(US * turn_us, write, viewers_max);
            prop_assert!((1..=viewers_max).contains(&viewers));
            let took = write * u32::try_from(viewers).unwrap();
            prop_assert!(took <= WAVE_RANGE.1 || viewers <= WAVE_VIEWERS_MIN);
            prop_assert!(took + write >= WAVE_RANGE.0 || viewers == viewers_max);
        }
    }
}
