//! Comparison of two builds, from one or several runs of each. A difference counts only when it is
//! larger than the spread of the runs of one build.

use std::fmt::Write;

use barrage_plot::Plot;
use maud::{Markup, html};

use super::html::STYLE;
use super::plots::plots;
use super::{Report, Verdict};
use crate::measure::figure::{self, Unit, unit_of};

/// Runs of each side from which a spread is known.
const RUNS_MIN: usize = 3;
/// Greatest change that is not coloured, however small the spread is.
const NOISE: f64 = 0.05;

/// One figure of one side, over the runs of that side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measured {
    /// Median; for an even number of runs the mean of the middle two.
    pub(crate) median: f64,
    /// Difference of the largest and the smallest value.
    pub(crate) spread: f64,
}

impl Measured {
    fn of(runs: &[Report], name: &str) -> Option<Measured> {
        let mut values: Vec<f64> = runs.iter().filter_map(|run| run.figures.get(name).copied()).collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Measured { median: f64::midpoint(low, high), spread: most - least })
    }
}

/// Meaning of a difference between the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement {
    Better,
    Worse,
    /// Within the spread of the runs, or too small to matter.
    Same,
    /// Too few runs to know the spread.
    Unknown,
}

impl Judgement {
    fn label(self) -> &'static str {
        match self {
            Judgement::Better => "better",
            Judgement::Worse => "worse",
            Judgement::Same | Judgement::Unknown => "",
        }
    }
}

/// One figure with its values on both sides.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) a: Option<Measured>,
    pub(crate) b: Option<Measured>,
    pub(crate) judgement: Judgement,
}

impl Row {
    fn new(name: String, a: &[Report], b: &[Report]) -> Row {
        let sides = (Measured::of(a, &name), Measured::of(b, &name));
        let judgement = match sides {
            _ if a.len() < RUNS_MIN || b.len() < RUNS_MIN => Judgement::Unknown,
            (Some(a), Some(b)) => judged(&name, a, b),
            (None, _) | (_, None) => Judgement::Unknown,
        };
        Row { a: sides.0, b: sides.1, judgement, name }
    }

    /// B divided by A, minus one; infinite when A is 0 and B is not, absent when one was not
    /// measured.
    pub(crate) fn change(&self) -> Option<f64> {
        let (a, b) = (self.a?.median, self.b?.median);
        match (a > 0.0, b > 0.0) {
            (true, _) => Some(b / a - 1.0),
            (false, true) => Some(f64::INFINITY),
            (false, false) => Some(0.0),
        }
    }

    /// Whether the difference is larger than the spread, when the spread is known.
    pub(crate) fn is_beyond_spread(&self) -> bool {
        self.a.zip(self.b).is_some_and(|(a, b)| (b.median - a.median).abs() > a.spread.max(b.spread))
    }

    fn shown_change(&self) -> String {
        match self.change() {
            None => String::new(),
            Some(change) if change.is_infinite() => "from 0".into(),
            Some(change) => format!("{:+.1} %", change * 100.0),
        }
    }

    fn shown(&self, side: Option<Measured>) -> (String, String) {
        let unit = unit_of(&self.name).unwrap_or(Unit::Number);
        side.map_or_else(|| ("-".into(), "-".into()), |it| (unit.show(it.median), unit.show(it.spread)))
    }
}

/// For deliveries and viewers more is better, for all other figures less.
fn judged(name: &str, a: Measured, b: Measured) -> Judgement {
    let difference = b.median - a.median;
    if difference.abs() <= a.spread.max(b.spread) || difference.abs() <= NOISE * a.median {
        return Judgement::Same;
    }
    let more_is_better = name.starts_with("deliveries") || name == "viewers.peak";
    if (difference > 0.0) == more_is_better { Judgement::Better } else { Judgement::Worse }
}

/// Returns the figures that at least one side has.
pub(crate) fn rows(a: &[Report], b: &[Report]) -> Vec<Row> {
    let measured = |name: &String| a.iter().chain(b).any(|run| run.figures.contains_key(name));
    figure::names().into_iter().filter(measured).map(|name| Row::new(name, a, b)).collect()
}

