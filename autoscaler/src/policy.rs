//! The policy: every number that the core decides by.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::ConfigError;
use crate::problem::{Problem, Problems};
use crate::schedule::Schedule;
use crate::weights::WeightsConfig;

/// What the autoscaler may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Decides and acts.
    Active,
    /// Decides as if active; whoever runs the core writes nothing.
    DryRun,
    /// Leaves the fleet as it is.
    Paused,
    /// Adds gateways, drains none.
    ScaleOutOnly,
}

/// The whole policy. Every part has defaults; an empty file is a valid policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// What it may do. Default active.
    pub mode: Mode,
    /// Never fewer gateways. Default 2: one may die.
    pub replicas_min: u32,
    /// Never more gateways, draining ones included; entry paces joins at the ceiling.
    /// Default 120.
    pub replicas_max: u32,
    /// Share of the knee that the fleet is planned for. Default 0.9: a higher one
    /// waits longer in a spike, a lower one costs gateway hours.
    pub target_utilization: f64,
    /// Seconds between decisions. Default 2: gateways report every second, and a
    /// decision takes microseconds.
    pub tick_secs: f64,
    /// Spare gateways.
    pub reserve: ReserveConfig,
    /// How far it looks ahead.
    pub forecast: ForecastConfig,
    /// How joins count.
    pub joins: JoinsConfig,
    /// When it panics.
    pub panic: PanicConfig,
    /// How it scales in.
    pub scale_in: ScaleInConfig,
    /// How a gateway drains.
    pub drain: DrainConfig,
    /// How viewers are moved off hot gateways.
    pub rebalance: RebalanceConfig,
    /// What it does when reports are missing.
    pub missing: MissingConfig,
    /// Crowds that are known beforehand. Default none.
    pub schedules: Vec<Schedule>,
    /// Entry's weights.
    pub weights: WeightsConfig,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        PolicyConfig {
            mode: Mode::Active,
            replicas_min: 2,
            replicas_max: 120,
            target_utilization: 0.9,
            tick_secs: 2.0,
            reserve: ReserveConfig::default(),
            forecast: ForecastConfig::default(),
            joins: JoinsConfig::default(),
            panic: PanicConfig::default(),
            scale_in: ScaleInConfig::default(),
            drain: DrainConfig::default(),
            rebalance: RebalanceConfig::default(),
            missing: MissingConfig::default(),
            schedules: Vec::new(),
            weights: WeightsConfig::default(),
        }
    }
}

macro_rules! part {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty = $default:expr,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind,)* }
        impl Default for $name {
            fn default() -> Self {
                $name { $($field: $default,)* }
            }
        }
    };
}
pub(crate) use part;

part! {
    /// Gateways that may be lost.
    ReserveConfig {
        /// So many may die. Default 1.
        replicas: u32 = 1,
        /// Failure zones of which one may be lost, two or more. Default 0: none.
        zones_to_survive: u32 = 0,
        /// The rest then stays under this share of its knee. Default 1.
        utilization: f64 = 1.0,
    }
}

part! {
    /// The forecast reaches over the time that a new gateway takes to be useful.
    ForecastConfig {
        /// Window of the fast slope. Default 10: sees a spike within seconds.
        fast_secs: f64 = 10.0,
        /// Window of the slow slope. Default 60: sees steady growth through noise.
        slow_secs: f64 = 60.0,
        /// Growth by less than this within the fast window, in percent of the viewers,
        /// is noise to it. Default 1.
        noise_percent: f64 = 1.0,
        /// Growth is believed up to this multiple of the present viewers (and one
        /// gateway's worth). Default 1.5.
        growth_max: f64 = 1.5,
        /// A start's length until three were measured. Default 40.
        provision_secs: f64 = 40.0,
        /// The measured 90th percentile is multiplied by this. Default 1.3.
        provision_margin: f64 = 1.3,
        /// Window over which load per viewer is averaged. Default 30.
        per_viewer_secs: f64 = 30.0,
        /// How far load per viewer is extrapolated, to twice its value at most.
        /// Default 20.
        per_viewer_ahead_secs: f64 = 20.0,
    }
}

part! {
    /// Joins are an axis of their own: accepting is what hurts first.
    JoinsConfig {
        /// Share of the join knee that a gateway is given. Default 0.8.
        share: f64 = 0.8,
        /// The greatest rate within this window counts. Default 4.
        window_secs: f64 = 4.0,
        /// Those who wait should be in within this time. Default 20.
        clear_secs: f64 = 20.0,
    }
}

part! {
    /// Panic: a celebrity is here. No scale-in, drains called off, no step limit, hot
    /// gateways get no newcomers.
    PanicConfig {
        /// Need over what is ready at which it begins. Default 1.3.
        enter: f64 = 1.3,
        /// Share of gateways at or over their knee at which it begins. Default 0.2.
        hot_share: f64 = 0.2,
        /// Waiting viewers, in seconds of the fleet's joins, at which it begins.
        /// Default 5.
        waiting_secs: f64 = 5.0,
        /// It ends this long after the last reason. Default 120.
        hold_secs: f64 = 120.0,
    }
}

