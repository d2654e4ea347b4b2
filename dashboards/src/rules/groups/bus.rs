//! Alerts about the bus and the archive.

use crate::rules::alert::{Alert, Severity, alert};

pub(super) fn alerts() -> Vec<Alert> {
    vec![
        alert(
            "BarrageBusFailing",
            Severity::Critical,
            "bus",
            "1m",
            "sum by (cluster, namespace) (rate(barrage_bus_log_failures_total[1m])) > 0",
            [
                "Messages do not become durable, and senders get 503.",
                "{{ $value | humanize }} commits a second in {{ $labels.namespace }} fail.",
            ],
        ),
        alert(
            "BarrageBusSlow",
            Severity::Warning,
            "bus",
            "5m",
            "histogram_quantile(0.99, sum by (cluster, namespace, le) (rate(barrage_bus_publish_duration_seconds_bucket[5m]))) > 1",
            [
                "The bus is slow to make messages durable.",
                "One publish in a hundred in {{ $labels.namespace }} takes longer than {{ $value | humanizeDuration }}.",
            ],
        ),
        alert(
            "BarrageBusDisconnected",
            Severity::Warning,
            "bus",
            "0m",
            "sum by (cluster, namespace, instance) (increase(barrage_bus_disconnects_total[10m])) > 3",
            [
                "A process loses NATS again and again.",
                "{{ $labels.instance }} lost its connection to NATS {{ $value | humanize }} times in 10 min.",
            ],
        ),
        alert(
            "BarrageBusSlowConsumer",
            Severity::Warning,
            "bus",
            "10m",
            "sum by (cluster, namespace, instance) (rate(barrage_bus_slow_subscriptions_total[5m])) > 1",
            [
                "A process takes messages from the bus too slowly.",
                "{{ $labels.instance }} reads {{ $value | humanize }} messages a second again, because its channels were full.",
            ],
        ),
        alert(
            "BarrageArchiverLag",
            Severity::Warning,
            "bus",
            "10m",
            "max by (cluster, namespace) (barrage_archiver_lag_messages) > 10000",
            [
                "The archive is behind, and the history lacks new messages.",
                "The archive in {{ $labels.namespace }} is {{ $value | humanize }} messages behind the bus.",
            ],
        ),
        alert(
            "BarrageArchiverFailing",
            Severity::Warning,
            "bus",
            "10m",
            "sum by (cluster, namespace) (rate(barrage_archiver_store_failures_total[5m])\n  \
             + rate(barrage_archiver_bus_failures_total[5m])) > 0",
            [
                "The archiver cannot read the bus or write the store.",
                "{{ $value | humanize }} calls a second of the archiver in {{ $labels.namespace }} fail.",
            ],
        ),
        alert(
            "BarrageWebhooksBehind",
            Severity::Warning,
            "bus",
            "10m",
            "max by (cluster, namespace, endpoint) (barrage_webhooks_oldest_pending_seconds) > 900",
            [
                "A receiver of webhooks does not get its events.",
                "The oldest event for {{ $labels.endpoint }} in {{ $labels.namespace }} waits for {{ $value | humanizeDuration }}.",
            ],
        ),
        alert(
            "BarrageWebhooksLosing",
            Severity::Warning,
            "bus",
            "0m",
            "sum by (cluster, namespace, endpoint) (increase(barrage_webhooks_dropped_total[10m])\n  \
             + ignoring(outcome) increase(barrage_webhooks_attempts_total{outcome=\"exhausted\"}[10m])) > 0",
            [
                "A receiver of webhooks loses events.",
                "{{ $value | humanize }} events for {{ $labels.endpoint }} in {{ $labels.namespace }} were dropped or failed for good in 10 min.",
            ],
        ),
        alert(
            "BarrageWebhooksDisabled",
            Severity::Warning,
            "bus",
            "1m",
            "max by (cluster, namespace, endpoint) (barrage_webhooks_disabled) > 0",
            [
                "A receiver of webhooks answered 410 and gets nothing.",
                "{{ $value | humanize }} process in {{ $labels.namespace }} reports {{ $labels.endpoint }} as disabled.",
            ],
        ),
        alert(
            "BarrageCourierBehind",
            Severity::Warning,
            "bus",
            "5m",
            "max by (cluster, namespace) (barrage_courier_lag_seconds) > 60",
            [
                "Accepted letters are not readable.",
                "The oldest letter in {{ $labels.namespace }} has waited for {{ $value | humanizeDuration }}.",
            ],
        ),
        alert(
            "BarrageUnreadWrong",
            Severity::Warning,
            "bus",
            "0m",
            "sum by (cluster, namespace) (increase(barrage_inbox_unread_error_total[1h])) > 0",
            [
                "Unread numbers differ from the letters.",
                "{{ $value | humanize }} numbers in {{ $labels.namespace }} differed from a recount in the last hour.",
            ],
        ),
        alert(
            "BarragePushBehind",
            Severity::Warning,
            "bus",
            "5m",
            "max by (cluster, namespace) (barrage_push_late_seconds) > 120",
            [
                "Notifications come late.",
                "The oldest notification in {{ $labels.namespace }} is due for {{ $value | humanizeDuration }}.",
            ],
        ),
        alert(
            "BarragePushMisconfigured",
            Severity::Warning,
            "bus",
            "5m",
            "sum by (cluster, namespace, service) (barrage_push_misconfigured) > 0",
            [
                "A push service refuses the sender.",
                "{{ $labels.service }} refuses every notification of {{ $value }} processes in {{ $labels.namespace }}.",
            ],
        ),
    ]
}
