//! Medians and ratios, and how they are printed.

use serde_json::{Map, Value, json};

use crate::run::{note, say};

/// Medians of two binaries that were measured by turns.
pub(crate) struct ByTurns {
    /// Median of the binary that this checkout builds.
    ours: f64,
    /// Median of the binary that the user named.
    other: f64,
    /// Ratios of the rounds, ours to the other, the smallest first.
    ratios: Vec<f64>,
}

impl ByTurns {
    /// Measures both binaries in each round, each first in every other round: both meet the same
    /// load from the rest of the machine.
    pub(crate) fn measure(
        rounds: u32,
        ours: &str,
        other: &str,
        mut measure: impl FnMut(&str) -> anyhow::Result<f64>,
    ) -> anyhow::Result<ByTurns> {
        let (mut of_ours, mut of_other, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 1..=rounds {
            let (one, two) = if round % 2 == 0 {
                let two = measure(other)?;
                (measure(ours)?, two)
            } else {
                (measure(ours)?, measure(other)?)
            };
            note(&format!("  round {round} of {rounds}: {one:.0} against {two:.0}, ratio {:.3}", one / two));
            of_ours.push(one);
            of_other.push(two);
            ratios.push(one / two);
        }
        ratios.sort_by(f64::total_cmp);
        Ok(ByTurns { ours: median(&mut of_ours), other: median(&mut of_other), ratios })
    }

    /// Adds both medians, the median of the rounds' ratios and all ratios, as `NAME`, `NAME_other`,
    /// `NAME_ratio` and `NAME_ratios`.
    pub(crate) fn add_to(&self, figures: &mut Map<String, Value>, name: &str) {
        figures.insert(name.into(), json!(self.ours.round()));
        figures.insert(format!("{name}_other"), json!(self.other.round()));
        let ratios: Vec<_> = self.ratios.iter().copied().map(thousandths).collect();
        figures.insert(format!("{name}_ratio"), json!(ratios[ratios.len() / 2]));
        figures.insert(format!("{name}_ratios"), json!(ratios));
    }
}

/// Prints figures as one JSON object or as lines.
pub(crate) fn print(figures: &Map<String, Value>, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return say(&Value::Object(figures.clone()).to_string());
    }
    figures.iter().try_for_each(|(name, value)| say(&format!("{name:<34} {value}")))
}

/// Returns the median; of an even number of values the upper of the middle two.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Rounds a value to three decimals, for printed figures.
pub(crate) fn thousandths(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
