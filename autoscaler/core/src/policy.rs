//! The policy: every number that the core decides by.

use std::cmp::Ordering;
use std::path::Path;

use barrage_part::{Field, Kind, Setting, part};
use serde::{Deserialize, Serialize};

use crate::error::ConfigError;
use crate::placement::WeightsConfig;
use crate::problem::{Problem, Problems};
use crate::schedule::Schedule;

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

part! {
    /// The whole policy. Every part has defaults; an empty file is a valid policy.
    pub struct PolicyConfig {
        /// What it may do. Default active.
        mode: Mode = Mode::Active;
        /// Never fewer gateways. Default 2: one may die.
        replicas_min: u32 = 2, ONE;
        /// Never more gateways, draining ones included; entry paces joins at the ceiling.
        /// Default 120.
        replicas_max: u32 = 120, ONE;
        /// Share of the knee that the fleet is planned for. Default 0.95: a higher one
        /// waits longer in a spike, a lower one costs gateway hours.
        target_utilization: f64 = 0.95, SHARE;
        /// Seconds between decisions. Default 2: gateways report every second, and a
        /// decision takes microseconds.
        tick_secs: f64 = 2.0, POSITIVE;
        /// Spare gateways.
        reserve: ReserveConfig = ReserveConfig::default();
        /// How far it looks ahead.
        forecast: ForecastConfig = ForecastConfig::default();
        /// How joins count.
        joins: JoinsConfig = JoinsConfig::default();
        /// When it panics.
        panic: PanicConfig = PanicConfig::default();
        /// How it scales in.
        scale_in: ScaleInConfig = ScaleInConfig::default();
        /// How a gateway drains.
        drain: DrainConfig = DrainConfig::default();
        /// How viewers are moved off hot gateways.
        rebalance: RebalanceConfig = RebalanceConfig::default();
        /// What it does when reports are missing.
        missing: MissingConfig = MissingConfig::default();
        /// Crowds that are known beforehand. Default none.
        schedules: Vec<Schedule> = Vec::new();
        /// Entry's weights.
        weights: WeightsConfig = WeightsConfig::default();
    }
}

impl Setting for Mode {
    const KIND: Kind = Kind::Choice(&["active", "dry_run", "paused", "scale_out_only"]);
}

impl Setting for Schedule {
    const KIND: Kind = Kind::Named("schedule");
}

part! {
    /// Gateways that may be lost.
    pub struct ReserveConfig {
        /// So many may die, and nobody waits at entry for new ones. Default 0.
        replicas: u32 = 0, ANY;
        /// Failure zones of which one may be lost, two or more. Default 0: none.
        zones_to_survive: u32 = 0, ANY;
        /// The rest then stays under this share of its knee. Default 1.
        utilization: f64 = 1.0, SHARE;
    }
}

part! {
    /// The forecast reaches over the time that a new gateway takes to be useful.
    pub struct ForecastConfig {
        /// Window of the fast slope. Default 10: sees a spike within seconds.
        fast_secs: f64 = 10.0, POSITIVE;
        /// Window of the slow slope. Default 60: sees steady growth through noise.
        slow_secs: f64 = 60.0, POSITIVE;
        /// Growth by less than this within the fast window, in percent of the viewers,
        /// is noise to it. Default 1.
        noise_percent: f64 = 1.0, PERCENT;
        /// Growth is believed up to this multiple of the present viewers (and one
        /// gateway's worth). Default 1.5.
        growth_max: f64 = 1.5, ANY;
        /// A start's length until three were measured. Default 40.
        provision_secs: f64 = 40.0, POSITIVE;
        /// The measured 90th percentile is multiplied by this. Default 1.3.
        provision_margin: f64 = 1.3, ONE;
        /// Window over which load per viewer is averaged. Default 30.
        per_viewer_secs: f64 = 30.0, POSITIVE;
        /// How far load per viewer is extrapolated, to twice its value at most.
        /// Default 20.
        per_viewer_ahead_secs: f64 = 20.0, ANY;
    }
}

