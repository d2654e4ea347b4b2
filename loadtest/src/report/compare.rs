//! Two runs side by side.

use std::fmt::Write;

use maud::{Markup, html};

use super::html::{frame, plots};
use super::plot::Plot;
use super::{Report, summary::show};
use crate::figure;

/// A change of this share is noise between two runs of the same thing, and is not coloured.
const NOISE: f64 = 0.1;

/// One figure of both.
struct Row {
    name: String,
    a: String,
    b: String,
    /// B over A, minus one.
    change: Option<f64>,
}

fn rows(a: &Report, b: &Report) -> Vec<Row> {
    let measured = |name: &String| a.figures.contains_key(name) || b.figures.contains_key(name);
    let row = |name: String| {
        let values = a.figures.get(&name).zip(b.figures.get(&name));
        let change = values.filter(|(a, _)| **a > 0.0).map(|(a, b)| b / a - 1.0);
        Row { a: show(a, &name), b: show(b, &name), change, name }
    };
    figure::names().into_iter().filter(measured).map(row).collect()
}

impl Row {
    fn change(&self) -> String {
        self.change.map_or_else(String::new, |change| format!("{:+.1} %", change * 100.0))
    }

    /// For deliveries and viewers more is better, for all else less.
    fn judgement(&self) -> Option<&'static str> {
        let change = self.change.filter(|change| change.abs() > NOISE)?;
        let more_is_better = self.name.starts_with("deliveries") || self.name == "viewers.peak";
        Some(if (change > 0.0) == more_is_better { "better" } else { "worse" })
    }
}

/// For a terminal.
#[must_use]
pub fn compare_text(a: &Report, b: &Report) -> String {
    let mut out = format!("{:<22}{:>14}{:>14}{:>12}\n", "", heading(a), heading(b), "change");
    for row in rows(a, b) {
        let judgement = row.judgement().unwrap_or_default();
        writeln!(out, "{:<22}{:>14}{:>14}{:>12}  {judgement}", row.name, row.a, row.b, row.change())
            .expect("writing to memory cannot fail");
    }
    out
}

fn heading(report: &Report) -> String {
    format!("{} {}", report.scenario.name, report.verdict.label())
}

/// The plots that both have, drawn to the same scale.
fn pairs(a: &[Plot], b: &[Plot]) -> Vec<(Markup, Markup)> {
    let both = a.iter().filter_map(|a| Some((a, b.iter().find(|b| b.title == a.title)?)));
    let drawn = both.map(|(a, b)| {
        let extent = a.extent().and(b.extent());
        (a.draw(extent), b.draw(extent))
    });
    drawn.collect()
}

/// As a page.
#[must_use]
pub fn compare_html(a: &Report, b: &Report) -> String {
    let side = |name: &str, report: &Report| -> Markup {
        html! {
            th.n {
                (name) ": " (report.scenario.name) " "
                span.{ "verdict " (report.verdict.label()) } { (report.verdict.label()) }
            }
        }
    };
    let body = html! {
        header { h1 { "A and B" } p { (a.target) " and " (b.target) } }
        h2 { "Figures" }
        table {
            tr { th {} (side("A", a)) (side("B", b)) th.n { "change" } }
            @for row in rows(a, b) {
                tr {
                    td { code { (row.name) } }
                    td.n { (row.a) }
                    td.n { (row.b) }
                    td.{ "n " (row.judgement().unwrap_or_default()) } { (row.change()) }
                }
            }
        }
        p.note { "Changes beyond 10 % are coloured: less moves between two runs of the same thing." }
        h2 { "Over time, A left, B right" }
        @for (a, b) in pairs(&plots(a), &plots(b)) { div.pair { (a) (b) } }
    };
    frame("A and B", &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::run;

    #[test]
    fn what_became_worse_is_said() {
        let (a, b) = (Report::new(run(1, 20)), Report::new(run(1, 40)));
        let text = compare_text(&a, &b);
        let p99 = text.lines().find(|line| line.starts_with("p99 ")).unwrap();
        assert!(p99.contains("+100.0 %") && p99.ends_with("worse"), "{p99}");
        let same = compare_text(&a, &a);
        assert!(!same.contains("worse") && !same.contains("better"), "{same}");
        let page = compare_html(&a, &b);
        assert!(page.contains("+100.0 %") && page.contains("<svg"));
    }
}
