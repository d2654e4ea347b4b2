//! The policy: every setting that influences a decision, with its default and its range.

use std::cmp::Ordering;
use std::path::Path;

use barrage_part::{Field, Kind, Setting, part};
use serde::{Deserialize, Serialize};

use crate::error::ConfigError;
use crate::placement::WeightsConfig;
use crate::problem::{Problem, Problems};
use crate::schedule::Schedule;

/// Permission of the autoscaler to change the number of gateways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The autoscaler decides, and the caller carries the decisions out.
    Active,
    /// Decides as in `Active`; the caller of the core writes nothing.
    DryRun,
    /// The autoscaler leaves the fleet as it is.
    Paused,
    /// The autoscaler may add gateways and never drains one.
    ScaleOutOnly,
}

part! {
    /// The whole policy. Every part has defaults, so an empty file is a valid policy.
    pub struct PolicyConfig {
        /// Permissions of the autoscaler. Default active.
        mode: Mode = Mode::Active;
        /// Fewest gateways. Default 2: one of them may fail.
        replicas_min: u32 = 2, ONE;
        /// Most gateways, draining ones included; at this number entry limits joins. Default 120.
        replicas_max: u32 = 120, ONE;
        /// Share of the knee that the fleet is planned for. Default 0.95: with a higher share
        /// viewers wait longer in a spike, with a lower one gateway hours rise.
        target_utilization: f64 = 0.95, SHARE;
        /// Time between two decisions, in seconds. Default 2: gateways report every second, and a
        /// decision takes microseconds.
        tick_secs: f64 = 2.0, POSITIVE;
        /// Spare gateways for failures.
        reserve: ReserveConfig = ReserveConfig::default();
        /// Forecast of the number of viewers.
        forecast: ForecastConfig = ForecastConfig::default();
        /// Joins per second that gateways are planned for.
        joins: JoinsConfig = JoinsConfig::default();
        /// When panic begins and ends.
        panic: PanicConfig = PanicConfig::default();
        /// Pace at which gateways are removed.
        scale_in: ScaleInConfig = ScaleInConfig::default();
        /// Pace at which drained gateways lose viewers.
        drain: DrainConfig = DrainConfig::default();
        /// Moves of viewers off hot gateways.
        rebalance: RebalanceConfig = RebalanceConfig::default();
        /// Behaviour while reports are missing.
        missing: MissingConfig = MissingConfig::default();
        /// Audiences that are known beforehand. Default none.
        schedules: Vec<Schedule> = Vec::new();
        /// Weights and grants of entry.
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
    /// Spare gateways for failures.
    pub struct ReserveConfig {
        /// Gateways that may fail without viewers waiting at entry for new ones. Default 0.
        replicas: u32 = 0, ANY;
        /// Number of failure zones, one of which may fail; 2 or more. Default 0: none.
        zones_to_survive: u32 = 0, ANY;
        /// Share of their knee under which the other gateways then stay. Default 1.
        utilization: f64 = 1.0, SHARE;
    }
}

part! {
    /// The forecast covers the time that a new gateway takes to become ready.
    pub struct ForecastConfig {
        /// Window of the fast slope. Default 10: it shows a spike within seconds.
        fast_secs: f64 = 10.0, POSITIVE;
        /// Window of the slow slope. Default 60: it shows steady growth through noise.
        slow_secs: f64 = 60.0, POSITIVE;
        /// Growth within the fast window that counts as noise, in percent of the viewers. Default
        /// 1.
        noise_percent: f64 = 1.0, PERCENT;
        /// Greatest growth that is extrapolated, as a multiple of the present viewers, plus one
        /// gateway's worth. Default 1.5.
        growth_max: f64 = 1.5, ANY;
        /// Duration of a start until three starts were measured. Default 40.
        provision_secs: f64 = 40.0, POSITIVE;
        /// Factor on the measured 90th percentile of starts. Default 1.3.
        provision_margin: f64 = 1.3, ONE;
        /// Window over which the load of one viewer is averaged. Default 30.
        per_viewer_secs: f64 = 30.0, POSITIVE;
        /// Time over which the load of one viewer is extrapolated, to at most twice its value.
        /// Default 20.
        per_viewer_ahead_secs: f64 = 20.0, ANY;
    }
}

part! {
    /// Joins are an axis of their own, because accepting connections reaches its limit first.
    pub struct JoinsConfig {
        /// Share of the join knee that a gateway is given. Default 0.8.
        share: f64 = 0.8, SHARE;
        /// Window whose greatest rate counts. Default 4.
        window_secs: f64 = 4.0, POSITIVE;
        /// Time within which waiting viewers should have joined. Default 20.
        clear_secs: f64 = 20.0, POSITIVE;
    }
}

part! {
    /// Panic: demand outgrows the fleet. No gateway drains, drains are cancelled, no step limit
    /// applies, and hot gateways get no newcomers.
    pub struct PanicConfig {
        /// Need, divided by the serving gateways, at which panic begins. Default 1.3.
        enter: f64 = 1.3, OVER_ONE;
        /// Share of gateways at or over their knee at which panic begins. Default 0.2.
        hot_share: f64 = 0.2, SHARE;
        /// Waiting viewers at which panic begins, in seconds of the fleet's joins. Default 5.
        waiting_secs: f64 = 5.0, POSITIVE;
        /// Time after the last reason at which panic ends. Default 120.
        hold_secs: f64 = 120.0, ANY;
    }
}

part! {
    /// Scale-in is slow on purpose, because bringing a drained gateway back is expensive.
    pub struct ScaleInConfig {
        /// Window whose greatest need decides. Default 45.
        window_secs: f64 = 45.0, POSITIVE;
        /// Margin by which a gateway must be spare, in percent of the need, so that noise does not
        /// cancel drains. Default 5.
        margin_percent: f64 = 5.0, PERCENT;
        /// Time without new drains after gateways were added. Default 600: viewers that have just
        /// come often come again. Gateways added in panic do not count, because panic has its own
        /// hold and the end of a spike leaves too many.
        after_out_secs: f64 = 600.0, ANY;
        /// Share of the ready gateways that may start to drain in a period, in percent; one gateway
        /// always may. Default 25.
        percent_max: f64 = 25.0, PERCENT;
        /// Length of the period. Default 20.
        period_secs: f64 = 20.0, POSITIVE;
        /// Most gateways that drain at a time. Default 10.
        draining_max: u32 = 10, ONE;
    }
}

part! {
    /// A drain: entry sends no viewers, the gateway moves its viewers, then the process ends.
    pub struct DrainConfig {
        /// Shortest time over which the viewers are moved. Default 30.
        spread_secs: f64 = 30.0, POSITIVE;
        /// Time after which the connections of the remaining viewers are closed. Default 120.
        deadline_secs: f64 = 120.0, POSITIVE;
        /// Viewers with which a drained gateway may end. Default 10.
        left_max: f64 = 10.0, ANY;
        /// Share of the other gateways' free joins that moves may use. Default 0.25.
        accept_share: f64 = 0.25, SHARE;
    }
}

part! {
    /// Rebalance: viewers stay where they are, except that some move after a scale-out.
    pub struct RebalanceConfig {
        /// Share of a hot gateway's viewers that moves in a period, in percent; 0 turns rebalance
        /// off. Default 6, with which a skew of 2.7 fell to 1.25 in 98 s.
        percent: f64 = 6.0, PERCENT;
        /// Share of the viewers that moves off a gateway over its knee in a period, in percent.
        /// Default 8.
        over_percent: f64 = 8.0, PERCENT;
        /// Multiple of the mean connections at which rebalance begins. Default 1.25.
        skew_enter: f64 = 1.25, POSITIVE;
        /// Multiple of the mean connections at which rebalance ends. Default 1.1.
        skew_leave: f64 = 1.1, ONE;
        /// Utilisation above which a gateway gives viewers. Default 0.7.
        utilization_min: f64 = 0.7, SHARE;
        /// Share of free joins that the other gateways need for a rebalance in panic. Default 0.3.
        free_joins_min: f64 = 0.3, SHARE;
        /// Length of the period. Default 10.
        period_secs: f64 = 10.0, POSITIVE;
    }
}

part! {
    /// Late, missing and incredible reports.
    pub struct MissingConfig {
        /// Age of a report from which its gateway is silent. Default 6.
        stale_secs: f64 = 6.0, OVER_ONE;
        /// Time for which the viewers of a silent gateway stay demand. Default 60.
        keep_secs: f64 = 60.0, ANY;
        /// Share of silent gateways above which the autoscaler is blind. Default 0.5.
        blind_share: f64 = 0.5, SHARE;
        /// Time of blindness after which the fallback holds. Default 300.
        fallback_after_secs: f64 = 300.0, ANY;
        /// Fewest gateways of the fallback. Default 0: the present number.
        fallback_replicas: u32 = 0, ANY;
        /// Share that is added to the need while entry's counters are missing. Default 0.1.
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

    /// Reads a file and checks its values. The error lists every invalid value.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let policy: PolicyConfig = crate::file::read(path)?;
        let problems = policy.problems();
        if problems.is_empty() { Ok(policy) } else { Err(ConfigError::Invalid(problems)) }
    }

    /// Returns every value that is out of its range or contradicts another value.
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

    /// Checks the values that are bounded by another value.
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
