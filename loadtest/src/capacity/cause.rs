//! Why a trial broke: through a limit of the server's configuration, or through overload.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::measure::figure::{Unit, unit_of};
use crate::net::http::{Call, Pool};
use crate::report::{Report, Verdict};

/// Share of the delivery latency above which the answers to posts show that the uplink was too
/// slow, not the gateway.
const UPLINK_SHARE: f64 = 0.5;

/// Why a search of one axis ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "by", content = "what")]
pub enum Cause {
    /// A figure left its limits: this is the knee.
    Limits(String),
    /// A setting of the server refused the load before that.
    Configuration(String),
    /// The load tester was the bottleneck, so the gateway could have carried more.
    Tester(String),
    /// The uplink was the bottleneck: messages were late before they reached the gateway.
    Uplink(String),
    /// The greatest load of the search held.
    Ceiling(String),
}

impl Cause {
    /// Describes the cause in one line, for the output.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Cause::Limits(what) => what.clone(),
            Cause::Configuration(key) => format!("limited by configuration {key}"),
            Cause::Tester(what) => format!("the tester gave out: {what}"),
            Cause::Uplink(what) => format!("the uplink gave out: {what}"),
            Cause::Ceiling(what) => what.clone(),
        }
    }

    /// Whether the server could have carried more.
    #[must_use]
    pub fn is_at_least(&self) -> bool {
        !matches!(self, Cause::Limits(_))
    }
}

/// Values of the server's refusal counters, by `name{labels}`.
pub type Counters = BTreeMap<String, f64>;

/// Prefixes of the counters, and the settings that they belong to.
const TELLING: [(&str, &str); 5] = [
    ("barrage_gateway_joins_refused_total{reason=\"joins_per_s\"}", "gateway.joins_per_s"),
    ("barrage_gateway_joins_refused_total{reason=\"overloaded\"}", "gateway.viewers_max"),
    ("barrage_entry_turned_away_total{reason=\"fleet_full\"}", "gateway.viewers_max"),
    ("barrage_entry_turned_away_total{reason=\"queue_full\"}", "gateway.joins_per_s"),
    ("barrage_gateway_overload_changes_total{", "gateway.egress_bytes_per_s"),
];

/// Reads the counters; empty when the server does not answer.
pub async fn counters(pool: &Pool, path: &str) -> Counters {
    match pool.call(&Call::get(path)).await {
        Ok((status, body)) if status.is_success() => parse(&String::from_utf8_lossy(&body)),
        _ => Counters::new(),
    }
}

fn parse(text: &str) -> Counters {
    let lines = text.lines().filter_map(|line| line.rsplit_once(' '));
    let counters = lines.filter(|(name, _)| {
        let is_pressure = name.starts_with("barrage_gateway_overload_changes_total{");
        let is_egress = name.contains("pressure=\"egress\"") && !name.contains("level=\"normal\"");
        TELLING.iter().any(|(telling, _)| name.starts_with(telling)) && (!is_pressure || is_egress)
    });
    counters.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
}

/// Returns why a trial broke; `None` when it held.
#[must_use]
pub fn cause(report: &Report, before: &Counters, after: &Counters) -> Option<Cause> {
    let totals = &report.totals;
    let turned_away = !totals.refusals.is_empty() || totals.tickets > 0;
    let is_clean = report.verdict == Verdict::Passed && !turned_away && totals.posts.held == 0;
    if is_clean && totals.posts.refused.is_empty() {
        return None;
    }
    if let Some(key) = configured(report, before, after) {
        return Some(Cause::Configuration(key));
    }
    if let Verdict::Invalid(_) = &report.verdict {
        let lag = report.figures.get("tester.lag.p99").copied().unwrap_or_default();
        return Some(Cause::Tester(format!("its own timers were {lag:.0} ms late at p99")));
    }
    let figure = |name: &str| report.figures.get(name).copied().unwrap_or_default();
    if report.verdict == Verdict::Failed && figure("post.p99") > figure("p99") * UPLINK_SHARE {
        return Some(Cause::Uplink(format!("posts were answered after {:.0} ms at p99", figure("post.p99"))));
    }
    let mut said: Vec<String> = report
        .thresholds
        .iter()
        .filter(|checked| !checked.holds)
        .map(|checked| match checked.value {
            Some(value) => {
                let unit = unit_of(checked.threshold.figure()).unwrap_or(Unit::Number);
                format!("{} was {}", checked.threshold, unit.show(value))
            }
            None => format!("{} was not measured", checked.threshold),
        })
        .collect();
    said.extend(totals.refusals.iter().map(|(reason, count)| format!("{count} refused: {reason}")));
    said.extend(
        totals.posts.refused.iter().map(|(reason, count)| format!("{count} posts refused: {reason}")),
    );
    Some(Cause::Limits(said.join("; ")))
}

