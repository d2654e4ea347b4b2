//! `regions`: connect times of viewers in simulated regions, placed and shuffled.

use std::path::{Path, PathBuf};

use clap::Args;

use super::against::block_on;
use super::io::{say, write};
use crate::error::LoadtestError;
use crate::regions::{RegionsPlan, measure};

/// Exit code of a measurement whose figures break a rule.
const FAILED: u8 = 1;

/// Measure entry's choice by place: start gateways in simulated regions on this machine, and compare
/// the connect times of viewers with those of a shuffled list.
///
/// A region is a range of loopback addresses; a proxy in front of each gateway delays its viewers by
/// their distance. A crowd in one region shows that the others keep their gateways.
///
/// Exit codes: 0, 1 when the choice by place is no faster or a gateway is overfull, 2 when a server
/// cannot start.
#[derive(Debug, Args)]
pub(crate) struct Regions {
    /// Server binary to start; the one beside this program when absent.
    #[arg(long, value_name = "FILE")]
    barrage: Option<PathBuf>,
    /// NATS server to start.
    #[arg(long, value_name = "FILE", default_value = "nats-server")]
    nats_server: PathBuf,
    /// Number of simulated regions, at equal distances.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=16))]
    regions: u8,
    /// Number of gateways in each region.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=8))]
    gateways: u8,
    /// Viewers of each phase.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(10..=20_000))]
    viewers: u32,
    /// Viewers that come per second. Entry counts each twice until a report shows it: keep this below a
    /// tenth of the viewers.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// Milliseconds within a region, one way.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=2_000))]
    inside_ms: u64,
    /// Milliseconds from one region to another, one way.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=2_000))]
    between_ms: u64,
    /// Write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Regions {
    pub(crate) fn execute(self) -> Result<u8, LoadtestError> {
        let beside = || {
            let own = std::env::current_exe();
            let own = own.map_err(|error| LoadtestError::cannot_run("this program has no path", error))?;
            Ok(own.with_file_name("barrage"))
        };
        let plan = RegionsPlan {
            barrage: self.barrage.map_or_else(beside, Ok)?,
            nats: self.nats_server,
            regions: self.regions,
            gateways_per_region: self.gateways,
            viewers: self.viewers,
            viewers_per_s: self.rate,
            inside_ms: self.inside_ms,
            between_ms: self.between_ms,
        };
        if plan.barrage.components().count() > 1 && !plan.barrage.is_file() {
            return Err(LoadtestError::Usage(format!("{} is not there", Path::display(&plan.barrage))));
        }
        let figures = block_on(measure(&plan))?;
        if let Some(path) = &self.json {
            let json = serde_json::to_string_pretty(&figures)
                .map_err(|error| LoadtestError::cannot_run("the figures are no JSON", error))?;
            write(path, &(json + "\n"))?;
        }
        let broken = figures.broken();
        let lines: String = broken.iter().map(|rule| format!("broken: {rule}\n")).collect();
        say(&(figures.text() + &lines))?;
        Ok(if broken.is_empty() { 0 } else { FAILED })
    }
}
