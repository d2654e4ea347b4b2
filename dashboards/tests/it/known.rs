//! Queries name metrics that exist.

use std::collections::BTreeSet;

use barrage_dashboards::rules;
use barrage_dashboards::{dashboards, metric_names};

use crate::cases::CASES;

/// Metrics that a process has only where the kernel tracks connections; the reference leaves them out.
const BY_MACHINE: [&str; 2] = ["barrage_host_conntrack_entries", "barrage_host_conntrack_entries_limit"];

/// Returns the names in the reference, in the lists of other programs, and of the recorded rules.
fn known() -> BTreeSet<String> {
    let reference = crate::read("docs/reference/metrics.md");
    let rows = reference.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let mut names: BTreeSet<_> = rows.chain(BY_MACHINE).chain(["ALERTS"]).map(str::to_owned).collect();
    for list in ["dashboards/check/autoscaler.prom", "dashboards/check/loadtest.prom"] {
        let text = crate::read(list);
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
        names.extend(types.map(str::to_owned));
    }
    names.extend(rules::groups().into_iter().flat_map(|group| group.records).map(|record| record.name));
    names
}

fn unknown(expr: &str, known: &BTreeSet<String>) -> Vec<String> {
    let base = |name: &str| {
        let parts = ["_bucket", "_sum", "_count"];
        parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name).to_owned()
    };
    let names = metric_names(expr).into_iter();
    names.filter(|name| !known.contains(name) && !known.contains(&base(name))).collect()
}

#[test]
fn all_metrics_of_dashboards_rules_and_cases_exist() {
    let known = known();
    let mut wrong = BTreeSet::new();
    for dashboard in dashboards() {
        for query in dashboard.panels().flat_map(|panel| &panel.queries) {
            wrong.extend(unknown(&query.expr, &known));
        }
        wrong.extend(unknown(dashboard.source, &known));
    }
    for group in rules::groups() {
        let alerts = group.alerts.iter().map(|alert| alert.expr.as_str());
        let records = group.records.iter().map(|record| record.expr.as_str());
        for expr in alerts.chain(records) {
            wrong.extend(unknown(expr, &known));
        }
    }
    for (series, _) in CASES.iter().flat_map(|case| case.series) {
        wrong.extend(unknown(series, &known));
    }
    assert!(wrong.is_empty(), "no process has these metrics: {wrong:#?}");
}