/// Returns the setting that refused the load.
fn configured(report: &Report, before: &Counters, after: &Counters) -> Option<String> {
    let totals = &report.totals;
    if totals.posts.held > 0 {
        return Some("uplink.limits.room_display_chat_per_s (give --token-key: moderators post then)".into());
    }
    if totals.posts.refused.contains_key("rate_limited") {
        return Some("uplink.limits (the posts were refused, not the deliveries)".into());
    }
    let grown = TELLING.iter().find(|(telling, _)| {
        let mut counters = after.iter().filter(|(name, _)| name.starts_with(telling));
        counters.any(|(name, value)| *value > before.get(name).copied().unwrap_or_default())
    });
    match grown {
        Some((_, key)) => Some((*key).into()),
        // Entry limits joins to the rate that the gateways admit.
        None if totals.refusals.contains_key("entry: overloaded") => {
            Some("gateway.viewers_max or gateway.joins_per_s (entry turned newcomers away)".into())
        }
        None if totals.tickets > 0 => Some("gateway.joins_per_s (entry gave out tickets)".into()),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::run;

    const BEFORE: &str = "# HELP x\nbarrage_gateway_joins_refused_total{reason=\"joins_per_s\"} 3\n\
        barrage_gateway_joins_total 7\nbarrage_gateway_overload_changes_total{level=\"thin_chat\",pressure=\"lag\"} 4\n";

    #[test]
    fn cause_is_none_for_a_clean_trial_and_names_late_figures() {
        let (held, late) = (Report::new(run(1, 20)), Report::new(run(1, 1_700)));
        assert_eq!(cause(&held, &Counters::new(), &Counters::new()), None);
        let Some(Cause::Limits(said)) = cause(&late, &Counters::new(), &Counters::new()) else { panic!() };
        assert!(said.contains("p99 < 1s was 1"), "{said}");
        let mut slow = run(1, 1_700);
        slow.total.post.record(std::time::Duration::from_millis(1_600));
        let found = cause(&Report::new(slow), &Counters::new(), &Counters::new()).unwrap();
        assert!(matches!(&found, Cause::Uplink(_)) && found.is_at_least(), "{found:?}");
        let invalid = Report::new(run(600, 20));
        assert!(matches!(cause(&invalid, &Counters::new(), &Counters::new()), Some(Cause::Tester(_))));
    }

    #[test]
    fn cause_of_a_refusal_names_the_setting() {
        let mut report = Report::new(run(1, 20));
        report.totals.refusals.insert("overloaded".into(), 4);
        let before = parse(BEFORE);
        assert_eq!(before.len(), 1, "{before:?}");
        // No counter grew: the cause is overload.
        assert!(matches!(cause(&report, &before, &before), Some(Cause::Limits(_))));
        let after = parse(&BEFORE.replace("} 3", "} 9"));
        let found = cause(&report, &before, &after).unwrap();
        assert_eq!(found, Cause::Configuration("gateway.joins_per_s".into()));
        let full = parse("barrage_gateway_joins_refused_total{reason=\"overloaded\"} 1\n");
        let found = cause(&report, &before, &full).unwrap();
        assert_eq!(found.text(), "limited by configuration gateway.viewers_max");
        assert!(found.is_at_least());
    }

    #[test]
    fn cause_of_tickets_and_held_posts_is_the_configuration() {
        let mut report = Report::new(run(1, 20));
        report.totals.tickets = 1;
        let found = cause(&report, &Counters::new(), &Counters::new()).unwrap();
        assert!(found.text().contains("gateway.joins_per_s"), "{found:?}");
        report.totals.posts.held = 1;
        let found = cause(&report, &Counters::new(), &Counters::new()).unwrap();
        assert!(found.text().contains("room_display_chat_per_s"), "{found:?}");
    }
}
