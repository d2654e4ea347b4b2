use std::time::Duration;

barrage_part::part! {
    /// Bounds of the overload signals. The signal that is highest against its bound decides.
    pub struct OverloadConfig {
        /// Bytes queued for all viewers. Beside the kernel buffers of 17,000 viewers, the default is
        /// the memory that a gateway of 1 GiB can spare.
        backlog_bytes_max: u64 = 256 << 20, between(1, 1 << 40);
        /// Scheduling lag in milliseconds: from the turn of a batch to its last write, or from the due
        /// time of a timer to its run.
        lag_ms_max: u64 = 300, between(1, 60_000);
        /// Share of time that the busiest worker works. Alone, this signal raises the level to
        /// `no_pulses` at most: a worker that is busy and in time is no reason to drop chat.
        busy_share_max: f64 = 0.97, SHARE;
        /// Time for which the pressure must last before the level rises by one, in milliseconds.
        raise_ms: u64 = 400, between(1, 600_000);
        /// Time for which the pressure must stay below 0.7 of the bounds before the level falls by one,
        /// in milliseconds.
        lower_ms: u64 = 3_000, between(1, 600_000);
        /// Smallest share of chat that is kept while chat is thinned.
        chat_share_min: f64 = 0.02, SHARE;
    }
}

/// Overload level. Each level adds to the levels below. Signals and gifts are delivered at all
/// levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// All messages are delivered at the usual pace.
    Normal,
    /// Pulses are summed over a time that is five times as long.
    CoarsePulses,
    /// Pulses are dropped, and batching windows are twice as long.
    NoPulses,
    /// Batching windows are four times as long. When fewer bytes would help, part of the chat is
    /// dropped, the same part for every viewer.
    ThinChat,
    /// Joins are refused, with a time to come back.
    RefuseJoins,
}

impl Level {
    pub(crate) const ALL: [Level; 5] =
        [Level::Normal, Level::CoarsePulses, Level::NoPulses, Level::ThinChat, Level::RefuseJoins];

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Level::Normal => "normal",
            Level::CoarsePulses => "coarse_pulses",
            Level::NoPulses => "no_pulses",
            Level::ThinChat => "thin_chat",
            Level::RefuseJoins => "refuse_joins",
        }
    }

    /// Factor on the batching windows.
    pub(crate) const fn window_factor(self) -> u32 {
        match self {
            Level::Normal | Level::CoarsePulses => 1,
            Level::NoPulses => 2,
            Level::ThinChat | Level::RefuseJoins => 4,
        }
    }
}

/// Measure of load that a pressure comes from, as logs and metrics name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Axis {
    Backlog,
    Lag,
    Busy,
    Egress,
}

impl Axis {
    pub(crate) const ALL: [Axis; 4] = [Axis::Backlog, Axis::Lag, Axis::Busy, Axis::Egress];

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Axis::Backlog => "backlog",
            Axis::Lag => "lag",
            Axis::Busy => "busy",
            Axis::Egress => "egress",
        }
    }
}

/// One measurement of the gateway's load, taken ten times a second.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pressure {
    pub(crate) backlog_bytes: u64,
    pub(crate) lag: Duration,
    pub(crate) busy_share: f64,
    /// Wait for the egress limit, relative to the longest acceptable one.
    pub(crate) egress_share: f64,
}

impl Pressure {
    /// Returns the greatest pressure relative to its bound, and its measure.
    pub(crate) fn worst(&self, config: &OverloadConfig) -> (Axis, f64) {
        let axes = [
            (Axis::Backlog, self.backlog(config)),
            (Axis::Lag, self.lag(config)),
            (Axis::Busy, self.busy(config)),
            (Axis::Egress, self.egress_share),
        ];
        axes.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).expect("there are four")
    }

    fn backlog(&self, config: &OverloadConfig) -> f64 {
        self.backlog_bytes as f64 / config.backlog_bytes_max.max(1) as f64
    }

    fn lag(&self, config: &OverloadConfig) -> f64 {
        self.lag.as_secs_f64() * 1_000.0 / config.lag_ms_max.max(1) as f64
    }

    fn busy(&self, config: &OverloadConfig) -> f64 {
        self.busy_share / config.busy_share_max.max(0.01)
    }

    /// Returns the greatest pressure that viewers notice.
    fn felt(&self, config: &OverloadConfig) -> f64 {
        self.backlog(config).max(self.lag(config)).max(self.egress_share)
    }

    /// Returns the greatest pressure that fewer bytes relieve. Longer windows relieve lag first,
    /// because a write costs by the viewer and hardly by the byte.
    fn of_bytes(&self, config: &OverloadConfig) -> f64 {
        self.backlog(config).max(self.lag(config) / LAG_OF_BYTES).max(self.egress_share)
    }
}

/// Multiple of the lag's bound from which fewer bytes count as a relief.
const LAG_OF_BYTES: f64 = 3.0;
/// Share of the bounds below which the level may fall.
const LOWER_SHARE: f64 = 0.7;
/// Factors by which the kept share of chat falls and rises with each measurement.
const THINNER: f64 = 0.8;
const FULLER: f64 = 1.1;

/// Overload level with hysteresis; pure.
///
/// Law: the level changes by one step at a time. It rises when the pressure reached its bound for
/// `raise_ms` without a break. It falls when the pressure stayed below 0.7 of the bound for
/// `lower_ms` without a break.
#[derive(Debug)]
pub(crate) struct OverloadLadder {
    config: OverloadConfig,
    level: Level,
    over_since: Option<Duration>,
    under_since: Option<Duration>,
    chat_share: f64,
}

