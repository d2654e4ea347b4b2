//! One measured figure and the bound that it must keep.

use serde::Serialize;

/// Range of values in which a figure passes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Largest value that passes.
    AtMost(f64),
    /// Smallest value that passes.
    AtLeast(f64),
    /// Smallest and largest value that pass.
    Within(f64, f64),
    /// The only value that passes.
    Exactly(f64),
    /// No target: the figure is for readers.
    Free,
}

/// A named value with its unit and its target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// Words that say what was measured.
    pub name: String,
    /// Measured value, in `unit`.
    pub value: f64,
    /// Unit of the value and of the bound; empty for counts.
    pub unit: &'static str,
    /// Target of the figure.
    pub bound: Bound,
}

impl Figure {
    /// Returns a figure that must stay within its bound.
    #[must_use]
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str, bound: Bound) -> Figure {
        Figure { name: name.into(), value, unit, bound }
    }

    /// Returns a count that must be zero.
    #[must_use]
    pub fn none(name: impl Into<String>, value: u64) -> Figure {
        Figure::new(name, value as f64, "", Bound::Exactly(0.0))
    }

    /// Returns a count that must not be zero: without it, the scenario measured nothing.
    #[must_use]
    pub fn some(name: impl Into<String>, value: u64) -> Figure {
        Figure::new(name, value as f64, "", Bound::AtLeast(1.0))
    }

    /// Whether the value is within the bound. A value that is no number never is.
    #[must_use]
    pub fn passes(&self) -> bool {
        match self.bound {
            Bound::AtMost(most) => self.value <= most,
            Bound::AtLeast(least) => self.value >= least,
            Bound::Within(least, most) => (least..=most).contains(&self.value),
            Bound::Exactly(value) => self.value == value,
            Bound::Free => true,
        }
    }

    /// Text of the value with its unit and its target.
    #[must_use]
    pub fn line(&self) -> String {
        let target = match self.bound {
            Bound::AtMost(most) => format!("at most {}", number(most)),
            Bound::AtLeast(least) => format!("at least {}", number(least)),
            Bound::Within(least, most) => format!("{} to {}", number(least), number(most)),
            Bound::Exactly(value) => format!("exactly {}", number(value)),
            Bound::Free => String::new(),
        };
        let value = format!("{} {}", number(self.value), self.unit);
        let mark = if self.passes() { ' ' } else { '!' };
        format!("{mark} {:<52} {:>14}  {target}", self.name, value.trim_end()).trim_end().to_owned()
    }
}

/// Text of a number without needless decimals.
fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_outside_of_its_bound_fails() {
        let passes = |value, bound| Figure::new("x", value, "s", bound).passes();
        assert!(passes(1.0, Bound::AtMost(1.0)) && !passes(1.1, Bound::AtMost(1.0)));
        assert!(passes(1.0, Bound::AtLeast(1.0)) && !passes(0.9, Bound::AtLeast(1.0)));
        assert!(passes(1.0, Bound::Within(0.8, 1.2)) && !passes(1.3, Bound::Within(0.8, 1.2)));
        assert!(!Figure::none("lost", 1).passes() && Figure::none("lost", 0).passes());
        assert!(!Figure::some("accepted", 0).passes());
        assert!(!passes(f64::NAN, Bound::AtMost(1.0)));
    }

    #[test]
    fn a_failed_figure_is_marked_in_its_line() {
        let line = Figure::none("gifts lost", 2).line();
        assert!(line.starts_with("! gifts lost") && line.ends_with("exactly 0"), "{line}");
    }
}