part! {
    /// Joins are an axis of their own: accepting is what hurts first.
    pub struct JoinsConfig {
        /// Share of the join knee that a gateway is given. Default 0.8.
        share: f64 = 0.8, SHARE;
        /// The greatest rate within this window counts. Default 4.
        window_secs: f64 = 4.0, POSITIVE;
        /// Those who wait should be in within this time. Default 20.
        clear_secs: f64 = 20.0, POSITIVE;
    }
}

part! {
    /// Panic: a celebrity is here. No scale-in, drains called off, no step limit, hot
    /// gateways get no newcomers.
    pub struct PanicConfig {
        /// Need over what is ready at which it begins. Default 1.3.
        enter: f64 = 1.3, OVER_ONE;
        /// Share of gateways at or over their knee at which it begins. Default 0.2.
        hot_share: f64 = 0.2, SHARE;
        /// Waiting viewers, in seconds of the fleet's joins, at which it begins.
        /// Default 5.
        waiting_secs: f64 = 5.0, POSITIVE;
        /// It ends this long after the last reason. Default 120.
        hold_secs: f64 = 120.0, ANY;
    }
}

part! {
    /// Scale-in is slow on purpose: a drained gateway is dear to bring back.
    pub struct ScaleInConfig {
        /// The greatest need of this window decides. Default 45.
        window_secs: f64 = 45.0, POSITIVE;
        /// A gateway more than needed must be spare by this margin, in percent of the
        /// need, so that noise does not call drains off. Default 5.
        margin_percent: f64 = 5.0, PERCENT;
        /// No drain begins so soon after gateways were added. Default 600: a crowd
        /// that has just grown often grows again. What was added in panic does not
        /// count: panic has a hold of its own, and a spike's end leaves too many.
        after_out_secs: f64 = 600.0, ANY;
        /// Share of the ready gateways that may begin to drain in a period, in
        /// percent; one always may. Default 25.
        percent_max: f64 = 25.0, PERCENT;
        /// The period. Default 20.
        period_secs: f64 = 20.0, POSITIVE;
        /// So many drain at once at most. Default 10.
        draining_max: u32 = 10, ONE;
    }
}

part! {
    /// A drain: entry sends nobody, viewers are moved, then the process goes.
    pub struct DrainConfig {
        /// Viewers are moved over this time at the fastest. Default 30.
        spread_secs: f64 = 30.0, POSITIVE;
        /// After this time whoever is left is cut. Default 120.
        deadline_secs: f64 = 120.0, POSITIVE;
        /// A gateway with no more viewers than this may go. Default 10.
        left_max: f64 = 10.0, ANY;
        /// Share of the others' free joins that moving may use. Default 0.25.
        accept_share: f64 = 0.25, SHARE;
    }
}

part! {
    /// Viewers stay where they are; after a scale-out some are asked to move.
    pub struct RebalanceConfig {
        /// Share of a hot gateway's viewers that moves in a period, in percent. 0
        /// turns it off. Default 6, by which a skew of 2.7 was 1.25 in 98 s.
        percent: f64 = 6.0, PERCENT;
        /// The same for a gateway over its knee. Default 8.
        over_percent: f64 = 8.0, PERCENT;
        /// It begins at this multiple of the mean. Default 1.25.
        skew_enter: f64 = 1.25, POSITIVE;
        /// It stops at this multiple. Default 1.1.
        skew_leave: f64 = 1.1, ONE;
        /// Only gateways used more than this give viewers. Default 0.7.
        utilization_min: f64 = 0.7, SHARE;
        /// In panic, only while the others have this share of their joins free.
        /// Default 0.3.
        free_joins_min: f64 = 0.3, SHARE;
        /// The period. Default 10.
        period_secs: f64 = 10.0, POSITIVE;
    }
}

