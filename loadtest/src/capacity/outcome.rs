//! What a search of all axes leaves: the capacity file, the details, a table.

use std::fmt::Write;

use serde::Serialize;

use super::axis::Axis;
use super::cause::Cause;
use crate::figure::thousands;

/// One trial.
#[derive(Debug, Clone, Serialize)]
pub struct Trial {
    /// What was offered, in the axis's own unit.
    pub load: f64,
    /// What that came to, as the capacity file counts.
    pub measured: f64,
    /// Why it did not hold; absent when it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broke: Option<Cause>,
}

/// One search of an axis.
#[derive(Debug, Clone, Serialize)]
pub struct Sample {
    /// The greatest load that held, in the axis's own unit.
    pub load: f64,
    /// What that came to, as the capacity file counts.
    pub knee: f64,
    /// What ended the search.
    pub ended: Cause,
    /// All that was tried.
    pub trials: Vec<Trial>,
}

/// All searches of an axis.
#[derive(Debug, Clone, Serialize)]
pub struct Searched {
    /// Key of the capacity file.
    pub axis: &'static str,
    /// One by one.
    pub samples: Vec<Sample>,
    /// The least of the knees, which the capacity file holds.
    pub least: f64,
    /// The middle one.
    pub median: f64,
    /// The greatest.
    pub most: f64,
    /// No search met the gateway's own knee: it lies at this or above.
    pub at_least: bool,
}

impl Searched {
    /// Of one search at least.
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

/// Everything that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Capacity {
    /// The gateway's build.
    pub build: String,
    /// The machine that it ran on.
    pub machine: String,
    /// The axes.
    pub searched: Vec<Searched>,
}

#[derive(Serialize)]
struct File<'a> {
    build: &'a str,
    machine: &'a str,
    knee: serde_json::Map<String, serde_json::Value>,
    /// `true` for each axis whose knee lies at the figure or above: more was not tried.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    at_least: serde_json::Map<String, serde_json::Value>,
}

impl Capacity {
    /// The capacity file: the least knee of each axis, and whether it is a lower bound alone.
    #[must_use]
    pub fn file(&self) -> String {
        let knees =
            self.searched.iter().map(|searched| (searched.axis.to_owned(), searched.least.floor().into()));
        let open = self.searched.iter().filter(|searched| searched.at_least);
        let at_least = open.map(|searched| (searched.axis.to_owned(), true.into())).collect();
        let file = File { build: &self.build, machine: &self.machine, knee: knees.collect(), at_least };
        json(&file)
    }

    /// The same with every trial.
    #[must_use]
    pub fn details(&self) -> String {
        json(self)
    }

    /// For a person.
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

    /// By the very type that the autoscaler reads it with.
    #[test]
    fn the_autoscaler_reads_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("capacity.json");
        std::fs::write(&path, capacity().file()).unwrap();
        let read = barrage_scaling::CapacityFile::read(&path).unwrap();
        assert_eq!((read.build.as_str(), read.machine.as_str()), ("0.1.0", "two cores"));
        assert_eq!((read.knee.connections, read.knee.joins_per_s), (16_999.0, 70.0));
        assert_eq!((read.knee.deliveries_per_s, read.knee.egress_bytes_per_s), (Some(70.0), Some(70.0)));
        assert_eq!(read.knee.packets_per_s, None);
        // Every search of the viewers ended at the gateway's configuration: its knee is not known.
        assert!(read.at_least.connections && !read.at_least.joins_per_s);
        assert_eq!(read.warnings().len(), 1);
    }

    #[test]
    fn the_table_says_the_spread_and_what_ended_it() {
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
