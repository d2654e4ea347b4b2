//! The arguments of the subcommands, and the files that they name.

use std::path::{Path, PathBuf};
use std::time::Duration;

use barrage_scaling::{CapacityFile, ConfigError, Knee, PolicyConfig};
use clap::Args;

use crate::console::note;
use crate::contenders::Contender;
use crate::input::{CurveOptions, Trace, built_in, built_ins};

/// Examples of the subcommands, for the help text.
pub const EXAMPLES: &str = "  \
  Simulate every built-in trace under every policy, and write a page with plots:
    barrage-autoscaler simulate --html report.html
  Simulate a recorded curve scaled to 500,000 viewers, 24 hours around its peak:
    barrage-autoscaler simulate --trace show.csv --peak 500000 --hours 24
  Simulate with the capacity from `barrage-loadtest capacity`, and with your policy:
    barrage-autoscaler simulate --capacity capacity.json --config policy.toml
  Search a better policy for your traces:
    barrage-autoscaler tune --trace show.csv --trace celebrity --out policy.toml
  Explain the last decision of a log:
    barrage-autoscaler explain --log observations.jsonl";

/// Form of a trace file, for the help text.
pub const TRACE_FILE: &str = "\
A trace file is TOML or JSON; times are in seconds:
  name = \"show\"
  viewers = [[0, 1e5], [600, 1e5], [840, 2e6], [3600, 2e5]]
  egress_per_viewer = [[0, 1000]]
  provision_secs = 40
  deaths = [[900, 2]]
  blackouts = [[700, 820]]";

/// The traces and the fleet of a simulation.
#[derive(Debug, Args)]
pub(crate) struct Workload {
    /// A built-in trace (celebrity, hot_chat, diurnal, saw, blackout, slow_nodes), a trace file,
    /// or a recorded curve (.csv with `time,value`). Repeatable. When absent, all built-in
    /// traces.
    #[arg(long = "trace", value_name = "NAME|FILE")]
    pub(crate) traces: Vec<String>,
    /// Viewers at the peak of a recorded curve.
    #[arg(long, default_value_t = 1e6, value_name = "VIEWERS")]
    pub(crate) peak: f64,
    /// Hours around the peak of a recorded curve to use. When absent, the whole curve.
    #[arg(long, value_name = "HOURS")]
    pub(crate) hours: Option<f64>,
    /// Capacity file with one gateway's knee on each axis. When absent, 50,000 viewers,
    /// 1,500 joins/s and 200 MB/s.
    #[arg(long, value_name = "FILE")]
    pub(crate) capacity: Option<PathBuf>,
    /// Policy file (TOML or JSON). When absent, the defaults.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Seed of the first run.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Number of seeds; results are means over them.
    #[arg(long, default_value_t = 3)]
    pub(crate) seeds: u64,
}

/// Arguments of the command `simulate`.
#[derive(Debug, Args)]
pub struct Simulate {
    #[command(flatten)]
    pub(crate) workload: Workload,
    /// Policy to compare. Repeatable. When absent, all.
    #[arg(long = "policy", value_enum, value_name = "POLICY")]
    pub(crate) contenders: Vec<Contender>,
    /// Write a self-contained page with plots.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Print one JSON object as the last line: by trace and policy, or by policy when there is
    /// one trace.
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the observations of the first trace, for `replay` and `explain`.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
}

/// Arguments of the command `tune`.
#[derive(Debug, Args)]
pub struct Tune {
    #[command(flatten)]
    pub(crate) workload: Workload,
    /// Number of policies to try.
    #[arg(long, default_value_t = 60)]
    pub(crate) trials: usize,
    /// Choose the cheapest policy whose overload and waiting are at most this much above the
    /// least, in percent. When absent: the knee of the curve, beyond which one more percent of
    /// gateway hours removes less than one percent of the present policy's overload and waiting.
    #[arg(long, value_name = "PERCENT")]
    pub(crate) slack: Option<f64>,
    /// Write the chosen policy.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Write a page with the trade-off.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

/// Arguments of `replay` and `explain`.
#[derive(Debug, Args)]
pub struct Replay {
    /// Log of observations, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) log: PathBuf,
    /// Policy file. When absent, the defaults.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Capacity file of one gateway; built-in figures when absent.
    #[arg(long, value_name = "FILE")]
    pub(crate) capacity: Option<PathBuf>,
}

/// Arguments of the command `compare`.
#[derive(Debug, Args)]
pub struct Compare {
    #[command(flatten)]
    pub(crate) replay: Replay,
    /// Compare only the end of the log, e.g. `7d` or `90min`.
    #[arg(long, value_parser = humantime::parse_duration, value_name = "TIME")]
    pub(crate) since: Option<Duration>,
}

/// Arguments of the command `policy`.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// Policy file. When absent, the defaults.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// The knee of the built-in traces' gateways: a round figure, not a measurement.
fn reference_knee() -> Knee {
    Knee { connections: 50_000.0, joins_per_s: 1_500.0, egress_bytes_per_s: Some(200e6), ..Knee::default() }
}

/// Reads a capacity file, and prints its warnings on standard error.
pub(crate) fn read_knee(capacity: Option<&Path>) -> Result<Knee, ConfigError> {
    let Some(path) = capacity else { return Ok(reference_knee()) };
    let file = CapacityFile::read(path)?;
    // A lower bound is used like a measurement: it makes the fleet larger than necessary, never
    // too small.
    for warning in file.warnings() {
        note(&format!("warning: {}: {warning}", path.display()));
    }
    Ok(file.knee)
}

/// Reads a policy file; without one, returns the defaults.
pub(crate) fn read_policy(config: Option<&Path>) -> Result<PolicyConfig, ConfigError> {
    config.map_or_else(|| Ok(PolicyConfig::default()), PolicyConfig::read)
}

impl Workload {
    pub(crate) fn read_traces(&self) -> Result<Vec<Trace>, ConfigError> {
        if self.traces.is_empty() {
            return Ok(built_ins());
        }
        let options = CurveOptions { peak_viewers: self.peak, hours: self.hours };
        let read = |name: &String| match built_in(name) {
            Some(trace) => Ok(trace),
            None if !Path::new(name).exists() => {
                let names: Vec<_> = built_ins().into_iter().map(|trace| trace.name).collect();
                let reason =
                    format!("no file and no built-in trace; the built-in traces are {}", names.join(", "));
                Err(ConfigError::Parse { path: name.into(), reason })
            }
            None => Trace::read(Path::new(name), options),
        };
        self.traces.iter().map(read).collect()
    }

    pub(crate) fn seeds(&self) -> Vec<u64> {
        (self.seed..self.seed.saturating_add(self.seeds.max(1))).collect()
    }
}

/// Number of threads for simulations.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
