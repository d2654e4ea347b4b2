//! The report as one page that opens without a network, in a light and a dark form.

use maud::{Markup, html};

use super::Report;
use super::plots::plots;
use super::summary::show;
use crate::measure::figure::{LATENCIES, OTHERS, STATISTICS, thousands, unit_of};

/// CSS of the report and of a comparison, beside the common style of pages.
pub(crate) const STYLE: &str = include_str!("report.css");

/// Returns the HTML page of a report, which needs no network.
#[must_use]
pub fn page(report: &Report) -> String {
    let body = html! {
        header {
            h1 { (report.scenario.name) " " span.{ "verdict " (report.verdict.label()) } { (report.verdict.label()) } }
            p { (report.scenario.about) }
            @if let Some(because) = report.verdict.because() { p.alert { (because) } }
        }
        (tiles(report))
        h2 { "Thresholds" }
        (thresholds(report))
        h2 { "Over time" }
        div.plots { @for plot in plots(report) { (plot.draw(plot.extent())) } }
        h2 { "Latencies" }
        (latencies(report))
        h2 { "Balance" }
        (balance(report))
        h2 { "The run" }
        (setting(report))
    };
    barrage_plot::page(&format!("{} {}", report.scenario.name, report.verdict.label()), STYLE, &body)
}

fn tiles(report: &Report) -> Markup {
    let tiles = [
        ("viewers at most", show(report, "viewers.peak")),
        ("deliveries a second at most", show(report, "deliveries_per_s.max")),
        ("p99, send to screen", show(report, "p99")),
        ("gifts lost", thousands(report.balance.gifts_lost as f64)),
        ("chat lost", show(report, "loss.chat")),
    ];
    html! {
        div.tiles { @for (name, value) in tiles { div { b { (value) } span { (name) } } } }
    }
}

fn thresholds(report: &Report) -> Markup {
    html! {
        @if report.thresholds.is_empty() { p { "The scenario has none." } }
        div.wide { table {
            @for checked in &report.thresholds {
                tr {
                    td {
                        @if report.verdict.because().is_some() { span.dim { "not judged" } }
                        @else if checked.holds { span.passed { "holds" } }
                        @else { span.failed { "broken" } }
                    }
                    td { code { (checked.threshold) } }
                    td.n {
                        @match checked.value.zip(unit_of(checked.threshold.figure())) {
                            Some((value, unit)) => (unit.show(value)),
                            None => "not measured",
                        }
                    }
                }
            }
        } }
    }
}

fn latencies(report: &Report) -> Markup {
    let rows = std::iter::once(("all deliveries", String::new()))
        .chain(LATENCIES.map(|latency| (latency, format!("{latency}."))));
    html! {
        div.wide { table {
            tr { th {} @for (name, _) in STATISTICS { th.n { (name) } } }
            @for (label, prefix) in rows {
                @if report.figures.contains_key(&format!("{prefix}p50")) {
                    tr {
                        th { (label) }
                        @for (name, _) in STATISTICS { td.n { (show(report, &format!("{prefix}{name}"))) } }
                    }
                }
            }
        } }
        p.note { "Deliveries and posts count from the moment that the message was meant to be sent, joins from \
                  the moment that the viewer was meant to come." }
    }
}

fn balance(report: &Report) -> Markup {
    let totals = &report.totals;
    let reasons = [
        ("posts refused", &totals.posts.refused),
        ("posts failed", &totals.posts.failed),
        ("connections refused", &totals.refusals),
        ("connections lost", &totals.closes),
    ];
    html! {
        div.wide { table {
            @for (name, unit, about) in OTHERS {
                @if let Some(value) = report.figures.get(name) {
                    tr { td { code { (name) } } td.n { (unit.show(*value)) } td { (about) } }
                }
            }
        } }
        table {
            tr { th {} th.n { "owed" } th.n { "missing" } }
            tr {
                th { "gifts" }
                td.n { (thousands(report.balance.gifts_owed as f64)) }
                td.n { (thousands(report.balance.gifts_lost as f64)) }
            }
            tr {
                th { "chat" }
                td.n { (thousands(report.balance.chats_owed as f64)) }
                td.n { (thousands(report.balance.chats_lost as f64)) }
            }
        }
        @for (name, reasons) in reasons {
            @if !reasons.is_empty() {
                p { (name) ": " @for (reason, count) in reasons { code { (reason) } " " (thousands(*count as f64)) " " } }
            }
        }
    }
}

fn setting(report: &Report) -> Markup {
    html! {
        p {
            (report.target) ", " time datetime=(started(report, 'T', "Z")) { (started(report, ' ', " UTC")) }
            ", " (report.processes) " processes with " (report.threads) " threads each, seed " (report.seed)
        }
        @for note in &report.notes { p.note { (note) } }
        details {
            summary { "The scenario" }
            pre { (serde_json::to_string_pretty(&report.scenario).unwrap_or_default()) }
        }
    }
}

/// Start time of the run in ISO 8601.
fn started(report: &Report, between: char, zone: &str) -> String {
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(report.started_unix_secs);
    let text = humantime::format_rfc3339_seconds(at).to_string();
    text.trim_end_matches('Z').replace('T', &between.to_string()) + zone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::run;

    #[test]
    fn page_contains_the_data_and_loads_nothing() {
        let report = Report::new(run(1, 20));
        let page = page(&report);
        for wanted in ["Viewers", "1,234", "p99 &lt; 1s", "a note", "0.50", "50.0 MB", "The tester's own lag"]
        {
            assert!(page.contains(wanted), "{wanted} is not in the page");
        }
        assert!(page.contains("&lt;b&gt;smoke &amp; co&lt;/b&gt;") && !page.contains("<b>smoke"));
        for loaded in ["src=", "href=", "@import", "url("] {
            assert!(!page.contains(loaded), "{loaded} loads something");
        }
        assert_eq!(page.matches("<svg").count(), plots(&report).len());
        assert!(page.contains("2023-11-14 22:13:20 UTC") && page.contains("2023-11-14T22:13:20Z"));
    }

    #[test]
    fn thresholds_of_an_invalid_run_are_not_judged() {
        for report in [Report::new(run(600, 20)), {
            let mut cut = run(1, 20);
            cut.interrupted_at_secs = Some(4.0);
            Report::new(cut)
        }] {
            let page = page(&report);
            assert!(page.contains("not judged") && !page.contains(">holds<"), "{}", report.verdict.label());
            assert!(page.contains(&format!("verdict {}", report.verdict.label())));
        }
    }

    #[test]
    fn unmeasured_figure_has_no_plot() {
        let mut report = Report::new(run(1, 20));
        let all = plots(&report).len();
        report.series.iter_mut().for_each(|second| second.server_memory_bytes = None);
        assert_eq!(plots(&report).len(), all - 1);
    }
}
