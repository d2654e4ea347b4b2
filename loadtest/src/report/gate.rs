//! Conditions on a comparison that fail a build: `p99 > +10%`.

use std::fmt;
use std::str::FromStr;

use super::Report;
use super::compare::{Row, rows};
use crate::measure::figure::{nearest, unit_of};
use crate::scenario::threshold::{Threshold, ThresholdError};

/// A condition under which a comparison fails.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    text: String,
    condition: Condition,
}

#[derive(Debug, Clone, PartialEq)]
enum Condition {
    /// The median of B is this share above that of A, or more.
    Rises { figure: String, share: f64 },
    /// The median of B is this share below that of A, or more.
    Falls { figure: String, share: f64 },
    /// A condition on the median of B alone.
    Absolute(Threshold),
}

/// Why a text is not a gate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// The right side is not a change in percent.
    #[error(
        "`{0}`: write FIGURE > +N% or FIGURE < -N%, as in `p99 > +10%`, or a condition on B, as in `loss.gift > 0`"
    )]
    Form(String),
    /// The left side is not a figure.
    #[error("`{0}` is not a figure (`barrage-loadtest figures` lists them){hint}", hint = nearest(.0))]
    Figure(String),
    /// The text is not a condition on B.
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
}

impl Gate {
    /// Returns why the comparison fails; `None` when it passes. A change counts when it is larger
    /// than the condition and larger than the spread of the runs. A figure that one side has not
    /// measured fails.
    #[must_use]
    pub fn fails(&self, a: &[Report], b: &[Report]) -> Option<String> {
        let rows = rows(a, b);
        let row = rows.iter().find(|row| row.name == self.figure());
        let measured = |row: &&Row| row.b.is_some() && (row.a.is_some() || self.is_absolute());
        let Some(row) = row.filter(measured) else {
            return Some(format!("{self}: {} was not measured on both sides", self.figure()));
        };
        let change = row.change().unwrap_or_default();
        let crossed = match &self.condition {
            Condition::Rises { share, .. } => change > *share && row.is_beyond_spread(),
            Condition::Falls { share, .. } => change < -*share && row.is_beyond_spread(),
            Condition::Absolute(threshold) => {
                let median = row.b.map(|b| (row.name.clone(), b.median));
                threshold.check(&median.into_iter().collect()).1
            }
        };
        let unit = unit_of(&row.name)?;
        let show = |side: Option<super::compare::Measured>| {
            side.map_or_else(|| "-".into(), |it| unit.show(it.median))
        };
        crossed.then(|| format!("{self}: {} before, {} after", show(row.a), show(row.b)))
    }

    fn figure(&self) -> &str {
        match &self.condition {
            Condition::Rises { figure, .. } | Condition::Falls { figure, .. } => figure,
            Condition::Absolute(threshold) => threshold.figure(),
        }
    }

    fn is_absolute(&self) -> bool {
        matches!(self.condition, Condition::Absolute(_))
    }
}

impl FromStr for Gate {
    type Err = GateError;

    fn from_str(text: &str) -> Result<Self, GateError> {
        let text = text.trim();
        let relative = text.split_once(['<', '>']).map(|(figure, value)| (figure.trim(), value.trim()));
        let condition = match relative {
            Some((figure, value)) if value.starts_with(['+', '-']) => {
                let form = || GateError::Form(text.into());
                if unit_of(figure).is_none() {
                    return Err(GateError::Figure(figure.into()));
                }
                let percent = value.strip_suffix('%').ok_or_else(form)?.trim();
                let share = percent.parse::<f64>().map_err(|_| form())? / 100.0;
                match (text.contains('>'), share.is_finite()) {
                    (true, true) if share >= 0.0 => Condition::Rises { figure: figure.into(), share },
                    (false, true) if share <= 0.0 => {
                        Condition::Falls { figure: figure.into(), share: -share }
                    }
                    _ => return Err(form()),
                }
            }
            Some(_) | None => Condition::Absolute(text.parse()?),
        };
        Ok(Gate { text: text.into(), condition })
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::compare::tests::runs;

    fn fails(gate: &str, a: &[u64], b: &[u64]) -> bool {
        gate.parse::<Gate>().unwrap().fails(&runs(a), &runs(b)).is_some()
    }

    #[test]
    fn rise_beyond_the_condition_and_the_spread_fails() {
        assert!(fails("p99 > +10%", &[20, 20, 20], &[40, 40, 40]));
        assert!(!fails("p99 > +10%", &[20, 20, 20], &[21, 21, 21]));
        assert!(!fails("p99 > +10%", &[40, 40, 40], &[20, 20, 20]));
        // The change is +33 %, and the runs of each side differ by as much.
        assert!(!fails("p99 > +10%", &[20, 30, 45], &[28, 40, 44]));
        // One run of each side has no spread, so the condition alone decides.
        assert!(fails("p99 > +10%", &[20], &[40]));
        assert!(fails("p99 < -10%", &[40, 40, 40], &[20, 20, 20]));
    }

    #[test]
    fn absolute_condition_applies_to_the_second_build() {
        assert!(fails("p99 > 30ms", &[20], &[40]));
        assert!(!fails("p99 > 30ms", &[40], &[20]));
        assert!(!fails("loss.gift > 0", &[20], &[20]));
    }

    #[test]
    fn unmeasured_figure_fails_the_gate() {
        assert!(fails("gateways.peak > +1%", &[20], &[20]));
        assert!(fails("reconnect.p99 > 1s", &[20], &[20]));
    }

    #[test]
    fn malformed_condition_is_refused_with_the_reason() {
        let refused = |text: &str| text.parse::<Gate>().unwrap_err();
        assert!(matches!(refused("p99 > +10"), GateError::Form(_)));
        assert!(matches!(refused("p99 > -10%"), GateError::Form(_)));
        assert!(matches!(refused("p98 > +10%"), GateError::Figure(_)));
        assert!(matches!(refused("p99"), GateError::Threshold(_)));
    }
}
