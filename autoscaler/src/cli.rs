//! The command line.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use barrage_autoscaler::simulate::{Contender, CurveOptions, Trace, built_in, built_ins};
use barrage_scaling::{CapacityFile, ConfigError, Knee, PolicyConfig};
use clap::{Args, Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  Every built-in crowd, every policy, a page with plots:
    barrage-autoscaler simulate --html report.html
  A recorded curve scaled to 500,000 viewers, 24 hours around its peak:
    barrage-autoscaler simulate --trace crowd.csv --peak 500000 --hours 24
  With what `barrage-loadtest capacity` measured, and your policy:
    barrage-autoscaler simulate --capacity capacity.json --config policy.toml
  Better numbers for your crowds:
    barrage-autoscaler tune --trace crowd.csv --trace celebrity --out policy.toml
  Why the last decision of a log was made:
    barrage-autoscaler explain --log decisions.jsonl
  Look after a cluster's fleets:
    barrage-autoscaler crd | kubectl apply -f -
    barrage-autoscaler controller --namespace live --token-file token

A trace file (TOML or JSON) says what happens; times are in seconds:
  name = \"show\"
  viewers = [[0, 1e5], [600, 1e5], [840, 2e6], [3600, 2e5]]
  egress_per_viewer = [[0, 1000]]
  provision_secs = 40
  deaths = [[900, 2]]
  blackouts = [[700, 820]]";

/// Keeps as many gateways as a crowd needs, and shows what a policy does to a crowd before
/// the crowd comes.
#[derive(Debug, Parser)]
#[command(version, after_long_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run crowds under policies and compare what the viewers suffer and what it costs.
    Simulate(Simulate),
    /// Search the policy's numbers: less suffering as long as it is worth its gateway hours.
    Tune(Tune),
    /// Decide again over a log of observations, and print the decisions.
    Replay(Replay),
    /// Say why the last decision of a log was made, in words and numbers.
    Explain(Replay),
    /// What this policy would have asked for, beside what ran.
    Compare(Compare),
    /// Check a policy, and print it with every default filled in.
    Policy(PolicyArgs),
    /// Look after the FleetAutoscalers of a namespace in Kubernetes.
    Controller(ControllerArgs),
    /// Print the definition of the resource FleetAutoscaler, to be applied to a cluster.
    Crd,
}