part! {
    /// Scale-in is slow on purpose: a drained gateway is dear to bring back.
    ScaleInConfig {
        /// The greatest need of this window decides. Default 90.
        window_secs: f64 = 90.0,
        /// A gateway more than needed must be spare by this margin, in percent of the
        /// need, so that noise does not call drains off. Default 2.
        margin_percent: f64 = 2.0,
        /// No drain begins so soon after gateways were added. Default 600: a crowd
        /// that has just grown often grows again. What was added in panic does not
        /// count: panic has a hold of its own, and a spike's end leaves too many.
        after_out_secs: f64 = 600.0,
        /// Share of the ready gateways that may begin to drain in a period, in
        /// percent; one always may. Default 25.
        percent_max: f64 = 25.0,
        /// The period. Default 20.
        period_secs: f64 = 20.0,
        /// So many drain at once at most. Default 10.
        draining_max: u32 = 10,
    }
}

part! {
    /// A drain: entry sends nobody, viewers are moved, then the process goes.
    DrainConfig {
        /// Viewers are moved over this time at the fastest. Default 60.
        spread_secs: f64 = 60.0,
        /// After this time whoever is left is cut. Default 120.
        deadline_secs: f64 = 120.0,
        /// A gateway with no more viewers than this may go. Default 10.
        left_max: f64 = 10.0,
        /// Share of the others' free joins that moving may use. Default 0.25.
        accept_share: f64 = 0.25,
    }
}

part! {
    /// Viewers stay where they are; after a scale-out some are asked to move.
    RebalanceConfig {
        /// Share of a hot gateway's viewers that moves in a period, in percent. 0
        /// turns it off. Default 2.
        percent: f64 = 2.0,
        /// The same for a gateway over its knee. Default 8.
        over_percent: f64 = 8.0,
        /// It begins at this multiple of the mean. Default 1.25.
        skew_enter: f64 = 1.25,
        /// It stops at this multiple. Default 1.1.
        skew_leave: f64 = 1.1,
        /// Only gateways used more than this give viewers. Default 0.7.
        utilization_min: f64 = 0.7,
        /// In panic, only while the others have this share of their joins free.
        /// Default 0.3.
        free_joins_min: f64 = 0.3,
        /// The period. Default 10.
        period_secs: f64 = 10.0,
    }
}

part! {
    /// Reports that are late, absent or absurd.
    MissingConfig {
        /// A gateway without a report for so long is silent. Default 6.
        stale_secs: f64 = 6.0,
        /// A silent gateway's viewers stay demand for so long. Default 60.
        keep_secs: f64 = 60.0,
        /// Above this share of silent gateways the autoscaler is blind. Default 0.5.
        blind_share: f64 = 0.5,
        /// Blind for so long, it goes to the fallback. Default 300.
        fallback_after_secs: f64 = 300.0,
        /// The fallback: at least so many gateways. Default 0: what there is.
        fallback_replicas: u32 = 0,
        /// Share that is added to the need while entry's counters are missing.
        /// Default 0.1.
        entry_gone_reserve: f64 = 0.1,
    }
}

