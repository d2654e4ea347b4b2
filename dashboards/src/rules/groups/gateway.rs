//! Alerts about viewers and gateways.

use crate::rules::alert::{Alert, Severity, alert};

pub(super) fn alerts() -> Vec<Alert> {
    vec![
        alert(
            "BarrageMessagesUnaccounted",
            Severity::Critical,
            "bus",
            "1m",
            "max by (cluster, namespace) (abs(barrage_fleet_conservation_error)) > 0",
            [
                "Messages that were accepted are missing from the account of the fleet.",
                "{{ $value }} messages in {{ $labels.namespace }} were accepted and are neither delivered, dropped, \
                 expired nor in flight.",
            ],
        ),
        alert(
            "BarrageProbeGatewayDown",
            Severity::Critical,
            "overview",
            "0m",
            "min by (cluster, namespace, gateway) (barrage_probe_gateway_up) == 0",
            [
                "A gateway takes no viewers, or delivers nothing to them.",
                "The last probes through {{ $labels.gateway }} in {{ $labels.namespace }} all failed (up = {{ $value }}).",
            ],
        ),
        alert(
            "BarrageGatewayOverloaded",
            Severity::Critical,
            "gateway",
            "2m",
            "barrage_gateway_overload_level >= 3",
            [
                "A gateway drops chat or refuses joins, because it is full.",
                "{{ $labels.instance }} is at overload level {{ $value }} of 4.",
            ],
        ),
        alert(
            "BarrageGatewayPressure",
            Severity::Warning,
            "gateway",
            "15m",
            "barrage_gateway_overload_level >= 1",
            [
                "A gateway is near its limit for a long time.",
                "{{ $labels.instance }} has been above its limits for 15 min, now at overload level {{ $value }} of 4.",
            ],
        ),
        alert(
            "BarrageGatewaySkew",
            Severity::Warning,
            "gateway",
            "15m",
            "max by (cluster, namespace) (barrage_gateway_connections)\n  \
             / avg by (cluster, namespace) (barrage_gateway_connections) > 1.5\n\
             and max by (cluster, namespace) (barrage_gateway_connections) > 1000",
            [
                "Viewers are spread unevenly over gateways.",
                "The fullest gateway in {{ $labels.namespace }} has {{ $value | printf \"%.1f\" }} times the mean of viewers.",
            ],
        ),
        alert(
            "BarrageGatewayDrainStuck",
            Severity::Warning,
            "gateway",
            "15m",
            "barrage_gateway_connections > 0\nand on (cluster, namespace, instance) barrage_gateway_draining == 1",
            [
                "A gateway drains and keeps its viewers.",
                "{{ $labels.instance }} has drained for 15 min and still has {{ $value }} viewers.",
            ],
        ),
    ]
}
