//! Results of the search: the capacity file, the details, and a table.

use std::fmt::Write;

use serde::Serialize;

use super::axis::Axis;
use super::cause::Cause;
use crate::measure::figure::thousands;

/// One trial of a load, with its result.
#[derive(Debug, Clone, Serialize)]
pub struct Trial {
    /// Offered load, in the unit of the axis.
    pub load: f64,
    /// The figure of the capacity file that this load came to.
    pub measured: f64,
    /// Why the load broke; absent when it held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broke: Option<Cause>,
}

/// One search of an axis, repeated to show the spread.
#[derive(Debug, Clone, Serialize)]
pub struct Sample {
    /// Greatest load that held, in the unit of the axis.
    pub load: f64,
    /// The figure of the capacity file that this load came to.
    pub knee: f64,
    /// Why the search ended; only `Limits` is the gateway's own knee.
    pub ended: Cause,
    /// All trials of the search, in order.
    pub trials: Vec<Trial>,
}

/// All searches of an axis, and their least, median and greatest knee.
#[derive(Debug, Clone, Serialize)]
pub struct Searched {
    /// Key of the axis in the capacity file.
    pub axis: &'static str,
    /// The searches in the order in which they ran; at least one.
    pub samples: Vec<Sample>,
    /// Lowest knee, which the capacity file holds.
    pub least: f64,
    /// Median of the knees; of an even number the upper one.
    pub median: f64,
    /// Highest knee that any of the searches found.
    pub most: f64,
    /// Whether no search reached the gateway's own knee, so that the figure is a lower bound.
    pub at_least: bool,
}

impl Searched {
    /// Summarises the searches of an axis, at least one.
    #[must_use]
    pub fn new(axis: Axis, samples: Vec<Sample>) -> Self {
        let mut knees: Vec<f64> = samples.iter().map(|sample| sample.knee).collect();
        knees.sort_by(f64::total_cmp);
        let at = |at: usize| knees.get(at).copied().unwrap_or_default();
        let (least, median, most) = (at(0), at(knees.len() / 2), at(knees.len().saturating_sub(1)));
        let at_least = samples.iter().all(|sample| sample.ended.is_at_least());
        Searched { axis: axis.key(), samples, least, median, most, at_least }
    }
}

/// Everything that the search found, over all axes.
#[derive(Debug, Clone, Serialize)]
pub struct Capacity {
    /// Build of the gateway that was measured.
    pub build: String,
    /// Description of the machine that the gateway ran on.
    pub machine: String,
    /// Results of the search, one entry for each axis.
    pub searched: Vec<Searched>,
}

#[derive(Serialize)]
struct File<'a> {
    build: &'a str,
    machine: &'a str,
    knee: serde_json::Map<String, serde_json::Value>,
    /// `true` for each axis whose figure is a lower bound.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    at_least: serde_json::Map<String, serde_json::Value>,
}

impl Capacity {
    /// Returns the capacity file: the lowest knee of each axis, and whether it is a lower bound.
    #[must_use]
    pub fn file(&self) -> String {
        let knees =
            self.searched.iter().map(|searched| (searched.axis.to_owned(), searched.least.floor().into()));
        let open = self.searched.iter().filter(|searched| searched.at_least);
        let at_least = open.map(|searched| (searched.axis.to_owned(), true.into())).collect();
        let file = File { build: &self.build, machine: &self.machine, knee: knees.collect(), at_least };
        json(&file)
    }

    /// Returns the capacity file with every trial.
    #[must_use]
    pub fn details(&self) -> String {
        json(self)
    }

    /// Returns a table of the knees for the terminal.
    #[must_use]
    pub fn table(&self) -> String {
        const MEMORY: &str = "writing to memory cannot fail";
        let mut out = String::new();
        writeln!(out, "{:<20}{:>16}{:>16}{:>16}  what ended the search", "knee", "least", "median", "most")
            .expect(MEMORY);
        for searched in &self.searched {
            let sign = if searched.at_least { ">= " } else { "" };
            let show = |value: f64| format!("{sign}{}", thousands(value.floor()));
            let least = searched.samples.iter().min_by(|a, b| a.knee.total_cmp(&b.knee));
            let because = least.map(|sample| sample.ended.text()).unwrap_or_default();
            let [least, median, most] = [searched.least, searched.median, searched.most].map(show);
            writeln!(out, "{:<20}{least:>16}{median:>16}{most:>16}  {because}", searched.axis).expect(MEMORY);
        }
        out.push_str("The capacity file holds the least. `>=`: the gateway itself was not at its end.\n");
        out
    }
}

fn json(what: &impl Serialize) -> String {
    let mut json = serde_json::to_string_pretty(what).expect("plain data");
    json.push('\n');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(knee: f64, ended: Cause) -> Sample {
        Sample { load: knee, knee, ended, trials: vec![Trial { load: knee, measured: knee, broke: None }] }
    }

    fn capacity() -> Capacity {
        let late = || Cause::Limits("p99 <= 500ms was 700".into());
        let full = || Cause::Configuration("gateway.viewers_max".into());
        let searched = Axis::ALL.map(|axis| match axis {
            Axis::Connections => {
                Searched::new(axis, vec![sample(17_000.0, full()), sample(16_999.0, full())])
            }
            _ => Searched::new(axis, vec![sample(90.4, late()), sample(70.9, late()), sample(80.0, full())]),
        });
        Capacity { build: "0.1.0".into(), machine: "two cores".into(), searched: searched.to_vec() }
    }

    /// The test reads the file with the type that the autoscaler uses.
    #[test]
    fn capacity_file_is_readable_by_the_autoscaler() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("capacity.json");
        std::fs::write(&path, capacity().file()).unwrap();
        let read = barrage_scaling::CapacityFile::read(&path).unwrap();
        assert_eq!((read.build.as_str(), read.machine.as_str()), ("0.1.0", "two cores"));
        assert_eq!((read.knee.connections, read.knee.joins_per_s), (16_999.0, 70.0));
        assert_eq!((read.knee.deliveries_per_s, read.knee.egress_bytes_per_s), (Some(70.0), Some(70.0)));
        assert_eq!(read.knee.packets_per_s, None);
        // Every search of connections ended at the gateway's configuration, so its knee is a lower
        // bound.
        assert!(read.at_least.connections && !read.at_least.joins_per_s);
        assert_eq!(read.warnings().len(), 1);
    }

    #[test]
    fn capacity_table_shows_the_spread_and_the_end() {
        let table = capacity().table();
        assert!(table.contains(">= 16,999"), "{table}");
        assert!(table.contains("limited by configuration gateway.viewers_max"), "{table}");
        let row = table.lines().find(|line| line.starts_with("joins_per_s")).unwrap();
        assert!(
            row.contains("70") && row.contains("80") && row.contains("90") && !row.contains(">="),
            "{row}"
        );
        assert!(row.contains("p99 <= 500ms was 700"), "{row}");
    }
}
