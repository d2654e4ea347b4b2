//! A trace: how many viewers come, what they cost, and what fails.

use std::path::Path;

use barrage_scaling::{ConfigError, Problem, Problems, Schedule};
use serde::{Deserialize, Serialize};

use super::curve::{Curve, CurveOptions};

/// A trace. Its file is TOML or JSON; times are seconds from the beginning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// Name of the trace in tables and plots.
    pub name: String,
    /// Number of viewers that want to watch, over time.
    pub viewers: Curve,
    /// Egress of one viewer, in bytes per second. Default 1000.
    #[serde(default = "egress_per_viewer")]
    pub egress_per_viewer: Curve,
    /// Share of the viewers that leaves and is replaced per second. Default 1/1800: a mean stay of
    /// half an hour.
    #[serde(default = "leave_share_per_s")]
    pub leave_share_per_s: f64,
    /// Mean time from the creation of a gateway until it is ready, in seconds; single starts differ
    /// by up to a quarter. Default 40.
    #[serde(default = "provision_secs")]
    pub provision_secs: f64,
    /// `[seconds, gateways]`: gateways that die at a time, without a drain.
    #[serde(default)]
    pub deaths: Vec<(f64, u32)>,
    /// `[from, to]`: times in which no load report arrives.
    #[serde(default)]
    pub blackouts: Vec<(f64, f64)>,
    /// Announced audiences; only the contender `ours_prewarm` uses them.
    #[serde(default)]
    pub schedules: Vec<Schedule>,
}

fn egress_per_viewer() -> Curve {
    Curve::flat(1_000.0)
}

fn leave_share_per_s() -> f64 {
    1.0 / 1_800.0
}

fn provision_secs() -> f64 {
    40.0
}

impl Trace {
    /// A trace with these viewers, and defaults for the rest.
    #[must_use]
    pub fn new(name: &str, viewers: Curve) -> Self {
        Trace {
            name: name.into(),
            viewers,
            egress_per_viewer: egress_per_viewer(),
            leave_share_per_s: leave_share_per_s(),
            provision_secs: provision_secs(),
            deaths: Vec::new(),
            blackouts: Vec::new(),
            schedules: Vec::new(),
        }
    }

    /// Reads a trace file, or a recorded curve when the file ends in `.csv`.
    pub fn read(path: &Path, options: CurveOptions) -> Result<Self, ConfigError> {
        if path.extension().is_some_and(|ending| ending == "csv") {
            let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
            return Ok(Trace::new(&name, Curve::read_csv(path, options)?));
        }
        let trace: Trace = barrage_scaling::file::read(path)?;
        let problems = trace.problems();
        if problems.is_empty() { Ok(trace) } else { Err(ConfigError::Invalid(problems)) }
    }

    /// Returns the length of the trace in whole seconds, rounded down.
    #[must_use]
    pub fn duration_secs(&self) -> u64 {
        self.viewers.end_secs() as u64
    }

    /// Whether load reports are lost at a time.
    #[must_use]
    pub fn is_blackout(&self, secs: f64) -> bool {
        self.blackouts.iter().any(|(from, to)| (*from..*to).contains(&secs))
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Problems::default();
        let p = &mut problems;
        let length = self.viewers.end_secs();
        p.expect((1.0..1e9).contains(&length), "viewers", length, "points over at least a second");
        for (key, curve) in [("viewers", &self.viewers), ("egress_per_viewer", &self.egress_per_viewer)] {
            let sound = |(at, value): &(f64, f64)| at.is_finite() && value.is_finite() && *value >= 0.0;
            p.expect(curve.points().iter().all(sound), key, "a point", "finite values, 0 or more");
            let ordered = curve.points().is_sorted_by(|a, b| a.0 < b.0);
            p.expect(ordered, key, "the points", "growing times");
        }
        let leave = self.leave_share_per_s;
        p.expect((0.0..=0.5).contains(&leave), "leave_share_per_s", leave, "0 to 0.5");
        let provision = self.provision_secs;
        p.expect((1.0..=3_600.0).contains(&provision), "provision_secs", provision, "1 to 3600");
        for (index, schedule) in self.schedules.iter().enumerate() {
            schedule.problems(&format!("schedules[{index}]"), p);
        }
        problems.0
    }
}