part! {
    /// Reports that are late, absent or absurd.
    pub struct MissingConfig {
        /// A gateway without a report for so long is silent. Default 6.
        stale_secs: f64 = 6.0, OVER_ONE;
        /// A silent gateway's viewers stay demand for so long. Default 60.
        keep_secs: f64 = 60.0, ANY;
        /// Above this share of silent gateways the autoscaler is blind. Default 0.5.
        blind_share: f64 = 0.5, SHARE;
        /// Blind for so long, it goes to the fallback. Default 300.
        fallback_after_secs: f64 = 300.0, ANY;
        /// The fallback: at least so many gateways. Default 0: what there is.
        fallback_replicas: u32 = 0, ANY;
        /// Share that is added to the need while entry's counters are missing.
        /// Default 0.1.
        entry_gone_reserve: f64 = 0.1, ANY;
    }
}

impl PolicyConfig {
    /// Returns every number of the policy with the name of its table, which is empty for the
    /// numbers outside of tables.
    pub fn fields() -> impl Iterator<Item = (&'static str, Field)> {
        let fields = Self::KIND.fields().iter();
        fields.flat_map(|field| {
            let (part, numbers) = match field.table() {
                Some(table) => (field.key, table.fields),
                None => ("", std::slice::from_ref(field)),
            };
            let is_number = |field: &&Field| matches!(field.kind, Kind::Integer | Kind::Number);
            numbers.iter().filter(is_number).map(move |field| (part, *field))
        })
    }

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
        p.0.extend(self.out_of_range(""));
        self.relations(p);
        for (index, schedule) in self.schedules.iter().enumerate() {
            schedule.problems(&format!("schedules[{index}]"), p);
        }
        problems.0
    }

    /// What must hold between two numbers.
    fn relations(&self, p: &mut Problems) {
        let (forecast, scale_in, drain) = (&self.forecast, &self.scale_in, &self.drain);
        let (rebalance, weights) = (&self.rebalance, &self.weights);
        let floor = f64::from(self.replicas_min);
        let ticks = 2.0 * self.tick_secs;
        for (key, value, bound, expected) in [
            ("replicas_max", f64::from(self.replicas_max), floor, "at least replicas_min"),
            ("forecast.fast_secs", forecast.fast_secs, ticks, "at least two ticks"),
            ("forecast.slow_secs", forecast.slow_secs, forecast.fast_secs, "at least forecast.fast_secs"),
            ("scale_in.window_secs", scale_in.window_secs, scale_in.period_secs, "at least the period"),
            ("drain.deadline_secs", drain.deadline_secs, drain.spread_secs, "at least drain.spread_secs"),
            (
                "rebalance.skew_enter",
                rebalance.skew_enter,
                rebalance.skew_leave,
                "at least rebalance.skew_leave",
            ),
            ("weights.shut_at", weights.shut_at, weights.open_at, "at least weights.open_at"),
        ] {
            p.expect(value.partial_cmp(&bound) != Some(Ordering::Less), key, value, expected);
        }
    }
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
            ["target_utilization", "panic.enter", "replicas_max", "drain.deadline_secs", "weights.shut_at"];
        assert_eq!(keys, expected);
    }

    #[test]
    fn every_number_has_a_range_with_its_default() {
        let policy = toml::Table::try_from(PolicyConfig::default()).unwrap();
        let mut described = 0;
        for (part, field) in PolicyConfig::fields() {
            let table = if part.is_empty() { &policy } else { policy[part].as_table().unwrap() };
            let value = &table[field.key];
            let number = value.as_float().or(value.as_integer().map(|whole| whole as f64)).unwrap();
            assert!(
                field.range.unwrap().contains(number) && !field.meaning.is_empty(),
                "{part}.{}",
                field.key
            );
            assert_eq!(value.is_integer(), matches!(field.kind, Kind::Integer), "{part}.{}", field.key);
            described += 1;
        }
        let parts = policy.values().filter_map(toml::Value::as_table).map(toml::Table::len);
        // All but the mode and the schedules, which are not numbers.
        assert_eq!(described, parts.sum::<usize>() + 4);
    }

    #[test]
    fn an_unknown_key_is_refused() {
        for text in ["replicas = 3", "[panic]\nenters = 2.0", "[weights]\nspeed = 1"] {
            assert!(toml::from_str::<PolicyConfig>(text).is_err(), "{text}");
        }
    }
}
