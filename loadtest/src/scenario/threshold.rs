//! Thresholds: `p99 < 500ms`, `loss.gift == 0`, `viewers.lost <= 1%`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::measure::figure::{Figures, Unit, nearest, unit_of};

/// A condition on one figure, such as `p99 < 500ms`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Threshold {
    text: String,
    figure: String,
    comparison: Comparison,
    value: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    LessOrEqual,
    GreaterOrEqual,
    Equal,
    Less,
    Greater,
}

/// Longer operators come first, because `<=` begins with `<`.
const COMPARISONS: [(&str, Comparison); 5] = [
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("==", Comparison::Equal),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

/// Why a text is not a threshold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    /// The text contains no comparison of a figure and a value.
    #[error("`{0}`: write FIGURE, one of < <= == >= >, and a value, as in `p99 < 500ms`")]
    Form(String),
    /// The left side is not a figure.
    #[error("`{0}` is not a figure (`barrage-loadtest figures` lists them){hint}", hint = nearest(.0))]
    Figure(String),
    /// The right side is not a value of the figure.
    #[error("`{value}` is no value for {figure}: {wanted}")]
    Value {
        /// Name of the figure on the left side.
        figure: String,
        /// Text on the right side, which could not be parsed.
        value: String,
        /// Form that a value of this figure must have.
        wanted: &'static str,
    },
}

impl Threshold {
    /// Returns the value of the figure, and whether the condition holds. It does not hold when the
    /// figure was not measured.
    #[must_use]
    pub fn check(&self, figures: &Figures) -> (Option<f64>, bool) {
        let value = figures.get(&self.figure).copied();
        let holds = value.is_some_and(|value| match self.comparison {
            Comparison::LessOrEqual => value <= self.value,
            Comparison::GreaterOrEqual => value >= self.value,
            Comparison::Equal => (value - self.value).abs() < 1e-12,
            Comparison::Less => value < self.value,
            Comparison::Greater => value > self.value,
        });
        (value, holds)
    }

    /// Value on the right side of the condition, in the unit of the figure.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.value
    }

    /// Returns the name of the figure on the left side.
    #[must_use]
    pub fn figure(&self) -> &str {
        &self.figure
    }
}

impl FromStr for Threshold {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        let found = COMPARISONS.iter().find_map(|(sign, comparison)| {
            let (figure, value) = text.split_once(sign)?;
            Some((figure.trim(), *comparison, value.trim()))
        });
        let (figure, comparison, value) = found.ok_or_else(|| ThresholdError::Form(text.into()))?;
        let unit = unit_of(figure).ok_or_else(|| ThresholdError::Figure(figure.into()))?;
        let value = parse_value(figure, unit, value)?;
        Ok(Threshold { text: text.trim().into(), figure: figure.into(), comparison, value })
    }
}

fn parse_value(figure: &str, unit: Unit, text: &str) -> Result<f64, ThresholdError> {
    let (suffixes, wanted): (&[(&str, f64)], _) = match unit {
        Unit::Ms => (&[("ms", 1.0), ("s", 1_000.0)], "a time, as in 500ms or 2s"),
        Unit::Us => (&[("µs", 1.0), ("us", 1.0)], "a time, as in 2us"),
        Unit::Share => (&[("%", 0.01), ("", 1.0)], "a share, as in 0, 0.01 or 1%"),
        Unit::Number => (&[("", 1.0)], "a number"),
    };
    let parsed = suffixes.iter().find_map(|(suffix, factor)| {
        let number = text.strip_suffix(suffix)?.trim().parse::<f64>().ok()?;
        (number.is_finite() && number >= 0.0).then_some(number * factor)
    });
    parsed.ok_or_else(|| ThresholdError::Value { figure: figure.into(), value: text.into(), wanted })
}

impl TryFrom<String> for Threshold {
    type Error = ThresholdError;
    fn try_from(text: String) -> Result<Self, ThresholdError> {
        text.parse()
    }
}

impl From<Threshold> for String {
    fn from(threshold: Threshold) -> String {
        threshold.text
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str, figure: &str, value: f64) -> bool {
        let threshold: Threshold = text.parse().unwrap();
        threshold.check(&Figures::from([(figure.to_owned(), value)])).1
    }

    #[test]
    fn conditions_hold_or_not() {
        assert!(holds("p99 < 500ms", "p99", 499.0));
        assert!(!holds("p99 < 500ms", "p99", 500.0));
        assert!(holds("p99<=0.5s", "p99", 500.0));
        assert!(holds("loss.gift == 0", "loss.gift", 0.0));
        assert!(!holds("loss.gift == 0", "loss.gift", 0.000_001));
        assert!(holds("viewers.lost <= 1 %", "viewers.lost", 0.01));
        assert!(holds("deliveries_per_s >= 1000", "deliveries_per_s", 1_000.0));
        assert!(!holds("join.max > 2s", "join.max", 1_999.0));
    }

    #[test]
    fn unmeasured_figure_fulfils_no_threshold() {
        let threshold: Threshold = "gift.p99 < 1s".parse().unwrap();
        assert_eq!(threshold.check(&Figures::new()), (None, false));
    }

    #[test]
    fn malformed_condition_is_refused_with_the_reason() {
        let refused = |text: &str| text.parse::<Threshold>().unwrap_err();
        assert!(matches!(refused("p99"), ThresholdError::Form(_)));
        assert!(matches!(refused("p98 < 1ms"), ThresholdError::Figure(_)));
        for bad in ["p99 < 500", "p99 < -1ms", "p99 < 1%", "loss.gift == 0ms", "p99 < NaNms", "p99 << 5ms"] {
            assert!(matches!(refused(bad), ThresholdError::Value { .. }), "{bad}");
        }
    }
}
