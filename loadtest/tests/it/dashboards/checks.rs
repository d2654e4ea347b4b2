//! All queries that must have data: of panels, annotations, variables and rules.

use barrage_dashboards::{dashboards, metric_names, rules};
use serde_json::Value;

/// Filters by variables select everything, as when a dashboard is opened.
const VALUES: [(&str, &str); 5] = [
    ("$cluster", ".*"),
    ("$namespace", ".*"),
    ("$instance", ".*"),
    ("$__rate_interval", "15s"),
    ("$__interval", "15s"),
];
/// Metrics without series in this fleet: it has no TLS, no courier, no notifications and no receivers of webhooks, and the
/// kernel may track no connections.
const ELSEWHERE: [&str; 11] = [
    "barrage_courier_lag_seconds",
    "barrage_inbox_unread_error_total",
    "barrage_push_late_seconds",
    "barrage_push_misconfigured",
    "barrage_webhooks_oldest_pending_seconds",
    "barrage_webhooks_dropped_total",
    "barrage_webhooks_attempts_total",
    "barrage_webhooks_disabled",
    "barrage_tls_certificate_expiry_timestamp_seconds",
    "barrage_host_conntrack_entries",
    "barrage_host_conntrack_entries_limit",
];

/// A query, and where it comes from.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) place: String,
    pub(crate) query: String,
    /// Whether the query only has to be valid.
    pub(crate) may_be_empty: bool,
}

/// Returns the checks of all dashboards and rules.
pub(crate) fn all() -> Vec<Check> {
    let mut checks = Vec::new();
    for dashboard in dashboards() {
        let json = dashboard.json();
        for (panel, value) in dashboard.panels().zip(panels(&json)) {
            for target in value["targets"].as_array().unwrap() {
                checks.push(Check {
                    place: format!("{}: {}", dashboard.name, panel.title),
                    query: filled(target["expr"].as_str().unwrap()),
                    may_be_empty: panel.empty_because.is_some(),
                });
            }
        }
        for annotation in json["annotations"]["list"].as_array().unwrap() {
            checks.push(Check {
                place: format!("{}: annotation {}", dashboard.name, annotation["name"]),
                query: filled(annotation["expr"].as_str().unwrap()),
                // Events are rare.
                may_be_empty: true,
            });
        }
        for label in ["cluster", "namespace", "instance"] {
            let query = format!("count by ({label}) ({}{{{label}!=\"\"}})", dashboard.source);
            checks.push(Check { place: format!("{}: ${label}", dashboard.name), query, may_be_empty: false });
        }
    }
    for group in rules::groups() {
        for record in &group.records {
            for query in [record.expr.clone(), record.name.clone()] {
                checks.push(Check { place: group.name.clone(), query, may_be_empty: false });
            }
        }
        for alert in &group.alerts {
            // The condition has no data while all is well: each of its selectors must have some.
            for query in selectors(&alert.expr) {
                let may_be_empty = ELSEWHERE.iter().any(|name| query.starts_with(name));
                checks.push(Check { place: alert.name.into(), query, may_be_empty });
            }
        }
    }
    checks
}

fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
}

fn filled(expr: &str) -> String {
    VALUES.iter().fold(expr.to_owned(), |expr, (name, value)| expr.replace(name, value))
}

/// Returns each metric of a condition with its matchers, without its range.
fn selectors(expr: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = expr;
    for name in metric_names(expr) {
        rest = &rest[rest.find(&name).unwrap() + name.len()..];
        let end = if rest.starts_with('{') { rest.find('}').unwrap() + 1 } else { 0 };
        found.push(format!("{name}{}", &rest[..end]));
    }
    found
}
