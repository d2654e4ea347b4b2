use std::time::Duration;

barrage_part::part! {
    /// Thresholds of the heat of a room: by viewers or by messages a second, the hotter of both.
    @[derive(Eq)]
    pub struct HeatConfig {
        /// Viewers from which a room is warm, hot, and a celebrity's.
        viewers: [u64; 3] = [100, 1_000, 10_000];
        /// Messages a second from which a room is warm, hot, and a celebrity's.
        messages_per_s: [u64; 3] = [5, 50, 200];
        /// Time for which a room must be cooler before its heat falls by one level, in milliseconds.
        cool_ms: u64 = 10_000, between(1, 3_600_000);
    }
}

/// Heat of a room, which decides how finely the room is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Heat {
    Idle,
    Warm,
    Hot,
    Celebrity,
}

impl Heat {
    pub(crate) const ALL: [Heat; 4] = [Heat::Idle, Heat::Warm, Heat::Hot, Heat::Celebrity];

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Heat::Idle => "idle",
            Heat::Warm => "warm",
            Heat::Hot => "hot",
            Heat::Celebrity => "celebrity",
        }
    }
}

/// Heat of one room with hysteresis; pure.
///
/// Law: the heat rises at once, by as many steps as the figures demand. It falls by one step after
/// the figures stayed below 0.7 of its step for the cooling time without a break.
#[derive(Debug)]
pub(crate) struct HeatLadder {
    config: HeatConfig,
    heat: Heat,
    cooler_since: Option<Duration>,
}

impl HeatLadder {
    pub(crate) fn new(config: HeatConfig) -> Self {
        HeatLadder { config, heat: Heat::Idle, cooler_since: None }
    }

    pub(crate) fn heat(&self) -> Heat {
        self.heat
    }

    /// Takes a measurement at `now`; returns the heat when it changes.
    pub(crate) fn measure(&mut self, viewers: u64, messages_per_s: u64, now: Duration) -> Option<Heat> {
        let hotter = self.at(viewers, messages_per_s);
        if hotter > self.heat {
            return self.enter(hotter);
        }
        // The step holds while 10/7 of the figures reach it: 0.7 of the step in whole numbers.
        let kept = self.at(viewers.saturating_mul(10) / 7, messages_per_s.saturating_mul(10) / 7);
        if kept >= self.heat {
            self.cooler_since = None;
            return None;
        }
        let since = *self.cooler_since.get_or_insert(now);
        if now.saturating_sub(since) < Duration::from_millis(self.config.cool_ms) {
            return None;
        }
        self.enter(Heat::ALL[self.heat as usize - 1])
    }

    fn at(&self, viewers: u64, messages_per_s: u64) -> Heat {
        let steps = |figures: &[u64; 3], n: u64| figures.iter().take_while(|from| n >= **from).count();
        let by_viewers = steps(&self.config.viewers, viewers);
        Heat::ALL[by_viewers.max(steps(&self.config.messages_per_s, messages_per_s))]
    }

    fn enter(&mut self, heat: Heat) -> Option<Heat> {
        self.heat = heat;
        self.cooler_since = None;
        Some(heat)
    }
}

/// Rounds a room's viewers by its heat, so that the count of a large room changes seldom: 12,345
/// viewers of a celebrity's room are shown as 12,000.
pub(crate) fn rounded(count: u64, heat: Heat) -> u64 {
    let digits = match heat {
        Heat::Idle | Heat::Warm => return count,
        Heat::Hot => 3,
        Heat::Celebrity => 2,
    };
    let unit = 10_u64.pow(count.checked_ilog10().unwrap_or(0).saturating_sub(digits - 1));
    (count + unit / 2) / unit * unit
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_room_heats_at_once_and_cools_step_by_step() {
        let secs = Duration::from_secs;
        let mut ladder = HeatLadder::new(HeatConfig::default());
        assert_eq!(ladder.measure(10, 1, secs(0)), None);
        assert_eq!(ladder.measure(20_000, 1, secs(1)), Some(Heat::Celebrity));
        assert_eq!(ladder.measure(8_000, 1, secs(2)), None, "within the hysteresis");
        assert_eq!(ladder.measure(900, 1, secs(3)), None);
        assert_eq!(ladder.measure(900, 1, secs(12)), None);
        assert_eq!(ladder.measure(900, 1, secs(13)), Some(Heat::Hot));
        assert_eq!(ladder.measure(900, 1, secs(30)), None, "0.7 of hot is 700");
        assert_eq!(ladder.measure(10, 60, secs(31)), None, "hot by its rate");
        assert_eq!(ladder.measure(10, 0, secs(40)), None);
        assert_eq!(ladder.measure(10, 0, secs(50)), Some(Heat::Warm));
        assert_eq!(ladder.measure(10, 0, secs(60)), None);
        assert_eq!(ladder.measure(10, 0, secs(70)), Some(Heat::Idle));
    }

    #[test]
    fn counts_of_hot_rooms_are_rounded() {
        assert_eq!(rounded(12_345, Heat::Warm), 12_345);
        assert_eq!(rounded(1_234, Heat::Hot), 1_230);
        assert_eq!(rounded(12_345, Heat::Celebrity), 12_000);
        assert_eq!(rounded(99_999, Heat::Celebrity), 100_000);
        assert_eq!([0, 7, 42].map(|n| rounded(n, Heat::Celebrity)), [0, 7, 42]);
    }

    proptest! {
        #[test]
        fn a_room_within_the_hysteresis_keeps_its_heat(around in 800_u64..1_400, steps in prop::collection::vec((0_u64..200, 0_u64..8_000), 1..100)) {
            let mut ladder = HeatLadder::new(HeatConfig::default());
            ladder.measure(1_000, 0, Duration::ZERO);
            let mut now = Duration::ZERO;
            for (jitter, gap_ms) in steps {
                now += Duration::from_millis(gap_ms);
                prop_assert_eq!(ladder.measure(around + jitter - 100, 0, now), None);
            }
        }
    }
}
