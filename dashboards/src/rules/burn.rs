//! Objectives of service, and alerts when their error budget burns too fast.
//!
//! Each pair of windows is one rule: the long window shows that much was burnt, the short one that it
//! still burns. The factors are those of kubernetes-mixin, for a budget of 30 days.

use super::alert::{Alert, Severity};
use super::group::{Group, Record};

/// Windows over which each share of failures is recorded.
const WINDOWS: [&str; 7] = ["5m", "30m", "1h", "2h", "6h", "1d", "3d"];

/// Severity, long window, short window, factor of the budget, time held.
const PAIRS: [(Severity, &str, &str, f64, &str); 4] = [
    (Severity::Critical, "1h", "5m", 14.4, "2m"),
    (Severity::Critical, "6h", "30m", 6.0, "15m"),
    (Severity::Warning, "1d", "2h", 3.0, "1h"),
    (Severity::Warning, "3d", "6h", 1.0, "3h"),
];

/// An objective: a share of events that may fail.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Objective {
    /// Name of the alert.
    pub alert: &'static str,
    /// Name of the share in recorded metrics.
    pub metric: &'static str,
    /// Share of events that may fail in 30 days.
    pub budget: f64,
    /// Failures, as the object of a sentence.
    pub failures: &'static str,
    /// Name of the dashboard to open.
    pub dashboard: &'static str,
    /// PromQL of the share of failures, with `WINDOW` and the grouping `BY`.
    share: &'static str,
}

/// All objectives that have alerts.
pub const OBJECTIVES: [Objective; 5] = [
    Objective {
        alert: "BarrageChatLateBudgetBurn",
        metric: "push_late",
        budget: 0.01,
        failures: "of chat reaches sockets later than 1 s",
        dashboard: "gateway",
        share: r#"1 - sum BY (rate(barrage_gateway_push_seconds_bucket{class="chat",le=~"1(\\.0)?"}[WINDOW]))
  / sum BY (rate(barrage_gateway_push_seconds_count{class="chat"}[WINDOW]))"#,
    },
    Objective {
        alert: "BarrageGiftLateBudgetBurn",
        metric: "gift_late",
        budget: 0.001,
        failures: "of gifts reach sockets later than 10 s",
        dashboard: "gateway",
        share: r#"1 - sum BY (rate(barrage_gateway_push_seconds_bucket{class="gift",le=~"10(\\.0)?"}[WINDOW]))
  / sum BY (rate(barrage_gateway_push_seconds_count{class="gift"}[WINDOW]))"#,
    },
    Objective {
        alert: "BarragePostErrorsBudgetBurn",
        metric: "post_errors",
        budget: 0.001,
        failures: "of posts end with a server error",
        dashboard: "uplink",
        share: r#"sum BY (rate(barrage_http_requests_total{route=~"/v1/rooms/.room./(messages|packages)",status="5xx"}[WINDOW]))
  / sum BY (rate(barrage_http_requests_total{route=~"/v1/rooms/.room./(messages|packages)"}[WINDOW]))"#,
    },
    Objective {
        alert: "BarrageJoinErrorsBudgetBurn",
        metric: "join_errors",
        budget: 0.001,
        failures: "of joins are refused",
        dashboard: "entry",
        share: r#"sum BY (rate(barrage_gateway_joins_refused_total{reason!="draining"}[WINDOW]))
  / (sum BY (rate(barrage_gateway_joins_refused_total{reason!="draining"}[WINDOW]))
     + sum BY (rate(barrage_gateway_joins_total[WINDOW])))"#,
    },
    Objective {
        alert: "BarrageProbeErrorsBudgetBurn",
        metric: "probe_errors",
        budget: 0.001,
        failures: "of probes fail",
        dashboard: "overview",
        share: r#"sum BY (rate(barrage_probe_attempts_total{outcome="failure"}[WINDOW]))
  / sum BY (rate(barrage_probe_attempts_total[WINDOW]))"#,
    },
];

impl Objective {
    /// Returns the name of the recorded share of failures over a window.
    #[must_use]
    pub fn recorded(&self, window: &str) -> String {
        format!("cluster:barrage_{}:ratio_rate{window}", self.metric)
    }

    fn record(&self, window: &str) -> Record {
        let expr = self.share.replace("BY", "by (cluster, namespace)").replace("WINDOW", window);
        Record { name: self.recorded(window), expr }
    }

    fn alert(
        &self,
        (severity, long, short, factor, held): (Severity, &'static str, &str, f64, &'static str),
    ) -> Alert {
        let condition = |window| format!("{} > {factor} * {}", self.recorded(window), self.budget);
        Alert {
            name: self.alert,
            severity,
            window: Some(long),
            expr: format!("{}\nand\n{}", condition(long), condition(short)),
            held,
            summary: format!("Too large a share {}.", self.failures),
            description: format!(
                "In the last {long}, {{{{ $value | humanizePercentage }}}} {} in {{{{ $labels.namespace }}}}; \
                 the objective is at most {} %.",
                self.failures,
                self.budget * 100.0
            ),
            dashboard: self.dashboard,
        }
    }
}

/// Returns a group for each objective: its recorded shares and its alerts.
pub(super) fn groups() -> Vec<Group> {
    let group = |objective: &Objective| Group {
        name: format!("barrage-objective-{}", objective.metric.replace('_', "-")),
        records: WINDOWS.map(|window| objective.record(window)).into(),
        alerts: PAIRS.map(|pair| objective.alert(pair)).into(),
    };
    OBJECTIVES.iter().map(group).collect()
}