/// The crowds and the fleet.
#[derive(Debug, Args)]
pub(crate) struct Crowds {
    /// A built-in trace (celebrity, hot_chat, diurnal, saw, blackout, slow_nodes), a
    /// trace file, or a recorded curve (.csv with `time,value`). Repeatable; all
    /// built-in ones when absent.
    #[arg(long = "trace", value_name = "NAME|FILE")]
    pub(crate) traces: Vec<String>,
    /// Viewers at the peak of a recorded curve.
    #[arg(long, default_value_t = 1e6, value_name = "VIEWERS")]
    pub(crate) peak: f64,
    /// Use so many hours around the peak of a recorded curve; all of it when absent.
    #[arg(long, value_name = "HOURS")]
    pub(crate) hours: Option<f64>,
    /// The capacity file: one gateway's knee on each axis. When absent, 50,000 viewers,
    /// 1,500 joins/s and 200 MB/s.
    #[arg(long, value_name = "FILE")]
    pub(crate) capacity: Option<PathBuf>,
    /// The policy (TOML or JSON). When absent, the defaults.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// First seed.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many seeds; results are means.
    #[arg(long, default_value_t = 3)]
    pub(crate) seeds: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    #[command(flatten)]
    pub(crate) crowds: Crowds,
    /// Who is compared. Repeatable; all when absent.
    #[arg(long = "policy", value_enum, value_name = "POLICY")]
    pub(crate) contenders: Vec<Contender>,
    /// Write a self-contained page with plots.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Print one JSON object as the last line: by trace and policy, or by policy when
    /// there is one trace.
    #[arg(long)]
    pub(crate) json: bool,
    /// Write what this autoscaler saw in the first trace, for `replay` and `explain`.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Tune {
    #[command(flatten)]
    pub(crate) crowds: Crowds,
    /// Policies to try.
    #[arg(long, default_value_t = 60)]
    pub(crate) trials: usize,
    /// Take the cheapest policy whose overload and waiting are within this share of the least,
    /// in percent. When absent: the knee of the curve, beyond which one more percent of gateway
    /// hours removes less than one percent of the present policy's overload and waiting.
    #[arg(long, value_name = "PERCENT")]
    pub(crate) slack: Option<f64>,
    /// Write the policy found.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Write a page with the trade-off.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Observations, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) log: PathBuf,
    /// The policy. When absent, the defaults.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The capacity file.
    #[arg(long, value_name = "FILE")]
    pub(crate) capacity: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Compare {
    #[command(flatten)]
    pub(crate) replay: Replay,
    /// Only the end of the log, e.g. `7d` or `90min`.
    #[arg(long, value_parser = humantime::parse_duration, value_name = "TIME")]
    pub(crate) since: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// The policy. When absent, the defaults.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ControllerArgs {
    /// The namespace. When absent, the service account's or the kubeconfig's.
    #[arg(long, env = "BARRAGE_NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// Where metrics and health are served.
    #[arg(long, env = "BARRAGE_LISTEN", default_value = "127.0.0.1:8081", value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// Time between two decisions.
    #[arg(long, default_value = "2s", value_parser = interval, value_name = "TIME")]
    pub(crate) interval: Duration,
    /// Name of the Lease by which replicas choose their leader.
    #[arg(long, default_value = "barrage-autoscaler", value_name = "NAME")]
    pub(crate) lease: String,
    /// This replica's name there. When absent, the host's.
    #[arg(long, value_name = "NAME")]
    pub(crate) identity: Option<String>,
    /// A token of the role admin, for the admin listeners of entry and the gateways; read
    /// anew for each request.
    #[arg(long, env = "BARRAGE_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Keep what is seen in this folder, a file for each fleet and at most 512 MiB each,
    /// for `explain` and `compare`.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) record: Option<PathBuf>,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let range = Duration::from_millis(200)..=Duration::from_secs(30);
    if range.contains(&interval) { Ok(interval) } else { Err("expected 200ms to 30s".into()) }
}

/// The knee of the built-in traces' gateways: a round figure, not a measurement.
fn reference_knee() -> Knee {
    Knee { connections: 50_000.0, joins_per_s: 1_500.0, egress_bytes_per_s: Some(200e6), ..Knee::default() }
}

pub(crate) fn read_knee(capacity: Option<&Path>) -> Result<Knee, ConfigError> {
    let Some(path) = capacity else { return Ok(reference_knee()) };
    let file = CapacityFile::read(path)?;
    // A lower bound makes the fleet larger than it has to be, never too small: it is used.
    for warning in file.warnings() {
        note(&format!("warning: {}: {warning}", path.display()));
    }
    Ok(file.knee)
}

pub(crate) fn read_policy(config: Option<&Path>) -> Result<PolicyConfig, ConfigError> {
    config.map_or_else(|| Ok(PolicyConfig::default()), PolicyConfig::read)
}

impl Crowds {
    pub(crate) fn read_traces(&self) -> Result<Vec<Trace>, ConfigError> {
        if self.traces.is_empty() {
            return Ok(built_ins());
        }
        let options = CurveOptions { peak_viewers: self.peak, hours: self.hours };
        let read = |name: &String| match built_in(name) {
            Some(trace) => Ok(trace),
            None if !Path::new(name).exists() => {
                let names: Vec<_> = built_ins().into_iter().map(|trace| trace.name).collect();
                let reason = format!(
                    "neither a file nor a built-in trace; the built-in ones are {}",
                    names.join(", ")
                );
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

/// Threads to run on: what there is.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub(crate) fn policy(asked: &PolicyArgs) -> anyhow::Result<()> {
    let policy = read_policy(asked.config.as_deref())?;
    say(&toml::to_string(&policy)?)
}

/// A line on standard output.
pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{}", text.trim_end_matches('\n'))?;
    Ok(())
}

/// An error on standard error.
pub(crate) fn complain(error: &anyhow::Error) {
    // There is nowhere left to say that this failed.
    let _ = writeln!(std::io::stderr().lock(), "barrage-autoscaler: {error:#}");
}

/// A line on standard error.
pub(crate) fn note(text: &str) {
    // There is nowhere left to say that this failed.
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// Progress of long work on standard error: a bar on a terminal, a line at each tenth elsewhere.
pub(crate) struct Progress {
    bar: indicatif::ProgressBar,
    is_terminal: bool,
    steps: usize,
    done: AtomicUsize,
    what: &'static str,
}

impl Progress {
    pub(crate) fn new(steps: usize, what: &'static str) -> Self {
        let bar = indicatif::ProgressBar::new(steps as u64);
        let style = indicatif::ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}, {eta} left");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        let is_terminal = std::io::stderr().is_terminal();
        Progress { bar: bar.with_message(what), is_terminal, steps, done: AtomicUsize::new(0), what }
    }

    /// One step is done; any thread may say so.
    pub(crate) fn step(&self) {
        self.bar.inc(1);
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if !self.is_terminal && is_tenth(done, self.steps) {
            note(&format!("{} {done}/{}", self.what, self.steps));
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Whether a tenth of the steps has just become complete.
fn is_tenth(done: usize, steps: usize) -> bool {
    done * 10 / steps.max(1) > (done - 1) * 10 / steps.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_noted_ten_times_at_most() {
        for steps in [1, 3, 10, 37, 180] {
            let noted = (1..=steps).filter(|done| is_tenth(*done, steps)).count();
            assert_eq!(noted, steps.min(10), "{steps} steps");
            assert!(is_tenth(steps, steps));
        }
    }
}
