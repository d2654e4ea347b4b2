//! A quantity over time, given by a few points.

use std::path::Path;
use std::time::UNIX_EPOCH;

use barrage_scaling::ConfigError;
use serde::{Deserialize, Serialize};

/// Points `[seconds, value]` in order of time. Between two points the value follows an S curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Curve(Vec<(f64, f64)>);

/// How a recorded curve is scaled to viewers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurveOptions {
    /// Viewers that the curve's greatest value is scaled to.
    pub peak_viewers: f64,
    /// Hours around the peak to use, a quarter of them before it; the whole curve when absent.
    pub hours: Option<f64>,
}

impl Curve {
    /// Returns a curve through points of seconds and values, in any order.
    #[must_use]
    pub fn new(mut points: Vec<(f64, f64)>) -> Self {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Curve(points)
    }

    /// Returns a curve with one constant value.
    #[must_use]
    pub fn flat(value: f64) -> Self {
        Curve(vec![(0.0, value)])
    }

    /// Value at a time. Before the first point it is the first value, after the last the last.
    #[must_use]
    pub fn at(&self, secs: f64) -> f64 {
        let after = self.0.partition_point(|(at, _)| *at <= secs);
        match (after.checked_sub(1).and_then(|n| self.0.get(n)), self.0.get(after)) {
            (Some((from, low)), Some((to, high))) => {
                let x = (secs - from) / (to - from);
                low + (high - low) * x * x * (3.0 - 2.0 * x)
            }
            (Some((_, value)), None) | (None, Some((_, value))) => *value,
            (None, None) => 0.0,
        }
    }

    /// Returns the time of the last point in seconds; 0 without points.
    #[must_use]
    pub fn end_secs(&self) -> f64 {
        self.0.last().map_or(0.0, |(at, _)| *at)
    }

    /// Returns the points that define the curve.
    #[must_use]
    pub fn points(&self) -> &[(f64, f64)] {
        &self.0
    }

    /// Reads a recorded curve: a header, then lines `seconds,value` or
    /// `2015-02-26 21:42:53,value`.
    pub fn read_csv(path: &Path, options: CurveOptions) -> Result<Self, ConfigError> {
        let text = barrage_scaling::file::text(path)?;
        let fail = |reason: String| ConfigError::Parse { path: path.into(), reason };
        let mut points = Vec::new();
        for (number, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
            let parsed =
                line.split_once(',').and_then(|(at, value)| Some((parse_seconds(at)?, parse_number(value)?)));
            points.push(parsed.ok_or_else(|| fail(format!("line {}: not `time,value`", number + 1)))?);
        }
        let curve = Curve::new(points);
        let peak =
            curve.0.iter().copied().fold((0.0, 0.0), |most, next| if next.1 > most.1 { next } else { most });
        if peak.1 <= 0.0 {
            return Err(fail("no value above 0".into()));
        }
        let lines = curve.0.len();
        let cut = curve.cut(peak.0, options.hours);
        // One point would be simulated for 0 s, with a table of zeros.
        if cut.0.len() < 2 || cut.end_secs() < 1.0 {
            let within = if cut.0.len() < lines { " within the hours around its peak (--hours)" } else { "" };
            return Err(fail(format!("a curve needs two points, a second or more apart{within}")));
        }
        Ok(cut.scaled(options.peak_viewers / peak.1))
    }

    fn cut(self, peak_secs: f64, hours: Option<f64>) -> Curve {
        let first = self.0.first().map_or(0.0, |(at, _)| *at);
        let secs = hours.map_or(f64::INFINITY, |hours| hours * 3_600.0);
        let from = (peak_secs - secs / 4.0).max(first);
        let kept = self.0.into_iter().filter(|(at, _)| (from..=from + secs).contains(at));
        Curve(kept.map(|(at, value)| (at - from, value)).collect())
    }

    fn scaled(mut self, by: f64) -> Curve {
        self.0.iter_mut().for_each(|(_, value)| *value *= by);
        self
    }
}

fn parse_number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

fn parse_seconds(text: &str) -> Option<f64> {
    let date = || {
        let time = humantime::parse_rfc3339_weak(text.trim()).ok()?;
        Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs_f64())
    };
    parse_number(text).or_else(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curve_passes_through_its_points_and_never_beyond_them() {
        let curve = Curve::new(vec![(10.0, 100.0), (0.0, 0.0), (20.0, 50.0)]);
        for (at, value) in [(-5.0, 0.0), (0.0, 0.0), (5.0, 50.0), (10.0, 100.0), (20.0, 50.0), (99.0, 50.0)] {
            assert_eq!(curve.at(at), value, "at {at}");
        }
        assert!((0..200).all(|tenth| (0.0..=100.0).contains(&curve.at(f64::from(tenth) / 10.0))));
        assert!(curve.at(2.0) < 20.0 && curve.at(8.0) > 80.0, "an S is flat at its ends");
    }

    #[test]
    fn recorded_curves_are_scaled_and_cut_around_the_peak() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("curve.csv");
        let options = CurveOptions { peak_viewers: 1_000.0, hours: Some(1.0) };
        std::fs::write(
            &path,
            "timestamp,value\n2015-02-26 20:00:00,1\n2015-02-26 21:00:00,4\n\
                               2015-02-26 21:30:00,2\n2015-02-26 23:00:00,1\n",
        )
        .unwrap();
        let curve = Curve::read_csv(&path, options).unwrap();
        assert_eq!(curve.points(), [(900.0, 1_000.0), (2_700.0, 500.0)]);
        std::fs::write(&path, "t_s,value\n0,2\n60,8\n").unwrap();
        let all = CurveOptions { hours: None, ..options };
        assert_eq!(Curve::read_csv(&path, all).unwrap().points(), [(0.0, 250.0), (60.0, 1_000.0)]);
        let hour = CurveOptions { hours: Some(0.01), ..options };
        assert!(Curve::read_csv(&path, hour).unwrap_err().to_string().contains("--hours"));
        for single in ["t_s,value\n0,2\n", "t_s,value\n5,2\n5,3\n"] {
            std::fs::write(&path, single).unwrap();
            assert!(Curve::read_csv(&path, all).unwrap_err().to_string().contains("two points"), "{single}");
        }
        std::fs::write(&path, "t_s,value\n0,2\nnoon,8\n").unwrap();
        assert!(Curve::read_csv(&path, all).unwrap_err().to_string().contains("line 3"));
    }
}
