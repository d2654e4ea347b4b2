//! The axes of the search, and the scenario of a trial on each of them.

use crate::load::population::{Kind, Phase};
use crate::report::Report;
use crate::scenario::threshold::Threshold;
use crate::scenario::{Encoding, RoomsConfig, Scenario};

use super::config::CapacityConfig;

/// Gifts in every trial while its load is held. They measure latency and loss where nothing else is
/// posted; they come at random, and a trial without any would measure nothing.
const GIFTS: f64 = 16.0;
/// Length of a chat message in characters of three bytes: an ordinary one, and the longest that an
/// uplink accepts by default.
const TEXT_CHARS: u32 = 30;
const LONG_TEXT_CHARS: u32 = 200;
/// Most messages per second of any search.
const MESSAGES_PER_S_MAX: f64 = 20_000.0;
/// Most messages per second and viewer: a scenario has no greater rate.
const MESSAGES_PER_S_EACH_MAX: f64 = 100.0;
/// Shortest ramp of a joins trial, in seconds; a rate with a shorter ramp is not tried.
const JOINS_SECS_MIN: f64 = 1.0;
/// Time after the last phase in which messages may still arrive, in seconds.
const SETTLE_SECS: f64 = 1.5;

/// A resource of a gateway that the search loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Axis {
    /// Viewers that stay connected while little is posted.
    Connections,
    /// New viewers that join the room per second.
    Joins,
    /// Short messages delivered to viewers, per second.
    Deliveries,
    /// Bytes of long messages delivered to viewers, per second.
    Egress,
}

impl Axis {
    /// Every axis, in the order of the searches.
    pub const ALL: [Axis; 4] = [Axis::Connections, Axis::Joins, Axis::Deliveries, Axis::Egress];