/// Describes a side: `3 runs: celebrity, 2 passed, 1 failed`.
fn heading(runs: &[Report]) -> String {
    let name = runs.first().map_or("", |run| run.scenario.name.as_str());
    let labels = ["passed", "failed", "invalid", "interrupted"];
    let count = |label: &str| runs.iter().filter(|run| run.verdict.label() == label).count();
    let counts = labels.into_iter().filter(|label| count(label) > 0);
    match runs {
        [run] => format!("{name}, {}", run.verdict.label()),
        _ => {
            let counts: Vec<_> = counts.map(|label| format!("{} {label}", count(label))).collect();
            format!("{name}, {} runs: {}", runs.len(), counts.join(", "))
        }
    }
}

fn note(a: &[Report], b: &[Report]) -> String {
    let mut note = if a.len() < RUNS_MIN || b.len() < RUNS_MIN {
        format!(
            "The spread is known from {RUNS_MIN} runs of each side: nothing is called better or worse. \
             `run --repeat {RUNS_MIN} --json FILE` makes them."
        )
    } else {
        format!(
            "Medians; the spread is the largest value minus the smallest. Better and worse: beyond both spreads, \
             and by more than {:.0} %.",
            NOISE * 100.0
        )
    };
    let doubtful = |run: &&Report| matches!(run.verdict, Verdict::Invalid(_) | Verdict::Interrupted(_));
    let doubtful = a.iter().chain(b).filter(doubtful).count();
    if doubtful > 0 {
        write!(
            note,
            " {doubtful} of the runs are invalid or interrupted: their figures are not the server's."
        )
        .expect("writing to memory cannot fail");
    }
    note
}

