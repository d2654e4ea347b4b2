//! A latency histogram that adds up over threads and processes.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer as HdrReader, Serializer as HdrWriter, V2DeflateSerializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::measure::figure::{Figures, STATISTICS};

/// Greatest latency that the histogram distinguishes, in microseconds. A longer one counts as this.
const MAX_US: u64 = 600_000_000;
/// Significant decimal digits that the histogram keeps of each value.
const DIGITS: u8 = 3;

/// Distribution of latencies in microseconds, kept in an HdrHistogram.
#[derive(Debug, Clone, PartialEq)]
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        Latency(Histogram::new_with_bounds(1, MAX_US, DIGITS).expect("constant bounds"))
    }
}

impl Latency {
    /// Adds one latency; a value beyond the histogram's range counts as its greatest.
    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(latency.as_micros() as u64);
    }

    /// Adds the counts of another distribution, as of another thread.
    pub fn add(&mut self, other: &Latency) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    /// Removes all counts, and keeps the memory.
    pub fn reset(&mut self) {
        self.0.reset();
    }

    /// Returns the counts by value in microseconds.
    pub(crate) fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }

    /// Returns the number of latencies in the distribution.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Returns the number of latencies of at most each of the ascending `ends_us`, and the sum of all
    /// latencies in seconds.
    #[must_use]
    pub fn buckets<const N: usize>(&self, ends_us: &[u64; N]) -> ([u64; N], f64) {
        let (mut below, mut sum_us) = ([0; N], 0.0);
        for step in self.0.iter_recorded() {
            let (value, count) = (step.value_iterated_to(), step.count_since_last_iteration());
            sum_us += value as f64 * count as f64;
            for (total, end) in below.iter_mut().zip(ends_us) {
                *total += if value <= *end { count } else { 0 };
            }
        }
        (below, sum_us / 1e6)
    }

    /// Quantile in milliseconds; `None` for an empty histogram.
    #[must_use]
    pub fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.value_at_quantile(quantile) as f64 / 1_000.0)
    }

    /// Adds all statistics to the figures, with the prefix `PREFIX.` unless it is empty.
    pub fn figures(&self, prefix: &str, figures: &mut Figures) {
        for (name, quantile) in STATISTICS {
            let name = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
            figures.extend(self.quantile_ms(quantile).map(|value| (name, value)));
        }
    }
}

impl Serialize for Latency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        if !self.0.is_empty() {
            V2DeflateSerializer::new().serialize(&self.0, &mut bytes).map_err(serde::ser::Error::custom)?;
        }
        serializer.serialize_str(&STANDARD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Latency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let bytes = STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)?;
        let mut latency = Latency::default();
        if !bytes.is_empty() {
            let read: Histogram<u64> =
                HdrReader::new().deserialize(&mut bytes.as_slice()).map_err(D::Error::custom)?;
            latency.0.add(read).map_err(D::Error::custom)?;
        }
        Ok(latency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_serialise_and_add_up() {
        let mut one = Latency::default();
        (1..=100).for_each(|ms| one.record(Duration::from_millis(ms)));
        let json = serde_json::to_string(&one).unwrap();
        let mut two: Latency = serde_json::from_str(&json).unwrap();
        two.add(&one);
        two.add(&serde_json::from_str(&serde_json::to_string(&Latency::default()).unwrap()).unwrap());
        assert_eq!(two.count(), 200);
        let p90 = two.quantile_ms(0.9).unwrap();
        assert!((89.9..90.2).contains(&p90), "{p90}");
        assert_eq!(Latency::default().quantile_ms(0.5), None);
    }
}