    /// Returns the key of the axis in the capacity file.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Axis::Connections => "connections",
            Axis::Joins => "joins_per_s",
            Axis::Deliveries => "deliveries_per_s",
            Axis::Egress => "egress_bytes_per_s",
        }
    }

    /// Returns the unit in which a search counts its loads.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Axis::Connections => "viewers",
            Axis::Joins => "joins/s",
            Axis::Deliveries => "messages/s",
            Axis::Egress => "long messages/s",
        }
    }

    /// Returns the load of a search's first trial.
    #[must_use]
    pub fn start(self, config: &CapacityConfig) -> f64 {
        let viewers = f64::from(config.viewers_max);
        match self {
            Axis::Connections => (viewers / 8.0).max(1.0),
            Axis::Joins => (viewers / 64.0).max(1.0),
            Axis::Deliveries | Axis::Egress => 50.0_f64.min(self.ceiling(config)),
        }
    }

    /// Returns the greatest load that a search of the axis tries.
    #[must_use]
    pub fn ceiling(self, config: &CapacityConfig) -> f64 {
        match self {
            Axis::Connections => f64::from(config.viewers_max),
            Axis::Joins => f64::from(config.viewers_max) / JOINS_SECS_MIN,
            Axis::Deliveries | Axis::Egress => {
                MESSAGES_PER_S_MAX.min(f64::from(config.room_viewers) * MESSAGES_PER_S_EACH_MAX)
            }
        }
    }

    /// Returns the scenario that tries a load.
    #[must_use]
    pub fn scenario(self, load: f64, config: &CapacityConfig) -> Scenario {
        let hold = config.hold_secs;
        let viewers = match self {
            Axis::Connections => load,
            Axis::Joins => load * self.join_secs(load, config),
            Axis::Deliveries | Axis::Egress => f64::from(config.room_viewers),
        };
        let viewers = viewers.round().max(1.0) as u32;
        let ramp = match self {
            Axis::Joins => Phase { chat_times: 0.0, ..phase(Kind::Ramp, self.join_secs(load, config)) },
            Axis::Connections | Axis::Deliveries | Axis::Egress => {
                let secs = (f64::from(viewers) / config.ramp_joins_per_s).max(0.5);
                Phase { chat_times: 0.0, gift_times: 0.0, ..phase(Kind::Ramp, secs) }
            }
        };
        let per_viewer_per_min = |per_s: f64| per_s * 60.0 / f64::from(viewers);
        let (chat_per_s, text_chars) = match self {
            Axis::Connections | Axis::Joins => (0.0, TEXT_CHARS),
            Axis::Deliveries => (load, TEXT_CHARS),
            Axis::Egress => (load, LONG_TEXT_CHARS),
        };
        Scenario {
            name: format!("capacity-{}", self.key()),
            about: format!("{load:.0} {}", self.unit()),
            viewers,
            phases: vec![ramp, phase(Kind::Hold, hold)],
            rooms: RoomsConfig { count: 1, name: config.room.clone(), zipf: 0.0 },
            chat_per_viewer_per_min: per_viewer_per_min(chat_per_s),
            gifts_per_viewer_per_min: per_viewer_per_min(GIFTS / hold),
            text_chars: Some(text_chars),
            // Without compression, bytes do not depend on the texts.
            encoding: Encoding::Json,
            settle_secs: SETTLE_SECS,
            tester_lag_p99_ms_max: config.tester_lag_p99_ms_max,
            thresholds: self.thresholds(config),
            ..Scenario::default()
        }
    }

    /// Time for which viewers join at this rate until the gateway is full, in seconds.
    fn join_secs(self, load: f64, config: &CapacityConfig) -> f64 {
        (f64::from(config.viewers_max) / load).clamp(JOINS_SECS_MIN, config.hold_secs)
    }

    fn thresholds(self, config: &CapacityConfig) -> Vec<Threshold> {
        let mut conditions = vec![
            format!("p99 <= {}ms", config.p99_ms),
            "loss.gift == 0".into(),
            "doubled.gift == 0".into(),
            "viewers.lost == 0".into(),
            format!("join.p99 <= {}ms", config.join_p99_ms),
        ];
        if matches!(self, Axis::Deliveries | Axis::Egress) {
            conditions.push(format!("loss.chat <= {}%", config.chat_loss_percent));
            conditions.push(format!("posts.failed <= {}%", config.chat_loss_percent));
        }
        conditions.iter().map(|text| text.parse().expect("of figures that exist")).collect()
    }

    /// Converts a load that held to the figure of the capacity file.
    #[must_use]
    pub fn measured(self, load: f64, report: &Report) -> f64 {
        let hold_secs = report.scenario.phases.last().map_or(1.0, |hold| hold.secs);
        match self {
            Axis::Connections => report.figures.get("viewers.peak").copied().unwrap_or_default(),
            Axis::Joins => load,
            Axis::Deliveries => report.totals.delivered.total() as f64 / hold_secs,
            Axis::Egress => report.totals.bytes as f64 / hold_secs,
        }
    }
}

fn phase(phase: Kind, secs: f64) -> Phase {
    let to = (phase == Kind::Ramp).then_some(1.0);
    Phase { phase, secs, to, chat_times: 1.0, gift_times: 1.0, like_times: 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the first load to the greatest, every trial is a valid scenario.
    #[test]
    fn every_load_is_a_valid_scenario() {
        for config in [
            CapacityConfig::default(),
            CapacityConfig { viewers_max: 60, room_viewers: 3, hold_secs: 1.0, ..CapacityConfig::default() },
        ] {
            for axis in Axis::ALL {
                let (mut load, ceiling) = (axis.start(&config) / 256.0, axis.ceiling(&config));
                while load <= ceiling {
                    let scenario = axis.scenario(load, &config);
                    scenario.check().unwrap_or_else(|error| panic!("{axis:?} {load}: {error}"));
                    assert!(scenario.viewers <= config.viewers_max.max(config.room_viewers));
                    load = if load < ceiling { (load * 2.0).min(ceiling) } else { f64::INFINITY };
                }
            }
        }
    }

    #[test]
    fn joins_trial_offers_its_rate() {
        let config = CapacityConfig { viewers_max: 10_000, hold_secs: 6.0, ..CapacityConfig::default() };
        for load in [10.0, 1_000.0, 5_000.0, 10_000.0] {
            let scenario = Axis::Joins.scenario(load, &config);
            let offered = f64::from(scenario.viewers) / scenario.phases[0].secs;
            assert!((offered / load - 1.0).abs() < 0.01, "{offered} instead of {load}");
        }
    }
}
