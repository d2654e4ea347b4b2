//! Alerts of the objectives: a fast burn is critical, a slow one is a warning, and both clear.

use barrage_dashboards::rules::OBJECTIVES;

use crate::promtool::{self, Test};

/// Series of an objective, with placeholders for the values of good events, of failures, and of all.
struct Events {
    alert: &'static str,
    good: Option<&'static str>,
    failed: Option<&'static str>,
    all: Option<&'static str>,
}

const EVENTS: [Events; 5] = [
    Events {
        alert: "BarrageChatLateBudgetBurn",
        good: Some(r#"barrage_gateway_push_seconds_bucket{class="chat",le="1"}"#),
        failed: None,
        all: Some(r#"barrage_gateway_push_seconds_count{class="chat"}"#),
    },
    Events {
        alert: "BarrageGiftLateBudgetBurn",
        // As Prometheus 3 writes the label.
        good: Some(r#"barrage_gateway_push_seconds_bucket{class="gift",le="10.0"}"#),
        failed: None,
        all: Some(r#"barrage_gateway_push_seconds_count{class="gift"}"#),
    },
    Events {
        alert: "BarragePostErrorsBudgetBurn",
        good: Some(r#"barrage_http_requests_total{route="/v1/rooms/{room}/messages",status="2xx"}"#),
        failed: Some(r#"barrage_http_requests_total{route="/v1/rooms/{room}/messages",status="5xx"}"#),
        all: None,
    },
    Events {
        alert: "BarrageJoinErrorsBudgetBurn",
        good: Some("barrage_gateway_joins_total"),
        failed: Some(r#"barrage_gateway_joins_refused_total{reason="overload"}"#),
        all: None,
    },
    Events {
        alert: "BarrageProbeErrorsBudgetBurn",
        good: Some(r#"barrage_probe_attempts_total{outcome="success"}"#),
        failed: Some(r#"barrage_probe_attempts_total{outcome="failure"}"#),
        all: None,
    },
];

impl Events {
    /// Returns a test with these values of good events, failures and all events.
    fn test(
        &self,
        [good, failed, all]: [&'static str; 3],
        expected: &[(&'static str, &'static str, bool)],
    ) -> Test {
        let with = |name: Option<&'static str>, values| name.map(|name| (name, values));
        let series = [with(self.good, good), with(self.failed, failed), with(self.all, all)];
        Test {
            alert: self.alert,
            series: series.into_iter().flatten().collect(),
            expected: expected.to_vec(),
        }
    }
}

#[test]
fn every_objective_has_a_case() {
    assert_eq!(EVENTS.map(|events| events.alert), OBJECTIVES.map(|objective| objective.alert));
}

/// A fifth of 1,000 events a minute fails for half an hour.
#[test]
fn fast_burn_is_critical_and_clears() {
    let values = ["0+800x30 25000+1000x90", "0+200x30 6000x90", "0+1000x120"];
    let expected = [("1m", false), ("20m", true), ("110m", false)];
    let expected = expected.map(|(at, fires)| (r#"severity="critical""#, at, fires));
    promtool::test("1m", &EVENTS.map(|events| events.test(values, &expected)));
}

/// Four times the budget fails for five hours: too little for a critical alert.
#[test]
fn slow_burn_is_a_warning_and_clears() {
    let (critical, warning) = (r#"severity="critical""#, r#"severity="warning""#);
    let expected =
        [(warning, "30m", false), (warning, "5h", true), (critical, "5h", false), (warning, "14h", false)];
    let test = |events: Events| {
        // Of 100,000 events in ten minutes fail 4 % for chat, whose budget is 1 %, and else 0.4 %.
        let values = match events.alert {
            "BarrageChatLateBudgetBurn" => ["0+96000x30 2980000+100000x60", "", "0+100000x90"],
            _ => ["0+99600x30 3088000+100000x60", "0+400x30 12000x60", "0+100000x90"],
        };
        events.test(values, &expected)
    };
    promtool::test("10m", &EVENTS.map(test));
}
