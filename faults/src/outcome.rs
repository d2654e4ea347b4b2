//! Result of one scenario, as text and as JSON.

use serde::Serialize;

use crate::figure::Figure;

/// Whether a scenario kept its targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "reasons")]
pub enum Verdict {
    /// All figures are within their bounds.
    Passed,
    /// A figure is out of its bound, or the scenario broke off; the texts say which.
    Failed(Vec<String>),
    /// The machine lacks what the scenario needs; the text names it.
    Skipped(String),
}

/// Result of one scenario with its figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Name of the scenario on the command line.
    pub scenario: &'static str,
    /// Row of the table in docs/reliability.md.
    pub row: u8,
    /// Whether the targets were kept, with reasons.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Duration in seconds, with the start of the processes.
    pub secs: f64,
    /// Seed that repeats the choices of the run.
    pub seed: u64,
    /// Measured values with their targets.
    pub figures: Vec<Figure>,
}

impl Outcome {
    /// Judges figures: one that is out of its bound fails the scenario.
    #[must_use]
    pub fn judge(figures: &[Figure]) -> Verdict {
        let failed: Vec<_> = figures.iter().filter(|figure| !figure.passes()).collect();
        if figures.is_empty() {
            return Verdict::Failed(vec!["the scenario measured nothing".into()]);
        }
        if failed.is_empty() {
            return Verdict::Passed;
        }
        let reason = |figure: &&Figure| {
            format!("{}: {} {}, {:?}", figure.name, figure.value, figure.unit, figure.bound)
        };
        Verdict::Failed(failed.iter().map(reason).collect())
    }

    /// Text for people: the verdict, then a line for each figure.
    #[must_use]
    pub fn text(&self) -> String {
        let word = match &self.verdict {
            Verdict::Passed => "passed",
            Verdict::Failed(_) => "FAILED",
            Verdict::Skipped(_) => "skipped",
        };
        let mut lines = vec![format!("{word} {} (row {}, {:.0} s)", self.scenario, self.row, self.secs)];
        lines.extend(self.figures.iter().map(|figure| format!("  {}", figure.line())));
        match &self.verdict {
            Verdict::Skipped(reason) => lines.push(format!("  {reason}")),
            Verdict::Failed(reasons) if self.figures.iter().all(Figure::passes) => {
                lines.extend(reasons.iter().map(|reason| format!("  ! {reason}")));
            }
            Verdict::Failed(_) | Verdict::Passed => {}
        }
        lines.join("\n")
    }
}

/// Sums of a run of several scenarios.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Number of scenarios that kept their targets.
    pub passed: usize,
    /// Number of scenarios that broke a target.
    pub failed: usize,
    /// Number of scenarios that the machine cannot run.
    pub skipped: usize,
    /// Duration of all scenarios in seconds.
    pub secs: f64,
    /// Results in the order of the run.
    pub outcomes: Vec<Outcome>,
}

impl Summary {
    /// Adds the result of one scenario.
    pub fn add(&mut self, outcome: Outcome) {
        match outcome.verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed(_) => self.failed += 1,
            Verdict::Skipped(_) => self.skipped += 1,
        }
        self.secs += outcome.secs;
        self.outcomes.push(outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_figure_out_of_its_bound_fails_the_scenario() {
        let good = Figure::none("gifts doubled", 0);
        assert_eq!(Outcome::judge(std::slice::from_ref(&good)), Verdict::Passed);
        let Verdict::Failed(reasons) = Outcome::judge(&[good, Figure::none("gifts lost", 1)]) else {
            panic!("a lost gift passed");
        };
        assert!(reasons.len() == 1 && reasons[0].contains("gifts lost"), "{reasons:?}");
    }

    #[test]
    fn a_scenario_without_figures_fails() {
        assert!(matches!(Outcome::judge(&[]), Verdict::Failed(_)));
    }
}