/// Returns the comparison for a terminal. A is the first build, B the second.
#[must_use]
pub fn compare_text(a: &[Report], b: &[Report]) -> String {
    let spreads = a.len() > 1 || b.len() > 1;
    let mut table = vec![vec![
        "".to_owned(),
        "A".into(),
        "spread".into(),
        "B".into(),
        "spread".into(),
        "change".into(),
        String::new(),
    ]];
    for row in rows(a, b) {
        let ((a, a_spread), (b, b_spread)) = (row.shown(row.a), row.shown(row.b));
        let (change, judgement) = (row.shown_change(), row.judgement.label().to_owned());
        table.push(vec![row.name, a, a_spread, b, b_spread, change, judgement]);
    }
    if !spreads {
        for row in &mut table {
            row.remove(4);
            row.remove(2);
        }
    }
    let columns = table[0].len();
    let widths: Vec<usize> = (0..columns)
        .map(|at| table.iter().map(|row| row[at].chars().count()).max().unwrap_or_default())
        .collect();
    let mut out = format!("A  {}\nB  {}\n\n", heading(a), heading(b));
    for row in &table {
        let mut line = format!("{:<1$}", row[0], widths[0]);
        for (cell, width) in row[1..columns - 1].iter().zip(&widths[1..]) {
            write!(line, "  {cell:>width$}").expect("writing to memory cannot fail");
        }
        write!(line, "  {}", row[columns - 1]).expect("writing to memory cannot fail");
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out.push('\n');
    out.push_str(&note(a, b));
    out.push('\n');
    out
}

/// Draws the plots that both sides have, on the same scale.
fn pairs(a: &[Plot], b: &[Plot]) -> Vec<(Markup, Markup)> {
    let both = a.iter().filter_map(|a| Some((a, b.iter().find(|b| b.title() == a.title())?)));
    let drawn = both.map(|(a, b)| {
        let extent = a.extent().and(b.extent());
        (a.draw(extent), b.draw(extent))
    });
    drawn.collect()
}

/// Returns the comparison as a page, with the plots of each side's first run.
#[must_use]
pub fn compare_html(a: &[Report], b: &[Report]) -> String {
    let spreads = a.len() > 1 || b.len() > 1;
    let target = |runs: &[Report]| runs.first().map(|run| run.target.clone()).unwrap_or_default();
    let first_plots = |runs: &[Report]| runs.first().map(plots).unwrap_or_default();
    let body = html! {
        header {
            h1 { "A and B" }
            p { b { "A" } " " (heading(a)) ", " (target(a)) }
            p { b { "B" } " " (heading(b)) ", " (target(b)) }
        }
        h2 { "Figures" }
        p.note { (note(a, b)) }
        div.wide { table {
            tr {
                th {}
                th.n { "A" }
                @if spreads { th.n { "spread" } }
                th.n { "B" }
                @if spreads { th.n { "spread" } }
                th.n { "change" }
            }
            @for row in rows(a, b) {
                @let (a, b) = (row.shown(row.a), row.shown(row.b));
                tr {
                    td { code { (row.name) } }
                    td.n { (a.0) }
                    @if spreads { td.n.dim { (a.1) } }
                    td.n { (b.0) }
                    @if spreads { td.n.dim { (b.1) } }
                    td.{ "n " (row.judgement.label()) } { (row.shown_change()) }
                }
            }
        } }
        h2 { "Over time, A left, B right" }
        @if spreads { p.note { "The first run of each side." } }
        @for (a, b) in pairs(&first_plots(a), &first_plots(b)) { div.pair { (a) (b) } }
    };
    barrage_plot::page("A and B", STYLE, &body)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::report::tests::run;

    /// Returns one report for each of the given latencies in milliseconds.
    pub(crate) fn runs(late_ms: &[u64]) -> Vec<Report> {
        late_ms.iter().map(|late_ms| Report::new(run(1, *late_ms))).collect()
    }

    fn p99(a: &[u64], b: &[u64]) -> String {
        let text = compare_text(&runs(a), &runs(b));
        text.lines().find(|line| line.starts_with("p99 ")).unwrap().to_owned()
    }

    #[test]
    fn comparison_names_figures_that_became_worse() {
        let (a, b) = (runs(&[20, 20, 20]), runs(&[40, 40, 40]));
        let text = compare_text(&a, &b);
        let p99 = text.lines().find(|line| line.starts_with("p99 ")).unwrap();
        assert!(p99.contains("+100.0 %") && p99.ends_with("worse"), "{p99}");
        let same = compare_text(&a, &a);
        assert!(!same.contains("  worse") && !same.contains("  better"), "{same}");
        let page = compare_html(&a, &b);
        assert!(page.contains("+100.0 %") && page.contains("<svg"));
    }

    #[test]
    fn difference_within_the_spread_is_not_judged() {
        let within = p99(&[20, 30, 45], &[28, 40, 44]);
        assert!(within.contains("+33.") && within.ends_with('%'), "{within}");
        let beyond = p99(&[20, 21, 22], &[28, 29, 31]);
        assert!(beyond.ends_with("worse"), "{beyond}");
        let better = p99(&[28, 29, 31], &[20, 21, 22]);
        assert!(better.ends_with("better"), "{better}");
    }

    #[test]
    fn fewer_than_three_runs_are_not_judged() {
        let single = p99(&[20], &[40]);
        assert!(single.contains("+100.0 %") && single.ends_with('%'), "{single}");
        assert!(compare_text(&runs(&[20]), &runs(&[40])).contains("run --repeat 3"));
    }

    #[test]
    fn comparison_columns_are_separated() {
        for (a, b) in [(&[20_u64][..], &[40_u64][..]), (&[20, 1_700, 30], &[20, 30, 40])] {
            let text = compare_text(&runs(a), &runs(b));
            let table: Vec<_> = text.lines().skip(3).take_while(|line| !line.is_empty()).collect();
            let columns = if a.len() > 1 { 6 } else { 4 };
            for row in &table[1..] {
                let cells = row.split("  ").filter(|cell| !cell.trim().is_empty()).count();
                assert!(cells >= columns - 1, "{row}");
            }
            assert!(text.starts_with("A  <b>smoke & co</b>, "), "{text}");
        }
    }
}