impl OverloadLadder {
    pub(crate) fn new(config: OverloadConfig) -> Self {
        OverloadLadder { config, level: Level::Normal, over_since: None, under_since: None, chat_share: 1.0 }
    }

    /// Share of chat that is kept, 0 to 1.
    pub(crate) fn chat_share(&self) -> f64 {
        self.chat_share
    }

    /// Takes a measurement at `now`; returns the level when it changes.
    pub(crate) fn measure(&mut self, pressure: &Pressure, now: Duration) -> Option<Level> {
        let (felt, busy) = (pressure.felt(&self.config), pressure.busy(&self.config));
        let is_over = felt >= 1.0 || (busy >= 1.0 && self.level < Level::NoPulses);
        let is_under = felt < LOWER_SHARE && (busy < LOWER_SHARE || self.level > Level::NoPulses);
        self.over_since = is_over.then(|| self.over_since.unwrap_or(now));
        self.under_since = is_under.then(|| self.under_since.unwrap_or(now));
        let lasted = |since: Option<Duration>, ms| {
            since.is_some_and(|at| now.saturating_sub(at) >= Duration::from_millis(ms))
        };
        let step = self.level as usize;
        let next = if lasted(self.over_since, self.config.raise_ms) {
            self.over_since = Some(now);
            Level::ALL[(step + 1).min(Level::ALL.len() - 1)]
        } else if lasted(self.under_since, self.config.lower_ms) {
            self.under_since = Some(now);
            Level::ALL[step.saturating_sub(1)]
        } else {
            self.level
        };
        let changed = (next != self.level).then_some(next);
        self.level = next;
        self.thin(pressure.of_bytes(&self.config));
        changed
    }

    fn thin(&mut self, of_bytes: f64) {
        if self.level < Level::ThinChat {
            self.chat_share = 1.0;
        } else if of_bytes >= 1.0 {
            self.chat_share = (self.chat_share * THINNER).max(self.config.chat_share_min);
        } else if of_bytes < LOWER_SHARE {
            self.chat_share = (self.chat_share * FULLER).min(1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lag(ms: u64) -> Pressure {
        Pressure { lag: Duration::from_millis(ms), ..Pressure::default() }
    }

    fn run(ladder: &mut OverloadLadder, from_ms: u64, to_ms: u64, pressure: &Pressure) -> Vec<Level> {
        (from_ms..to_ms)
            .step_by(100)
            .filter_map(|ms| ladder.measure(pressure, Duration::from_millis(ms)))
            .collect()
    }

    #[test]
    fn the_level_rises_step_by_step_and_falls_slowly() {
        let mut ladder = OverloadLadder::new(OverloadConfig::default());
        assert_eq!(run(&mut ladder, 0, 300, &lag(900)), [], "a hiccup is no overload");
        assert_eq!(run(&mut ladder, 300, 400, &lag(0)), []);
        assert_eq!(run(&mut ladder, 400, 3_000, &lag(900)), Level::ALL[1..]);
        assert!(ladder.chat_share() < 0.5);
        assert_eq!(run(&mut ladder, 3_000, 9_000, &lag(250)), [], "neither over nor under");
        let down = run(&mut ladder, 9_000, 22_000, &lag(10));
        assert_eq!(down, [Level::ThinChat, Level::NoPulses, Level::CoarsePulses, Level::Normal]);
        assert!((ladder.chat_share() - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_worker_that_is_busy_and_in_time_costs_no_chat() {
        let mut ladder = OverloadLadder::new(OverloadConfig::default());
        let busy = Pressure { busy_share: 1.0, ..lag(50) };
        assert_eq!(run(&mut ladder, 0, 10_000, &busy), [Level::CoarsePulses, Level::NoPulses]);
        assert!((ladder.chat_share() - 1.0).abs() < f64::EPSILON);
        // Late but not heavy: longer windows, no thinning.
        run(&mut ladder, 10_000, 20_000, &lag(400));
        assert!((ladder.chat_share() - 1.0).abs() < f64::EPSILON);
        let heavy = Pressure { egress_share: 1.5, ..lag(0) };
        run(&mut ladder, 20_000, 25_000, &heavy);
        assert!(ladder.chat_share() < 0.05);
    }

    #[test]
    fn the_greatest_pressure_is_named() {
        let config = OverloadConfig::default();
        let pressure = Pressure { backlog_bytes: 512 << 20, busy_share: 0.5, ..lag(100) };
        assert_eq!(pressure.worst(&config), (Axis::Backlog, 2.0));
    }

    proptest! {
        /// Below the level `ThinChat`, all chat is kept.
        #[test]
        fn steps_are_single_and_at_least_the_raise_time_apart(lags in prop::collection::vec(0_u64..1_500, 1..300)) {
            let mut ladder = OverloadLadder::new(OverloadConfig::default());
            let (mut level, mut changed_at) = (Level::Normal, None::<u64>);
            for (n, lag_ms) in lags.into_iter().enumerate() {
                let now_ms = n as u64 * 100;
                if let Some(next) = ladder.measure(&lag(lag_ms), Duration::from_millis(now_ms)) {
                    prop_assert_eq!((next as i32 - level as i32).abs(), 1);
                    prop_assert!(changed_at.is_none_or(|at| now_ms - at >= 400));
                    (level, changed_at) = (next, Some(now_ms));
                }
                let share = ladder.chat_share();
                prop_assert!((0.02..=1.0).contains(&share));
                prop_assert!(level >= Level::ThinChat || share == 1.0);
            }
        }
    }
}
