//! The plots of a run, one point for each second.

use barrage_plot::{Band, Limit, Line, Mark, Plot, XAxis};

use super::{Gateways, Report, Second};
use crate::measure::figure::{STATISTICS, Unit, thousands};

/// Returns the plots of a run that have a value.
pub(crate) fn plots(report: &Report) -> Vec<Plot> {
    let annotate = |plot: Plot| {
        let limits = limits(report, plot.title());
        plot.limits(limits).bands(phases(report)).marks(faults(report))
    };
    let groups = [deliveries(report), connections(report), costs(report)];
    groups.into_iter().flatten().flatten().map(annotate).collect()
}

fn plot(title: &str, show: fn(f64) -> String, lines: Vec<Line>) -> Option<Plot> {
    Plot::new(title, XAxis::Seconds, show, lines)
}

fn line(report: &Report, name: &str, value: fn(&Second) -> Option<f64>) -> Line {
    Line::by_second(name, report.series.iter().map(value))
}

fn count(report: &Report, name: &str, value: fn(&Second) -> u64) -> Line {
    Line::by_second(name, report.series.iter().map(|second| Some(value(second) as f64)))
}

/// A line of the gateways' load reports; without values when there was only one gateway.
fn fleet(report: &Report, name: &str, value: fn(&Gateways) -> f64) -> Line {
    let is_fleet = report.series.iter().any(|second| second.gateways.is_some_and(|it| it.count > 1));
    let gateways = report.series.iter().map(|second| second.gateways.filter(|_| is_fleet));
    Line::by_second(name, gateways.map(|gateways| gateways.map(|it| value(&it))))
}

/// Returns the plots of viewers, posts, deliveries and their latency.
fn deliveries(report: &Report) -> Vec<Option<Plot>> {
    vec![
        plot(
            "Viewers",
            short,
            vec![
                count(report, "connected", |s| s.viewers),
                line(report, "intended", |s| Some(s.wanted)),
                count(report, "waiting", |s| s.waiting),
            ],
        ),
        plot("Deliveries a second", short, vec![count(report, "messages", |s| s.deliveries)]),
        plot(
            "Latency, intended send to viewer",
            milliseconds,
            vec![
                line(report, "p50", |s| s.p50_ms),
                line(report, "p99", |s| s.p99_ms),
                line(report, "max", |s| s.max_ms),
            ],
        ),
        plot(
            "Latency of gifts, posts, joins (p99)",
            milliseconds,
            vec![
                line(report, "gift", |s| s.gift_p99_ms),
                line(report, "post", |s| s.post_p99_ms),
                line(report, "join", |s| s.join_p99_ms),
            ],
        ),
        plot(
            "Posts a second",
            short,
            vec![
                count(report, "due", |s| s.posts),
                count(report, "held", |s| s.held),
                count(report, "refused", |s| s.refused),
                count(report, "failed", |s| s.failed),
            ],
        ),
        plot(
            "Chat that viewers did not receive",
            short,
            vec![
                count(report, "dropped", |s| s.left_out),
                count(report, "skipped in repairs", |s| s.skipped),
            ],
        ),
    ]
}

/// Connections, and the gateways of the fleet.
fn connections(report: &Report) -> Vec<Option<Plot>> {
    vec![
        plot(
            "Connections a second",
            short,
            vec![
                count(report, "joins", |s| s.joins),
                count(report, "resumes", |s| s.reconnects),
                count(report, "moves", |s| s.moves),
                count(report, "lost", |s| s.closes),
                count(report, "refused", |s| s.refusals),
            ],
        ),
        plot(
            "Gateways",
            short,
            vec![
                fleet(report, "all", |it| it.count as f64),
                fleet(report, "draining", |it| it.draining as f64),
            ],
        ),
        plot(
            "Viewers of a gateway",
            short,
            vec![
                fleet(report, "the fullest", |it| it.connections_most as f64),
                fleet(report, "the emptiest", |it| it.connections_least as f64),
            ],
        ),
        plot(
            "Joins a second at one gateway, at most",
            short,
            vec![fleet(report, "joins", |it| it.joins_per_s_most)],
        ),
    ]
}

/// Bytes, CPU, memory, and the delay of the load tester.
fn costs(report: &Report) -> Vec<Option<Plot>> {
    vec![
        plot("Bytes a second to viewers", bytes, vec![count(report, "bytes", |s| s.bytes)]),
        plot(
            "CPU, in cores",
            |value| format!("{value:.2}"),
            vec![
                line(report, "server", |s| s.server_cores),
                fleet(report, "gateways", |it| it.cores),
                line(report, "tester", |s| Some(s.tester_cores)),
            ],
        ),
        plot(
            "Memory of the server",
            bytes,
            vec![
                line(report, "resident", |s| s.server_memory_bytes),
                fleet(report, "gateways", |it| it.memory_bytes),
            ],
        ),
        plot("The tester's own lag (p99)", milliseconds, vec![line(report, "lag", |s| s.tester_lag_p99_ms)]),
    ]
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
