//! Text summary of a report, for the terminal.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Report;
use crate::measure::figure::{LATENCIES, STATISTICS, thousands, unit_of};

const MEMORY: &str = "writing to memory cannot fail";

/// Returns the summary at the end of a run.
#[must_use]
pub fn summary(report: &Report) -> String {
    let mut out = String::new();
    let totals = &report.totals;
    line(&mut out, &format!("{}: {}", report.scenario.name, report.verdict.label()));
    if let Some(because) = report.verdict.because() {
        line(&mut out, &format!("  {because}"));
    }
    line(&mut out, "");
    latencies(&mut out, report);
    line(&mut out, "");
    let figure = |name: &str| show(report, name);
    let viewers = [
        ("peak", figure("viewers.peak")),
        ("lost", figure("viewers.lost")),
        ("waiting at most", figure("waiting.peak")),
        ("tickets", n(totals.tickets)),
        ("moved", n(totals.moves)),
        ("twice in 5 min", figure("viewers.moved_twice")),
    ];
    row(&mut out, "viewers", &viewers);
    messages(&mut out, report);
    if report.figures.get("gateways.peak").is_some_and(|most| *most > 1.0) {
        let gateways = [
            ("peak", figure("gateways.peak")),
            ("at the end", figure("gateways.end")),
            ("joins a second at one, at most", figure("gateway.joins_per_s.max")),
        ];
        row(&mut out, "gateways", &gateways);
    }
    let tester =
        [("lag p99", figure("tester.lag.p99")), ("CPU a delivery", figure("tester.cpu_per_delivery"))];
    row(&mut out, "tester", &tester);
    line(&mut out, "");
    for checked in &report.thresholds {
        let measured = checked.value.zip(unit_of(checked.threshold.figure()));
        let measured = measured.map_or_else(|| "not measured".into(), |(value, unit)| unit.show(value));
        let holds = match checked.holds {
            // The figures are not those of the server, or not of the whole run.
            _ if report.verdict.because().is_some() => "-",
            true => "holds",
            false => "BROKEN",
        };
        line(&mut out, &format!("  {holds:<7} {:<28} {measured}", checked.threshold.to_string()));
    }
    for note in &report.notes {
        line(&mut out, &format!("  note    {note}"));
    }
    out
}

/// Rows of deliveries and posts, by kind and outcome.
fn messages(out: &mut String, report: &Report) {
    let (totals, balance) = (&report.totals, &report.balance);
    let posts = &totals.posts;
    let figure = |name: &str| show(report, name);
    let rates = [("per s", figure("deliveries_per_s")), ("max per s", figure("deliveries_per_s.max"))];
    row(out, "deliveries", &[&[("all", n(totals.delivered.total()))], &rates[..]].concat());
    let gifts = [
        ("owed", n(balance.gifts_owed)),
        ("lost", n(balance.gifts_lost)),
        ("twice", n(balance.gifts_doubled)),
    ];
    row(out, "gifts", &gifts);
    let chat = [
        ("owed", n(balance.chats_owed)),
        ("lost", n(balance.chats_lost)),
        ("dropped", n(totals.left_out)),
        ("skipped in repairs", n(totals.skipped)),
    ];
    row(out, "chat", &chat);
    let sent = [
        ("all", n(posts.total())),
        ("broadcast", n(posts.broadcast)),
        ("held", n(posts.held)),
        ("refused", n(posts.refused())),
        ("failed", n(posts.failed())),
        ("sent late", n(posts.late)),
    ];
    row(out, "posts", &sent);
    if totals.histories > 0 {
        let failed = totals.histories_failed.values().sum();
        row(out, "history", &[("pages", n(totals.histories)), ("failed", n(failed))]);
    }
    reasons(out, "refused posts", &posts.refused);
    reasons(out, "failed posts", &posts.failed);
    reasons(out, "failed history", &totals.histories_failed);
    reasons(out, "refused connections", &totals.refusals);
    reasons(out, "lost connections", &totals.closes);
}

fn latencies(out: &mut String, report: &Report) {
    write!(out, "  {:<12}", "latency").expect(MEMORY);
    STATISTICS.iter().for_each(|(name, _)| write!(out, "{name:>12}").expect(MEMORY));
    line(out, "");
    let prefixes = std::iter::once(("deliveries", String::new()))
        .chain(LATENCIES.map(|latency| (latency, format!("{latency}."))));
    for (label, prefix) in prefixes {
        if !report.figures.contains_key(&format!("{prefix}p50")) {
            continue;
        }
        write!(out, "  {label:<12}").expect(MEMORY);
        for (name, _) in STATISTICS {
            write!(out, "{:>12}", show(report, &format!("{prefix}{name}"))).expect(MEMORY);
        }
        line(out, "");
    }
}

/// Formats a figure with its unit; `-` when it was not measured.
pub(crate) fn show(report: &Report, name: &str) -> String {
    let value = report.figures.get(name).copied().zip(unit_of(name));
    value.map_or_else(|| "-".into(), |(value, unit)| unit.show(value))
}

fn n(count: u64) -> String {
    thousands(count as f64)
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn row(out: &mut String, label: &str, values: &[(&str, String)]) {
    let values: Vec<_> = values.iter().map(|(name, value)| format!("{name} {value}")).collect();
    line(out, &format!("  {label:<12}{}", values.join("   ")));
}

fn reasons(out: &mut String, label: &str, reasons: &BTreeMap<String, u64>) {
    if !reasons.is_empty() {
        let each: Vec<_> = reasons.iter().map(|(reason, count)| format!("{reason} {}", n(*count))).collect();
        line(out, &format!("  {label}: {}", each.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::run;

    #[test]
    fn summary_shows_which_thresholds_hold() {
        let text = summary(&Report::new(run(1, 1_700)));
        assert!(text.contains("failed\n") && text.contains("BROKEN  p99 < 1s"), "{text}");
        assert!(text.contains("holds   loss.gift == 0"), "{text}");
        assert!(text.contains("deliveries  all 12,340"), "{text}");
        let text = summary(&Report::new(run(600, 20)));
        assert!(text.contains("the tester itself was the bottleneck"), "{text}");
    }
}
