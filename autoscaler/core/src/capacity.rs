//! The capacity file: where one gateway's knee lies on each axis.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::error::ConfigError;
use crate::problem::{Problem, Problems};

/// The largest load that a gateway carries with its latency in limits and nothing
/// left out, axis by axis. An axis that is absent was not measured and never limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Knee {
    /// Viewers.
    pub connections: f64,
    /// Joins per second.
    pub joins_per_s: f64,
    /// Messages handed to viewers per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliveries_per_s: Option<f64>,
    /// Bytes written per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress_bytes_per_s: Option<f64>,
    /// Packets sent per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets_per_s: Option<f64>,
    /// Processors in use, 1 for one core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_cores: Option<f64>,
    /// Resident bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<f64>,
}

impl Knee {
    /// The knee of an axis; infinite where it was not measured.
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
    /// A cautious guess for a gateway nobody has measured: 10,000 viewers, 300 joins
    /// per second, 40 MB/s.
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

/// What a capacity measurement leaves behind. TOML or JSON, by the file's ending.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapacityFile {
    /// The gateway's build that was measured.
    #[serde(default)]
    pub build: String,
    /// The machine that it ran on.
    #[serde(default)]
    pub machine: String,
    /// The knee.
    pub knee: Knee,
}

impl CapacityFile {
    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let file: CapacityFile = crate::file::read(path)?;
        let problems = file.problems();
        if problems.is_empty() { Ok(file) } else { Err(ConfigError::Invalid(problems)) }
    }

    /// Everything in it that cannot be.
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
    fn reads_both_forms_and_leaves_unmeasured_axes_open() {
        let toml = "build = \"1.0\"\n[knee]\nconnections = 50000\njoins_per_s = 1500\n";
        let json = r#"{"build": "1.0", "knee": {"connections": 50000, "joins_per_s": 1500}}"#;
        let file = read("capacity.toml", toml).unwrap();
        assert_eq!(file, read("capacity.json", json).unwrap());
        assert_eq!(file.knee.of(Axis::Connections), 50_000.0);
        assert_eq!(file.knee.of(Axis::Cpu), f64::INFINITY);
    }

    #[test]
    fn refuses_every_bad_figure_at_once_and_unknown_keys() {
        let error =
            read("c.toml", "[knee]\nconnections = 0\njoins_per_s = -1\ncpu_cores = nan\n").unwrap_err();
        let text = error.to_string();
        for key in ["knee.connections", "knee.joins", "knee.cpu"] {
            assert!(text.contains(key), "{text}");
        }
        assert!(read("c.toml", "[knee]\nconnections = 1\njoins_per_s = 1\nviewers = 2\n").is_err());
    }
}
