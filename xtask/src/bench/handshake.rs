//! Handshakes: joins with a token per second of the gateway's processor time, with the fields of a
//! browser's handshake, from another process.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, json};

use super::figures::{self, ByTurns, median, thousandths};
use super::site::{Build, Gateway, Part};
use crate::run::note;

/// Rate of joins that come without a pace.
const AT_ONCE_PER_S: &str = "1000000";

/// Bytes of the token that the bare loop gets, about those of the gateway's.
const TOKEN_BYTES: usize = 250;

/// What joins are measured, and by what program.
#[derive(Debug, Clone, Args)]
pub(crate) struct Plan {
    /// Joins of each measurement.
    #[arg(long, default_value_t = 10_000)]
    viewers: u32,
    /// Rounds; medians are printed.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Joins a second of the measurements with a pace.
    #[arg(long, default_value_t = 4_000)]
    per_s: u32,
    /// Program that opens the joins, with the arguments of `barrage-bench read`. It prints a line of JSON
    /// when all are answered, and keeps them until its input ends.
    #[arg(long, value_name = "PROGRAM")]
    generator: Option<PathBuf>,
}

/// How the joins of a measurement come.
#[derive(Debug, Clone, Copy)]
enum Arriving {
    /// Each 128 wait for the ones before.
    InTurn,
    /// At an even pace, whatever the answers.
    Paced,
    /// All at once, to a gateway whose join queue has the pace.
    Queued,
}

impl Arriving {
    const ALL: [Arriving; 3] = [Arriving::InTurn, Arriving::Paced, Arriving::Queued];

    /// Start of the names of the figures.
    const fn prefix(self) -> &'static str {
        match self {
            Arriving::InTurn => "",
            Arriving::Paced => "paced_",
            Arriving::Queued => "queued_",
        }
    }
}

/// Measures joins by turns with a loop of accepts, and prints medians and ratios.
pub(crate) fn with_limit(build: &Build, plan: &Plan, as_json: bool) -> anyhow::Result<()> {
    let mut figures = Map::new();
    for arriving in Arriving::ALL {
        let (mut gateway, mut limit, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 1..=plan.rounds {
            let of_gateway = plan.of_gateway(build, &build.barrage(), arriving)?;
            let bare = plan.of_limit(build, arriving)?;
            note(&format!(
                "  {arriving:?}, round {round} of {}: {of_gateway:.0}, limit {bare:.0}",
                plan.rounds
            ));
            gateway.push(of_gateway);
            limit.push(bare);
            ratios.push(of_gateway / bare);
        }
        let prefix = arriving.prefix();
        figures.insert(format!("{prefix}handshakes_per_cpu_s"), json!(median(&mut gateway).round()));
        figures.insert(format!("{prefix}limit_handshakes_per_cpu_s"), json!(median(&mut limit).round()));
        figures.insert(format!("{prefix}ratio"), json!(thousandths(median(&mut ratios))));
        let ratios: Vec<_> = ratios.into_iter().map(thousandths).collect();
        figures.insert(format!("{prefix}ratios"), json!(ratios));
    }
    figures::print(&figures, as_json)
}

/// Measures this checkout's binary by turns with another one.
pub(crate) fn against(build: &Build, other: &str, plan: &Plan, as_json: bool) -> anyhow::Result<()> {
    let mut figures = Map::new();
    for arriving in Arriving::ALL {
        note(&format!("{arriving:?}"));
        let measure = |binary: &str| plan.of_gateway(build, binary, arriving);
        let turns = ByTurns::measure(plan.rounds, &build.barrage(), other, measure)?;
        turns.add_to(&mut figures, &format!("{}handshakes_per_cpu_s", arriving.prefix()));
    }
    figures::print(&figures, as_json)
}

impl Plan {
    /// Returns joins with a token per second of a gateway's processor time.
    fn of_gateway(&self, build: &Build, binary: &str, arriving: Arriving) -> anyhow::Result<f64> {
        let config = match arriving {
            Arriving::InTurn | Arriving::Paced => "joins_per_s = 1000000\n".to_owned(),
            Arriving::Queued => format!("joins_per_s = {}\njoins_wait_ms_max = 60000\n", self.per_s),
        };
        let gateway = Gateway::start_joinable(build, binary, &config)?;
        let token = gateway.token()?;
        // The first join opens the room, which is not measured.
        let _first = gateway.viewers(1, &["--token", &token])?;
        let before = gateway.process.cpu_secs()?;
        let _viewers = self.join(build, Gateway::ADDRESS, &token, arriving)?;
        Ok(f64::from(self.viewers) / (gateway.process.cpu_secs()? - before))
    }

    /// Returns handshakes per second of a bare loop of accepts, with requests as large.
    fn of_limit(&self, build: &Build, arriving: Arriving) -> anyhow::Result<f64> {
        let (bare, address) = Part::limit(build, self.viewers, 100.0, 1.0, &[])?;
        let before = bare.process.cpu_secs()?;
        let _viewers = self.join(build, &address, &"x".repeat(TOKEN_BYTES), arriving)?;
        Ok(f64::from(self.viewers) / (bare.process.cpu_secs()? - before))
    }

    fn join(&self, build: &Build, address: &str, token: &str, arriving: Arriving) -> anyhow::Result<Part> {
        let per_s = self.per_s.to_string();
        let mut more = vec!["--token", token];
        match arriving {
            Arriving::InTurn => {}
            Arriving::Paced => more.extend(["--per-s", &per_s]),
            Arriving::Queued => more.extend(["--per-s", AT_ONCE_PER_S]),
        }
        match &self.generator {
            Some(program) => Part::generator(&[program.display().to_string()], address, self.viewers, &more),
            None => Part::viewers(build, address, self.viewers, &more),
        }
    }
}
