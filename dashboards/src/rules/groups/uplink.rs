//! Alerts about posts, limits, tokens and the audit log.

use crate::rules::alert::{Alert, Severity, alert};

pub(super) fn alerts() -> Vec<Alert> {
    vec![
        alert(
            "BarrageQuotaFallback",
            Severity::Warning,
            "uplink",
            "5m",
            "max by (cluster, namespace, instance) (barrage_quota_fallback) == 1",
            [
                "Limits are counted without Redis.",
                "{{ $labels.instance }} has not reached Redis for 5 min and spends its own share of each limit \
                 (fallback = {{ $value }}).",
            ],
        ),
        alert(
            "BarrageBreakerOpen",
            Severity::Warning,
            "uplink",
            "5m",
            "barrage_breaker_state == 2",
            [
                "A dependency does not answer and is not called.",
                "The breaker {{ $labels.breaker }} of {{ $labels.instance }} has been open for 5 min (state = {{ $value }}).",
            ],
        ),
        alert(
            "BarrageTokensRefused",
            Severity::Warning,
            "uplink",
            "10m",
            "sum by (cluster, namespace) (rate(barrage_token_refused_total{reason!~\"expired|revoked\"}[5m]))\n  \
             > 1 + 0.1 * sum by (cluster, namespace) (rate(barrage_gateway_joins_total[5m]))",
            [
                "Many tokens are refused, as after a wrong rotation of keys.",
                "{{ $value | humanize }} tokens a second in {{ $labels.namespace }} do not verify.",
            ],
        ),
        alert(
            "BarrageAuditLost",
            Severity::Warning,
            "uplink",
            "0m",
            "sum by (cluster, namespace) (increase(barrage_uplink_audit_lost_total[15m])) > 0",
            [
                "Lines of the audit log were lost.",
                "{{ $value | humanize }} lines of the audit log in {{ $labels.namespace }} were lost in 15 min.",
            ],
        ),
    ]
}