impl PolicyConfig {
    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let policy: PolicyConfig = crate::file::read(path)?;
        let problems = policy.problems();
        if problems.is_empty() { Ok(policy) } else { Err(ConfigError::Invalid(problems)) }
    }

    /// Everything in it that cannot be.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Problems::default();
        let p = &mut problems;
        p.expect(self.replicas_min >= 1, "replicas_min", self.replicas_min, "at least 1");
        let ordered = self.replicas_max >= self.replicas_min;
        p.expect(ordered, "replicas_max", self.replicas_max, "at least replicas_min");
        share(p, "target_utilization", self.target_utilization);
        above(p, "tick_secs", self.tick_secs, 0.0, "above 0");
        share(p, "reserve.utilization", self.reserve.utilization);
        self.forecast_problems(p);
        self.scale_in_problems(p);
        self.rebalance_problems(p);
        self.missing_problems(p);
        for (index, schedule) in self.schedules.iter().enumerate() {
            schedule.problems(&format!("schedules[{index}]"), p);
        }
        self.weights.problems(p);
        problems.0
    }

    fn forecast_problems(&self, p: &mut Problems) {
        let forecast = &self.forecast;
        let ticks = 2.0 * self.tick_secs;
        least(p, "forecast.fast_secs", forecast.fast_secs, ticks, "at least two ticks");
        least(p, "forecast.slow_secs", forecast.slow_secs, forecast.fast_secs, "at least forecast.fast_secs");
        percent(p, "forecast.noise_percent", forecast.noise_percent);
        least(p, "forecast.growth_max", forecast.growth_max, 0.0, "0 or more");
        above(p, "forecast.provision_secs", forecast.provision_secs, 0.0, "above 0");
        least(p, "forecast.provision_margin", forecast.provision_margin, 1.0, "1 or more");
        above(p, "forecast.per_viewer_secs", forecast.per_viewer_secs, 0.0, "above 0");
        least(p, "forecast.per_viewer_ahead_secs", forecast.per_viewer_ahead_secs, 0.0, "0 or more");
        share(p, "joins.share", self.joins.share);
        above(p, "joins.window_secs", self.joins.window_secs, 0.0, "above 0");
        above(p, "joins.clear_secs", self.joins.clear_secs, 0.0, "above 0");
    }

    fn scale_in_problems(&self, p: &mut Problems) {
        above(p, "panic.enter", self.panic.enter, 1.0, "above 1");
        share(p, "panic.hot_share", self.panic.hot_share);
        above(p, "panic.waiting_secs", self.panic.waiting_secs, 0.0, "above 0");
        least(p, "panic.hold_secs", self.panic.hold_secs, 0.0, "0 or more");
        let scale_in = &self.scale_in;
        least(p, "scale_in.window_secs", scale_in.window_secs, scale_in.period_secs, "at least the period");
        least(p, "scale_in.after_out_secs", scale_in.after_out_secs, 0.0, "0 or more");
        percent(p, "scale_in.margin_percent", scale_in.margin_percent);
        percent(p, "scale_in.percent_max", scale_in.percent_max);
        above(p, "scale_in.period_secs", scale_in.period_secs, 0.0, "above 0");
        p.expect(scale_in.draining_max >= 1, "scale_in.draining_max", scale_in.draining_max, "at least 1");
        let drain = &self.drain;
        above(p, "drain.spread_secs", drain.spread_secs, 0.0, "above 0");
        above(p, "drain.deadline_secs", drain.deadline_secs, drain.spread_secs, "above drain.spread_secs");
        least(p, "drain.left_max", drain.left_max, 0.0, "0 or more");
        share(p, "drain.accept_share", drain.accept_share);
    }

    fn rebalance_problems(&self, p: &mut Problems) {
        let rebalance = &self.rebalance;
        percent(p, "rebalance.percent", rebalance.percent);
        percent(p, "rebalance.over_percent", rebalance.over_percent);
        least(p, "rebalance.skew_leave", rebalance.skew_leave, 1.0, "1 or more");
        let leave = rebalance.skew_leave;
        above(p, "rebalance.skew_enter", rebalance.skew_enter, leave, "above rebalance.skew_leave");
        above(p, "rebalance.period_secs", rebalance.period_secs, 0.0, "above 0");
        share(p, "rebalance.utilization_min", rebalance.utilization_min);
        share(p, "rebalance.free_joins_min", rebalance.free_joins_min);
    }

    fn missing_problems(&self, p: &mut Problems) {
        let missing = &self.missing;
        above(p, "missing.stale_secs", missing.stale_secs, 1.0, "above 1, the reports' period");
        least(p, "missing.keep_secs", missing.keep_secs, 0.0, "0 or more");
        share(p, "missing.blind_share", missing.blind_share);
        least(p, "missing.fallback_after_secs", missing.fallback_after_secs, 0.0, "0 or more");
        least(p, "missing.entry_gone_reserve", missing.entry_gone_reserve, 0.0, "0 or more");
    }
}

pub(crate) fn above(p: &mut Problems, key: &str, value: f64, bound: f64, expected: &'static str) {
    p.expect(value.is_finite() && value > bound, key, value, expected);
}

pub(crate) fn least(p: &mut Problems, key: &str, value: f64, bound: f64, expected: &'static str) {
    p.expect(value.is_finite() && value >= bound, key, value, expected);
}

pub(crate) fn share(p: &mut Problems, key: &str, value: f64) {
    p.expect(value > 0.0 && value <= 1.0, key, value, "above 0 and at most 1");
}

fn percent(p: &mut Problems, key: &str, value: f64) {
    p.expect((0.0..=100.0).contains(&value), key, value, "0 to 100");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound_and_survive_a_round_trip() {
        let policy = PolicyConfig::default();
        assert_eq!(policy.problems(), []);
        let text = toml::to_string(&policy).unwrap();
        assert_eq!(toml::from_str::<PolicyConfig>(&text).unwrap(), policy);
        assert_eq!(toml::from_str::<PolicyConfig>("").unwrap(), policy);
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let text = "replicas_min = 9\nreplicas_max = 3\ntarget_utilization = 1.5\n\
                    [panic]\nenter = nan\n[drain]\nspread_secs = 200\n[weights]\nshut_at = 0.1\n";
        let problems = toml::from_str::<PolicyConfig>(text).unwrap().problems();
        let keys: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
        let expected =
            ["replicas_max", "target_utilization", "panic.enter", "drain.deadline_secs", "weights.shut_at"];
        assert_eq!(keys, expected);
    }

    #[test]
    fn an_unknown_key_is_refused() {
        for text in ["replicas = 3", "[panic]\nenters = 2.0", "[weights]\nspeed = 1"] {
            assert!(toml::from_str::<PolicyConfig>(text).is_err(), "{text}");
        }
    }
}
