//! The capacity file: the knee of one gateway on each axis.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::error::ConfigError;
use crate::problem::{Problem, Problems};

/// The greatest load that a gateway carries with its latency within limits and without drops, axis
/// by axis. An absent axis was not measured and never limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Knee {
    /// Open connections of viewers that one gateway can hold.
    pub connections: f64,
    /// Joins per second that one gateway can admit.
    pub joins_per_s: f64,
    /// Messages delivered to viewers per second; without a value the axis never limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliveries_per_s: Option<f64>,
    /// Bytes written to viewers per second; without a value the axis never limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress_bytes_per_s: Option<f64>,
    /// Packets sent to viewers per second; without a value the axis never limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets_per_s: Option<f64>,
    /// Processors in use; 1 is one core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_cores: Option<f64>,
    /// Resident bytes of the process; without a value the axis never limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<f64>,
}

impl Knee {
    /// Knee on an axis; infinite where it was not measured.
    #[must_use]
    pub fn of(&self, axis: Axis) -> f64 {
        match axis {
            Axis::Connections => self.connections,
            Axis::Joins => self.joins_per_s,
            Axis::Deliveries => self.deliveries_per_s.unwrap_or(f64::INFINITY),
            Axis::Egress => self.egress_bytes_per_s.unwrap_or(f64::INFINITY),
            Axis::Packets => self.packets_per_s.unwrap_or(f64::INFINITY),
            Axis::Cpu => self.cpu_cores.unwrap_or(f64::INFINITY),
            Axis::Memory => self.memory_bytes.unwrap_or(f64::INFINITY),
        }
    }
}

impl Default for Knee {
    /// A cautious guess for a gateway that was not measured: 10,000 viewers, 300 joins per second,
    /// 40 MB/s.
    fn default() -> Self {
        Knee {
            connections: 10_000.0,
            joins_per_s: 300.0,
            deliveries_per_s: None,
            egress_bytes_per_s: Some(40e6),
            packets_per_s: None,
            cpu_cores: None,
            memory_bytes: None,
        }
    }
}

/// Result of a capacity measurement. The file is TOML or JSON, by its extension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapacityFile {
    /// Build of the gateway that was measured.
    #[serde(default)]
    pub build: String,
    /// Description of the machine that the gateway was measured on.
    #[serde(default)]
    pub machine: String,
    /// Greatest load on each axis that one gateway carried.
    pub knee: Knee,
    /// Axes whose knee is a lower bound.
    #[serde(default, skip_serializing_if = "AtLeast::is_empty")]
    pub at_least: AtLeast,
}

/// For each axis that `barrage-loadtest capacity` searches, whether the figure is a lower bound:
/// the gateway carried it, and more was not tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AtLeast {
    /// Whether the knee of connections is a lower bound.
    pub connections: bool,
    /// Whether the knee of joins is a lower bound.
    pub joins_per_s: bool,
    /// Whether the knee of deliveries is a lower bound.
    pub deliveries_per_s: bool,
    /// Whether the knee of egress is a lower bound.
    pub egress_bytes_per_s: bool,
}

impl AtLeast {
    fn is_empty(&self) -> bool {
        *self == AtLeast::default()
    }
}

