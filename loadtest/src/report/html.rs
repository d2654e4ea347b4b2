//! The report as one page that opens without a network, in a light and a dark form.

use barrage_plot::{Band, Limit, Line, Mark, Plot, XAxis};
use maud::{Markup, html};

use super::summary::show;
use super::{Gateways, Report, Second};
use crate::measure::figure::{LATENCIES, OTHERS, STATISTICS, Unit, thousands, unit_of};

/// CSS of the report and of a comparison, beside the common style of pages.
pub(crate) const STYLE: &str = include_str!("report.css");

/// Returns the page of a report.
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

/// Returns the plots of a run that have a value.
pub(crate) fn plots(report: &Report) -> Vec<Plot> {
    let line = |name: &str, value: fn(&Second) -> Option<f64>| {
        Line::by_second(name, report.series.iter().map(value))
    };
    let count = |name: &str, value: fn(&Second) -> u64| {
        Line::by_second(name, report.series.iter().map(move |second| Some(value(second) as f64)))
    };
    let is_fleet = report.series.iter().any(|s| s.gateways.is_some_and(|it| it.count > 1));
    let fleet = |name: &str, value: fn(&Gateways) -> f64| {
        Line::by_second(
            name,
            report.series.iter().map(move |s| s.gateways.filter(|_| is_fleet).map(|it| value(&it))),
        )
    };
    let plot = |title, show, lines| Plot::new(title, XAxis::Seconds, show, lines);
    let plots = [
        plot(
            "Viewers",
            short,
            vec![
                count("connected", |s| s.viewers),
                line("intended", |s| Some(s.wanted)),
                count("waiting", |s| s.waiting),
            ],
        ),
        plot("Deliveries a second", short, vec![count("messages", |s| s.deliveries)]),
        plot(
            "Latency, intended send to viewer",
            milliseconds,
            vec![line("p50", |s| s.p50_ms), line("p99", |s| s.p99_ms), line("max", |s| s.max_ms)],
        ),
        plot(
            "Latency of gifts, posts, joins (p99)",
            milliseconds,
            vec![
                line("gift", |s| s.gift_p99_ms),
                line("post", |s| s.post_p99_ms),
                line("join", |s| s.join_p99_ms),
            ],
        ),
        plot(
            "Posts a second",
            short,
            vec![
                count("due", |s| s.posts),
                count("held", |s| s.held),
                count("refused", |s| s.refused),
                count("failed", |s| s.failed),
            ],
        ),
        plot(
            "Chat that viewers did not receive",
            short,
            vec![count("dropped", |s| s.left_out), count("skipped in repairs", |s| s.skipped)],
        ),
        plot(
            "Connections a second",
            short,
            vec![
                count("joins", |s| s.joins),
                count("resumes", |s| s.reconnects),
                count("moves", |s| s.moves),
                count("lost", |s| s.closes),
                count("refused", |s| s.refusals),
            ],
        ),
        plot(
            "Gateways",
            short,
            vec![fleet("all", |it| it.count as f64), fleet("draining", |it| it.draining as f64)],
        ),
        plot(
            "Viewers of a gateway",
            short,
            vec![
                fleet("the fullest", |it| it.connections_most as f64),
                fleet("the emptiest", |it| it.connections_least as f64),
            ],
        ),
        plot("Joins a second at one gateway, at most", short, vec![fleet("joins", |it| it.joins_per_s_most)]),
        plot("Bytes a second to viewers", bytes, vec![count("bytes", |s| s.bytes)]),
        plot(
            "CPU, in cores",
            |value| format!("{value:.2}"),
            vec![
                line("server", |s| s.server_cores),
                fleet("gateways", |it| it.cores),
                line("tester", |s| Some(s.tester_cores)),
            ],
        ),
        plot(
            "Memory of the server",
            bytes,
            vec![line("resident", |s| s.server_memory_bytes), fleet("gateways", |it| it.memory_bytes)],
        ),
        plot("The tester's own lag (p99)", milliseconds, vec![line("lag", |s| s.tester_lag_p99_ms)]),
    ];
    let annotate = |plot: Plot| {
        let limits = limits(report, plot.title());
        plot.limits(limits).bands(phases(report)).marks(faults(report))
    };
    plots.into_iter().flatten().map(annotate).collect()
}

/// Returns the thresholds on the figures of a plot.
fn limits(report: &Report, title: &str) -> Vec<Limit> {
    let shows = |figure: &str| match title {
        "Viewers" => figure == "viewers.peak",
        "Deliveries a second" => figure.starts_with("deliveries_per_s"),
        "Latency, intended send to viewer" => STATISTICS.iter().any(|(name, _)| *name == figure),
        "Latency of gifts, posts, joins (p99)" => ["gift.p99", "post.p99", "join.p99"].contains(&figure),
        "Gateways" => figure.starts_with("gateways."),
        "Joins a second at one gateway, at most" => figure == "gateway.joins_per_s.max",
        "The tester's own lag (p99)" => figure == "tester.lag.p99",
        _ => false,
    };
    let thresholds = report.scenario.thresholds.iter().filter(|threshold| shows(threshold.figure()));
    let mut limits: Vec<_> =
        thresholds.map(|threshold| Limit { text: threshold.to_string(), value: threshold.value() }).collect();
    if title == "The tester's own lag (p99)" {
        let value = report.scenario.tester_lag_p99_ms_max;
        limits.push(Limit { text: format!("invalid above {}", Unit::Ms.show(value)), value });
    }
    limits
}

fn phases(report: &Report) -> Vec<Band> {
    let mut from = 0.0;
    let bands = report.scenario.phases.iter().map(|phase| {
        let (name, to) = (phase.phase.label(), from + phase.secs);
        let band = Band { name, from, to };
        from = to;
        band
    });
    bands.collect()
}

fn faults(report: &Report) -> Vec<Mark> {
    let mark = |at: f64| Mark { at, text: format!("fault at {at} s") };
    report.scenario.faults.iter().map(|fault| mark(fault.at_secs)).collect()
}

fn short(value: f64) -> String {
    match value {
        value if value >= 10_000_000.0 => format!("{:.0} M", value / 1e6),
        value if value >= 1_000_000.0 => format!("{:.1} M", value / 1e6),
        value if value > 0.0 && value < 4.0 && value.fract() != 0.0 => format!("{value:.2}"),
        value => thousands(value),
    }
}

fn milliseconds(value: f64) -> String {
    Unit::Ms.show(value)
}

fn bytes(value: f64) -> String {
    const UNITS: [(&str, f64); 3] = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    let unit = UNITS.iter().find(|(_, size)| value >= *size);
    unit.map_or_else(|| format!("{value:.0} B"), |(unit, size)| format!("{:.1} {unit}", value / size))
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
