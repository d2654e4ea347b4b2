//! Alerts about the autoscaler.

use crate::rules::alert::{Alert, Severity, alert};

pub(super) fn alerts() -> Vec<Alert> {
    vec![
        alert(
            "BarrageAutoscalerNoLeader",
            Severity::Critical,
            "autoscaler",
            "5m",
            "max by (cluster, namespace) (barrage_autoscaler_leader) == 0",
            [
                "No replica of the autoscaler leads: the fleet is not scaled.",
                "No replica in {{ $labels.namespace }} has led for 5 min (leaders: {{ $value }}).",
            ],
        ),
        alert(
            "BarrageAutoscalerAtMaximum",
            Severity::Warning,
            "autoscaler",
            "15m",
            "max by (cluster, namespace, fleet) (barrage_autoscaler_recommended_gateways)\n  \
             > max by (cluster, namespace, fleet) (barrage_autoscaler_gateways{state=\"desired\"}) + 0.5",
            [
                "The fleet needs more gateways than it may have.",
                "The fleet {{ $labels.fleet }} needs {{ $value | printf \"%.1f\" }} gateways, more than are allowed.",
            ],
        ),
        alert(
            "BarrageAutoscalerForecastOff",
            Severity::Warning,
            "autoscaler",
            "15m",
            "max by (cluster, namespace, fleet) (abs(barrage_autoscaler_forecast_error_ratio)) > 0.5\n\
             and on (cluster, namespace, fleet)\n  \
             max by (cluster, namespace, fleet) (barrage_autoscaler_viewers{which=\"all\"}) > 1000",
            [
                "The forecast of the viewers is far off: gateways come late, or too many come.",
                "The forecast for the fleet {{ $labels.fleet }} was off by {{ $value | humanizePercentage }} for 15 min.",
            ],
        ),
        alert(
            "BarrageAutoscalerPanic",
            Severity::Warning,
            "autoscaler",
            "10m",
            "max by (cluster, namespace, fleet) (barrage_autoscaler_panic) == 1",
            [
                "Demand has outgrown a fleet for a long time.",
                "The fleet {{ $labels.fleet }} has been in panic for 10 min (panic = {{ $value }}).",
            ],
        ),
        alert(
            "BarrageAutoscalerFailing",
            Severity::Warning,
            "autoscaler",
            "10m",
            "sum by (cluster, namespace, fleet, reason) (rate(barrage_autoscaler_errors_total[5m])) > 0",
            [
                "Passes of the autoscaler end early.",
                "{{ $value | humanize }} passes a second for the fleet {{ $labels.fleet }} fail: {{ $labels.reason }}.",
            ],
        ),
        alert(
            "BarrageAutoscalerSilentGateways",
            Severity::Warning,
            "autoscaler",
            "5m",
            "max by (cluster, namespace, fleet) (barrage_autoscaler_gateways{state=\"silent\"}) > 0",
            [
                "Gateways run and do not report their load.",
                "{{ $value }} gateways of the fleet {{ $labels.fleet }} have not reported for 5 min.",
            ],
        ),
        alert(
            "BarrageAutoscalerWrongVictim",
            Severity::Warning,
            "autoscaler",
            "0m",
            "sum by (cluster, namespace, fleet) (increase(barrage_autoscaler_wrong_victims_total[15m])) > 0",
            [
                "Kubernetes deleted a gateway with viewers in place of a drained one.",
                "{{ $value | humanize }} gateways of the fleet {{ $labels.fleet }} were deleted undrained in 15 min.",
            ],
        ),
    ]
}