impl CapacityFile {
    /// Reads a file and checks its values. The error lists every invalid value.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let file: CapacityFile = crate::file::read(path)?;
        let problems = file.problems();
        if problems.is_empty() { Ok(file) } else { Err(ConfigError::Invalid(problems)) }
    }

    /// Returns the knee without the axes whose figure is only a lower bound. Their knee is unknown,
    /// so entry must refuse no viewer because of it.
    #[must_use]
    pub fn known_knee(&self) -> Knee {
        let AtLeast { connections, joins_per_s, deliveries_per_s, egress_bytes_per_s } = self.at_least;
        let open = |is_open: bool, knee: f64| if is_open { f64::INFINITY } else { knee };
        Knee {
            connections: open(connections, self.knee.connections),
            joins_per_s: open(joins_per_s, self.knee.joins_per_s),
            deliveries_per_s: self.knee.deliveries_per_s.filter(|_| !deliveries_per_s),
            egress_bytes_per_s: self.knee.egress_bytes_per_s.filter(|_| !egress_bytes_per_s),
            ..self.knee.clone()
        }
    }

    /// Returns one sentence for each axis whose figure is only a lower bound.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let AtLeast { connections, joins_per_s, deliveries_per_s, egress_bytes_per_s } = self.at_least;
        let axes = [
            ("connections", connections, Axis::Connections),
            ("joins_per_s", joins_per_s, Axis::Joins),
            ("deliveries_per_s", deliveries_per_s, Axis::Deliveries),
            ("egress_bytes_per_s", egress_bytes_per_s, Axis::Egress),
        ];
        let open = axes.into_iter().filter(|(_, is_open, _)| *is_open);
        let sentence = |(key, _, axis)| {
            format!(
                "knee.{key} = {} is a lower bound, not a knee: the measurement ended before the gateway's limit; \
                 measure again with more load (barrage-loadtest capacity --viewers-max, or larger gateway limits)",
                self.knee.of(axis)
            )
        };
        open.map(sentence).collect()
    }

    /// Returns every invalid value: a knee that is not above 0, or not finite where it must be.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Problems::default();
        for axis in Axis::ALL {
            let knee = self.knee.of(axis);
            let sound = knee > 0.0 && (knee.is_finite() || axis != Axis::Connections && axis != Axis::Joins);
            problems.expect(sound, &format!("knee.{}", axis.label()), knee, "a finite number above 0");
        }
        problems.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<CapacityFile, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        CapacityFile::read(&path)
    }

    #[test]
    fn capacity_file_reads_toml_and_json_and_leaves_unmeasured_axes_open() {
        let toml = "build = \"1.0\"\n[knee]\nconnections = 50000\njoins_per_s = 1500\n";
        let json = r#"{"build": "1.0", "knee": {"connections": 50000, "joins_per_s": 1500}}"#;
        let file = read("capacity.toml", toml).unwrap();
        assert_eq!(file, read("capacity.json", json).unwrap());
        assert_eq!(file.knee.of(Axis::Connections), 50_000.0);
        assert_eq!(file.knee.of(Axis::Cpu), f64::INFINITY);
    }

    #[test]
    fn lower_bounds_are_no_knees_and_give_warnings() {
        let json = r#"{"knee": {"connections": 3000, "joins_per_s": 900, "egress_bytes_per_s": 5e6},
                       "at_least": {"connections": true, "egress_bytes_per_s": true}}"#;
        let file = read("capacity.json", json).unwrap();
        assert_eq!((file.knee.connections, file.known_knee().connections), (3_000.0, f64::INFINITY));
        assert_eq!((file.known_knee().joins_per_s, file.known_knee().egress_bytes_per_s), (900.0, None));
        let warnings = file.warnings();
        assert_eq!(warnings.len(), 2);
        assert!(warnings[0].contains("knee.connections = 3000 is a lower bound"), "{warnings:?}");
        let measured = read("c.toml", "[knee]\nconnections = 9\njoins_per_s = 1\n").unwrap();
        assert_eq!(measured.known_knee(), measured.knee);
        assert!(measured.warnings().is_empty());
        assert!(
            read("c.toml", "[knee]\nconnections = 9\njoins_per_s = 1\n[at_least]\nviewers = true\n").is_err()
        );
    }

    #[test]
    fn capacity_file_names_every_invalid_figure_and_refuses_unknown_keys() {
        let error =
            read("c.toml", "[knee]\nconnections = 0\njoins_per_s = -1\ncpu_cores = nan\n").unwrap_err();
        let text = error.to_string();
        for key in ["knee.connections", "knee.joins", "knee.cpu"] {
            assert!(text.contains(key), "{text}");
        }
        assert!(read("c.toml", "[knee]\nconnections = 1\njoins_per_s = 1\nviewers = 2\n").is_err());
    }
}
