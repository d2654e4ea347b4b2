//! How fast followers are told that a host is live: as fast as the gateways can admit those who open the room. Pure.

use std::time::Duration;

use crate::config::LiveConfig;

/// Overload level from which on a gateway gets no viewers by a notification.
const BUSY_LEVEL: u8 = 2;

/// What a gateway reports of its joins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct GatewayJoins {
    /// Whether it admits newcomers.
    pub(crate) is_ready: bool,
    /// Overload level: 0 is none, and from 2 on it gets no viewers by notifications.
    pub(crate) overload_level: u8,
    /// Viewers that joined in the last second.
    pub(crate) joins_per_s: f64,
    /// Viewers that it admits a second, at most; `None` when it sets no limit.
    pub(crate) joins_per_s_max: Option<u32>,
    /// Places for viewers that are free.
    pub(crate) free: u64,
}

/// Returns how many followers may be told a second. `told_per_s` is how many were told in the last second: those of them
/// who came are among the joins already.
pub(crate) fn notices_per_s(config: &LiveConfig, gateways: &[GatewayJoins], told_per_s: f64) -> f64 {
    let opening = config.opening_share.max(0.000_1);
    let (mut admitted, mut joins, mut free) = (0.0, 0.0, 0_u64);
    for gateway in gateways.iter().filter(|gateway| gateway.is_ready) {
        joins += gateway.joins_per_s;
        if gateway.overload_level < BUSY_LEVEL {
            admitted += f64::from(gateway.joins_per_s_max.unwrap_or(config.joins_per_s));
            free = free.saturating_add(gateway.free);
        }
    }
    let others = (joins - told_per_s * opening).max(0.0);
    let target = (admitted * config.admit_share - others).max(0.0);
    // Whoever was told lately and has not come yet takes a place too.
    let places = free as f64 * config.admit_share;
    (target.min(places) / opening).min(f64::from(config.notices_per_s_max))
}

/// Followers of one step, and the time until the next one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    pub(crate) notices: usize,
    pub(crate) lasts: Duration,
}

/// Returns the step of a pace. What was not used is not saved: a pause of the process must not become a burst.
pub(crate) fn step_of(per_s: f64, tick: Duration, notices_max: usize) -> Step {
    if per_s < 0.01 {
        return Step { notices: 0, lasts: tick };
    }
    let notices = ((per_s * tick.as_secs_f64()).floor() as usize).clamp(1, notices_max);
    Step { notices, lasts: Duration::from_secs_f64(notices as f64 / per_s).max(tick) }
}

/// Viewers whom entry is told to expect.
pub(crate) fn expected_viewers(config: &LiveConfig, followers: u64) -> u64 {
    ((followers as f64 * config.opening_share).ceil() as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway(joins_per_s: f64, max: u32) -> GatewayJoins {
        GatewayJoins {
            is_ready: true,
            overload_level: 0,
            joins_per_s,
            joins_per_s_max: (max > 0).then_some(max),
            free: 10_000,
        }
    }

    #[test]
    fn pace_follows_what_gateways_admit() {
        // A tenth opens the room, and half of what is admitted is used.
        let config = LiveConfig { notices_per_s_max: 1_000_000, ..LiveConfig::default() };
        let busy = GatewayJoins { overload_level: 2, ..gateway(0.0, 400) };
        let shut = GatewayJoins { is_ready: false, ..gateway(0.0, 400) };
        let full = GatewayJoins { free: 0, ..gateway(0.0, 400) };
        let nearly_full = GatewayJoins { free: 20, ..gateway(0.0, 400) };
        for (name, gateways, told_per_s, expected) in [
            ("no gateway", vec![], 0.0, 0.0),
            ("one gateway", vec![gateway(0.0, 400)], 0.0, 2_000.0),
            ("no limit of its own", vec![gateway(0.0, 0)], 0.0, 1_000.0),
            ("two gateways", vec![gateway(0.0, 400), gateway(0.0, 200)], 0.0, 3_000.0),
            ("viewers who come by themselves", vec![gateway(150.0, 400)], 0.0, 500.0),
            ("viewers who were told", vec![gateway(150.0, 400)], 1_500.0, 2_000.0),
            ("both", vec![gateway(150.0, 400)], 1_000.0, 1_500.0),
            ("more than the share", vec![gateway(300.0, 400)], 0.0, 0.0),
            ("an overloaded gateway", vec![gateway(0.0, 400), busy], 0.0, 2_000.0),
            (
                "its joins count",
                vec![gateway(0.0, 400), GatewayJoins { joins_per_s: 50.0, ..busy }],
                0.0,
                1_500.0,
            ),
            ("a gateway that drains", vec![gateway(0.0, 400), shut], 0.0, 2_000.0),
            ("no place", vec![full], 0.0, 0.0),
            ("few places", vec![nearly_full], 0.0, 100.0),
        ] {
            let found = notices_per_s(&config, &gateways, told_per_s);
            assert!((found - expected).abs() < 0.01, "{name}: {found}, not {expected}");
        }
        let bounded = LiveConfig { notices_per_s_max: 700, ..config };
        assert_eq!(notices_per_s(&bounded, &[gateway(0.0, 400)], 0.0), 700.0);
    }

    #[test]
    fn crowd_of_told_followers_stays_below_the_share_of_the_limit() {
        // Each second, a tenth of those told in the seconds before comes, most of them at once.
        let config = LiveConfig::default();
        let (mut told, mut joins, mut most) = (vec![0.0; 3], 0.0_f64, 0.0_f64);
        for _ in 0..600 {
            let per_s = notices_per_s(&config, &[gateway(joins, 400)], told[0]);
            told.insert(0, per_s);
            joins = 0.1 * (0.6 * told[1] + 0.3 * told[2] + 0.1 * told[3]);
            most = most.max(joins);
        }
        assert!((150.0..=201.0).contains(&most), "{most} joins a second of 400");
    }

    #[test]
    fn steps_keep_the_pace_whatever_it_is() {
        let tick = Duration::from_millis(200);
        let of = |per_s| step_of(per_s, tick, 1_000);
        for per_s in [0.01, 0.4, 4.0, 5.0, 7.3, 500.0, 4_999.0] {
            let Step { notices, lasts } = of(per_s);
            let made = notices as f64 / lasts.as_secs_f64();
            assert!(
                lasts >= tick && made <= per_s * 1.001 && made > per_s * 0.5,
                "{per_s}: {notices} in {lasts:?}"
            );
        }
        assert_eq!(of(0.0), Step { notices: 0, lasts: tick });
        assert_eq!(of(1_000_000.0), Step { notices: 1_000, lasts: tick });
    }

    #[test]
    fn entry_expects_the_share_that_opens() {
        let config = LiveConfig::default();
        assert_eq!(expected_viewers(&config, 1_000_000), 100_000);
        assert_eq!([expected_viewers(&config, 0), expected_viewers(&config, 1)], [1, 1]);
    }
}
