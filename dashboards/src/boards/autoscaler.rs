//! The autoscaler: what it wants, what there is, and why.

use crate::grafana::{Dashboard, Row, Unit, quantiles, row, series, stat};

use super::colours::ZERO;

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "autoscaler",
        title: "Barrage / Autoscaler",
        description: "Gateways that the controller wants, has and drains, the axis that asks for them, and its actions.",
        source: "barrage_autoscaler_leader",
        rows: vec![capacity(), why(), actions(), health()],
    }
}

fn capacity() -> Row {
    row(
        "Is there room for all viewers?",
        [
            stat("Viewers that wait", Unit::Count, r#"sum(barrage_autoscaler_viewers{@,which="waiting"})"#, "Newcomers with a ticket for later. Above 0 for minutes: the fleet starts too slowly or is at its maximum.")
                .colours(&[("orange", 1.0)]),
            stat("Gateways serving", Unit::Count, r#"sum(barrage_autoscaler_gateways{@,state="serving"})"#, "Gateways that report and take newcomers."),
            stat("Gateways missing", Unit::Count, r#"sum(barrage_autoscaler_gateways{@,state="desired"}) - sum(barrage_autoscaler_gateways{@,state="serving"})"#, "Wanted and not serving yet. Above 0 for minutes: pods do not start, look at their events.")
                .colours(&[("orange", 1.0)]),
            stat("Fullest gateway to the mean", Unit::Factor, "max(barrage_autoscaler_skew_ratio{@})", "1 is even. Above 1.5 after a scale-out: a rebalance is due.")
                .colours(&[("orange", 1.3), ("red", 1.5)]),
            stat("Panic", Unit::Count, "max(barrage_autoscaler_panic{@})", "1 while demand outgrows the fleet: no scale-in. Longer than 10 min: runbook of BarrageAutoscalerPanic.")
                .colours(ZERO),
            stat("Gateways silent", Unit::Count, r#"sum(barrage_autoscaler_gateways{@,state="silent"})"#, "Gateways that run and do not report. Runbook of BarrageAutoscalerSilentGateways.")
                .colours(ZERO),
        ],
    )
}

fn why() -> Row {
    row(
        "How many gateways are wanted, and why?",
        [
            series(
                "Gateways by state",
                Unit::Count,
                "`asked` is what Kubernetes was asked for; `desired` what the last decision wants.",
            )
            .query("sum by (fleet, state) (barrage_autoscaler_gateways{@})", "{{fleet}} {{state}}")
            .wide(8),
            series(
                "Gateways that each axis requires",
                Unit::Count,
                "The largest axis decides. `kubectl get fleetautoscaler -o yaml` has the same in words.",
            )
            .query("max by (fleet, axis) (barrage_autoscaler_recommended_gateways{@})", "{{fleet}} {{axis}}")
            .wide(8),
            series(
                "Viewers: now and forecast",
                Unit::Count,
                "A forecast far off the later value: check the announced crowds (`prewarms`).",
            )
            .query("sum by (fleet, which) (barrage_autoscaler_viewers{@})", "{{fleet}} {{which}}")
            .wide(8),
        ],
    )
}

fn actions() -> Row {
    row(
        "What did it do?",
        [
            series("Actions", Unit::PerSecond, "Actions by the reason of their event; `kubectl get events` has the sentences.")
                .query("sum by (fleet, action) (rate(barrage_autoscaler_actions_total{@}[$__rate_interval]))", "{{fleet}} {{action}}")
                .wide(8),
            series("Spread, panic and error of the forecast", Unit::Factor, "Viewers of the fullest gateway to the mean; panic as 0 or 1; the forecast against what came, negative when more came.")
                .query("max by (fleet) (barrage_autoscaler_skew_ratio{@})", "{{fleet}} skew")
                .query("max by (fleet) (barrage_autoscaler_panic{@})", "{{fleet}} panic")
                .query("max by (fleet) (barrage_autoscaler_forecast_error_ratio{@})", "{{fleet}} forecast")
                .wide(8),
            series("Wrong victims", Unit::Count, "Gateways that Kubernetes deleted in place of a drained one, in the last hour. Runbook of BarrageAutoscalerWrongVictim.")
                .query("sum by (fleet) (increase(barrage_autoscaler_wrong_victims_total{@}[1h]))", "{{fleet}}")
                .wide(8),
        ],
    )
}

fn health() -> Row {
    row(
        "Does the controller work?",
        [
            series("Errors, by reason", Unit::PerSecond, "Passes that ended early. Runbook of BarrageAutoscalerFailing.")
                .query("sum by (fleet, reason) (rate(barrage_autoscaler_errors_total{@}[$__rate_interval]))", "{{fleet}} {{reason}}")
                .wide(8),
            quantiles("Time of a pass", "barrage_autoscaler_pass_seconds", "", "", "One pass over all fleets. Longer than the interval: the API server or the gateways' admin listeners are slow.").wide(8),
            series("Leader", Unit::Count, "One replica leads. None for minutes: runbook of BarrageAutoscalerNoLeader.")
                .query("barrage_autoscaler_leader{@}", "{{instance}}")
                .wide(8),
        ],
    )
}
